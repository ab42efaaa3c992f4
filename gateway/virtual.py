"""A whole day in memory: the gateway as it runs live and its simulated depot, on a loop whose clock waits for nobody.

Needs a loop with sockets in memory, such as `async_solipsism.EventLoop`. Between the two sides stand a proxy and a
broker that spoil messages, the same way for a seed; the gateway may be killed on the way and started again.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

from connectors.store.journal_reader import journal_digest
from gateway.clock import LoopClock
from gateway.depot import JOURNAL, Depot, DepotOptions
from gateway.report import run_report
from gateway.scenario_file import find_site, read_scenario
from gateway.site_file import site_tree
from simulators.chaos import ChaosCounts, ChaosFaults, ChaosProxy
from simulators.depot import DepotSimulation, SessionOutcome
from simulators.memory_broker import BrokerCounts, BrokerFaults, MemoryBroker
from simulators.watch import LimitWatch

PROXY_PORT = 9001


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the lines are.

    Attributes:
        links: between charge points and gateway.
        broker: between meters, drivers and gateway.
    """

    links: ChaosFaults = ChaosFaults()
    broker: BrokerFaults = BrokerFaults()


@dataclass(frozen=True, slots=True)
class Kill:
    """The gateway dies without a word, and is started again on what its disk holds.

    Attributes:
        at_s: seconds into the day.
        down_s: until it is started again.
    """

    at_s: float
    down_s: float


@dataclass(frozen=True, slots=True)
class VirtualRun:
    """What to run.

    Attributes:
        scenario: a file with a `[scenario]` table, or the name of a shipped one.
        data_dir: an empty folder; each life of the gateway gets a folder of its own in it.
        seed: same seed, same day, same luck.
        minutes: length; None as the scenario says.
        kills: in the order of their time.
        stop_at_breach: end as soon as a limit was exceeded.
    """

    scenario: str
    data_dir: Path
    seed: int = 1
    minutes: float | None = None
    weather: Weather = Weather()
    kills: Sequence[Kill] = ()
    stop_at_breach: bool = False


@dataclass(frozen=True, slots=True)
class DayResult:
    """What a day came to. Two runs of one seed give the same trace and the same outcomes.

    Attributes:
        watch: the oracle, with its samples, violations and margins.
        simulation: the charge points and what they remember.
        report: the last gateway's own account.
        journal: of the last gateway, with what it found of those before it.
        trace: digest of that journal: every fact, plan and grant in order.
    """

    outcomes: tuple[SessionOutcome, ...]
    watch: LimitWatch
    simulation: DepotSimulation
    links: ChaosCounts
    messages: BrokerCounts
    report: dict[str, Any]
    journal: Path
    trace: str

    @property
    def delivered_kwh(self) -> float:
        """Energy truly charged."""
        return sum(outcome.delivered_kwh for outcome in self.outcomes)

    @property
    def requested_kwh(self) -> float:
        """Energy wanted."""
        return sum(outcome.requested_kwh for outcome in self.outcomes)


async def run_virtual(run: VirtualRun) -> DayResult:
    """Run a day to its end.

    Raises:
        ConfigurationError: the scenario cannot be run.
    """
    return await _Day(run).run()


class _Day:
    """Both sides of the wire, and what lies between."""

    def __init__(self, run: VirtualRun) -> None:
        site, table = find_site(run.scenario)
        scenario = read_scenario(run.scenario, table)
        self._run = run
        in_the_clear = site.ocpp.model_copy(update={"tls": None})
        self._site = site.model_copy(update={"panel": None, "influx": None, "ocpp": in_the_clear})
        self._clock = LoopClock(scenario.begins.astimezone(UTC))
        self._broker = MemoryBroker(run.seed, run.weather.broker)
        self._draw_id = partial(random.Random(f"transactions:{run.seed}").randrange, 1, 2**31)
        ocpp = site.ocpp
        gateway_url = f"ws://{ocpp.host}:{ocpp.port}/ocpp"
        self._proxy = ChaosProxy(PROXY_PORT, gateway_url, run.seed, run.weather.links, host=ocpp.host)
        self._simulation = DepotSimulation(
            scenario,
            site_tree(site),
            clock=self._clock,
            minutes=run.minutes or scenario.minutes,
            seed=run.seed,
            ocpp_url=self._proxy.url,
            publish=self._broker.publish,
        )
        self._watch = LimitWatch(self._simulation, self._clock)

    async def run(self) -> DayResult:
        """Run to the end."""
        async with self._proxy:
            outside = asyncio.create_task(self._outside(), name="the world outside")
            try:
                report, journal = await self._gateway_lives(outside)
            finally:
                outside.cancel()
                await asyncio.gather(outside, return_exceptions=True)
        return DayResult(
            outcomes=self._simulation.outcomes,
            watch=self._watch,
            simulation=self._simulation,
            links=self._proxy.counts,
            messages=self._broker.counts,
            report=report,
            journal=journal,
            trace=journal_digest(journal),
        )

    async def _outside(self) -> None:
        """Vehicles come and go, chargers charge, and the oracle watches, until the day is over."""
        watching = [asyncio.create_task(self._watch.run(), name="limit watch")]
        if self._run.stop_at_breach:
            watching.append(asyncio.create_task(self._first_breach(), name="first breach"))
        day = asyncio.create_task(self._simulation.run(), name="simulation")
        try:
            done, _ = await asyncio.wait({day, *watching}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (day, *watching):
                task.cancel()
            await asyncio.gather(day, *watching, return_exceptions=True)

    async def _first_breach(self) -> None:
        while not self._watch.violations:  # noqa: ASYNC110 -- a look a second is all the watch itself takes
            await asyncio.sleep(1.0)

    async def _gateway_lives(self, outside: asyncio.Task[None]) -> tuple[dict[str, Any], Path]:
        """Run one gateway after another; what the last one reports, and its journal."""
        data = self._run.data_dir / "life-1"
        for number, kill in enumerate(self._run.kills, start=2):
            async with self._gateway(data) as gateway:
                await self._while_both_run(gateway.running, outside, until_s=kill.at_s)
                # Cut before anything else happens: the disk's image and the last words on the wire are of one moment.
                self._proxy.cut_all()
                data = _image(data, self._run.data_dir / f"life-{number}")
            await asyncio.sleep(max(0.0, kill.at_s + kill.down_s - self._simulation.elapsed_s))
        async with self._gateway(data) as gateway:
            await self._while_both_run(gateway.running, outside)
            depot = gateway.depot
            report = run_report(depot.runtime, await depot.runtime.tick(), depot.lag, depot.watch)
        return report, data / JOURNAL

    async def _while_both_run(
        self, gateway: asyncio.Task[None], outside: asyncio.Task[None], until_s: float | None = None
    ) -> None:
        """Wait for a moment of the day, or its end.

        Raises:
            ExceptionGroup: the gateway failed.
        """
        timeout_s = None if until_s is None else until_s - self._simulation.elapsed_s
        await asyncio.wait({gateway, outside}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in (gateway, outside):
            if task.done():
                task.result()

    @asynccontextmanager
    async def _gateway(self, data_dir: Path) -> AsyncIterator[_Life]:
        """The gateway as it runs live, on a folder of its own."""
        options = DepotOptions(virtual=True, draw_transaction_id=self._draw_id)
        site = self._site.model_copy(update={"data_dir": data_dir})
        async with Depot(site, clock=self._clock, options=options) as depot:
            if depot.mqtt is not None:
                self._broker.subscribe(partial(depot.mqtt.intake.receive, retained=False))
            running = asyncio.create_task(depot.run(), name="gateway")
            try:
                yield _Life(depot, running)
            finally:
                self._broker.subscribe(None)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Life:
    depot: Depot
    running: asyncio.Task[None]


def _image(data_dir: Path, target: Path) -> Path:
    """What the disk holds at this moment, as a gateway finds it that starts on it later."""
    # The shared index of the write-ahead log lives in memory: it does not survive the process.
    shutil.copytree(data_dir, target, ignore=shutil.ignore_patterns("*-shm"))
    return target
