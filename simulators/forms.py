"""What a payload must hold: fields and their types, for requests of the central system and for its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simulators.wire import CallError, Payload

Fields = Mapping[str, "type | Fields"]
"""Fields and their types; the type of an object may be the fields it must have itself."""

_TAG_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class Form:
    """What a payload is made of.

    Attributes:
        needs: fields it must have, with their types.
        may: fields it may have.
    """

    needs: Fields = field(default_factory=dict)
    may: Fields = field(default_factory=dict)

    def check(self, payload: Payload) -> None:
        """Every field that must be there is, and what is there is of its type.

        Raises:
            CallError: what is wrong, under the code the standard has for it.
        """
        _check(self.needs, payload)
        _check(self.may, payload, optional=True)

    def has_unknown(self, payload: Payload) -> bool:
        """Whether it has other fields besides."""
        return not payload.keys() <= self.needs.keys() | self.may.keys()


_INFO: Final[Fields] = {"idTagInfo": {"status": str}}

ANSWERS: Final[dict[str, Form]] = {
    "Authorize": Form(_INFO),
    "BootNotification": Form({"status": str, "currentTime": str, "interval": int}),
    "DataTransfer": Form({"status": str}, {"data": str}),
    "Heartbeat": Form({"currentTime": str}),
    "SignCertificate": Form({"status": str}),
    "StartTransaction": Form({"transactionId": int, **_INFO}),
    "StopTransaction": Form({}, _INFO),
}
"""Answers of a central system that hold anything; those to other requests are empty."""


def check_answer(action: str, payload: Payload) -> None:
    """An answer can be used.

    Raises:
        CallError: it cannot; why.
    """
    form = ANSWERS.get(action)
    if form is not None:
        form.check(payload)


def _check(fields: Fields, payload: Payload, *, optional: bool = False) -> None:
    for name, kind in fields.items():
        if name in payload:
            _check_type(name, kind, payload[name])
        elif not optional:
            raise CallError("OccurenceConstraintViolation", f"{name} is missing")


def _check_type(name: str, kind: type | Fields, value: Any) -> None:
    if not isinstance(kind, type):
        if not isinstance(value, dict):
            raise CallError("TypeConstraintViolation", f"{name} is no object")
        _check(kind, value)
    elif not isinstance(value, kind) or isinstance(value, bool):
        raise CallError("TypeConstraintViolation", f"{name} is no {kind.__name__}")
    if name == "idTag" and len(str(value)) > _TAG_LENGTH:
        raise CallError("PropertyConstraintViolation", f"{name} is longer than {_TAG_LENGTH}")
