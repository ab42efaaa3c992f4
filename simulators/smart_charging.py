"""Requests of the Smart Charging profile."""

from __future__ import annotations

from typing import Final

from simulators.composite import Scene, Step, composite
from simulators.controller import Controller
from simulators.profile_store import MAX_PERIODS, parse_profile
from simulators.sampling import timestamp
from simulators.wire import CallError, Payload
from twin_core.models.charger import ProfilePurpose, RateUnit
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

_MAX_COMPOSITE_S = 7 * 86_400
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
    number = payload["connectorId"]
    controller.advance()
    station = controller.station
    duration_s = min(int(payload["duration"]), _MAX_COMPOSITE_S)
    if (number != 0 and number not in station.outlets) or duration_s < 0:
        return {"status": "Rejected"}
    unit = RateUnit(payload.get("chargingRateUnit", station.quirks.unit.value))
    scene = station.scene(number) if number else Scene(0)
    steps = composite(station.profiles.profiles, station.own_s, station.own_s + duration_s, scene)
    ceiling_a = station.outlets[number].spec.hardware_max_a if number else station.spec.supply_max_a
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": timestamp(station.own_time),
        "chargingSchedule": {
            "duration": duration_s,
            "startSchedule": timestamp(station.own_time),
            "chargingRateUnit": unit.value,
            "chargingSchedulePeriod": [
                _period(step, station.own_s, ceiling_a, unit, scene.n_phases) for step in steps[:MAX_PERIODS]
            ],
        },
    }


def _period(step: Step, begin_s: float, ceiling_a: float, unit: RateUnit, n_phases: int) -> Payload:
    limit_a = ceiling_a if step.limit_a is None else min(step.limit_a, ceiling_a)
    limit = limit_a if unit is RateUnit.AMPERE else limit_a * n_phases * NOMINAL_VOLTAGE_V
    return {"startPeriod": round(step.start_s - begin_s), "limit": round(limit, 1), "numberPhases": n_phases}
