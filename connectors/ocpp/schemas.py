"""The official OCPP 1.6 schemas, for what we send: strict out. What chargers send is only counted by them."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib.resources import files

import jsonschema_rs

from connectors.ocpp.frames import Payload
from twin_core.errors import ProtocolError


@cache
def _validator(message: str) -> jsonschema_rs.Validator:
    # A handful of the schemas shipped with the `ocpp` package begin with a byte order mark.
    text = (files("ocpp") / "v16" / "schemas" / f"{message}.json").read_text(encoding="utf-8-sig")
    return jsonschema_rs.validator_for(json.loads(text))


def check_call(action: str, payload: Payload) -> None:
    """Refuse to send a CALL that breaks its schema.

    Raises:
        ProtocolError: what is wrong, and where.
    """
    _check(action, payload)


def check_result(action: str, payload: Payload) -> None:
    """Refuse to send a CALLRESULT that breaks its schema.

    Raises:
        ProtocolError: what is wrong, and where.
    """
    _check(f"{action}Response", payload)


def note_flaws(message: str, payload: Payload, flawed: Counter[str]) -> None:
    """Count a charger's message that breaks its schema; it is used all the same."""
    if not _validator(message).is_valid(payload):
        flawed[message] += 1


def _check(message: str, payload: Payload) -> None:
    try:
        _validator(message).validate(payload)
    except jsonschema_rs.ValidationError as exc:
        raise ProtocolError(f"{message} would break its schema: {exc.message[:200]}") from exc
