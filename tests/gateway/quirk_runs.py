"""A quirky charger beside an ordinary one on a connection too small for both, run by the whole gateway in virtual time.

Everything is real but the clock and the sockets: central system, twin, planner, envelope, journal on disk, charge
points with vehicles. An oracle compares true currents with the limit once a second.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from connectors.ocpp.charger import ChargerMemory
from gateway.clock import LoopClock
from gateway.depot import Depot, DepotOptions
from gateway.site_file import SiteFile, parse_site, site_tree
from simulators.charge_point import ChargePoint
from simulators.depot import DepotSimulation
from simulators.scenario import load_scenario
from simulators.vehicle import Battery, Vehicle
from simulators.watch import LimitWatch
from tests.quick_loop import QuickVirtualLoop
from twin_core.cycle import CycleReport
from twin_core.models import events as ev
from twin_core.models.ids import ChargerId, ConnectorId, IdTag

BehaviourT = TypeVar("BehaviourT")

ODD, MATE = ChargerId("ODD"), ChargerId("MATE")
LIMIT_A = 44.0
HARDWARE_A = 32.0
EVEN_A = LIMIT_A / 2

SITE = """
name = "quirks"
timezone = "Europe/Amsterdam"
fallback_a = 0

[grid]
limit_a = {limit_a}

[[chargers]]
id = "ODD"
hardware_max_a = 32
{odd}

[[chargers]]
id = "MATE"
hardware_max_a = 32

[control]
planner = "{planner}"
tick_s = {tick_s}
plan_every_s = 60
lease_s = 60
sample_interval_s = {sample_s}

[ocpp]
port = 9100
heartbeat_s = 60
{ocpp}
"""


def the_site(data_dir: Path, **fields: Any) -> SiteFile:
    site, _ = parse_site(SITE.format(**fields), "quirks")
    return site.model_copy(update={"panel": None, "influx": None, "data_dir": data_dir})


@dataclass
class Seen:
    """What went through the gateway, beside its decisions."""

    events: list[ev.Event] = field(default_factory=list)
    reports: list[CycleReport] = field(default_factory=list)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def on_cycle(self, report: CycleReport) -> None:
        self.reports.append(report)


@dataclass
class QuirkRun:
    """Both sides of the wire while they run."""

    site: SiteFile
    depot: Depot
    simulation: DepotSimulation
    watch: LimitWatch
    seen: Seen

    @property
    def odd(self) -> ChargePoint:
        return self.simulation.charge_points[ODD]

    @property
    def mate(self) -> ChargePoint:
        return self.simulation.charge_points[MATE]

    @property
    def memory(self) -> ChargerMemory:
        return self.depot.central.memory(ODD)

    def did(self, kind: type[BehaviourT]) -> BehaviourT:
        """The quirk of that kind at the quirky charger, with what it counted."""
        return next(b for b in self.odd.controller.quirks.behaviours if isinstance(b, kind))

    @property
    def trusted(self) -> bool:
        return self.depot.runtime.twin.envelope.is_trusted(ConnectorId(ODD, 1))

    def refused(self, cause: str, source: str = ODD) -> int:
        counters = self.depot.central.counters
        return counters[source].refused[cause] if source in counters else 0

    def odd_a(self, number: int = 1) -> float:
        """Current that truly flows at the quirky charger."""
        self.odd.controller.advance()
        return self.odd.controller.station.outlets[number].current_a

    def mate_a(self) -> float:
        return max(self.mate.grid_currents())

    def counted_a(self, number: int = 1) -> float:
        """Current at which the envelope counts the quirky connector."""
        return self.depot.runtime.twin.envelope.worst_a(ConnectorId(ODD, number), self.depot._clock.now())

    def permitted_a(self, number: int = 1) -> float:
        """Highest limit that may rightly be in force at the quirky connector."""
        return self.depot.runtime.twin.envelope.permitted_a(ConnectorId(ODD, number), self.depot._clock.now())

    async def plug(self, point: ChargePoint | None = None, number: int = 1, **battery: Any) -> Vehicle:
        """A car with a big empty battery comes; it takes all it is offered."""
        point = point or self.odd
        now_s = self.depot._clock.now().monotonic_s
        car = Vehicle(Battery(500.0, **battery), soc=0.1, wanted_kwh=400.0, at_s=now_s, rng=random.Random(1))
        if "max_current_a" not in battery:
            car.battery = Battery(500.0, max_current_a=HARDWARE_A, **battery)
        await point.plug(number, car, IdTag(f"TAG-{point.spec.id}"))
        return car

    @property
    def now_s(self) -> float:
        """The loop's clock."""
        return self.depot._clock.now().monotonic_s

    def cut(self) -> None:
        """The quirky charger's link ends without a word."""
        self.depot.central._sessions[ODD]._link.transport.abort()

    def impose(self, limit_a: float | None) -> None:
        """The grid operator lowers the limit, or lifts it again; the oracle knows, after a time to follow."""
        now = self.depot._clock.now()
        self.depot.runtime.put(ev.LimitChanged(at=now, node_id=self.depot.tree.root.id, limit_a=limit_a, limit_kw=None))


@asynccontextmanager
async def running(
    data_dir: Path,
    quirks: tuple[str, ...] = (),
    *,
    odd: str = "",
    ocpp: str = "",
    limit_a: float = LIMIT_A,
    planner: str = "equal_share",
    tick_s: int = 2,
    sample_s: int = 5,
    others: Mapping[str, tuple[str, ...]] | None = None,
) -> AsyncIterator[QuirkRun]:
    odd += "".join(f'\n\n[[chargers]]\nid = "{name}"\nhardware_max_a = 32' for name in others or {})
    site = the_site(data_dir, odd=odd, ocpp=ocpp, limit_a=limit_a, planner=planner, tick_s=tick_s, sample_s=sample_s)
    scenario = load_scenario(
        {
            "start": "2026-06-01T06:00:00",
            "quirks": {ODD: quirks, **(others or {})},
            "arrivals": {"count": 0},
        }
    )
    clock = LoopClock(scenario.begins)
    ids = random.Random(7)
    options = DepotOptions(virtual=True, draw_transaction_id=lambda: ids.randrange(1, 2**31))

    async def publish(topic: str, payload: bytes, retain: bool) -> None:
        return None

    seen = Seen()
    simulation = DepotSimulation(
        scenario,
        site_tree(site),
        clock=clock,
        minutes=10_000,
        seed=1,
        ocpp_url=f"ws://127.0.0.1:{site.ocpp.port}/ocpp",
        publish=publish,
        sessions=(),
    )
    async with Depot(site, clock=clock, options=options) as depot:
        taken = depot.runtime.twin.receive

        def receive(event: ev.Event) -> None:
            seen.events.append(event)
            taken(event)

        depot.runtime.twin.receive = receive  # type: ignore[method-assign]
        depot.runtime._observers = (*depot.runtime._observers, seen)
        watch = LimitWatch(simulation, clock)
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (("gateway", depot.run()), ("world", simulation.run()), ("watch", watch.run()))
        ]
        try:
            yield QuirkRun(site, depot, simulation, watch, seen)
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome


Play = Callable[[QuirkRun], Awaitable[None]]


def survive(data_dir: Path, quirks: tuple[str, ...] | str, play: Play, *, breaches_s: int = 0, **how: Any) -> None:
    """Run a play with quirks at the odd charger; no limit may be exceeded.

    Args:
        breaches_s: seconds for which physics alone allows an excess: a charger that draws what nobody granted cannot
            be stopped, only counted as soon as it is seen.
    """
    names = (quirks,) if isinstance(quirks, str) else quirks

    async def whole() -> None:
        async with running(data_dir, names, **how) as run:
            await play(run)
            assert run.watch.samples > 10
            assert run.watch.violations <= breaches_s, run.watch.worst

    with asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
        runner.run(whole())


async def minutes(n: float) -> None:
    await asyncio.sleep(60.0 * n)


async def both_charge(run: QuirkRun, odd_a: float = EVEN_A, mate_a: float = EVEN_A, *, after_min: float = 1.5) -> None:
    """Two cars come; after a while each draws what it should."""
    await minutes(0.5)
    await run.plug()
    await run.plug(run.mate)
    await minutes(after_min)
    assert run.odd_a() == pytest.approx(odd_a, abs=0.1)
    assert run.mate_a() == pytest.approx(mate_a, abs=0.1)


def about_fallback(event: ev.Event) -> bool:
    return isinstance(event, ev.FallbackConfirmed | ev.FallbackRefused) and event.connector_id.charger == ODD
