"""Requests of the Smart Charging profile."""

from __future__ import annotations

from typing import Final

from simulators.controller import Controller
from simulators.profile_store import parse_profile
from simulators.schedule_report import schedule_report
from simulators.wire import CallError, Payload
from twin_core.models.charger import ProfilePurpose, RateUnit

_ACCEPTED: Final[Payload] = {"status": "Accepted"}


def set_charging_profile(controller: Controller, payload: Payload) -> Payload:
    """Take a profile for a connector, or for the whole charge point for 0."""
    number = payload["connectorId"]
    if number != 0 and number not in controller.station.outlets:
        raise CallError("PropertyConstraintViolation", f"there is no connector {number!r}")
    controller.advance()
    station = controller.station
    profile = parse_profile(number, payload["csChargingProfiles"], station.own_s)
    status = station.profiles.install(profile, station.scene(number))
    controller.advance()
    return {"status": status}


def clear_charging_profile(controller: Controller, payload: Payload) -> Payload:
    """Drop the profiles that match."""
    purpose = payload.get("chargingProfilePurpose")
    controller.advance()
    gone = controller.station.profiles.clear(
        id=payload.get("id"),
        connector=payload.get("connectorId"),
        purpose=None if purpose is None else ProfilePurpose(purpose),
        stack_level=payload.get("stackLevel"),
    )
    controller.advance()
    return _ACCEPTED if gone else {"status": "Unknown"}


def get_composite_schedule(controller: Controller, payload: Payload) -> Payload:
    """What holds at a connector from now on, in the unit asked for."""
    controller.advance()
    station, duration_s = controller.station, float(payload["duration"])
    unit = RateUnit(payload.get("chargingRateUnit", station.quirks.unit.value))
    told = schedule_report(station, payload["connectorId"], duration_s, unit) if duration_s >= 0 else None
    return told if told is not None else {"status": "Rejected"}
