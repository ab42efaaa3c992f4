"""A certificate signing request (PKCS #10) with a real signature: ECDSA on P-256, written out.

For a simulated charge point: its key is worth nothing, nothing here resists a look at how long it takes, and in return
it needs no library. The key follows from the name, so the same charge point always has the same one.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from simulators import der

_P: Final = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_EC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_ECDSA_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
_COMMON_NAME: Final = bytes.fromhex("0603550403")
_ORGANISATION: Final = bytes.fromhex("060355040a")
_CURVE: Final = 0xA0
_PUBLIC_KEY: Final = 0xA1
_NO_ATTRIBUTES: Final = b"\xa0\x00"
Point = tuple[int, int] | None
"""A point of the curve; None is the one at infinity."""


def signing_request(name: str, organisation: str) -> str:
    """A request in PEM to have a charge point's certificate signed.

    Args:
        name: of the charge point, its common name.
        organisation: who runs it.
    """
    secret = _number(b"key", name.encode())
    key = _public(secret)
    subject = der.written(
        der.SEQUENCE, _attribute(_ORGANISATION, organisation[:64]), _attribute(_COMMON_NAME, name[:64])
    )
    key_info = der.written(der.SEQUENCE, der.written(der.SEQUENCE, _EC_KEY, _P256), der.written(der.BIT_STRING, key))
    body = der.written(der.SEQUENCE, der.integer(0), subject, key_info, _NO_ATTRIBUTES)
    r, s = _signature(secret, body)
    signature = der.written(der.SEQUENCE, der.integer(r), der.integer(s))
    whole = der.written(
        der.SEQUENCE,
        body,
        der.written(der.SEQUENCE, _ECDSA_SHA256),
        der.written(der.BIT_STRING, b"\x00", signature),
    )
    text = base64.encodebytes(whole).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


def private_key(name: str) -> str:
    """The key of that request, in PEM (RFC 5915): what a charge point would never show anybody."""
    secret = _number(b"key", name.encode())
    whole = der.written(
        der.SEQUENCE,
        der.integer(1),
        der.written(der.OCTET_STRING, secret.to_bytes(32, "big")),
        der.written(_CURVE, _P256),
        der.written(_PUBLIC_KEY, der.written(der.BIT_STRING, _public(secret))),
    )
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(whole).decode()}-----END EC PRIVATE KEY-----\n"


def _public(secret: int) -> bytes:
    """The public key as the content of a bit string."""
    public = _times(secret, _G)
    assert public is not None
    return b"\x00\x04" + public[0].to_bytes(32, "big") + public[1].to_bytes(32, "big")


def _attribute(kind: bytes, text: str) -> bytes:
    return der.written(der.SET, der.written(der.SEQUENCE, kind, der.written(der.UTF8, text.encode())))


def _signature(secret: int, message: bytes) -> tuple[int, int]:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    nonce = _number(secret.to_bytes(32, "big"), message)
    at = _times(nonce, _G)
    assert at is not None
    r = at[0] % _N
    return r, pow(nonce, -1, _N) * (digest + r * secret) % _N


def _number(*parts: bytes) -> int:
    """A number from 1 to below the order of the curve, following from some bytes."""
    return int.from_bytes(hashlib.sha512(b"\x00".join(parts)).digest(), "big") % (_N - 1) + 1


def _plus(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _times(factor: int, point: Point) -> Point:
    total: Point = None
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point = _plus(point, point)
        factor >>= 1
    return total
