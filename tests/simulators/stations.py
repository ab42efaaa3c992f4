"""Stations without a network, for tests: time is an argument."""

from __future__ import annotations

import random
from typing import Any

from simulators.hardware import Hardware
from simulators.outlet import LocalTransaction
from simulators.pilot import Cable
from simulators.profile_store import parse_profile
from simulators.quirks import Quirks
from simulators.station import Station
from simulators.vehicle import Battery, Habits, Vehicle
from tests.simulators.chargers import charger
from twin_core.models.charger import ChargerSpec
from twin_core.models.ids import IdTag

UNIX_S = 1_780_315_200.0
"""What the charge point's own clock shows at second 0."""


def station(
    spec: ChargerSpec | None = None, *, hardware: Hardware | None = None, quirks: Quirks | None = None
) -> Station:
    return Station(
        spec or charger(), quirks or Quirks(), at_s=0.0, clock_offset_s=UNIX_S, hardware=hardware or Hardware()
    )


def vehicle(
    at_s: float = 0.0,
    *,
    n_phases: int = 3,
    max_a: float = 32.0,
    soc: float = 0.2,
    wanted: float = 40.0,
    seed: int = 1,
    habits: Habits | None = None,
    cable: Cable | None = None,
) -> Vehicle:
    return Vehicle(
        Battery(60.0, n_phases=n_phases, max_current_a=max_a),
        soc=soc,
        wanted_kwh=wanted,
        at_s=at_s,
        rng=random.Random(seed),
        habits=habits or Habits(),
        proximity_ohm=None if cable is None else cable.resistance_ohm,
    )


def begin(one: Station, number: int, car: Vehicle, at_s: float = 0.0) -> None:
    """A vehicle is plugged in and its transaction begins at once."""
    one.advance(at_s)
    outlet = one.outlets[number]
    outlet.vehicle = car
    outlet.transaction = LocalTransaction(IdTag("TAG"), one.own_s, 0, id=500 + number)
    one.reconsider()


def told(one: Station, number: int, limit: float, purpose: str = "TxProfile", **more: Any) -> str:
    """A profile of one period arrives; `n_phases`, `unit`, `duration` and `least` go where they belong."""
    period = {"startPeriod": 0, "limit": limit}
    if "n_phases" in more:
        period["numberPhases"] = more.pop("n_phases")
    schedule: dict[str, Any] = {"chargingRateUnit": more.pop("unit", "A"), "chargingSchedulePeriod": [period]}
    if "duration" in more:
        schedule["duration"] = more.pop("duration")
    if "least" in more:
        schedule["minChargingRate"] = more.pop("least")
    raw = {
        "chargingProfileId": 100 * number + len(purpose),
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **more,
    }
    return one.profiles.install(parse_profile(number, raw, one.own_s), one.scene(number))
