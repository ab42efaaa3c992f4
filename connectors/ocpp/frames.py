"""OCPP-J frames: bytes in, one of three messages out. Pure.

Lenient where only one reading is possible: a message type or a unique id of the other JSON type, a missing or null
payload, missing error texts, elements too many. Strict otherwise, and never another exception than `FrameError`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from twin_core.errors import ProtocolError

Payload = dict[str, Any]
"""The object a message carries; what is in it has not been checked."""

UniqueId = str | int
"""Correlates an answer with its call; a string by the standard, sometimes a number in the field, echoed as it came."""

MAX_UNIQUE_ID_LENGTH = 128
MAX_ACTION_LENGTH = 64

_ANSWER_BEGINS = re.compile(rb'\s*\[\s*"?[34]"?\s*,\s*"([\x21-\x7e]{1,128}?)"\s*,')

_LENGTHS = {2: 4, 3: 3, 4: 5}
"""Elements of each type of message."""

_TYPES: dict[Any, int] = {2: 2, 3: 3, 4: 4, "2": 2, "3": 3, "4": 4}


@dataclass(frozen=True, slots=True)
class Call:
    """[2, id, action, payload]: the peer asks.

    Attributes:
        sloppy: it is not quite by the standard, and was read all the same; so with the others.
    """

    unique_id: UniqueId
    action: str
    payload: Payload
    sloppy: bool = False


@dataclass(frozen=True, slots=True)
class CallResult:
    """[3, id, payload]: the peer answers; the id is a string whatever came."""

    unique_id: str
    payload: Payload
    sloppy: bool = False


@dataclass(frozen=True, slots=True)
class CallError:
    """[4, id, code, description, details]: the peer could not answer."""

    unique_id: str
    code: str
    description: str
    sloppy: bool = False


Frame = Call | CallResult | CallError


class FrameError(ProtocolError):
    """A frame that no reading of the standard allows.

    Attributes:
        cause: short name to count by.
        reply_to: unique id of a CALL that is to be answered with a CALLERROR; None when there is nothing to answer.
        answers: unique id of our CALL that this was meant to answer, which now has failed; None for other frames.
    """

    def __init__(
        self, cause: str, detail: str, *, reply_to: UniqueId | None = None, answers: str | None = None
    ) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail
        self.reply_to = reply_to
        self.answers = answers


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


def decode(data: bytes) -> Frame:
    """The message in a frame.

    Raises:
        FrameError: not JSON, NaN or infinity, numbers or nesting without bounds, or no OCPP-J message.
    """
    try:
        message = _decoder.decode(data)
    except RecursionError as exc:
        raise FrameError("frame-too-deep", "nested too deeply") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise FrameError("frame-not-json", str(exc)[:120], answers=_torn_answer(data)) from exc
    if type(message) is not list or len(message) < 2:
        raise FrameError("frame-not-a-message", "not an array of two or more elements")
    kind = message[0]
    kind = _TYPES.get(kind) if type(kind) in (int, str) else None
    if kind is None:
        raise FrameError("frame-unknown-type", f"message type {ascii(message[0])[:40]}")
    unique_id = message[1]
    if type(unique_id) not in (str, int) or len(str_id := str(unique_id)) > MAX_UNIQUE_ID_LENGTH or not str_id:
        raise FrameError("frame-bad-id", f"unique id {ascii(unique_id)[:40]}")
    sloppy = type(message[0]) is not int or type(unique_id) is not str or len(message) != _LENGTHS[kind]
    if kind == 2:
        return _call(unique_id, message, sloppy=sloppy)
    if kind == 3:
        payload = message[2] if len(message) > 2 else None
        if payload is not None and type(payload) is not dict:
            raise FrameError("result-not-an-object", f"payload is a {type(payload).__name__}", answers=str_id)
        return CallResult(str_id, payload or {}, sloppy or payload is None)
    return CallError(str_id, _text(message, 2), _text(message, 3), sloppy)


def _torn_answer(data: bytes) -> str | None:
    """The unique id of our CALL that a frame began to answer before it broke off."""
    begin = _ANSWER_BEGINS.match(data)
    return None if begin is None else begin[1].decode("ascii", "replace")


def _call(unique_id: UniqueId, message: list[Any], *, sloppy: bool) -> Call:
    action = message[2] if len(message) > 2 else None
    if type(action) is not str or not 0 < len(action) <= MAX_ACTION_LENGTH:
        raise FrameError("call-bad-action", f"action {ascii(action)[:40]}", reply_to=unique_id)
    payload = message[3] if len(message) > 3 else None
    if payload is not None and type(payload) is not dict:
        raise FrameError("call-not-an-object", f"payload is a {type(payload).__name__}", reply_to=unique_id)
    return Call(unique_id, action, payload or {}, sloppy or payload is None)


def _text(message: list[Any], position: int) -> str:
    return str(message[position])[:255] if len(message) > position else ""


def encode_call(unique_id: str, action: str, payload: Payload) -> bytes:
    """A CALL as it goes onto the wire."""
    return _encoder.encode((2, unique_id, action, payload))


def encode_result(unique_id: UniqueId, payload: Payload) -> bytes:
    """A CALLRESULT as it goes onto the wire."""
    return _encoder.encode((3, unique_id, payload))


def encode_error(unique_id: UniqueId, code: str, description: str) -> bytes:
    """A CALLERROR as it goes onto the wire; the description is cut to the 255 characters of the standard."""
    return _encoder.encode((4, unique_id, code, description[:255], {}))
