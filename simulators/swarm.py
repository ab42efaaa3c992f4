"""Virtual charge points for any central system, each with cars of its own that come, charge and leave."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from simulators.charge_point import ChargePoint
from simulators.credentials import Credentials
from simulators.vehicle import Battery, Vehicle
from twin_core.models.charger import ChargerSpec, ConnectorSpec, ConnectorStatus
from twin_core.models.ids import ChargerId, ConnectorId, IdTag
from twin_core.models.quantities import power_kw
from twin_core.ports import Clock

CARS: Final = (
    Battery(40.0, n_phases=1, max_current_a=32.0),
    Battery(60.0, n_phases=3, max_current_a=16.0),
    Battery(75.0, n_phases=3, max_current_a=16.0, taper_soc=0.85),
    Battery(100.0, n_phases=3, max_current_a=32.0),
)
"""What drives up."""
_FIRST_CAR_S = (3.0, 30.0)
_AWAY_S = (60.0, 600.0)
_STAY_S = (600.0, 5400.0)
_BOOTS_PER_S = 20.0
"""Charge points are switched on at most this fast: a swarm is to try a central system, not to storm it."""


@dataclass(frozen=True, slots=True)
class SwarmRow:
    """One charge point, as a table shows it."""

    charger: str
    online: bool
    status: ConnectorStatus
    offered_a: float
    power_kw: float
    session_kwh: float
    soc: float | None
    sessions: int


@dataclass(frozen=True, slots=True)
class SwarmStatus:
    """The whole swarm at one moment.

    Attributes:
        accepted: charge points that were accepted at least once.
        online: charge points with a link on which they were accepted.
        sessions: visits so far.
        refused_visits: visits in which no transaction began.
    """

    elapsed_s: float
    count: int
    accepted: int
    online: int
    charging: int
    power_kw: float
    energy_kwh: float
    sessions: int
    refused_visits: int
    calls_sent: int
    calls_received: int
    errors_received: int
    rows: tuple[SwarmRow, ...]


class Swarm:
    """A number of charge points against one central system."""

    def __init__(
        self,
        url: str,
        count: int,
        *,
        clock: Clock,
        seed: int = 1,
        prefix: str = "VCP",
        password: str | None = None,
        names: Sequence[str] = (),
        credentials: Callable[[str], Credentials] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            url: of the central system; identities are appended.
            count: how many charge points.
            clock: of the run.
            seed: same seed, same cars.
            prefix: identities are PREFIX-0001 and so on ...
            names: ... unless they are named here.
            password: shown by all of them as Basic authentication.
            credentials: what each of them trusts and shows in TLS, by its identity; None speaks in the clear.
        """
        names = names or [f"{prefix}-{number:04d}" for number in range(1, count + 1)]
        self._clock = clock
        self._seed = seed
        self._begun_s = clock.now().monotonic_s
        self._visits = dict.fromkeys(range(len(names)), 0)
        self._refused = 0
        self.charge_points = [
            ChargePoint(
                _spec(name),
                url,
                clock=clock,
                rng=random.Random(f"charger:{seed}:{number}"),
                password=password,
                credentials=None if credentials is None else credentials(name),
            )
            for number, name in enumerate(names, 1)
        ]

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            for index, charge_point in enumerate(self.charge_points):
                group.create_task(self._live(index, charge_point), name=charge_point.spec.id)

    def status(self) -> SwarmStatus:
        """How it stands now."""
        rows = tuple(self._row(index, charge_point) for index, charge_point in enumerate(self.charge_points))
        return SwarmStatus(
            elapsed_s=self._clock.now().monotonic_s - self._begun_s,
            count=len(rows),
            accepted=sum(c.booted.is_set() for c in self.charge_points),
            online=sum(row.online for row in rows),
            charging=sum(row.status is ConnectorStatus.CHARGING for row in rows),
            power_kw=sum(row.power_kw for row in rows),
            energy_kwh=sum(c.controller.station.outlets[1].register_kwh for c in self.charge_points),
            sessions=sum(self._visits.values()),
            refused_visits=self._refused,
            calls_sent=sum(c.wire.calls_sent for c in self.charge_points),
            calls_received=sum(c.wire.calls_received for c in self.charge_points),
            errors_received=sum(c.wire.errors_received for c in self.charge_points),
            rows=rows,
        )

    def _row(self, index: int, charge_point: ChargePoint) -> SwarmRow:
        outlet = charge_point.controller.station.outlets[1]
        vehicle = outlet.vehicle
        return SwarmRow(
            charger=charge_point.spec.id,
            online=charge_point.online,
            status=outlet.status,
            offered_a=outlet.offered_a,
            power_kw=power_kw(outlet.current_a, outlet.n_phases),
            session_kwh=vehicle.delivered_kwh if vehicle else 0.0,
            soc=vehicle.soc if vehicle else None,
            sessions=self._visits[index],
        )

    async def _live(self, index: int, charge_point: ChargePoint) -> None:
        await asyncio.sleep(index / _BOOTS_PER_S)
        async with asyncio.TaskGroup() as group:
            group.create_task(charge_point.run())
            group.create_task(self._traffic(index, charge_point))

    async def _traffic(self, index: int, charge_point: ChargePoint) -> None:
        """Cars come and go at one charge point, for ever."""
        rng = random.Random(f"traffic:{self._seed}:{index}")
        await charge_point.booted.wait()
        await asyncio.sleep(rng.uniform(*_FIRST_CAR_S))
        while True:
            battery, soc, stay_s = rng.choice(CARS), rng.uniform(0.1, 0.6), rng.uniform(*_STAY_S)
            vehicle = Vehicle(
                battery,
                soc=soc,
                wanted_kwh=rng.uniform(0.3, 1.0) * (1 - soc) * battery.capacity_kwh / battery.efficiency,
                at_s=self._clock.now().monotonic_s,
                rng=rng,
            )
            self._visits[index] += 1
            tag = IdTag(f"CAR-{index + 1:04d}-{self._visits[index]}")
            if not await charge_point.plug(1, vehicle, tag):
                self._refused += 1
            await asyncio.sleep(stay_s)
            charge_point.unplug(1)
            await asyncio.sleep(rng.uniform(*_AWAY_S))


def _spec(name: str) -> ChargerSpec:
    identity = ChargerId(name)
    return ChargerSpec(identity, (ConnectorSpec(ConnectorId(identity, 1)),))


async def run_swarm(
    url: str,
    count: int,
    *,
    clock: Clock,
    seed: int = 1,
    prefix: str = "VCP",
    password: str | None = None,
    names: Sequence[str] = (),
    credentials: Callable[[str], Credentials] | None = None,
    minutes: float | None = None,
    on_status: Callable[[SwarmStatus], None] | None = None,
    every_s: float = 1.0,
) -> SwarmStatus:
    """Run virtual charge points against a central system and return how they stood in the end.

    Args:
        url: of the central system; identities are appended.
        count: how many charge points.
        clock: of the run.
        seed: same seed, same cars.
        prefix: identities are PREFIX-0001 and so on.
        password: shown by all of them as Basic authentication.
        names: identities, in place of `count` and `prefix`.
        credentials: what each trusts and shows in TLS, by its identity; None speaks in the clear.
        minutes: how long; None until cancelled.
        on_status: called every `every_s` with the state of the swarm.
        every_s: how often.
    """
    swarm = Swarm(
        url, count, clock=clock, seed=seed, prefix=prefix, password=password, names=names, credentials=credentials
    )
    end_s = None if minutes is None else clock.now().monotonic_s + minutes * 60
    running = asyncio.create_task(swarm.run(), name="swarm")
    try:
        while not running.done() and (end_s is None or clock.now().monotonic_s < end_s):
            await asyncio.wait([running], timeout=every_s)
            if on_status is not None:
                on_status(swarm.status())
        status = swarm.status()
    finally:
        if not running.done():
            running.cancel()
        outcome = (await asyncio.gather(running, return_exceptions=True))[0]
    if isinstance(outcome, Exception):
        raise outcome
    return status
