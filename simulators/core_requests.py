"""Requests of the Core profile that belong to no other part: configuration, availability, reset, unlock, data."""

from __future__ import annotations

from typing import Final

from simulators.configuration import MAX_KEYS
from simulators.controller import Controller
from simulators.wire import CallError, Payload

_ACCEPTED: Final[Payload] = {"status": "Accepted"}
_REJECTED: Final[Payload] = {"status": "Rejected"}
_NAME_LENGTH = 50
_KEY_LENGTH = range(8, 41)
"""Length of a password for Basic authentication, security extension §5."""
VENDOR: Final = "depot-twin"


def get_configuration(controller: Controller, payload: Payload) -> Payload:
    """Keys that are known, and names that are not."""
    wanted = payload.get("key", [])
    if len(wanted) > MAX_KEYS:
        raise CallError("OccurenceConstraintViolation", f"more than {MAX_KEYS} keys")
    if not all(isinstance(name, str) and len(name) <= _NAME_LENGTH for name in wanted):
        raise CallError("TypeConstraintViolation", "a key is no name")
    known, unknown = controller.configuration.report(wanted)
    return {"configurationKey": known, **({"unknownKey": unknown} if unknown else {})}


def change_configuration(controller: Controller, payload: Payload) -> Payload:
    """Set a key; a new password or interval counts at once."""
    key, value = payload["key"], payload["value"]
    if key == "AuthorizationKey" and len(value) not in _KEY_LENGTH:
        return _REJECTED
    if key == "SecurityProfile" and not _may_rise_to(controller, value):
        return _REJECTED
    status = controller.configuration.set(key, value)
    if status == "Accepted":
        controller.reconfigured(key)
    return {"status": status}


def _may_rise_to(controller: Controller, value: str) -> bool:
    """A security profile is never lowered, needs a password; above 1 it is what the charge point was delivered with."""
    if value not in ("0", "1"):
        return False
    return int(value) >= controller.configuration.number("SecurityProfile") and (
        value == "0" or controller.has_password
    )


def reset(controller: Controller, payload: Payload) -> Payload:
    """Restart, soft or hard."""
    kind = payload["type"]
    if kind not in ("Hard", "Soft"):
        raise ValueError(f"{kind!r} is no reset")
    controller.reset(kind)
    return _ACCEPTED


def unlock_connector(controller: Controller, payload: Payload) -> Payload:
    """Release the cable; a transaction that runs there ends first."""
    number = payload["connectorId"]
    if number not in controller.station.outlets:
        return {"status": "NotSupported"}
    controller.sessions.stop(number, "UnlockCommand")
    return {"status": "Unlocked"}


def change_availability(controller: Controller, payload: Payload) -> Payload:
    """Put a connector, or all for 0, into or out of service; out only when its transaction has ended."""
    if payload["type"] not in ("Operative", "Inoperative"):
        raise ValueError(f"{payload['type']!r} is no availability")
    available = payload["type"] == "Operative"
    number, outlets = payload["connectorId"], controller.station.outlets
    if number != 0 and number not in outlets:
        return _REJECTED
    chosen = [outlet for outlet in outlets.values() if number in (0, outlet.number)]
    for outlet in chosen:
        outlet.available = available or outlet.transaction is not None
        outlet.out_of_service_next = not available and outlet.transaction is not None
        if not outlet.available:
            controller.reservations.end_at(outlet.number)
    if number == 0 and controller.machine.in_service is not available:
        controller.machine.in_service = available
        controller.reports.status(0)
    controller.look()
    return {"status": "Scheduled"} if any(outlet.out_of_service_next for outlet in chosen) else _ACCEPTED


def data_transfer(controller: Controller, payload: Payload) -> Payload:
    """One message is known, of one vendor: `Echo` gives back its data."""
    if payload["vendorId"] != VENDOR:
        return {"status": "UnknownVendorId"}
    if payload.get("messageId") != "Echo":
        return {"status": "UnknownMessageId"}
    return {**_ACCEPTED, **({"data": payload["data"]} if "data" in payload else {})}
