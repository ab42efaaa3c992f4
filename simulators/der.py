"""As much of DER, the encoding of X.509, as a charge point needs: read one value after another, and write them."""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_ID = 0x06
UTF8 = 0x0C


def values(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The values in some bytes, each as tag, content and whole encoding.

    Raises:
        ValueError: these bytes are no DER.
    """
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("DER ends within a header")
        tag, length, begin = data[at], data[at + 1], at + 2
        if length & 0x80:
            n_bytes = length & 0x7F
            length = int.from_bytes(data[begin : begin + n_bytes], "big")
            begin += n_bytes
        if not 0 <= length <= len(data) - begin:
            raise ValueError("DER ends within a value")
        yield tag, data[begin : begin + length], data[at : begin + length]
        at = begin + length


def written(tag: int, *contents: bytes) -> bytes:
    """One value, its contents joined."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def integer(number: int) -> bytes:
    """An INTEGER, not negative."""
    return written(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
