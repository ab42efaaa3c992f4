"""Charge points, cars and profiles for tests."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from simulators.charge_point import ChargePoint
from simulators.credentials import Credentials
from simulators.quirks import Quirks
from simulators.vehicle import Battery, Vehicle
from tests.fakes import LoopClock
from tests.simulators.fake_central import URL
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.ids import ChargerId, ConnectorId
from twin_core.models.quantities import ALL_PHASES, Phase


def charger(
    name: str = "CP1", connectors: int = 1, phases: tuple[Phase, ...] = ALL_PHASES, supply_max_a: float = 32.0
) -> ChargerSpec:
    identity = ChargerId(name)
    outlets = tuple(ConnectorSpec(ConnectorId(identity, k + 1), phases=phases) for k in range(connectors))
    return ChargerSpec(identity, outlets, supply_max_a)


def car(*, wanted: float = 20.0, soc: float = 0.2, n_phases: int = 3, max_a: float = 32.0, seed: int = 1) -> Vehicle:
    battery = Battery(60.0, n_phases=n_phases, max_current_a=max_a)
    at_s = asyncio.get_running_loop().time()
    return Vehicle(battery, soc=soc, wanted_kwh=wanted, at_s=at_s, rng=random.Random(seed))


@asynccontextmanager
async def switched_on(
    spec: ChargerSpec | None = None,
    *,
    quirks: Quirks | None = None,
    url: str = URL,
    password: str | None = None,
    credentials: Credentials | None = None,
    wait: bool = True,
) -> AsyncIterator[ChargePoint]:
    """A running charge point, booted unless told not to wait."""
    spec = spec or charger()
    point = ChargePoint(
        spec,
        url,
        clock=LoopClock(),
        rng=random.Random(1),
        quirks=quirks or Quirks(),
        password=password,
        credentials=credentials,
    )
    task = asyncio.create_task(point.run())
    try:
        if wait:
            async with asyncio.timeout(120):
                await point.booted.wait()
                await asyncio.sleep(0.1)
        yield point
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def profile(
    limit: float, *, purpose: str = "TxProfile", number: int = 1, level: int = 0, **extra: Any
) -> dict[str, Any]:
    """csChargingProfiles with one period; `duration` goes into the schedule."""
    schedule: dict[str, Any] = {
        "chargingRateUnit": extra.pop("unit", "A"),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }
    for name in ("duration", "startSchedule"):
        if name in extra:
            schedule[name] = extra.pop(name)
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **extra,
    }
