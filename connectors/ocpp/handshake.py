"""Which socket may become which charger's link: identity, subprotocol, password."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import unquote

from websockets.datastructures import Headers

from twin_core.errors import ProtocolError
from twin_core.models.ids import ChargerId, charger_id

MAX_LOGINS_REMEMBERED = 4096
MAX_BACKOFF_S = 60.0

_HEX_KEY = re.compile(rb"([0-9A-Fa-f]{2}){16,20}")
"""A password of 16 to 20 bytes in hexadecimal."""

_OURS = frozenset({"ocpp1.6", "ocpp1.6j"})


def identity_in(path: str, prefix: str) -> ChargerId:
    """The charge point identity in a request's path: its last segment, percent-decoded.

    Raises:
        ProtocolError: the path is another's, or holds no allowed identity.
    """
    segments = [segment for segment in path.partition("?")[0].split("/") if segment]
    expected = [segment for segment in prefix.split("/") if segment]
    if segments[: len(expected)] != expected or len(segments) <= len(expected):
        raise ProtocolError(f"connect at {prefix}/{{charge point identity}}")
    if len(segments) > len(expected) + 1:
        raise ProtocolError("the identity must be one segment of the path")
    try:
        decoded = unquote(segments[-1], errors="strict")
    except UnicodeDecodeError as exc:
        raise ProtocolError("the identity is no percent-encoded UTF-8") from exc
    return charger_id(decoded)  # refuses also a slash that was hidden as %2F


def chosen_subprotocol(offered: list[str]) -> str | None:
    """The first offered name of OCPP 1.6, in the client's own spelling; None to name none.

    Raises:
        ProtocolError: only other protocols were offered.
    """
    for name in offered:
        if name.strip().lower() in _OURS:
            return name
    if offered:
        raise ProtocolError(f"only ocpp1.6 is spoken here, not {', '.join(offered)[:80]}")
    return None


def credentials(headers: Headers) -> tuple[str, bytes] | None:
    """User and password of HTTP Basic authentication; None when there are none or they cannot be read.

    The password is bytes: the security extension has it drawn at random, and then it is no text.
    """
    values = headers.get_all("Authorization")
    if len(values) != 1:
        return None
    scheme, _, encoded = values[0].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def password_matches(identity: ChargerId, expected: str | None, shown: tuple[str, bytes] | None) -> bool:
    """Whether the right user shows the right password; takes the same time for every wrong one.

    One that is expected in hexadecimal, as an AuthorizationKey is written, matches the bytes it means as well as the
    text it is: many chargers show the text.
    """
    user, password = shown or ("", b"")
    text = (expected or "").encode()
    meant = bytes.fromhex(text.decode()) if _HEX_KEY.fullmatch(text) else text
    as_text, as_bytes = hmac.compare_digest(password, text), hmac.compare_digest(password, meant)
    right_user = hmac.compare_digest(user.encode(), identity.encode())
    return (as_text or as_bytes) and right_user and expected is not None


@dataclass(slots=True)
class _Failures:
    count: int
    not_before_s: float


class LoginGuard:
    """Slows down guessing: each wrong password doubles the wait of its address for its identity."""

    def __init__(self, first_wait_s: float) -> None:
        self._first_wait_s = first_wait_s
        self._failures: dict[tuple[str, str], _Failures] = {}

    def wait_s(self, address: str, identity: ChargerId, now_s: float) -> float:
        """How long this address must wait before this identity is looked at again; 0 when it need not."""
        failures = self._failures.get((address, identity))
        return 0.0 if failures is None else max(0.0, failures.not_before_s - now_s)

    def failed(self, address: str, identity: ChargerId, now_s: float) -> None:
        """A wrong password was shown."""
        key = (address, identity)
        failures = self._failures.pop(key, _Failures(0, now_s))
        failures.not_before_s = now_s + min(MAX_BACKOFF_S, self._first_wait_s * 2**failures.count)
        failures.count = min(failures.count + 1, 16)
        self._failures[key] = failures
        if len(self._failures) > MAX_LOGINS_REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def passed(self, address: str, identity: ChargerId) -> None:
        """The right password was shown."""
        self._failures.pop((address, identity), None)
