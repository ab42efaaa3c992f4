"""The loop all the way round on virtual time: durable before sent, planned when it matters, renewed before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest

from tests.fakes import EPOCH, LoopClock, instant
from tests.sites import charger, connector_id, site
from tests.twin_core.facts import draws, plugged_in, ready, unplugged
from twin_core.cycle import CycleReport, Twin
from twin_core.errors import StorageError
from twin_core.models import events as ev
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import NodeId
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.models.tariff import flat_tariff
from twin_core.runtime import REST_MOST_S, Runtime, RuntimeSettings

A = connector_id("A")
EVERY_S = 60.0


@dataclass
class World:
    """Everything a runtime speaks to, noting who was called with what and when.

    Attributes:
        told: calls in order: ("reserve" | "offer" | "solve", what, when).
        wanted_a: current the planner gives every session.
        disk_s: time a reservation takes.
    """

    told: list[tuple[str, object, float]] = field(default_factory=list)
    recorded: list[ev.Event] = field(default_factory=list)
    reports: list[CycleReport] = field(default_factory=list)
    wanted_a: float = 10.0
    status: PlanStatus = PlanStatus.PROVED
    disk_s: float = 0.01
    solve_s: float = 0.1
    disk_is_full: bool = False
    runtime: Runtime | None = None
    answers: bool = True

    def record(self, event: ev.Event) -> None:
        self.recorded.append(event)

    async def reserve(self, grants: Sequence[Grant]) -> None:
        await asyncio.sleep(self.disk_s)
        if self.disk_is_full:
            raise StorageError("no space left")
        self.note("reserve", tuple((grant.connector_id, grant.seq) for grant in grants))

    def offer(self, grant: Grant) -> None:
        self.note("offer", grant)
        assert self.runtime is not None
        self.runtime.put(ev.GrantSent(at=LoopClock().now(), connector_id=grant.connector_id, seq=grant.seq))
        if self.answers:
            self.runtime.put(
                ev.GrantAnswered(
                    at=LoopClock().now(),
                    connector_id=grant.connector_id,
                    seq=grant.seq,
                    outcome=GrantOutcome.ACCEPTED,
                )
            )

    async def solve(self, problem: PlanningProblem) -> Plan:
        self.note("solve", problem)
        await asyncio.sleep(self.solve_s)
        power_kw = np.array([[self.wanted_a * s.kw_per_a] * problem.horizon.n_steps for s in problem.sessions])
        return Plan(
            "written",
            self.status,
            problem.horizon,
            tuple(s.session_id for s in problem.sessions),
            power_kw.reshape(len(problem.sessions), problem.horizon.n_steps),
            np.zeros(len(problem.sessions)),
            0.0,
            solve_s=0.1,
        )

    def on_cycle(self, report: CycleReport) -> None:
        self.reports.append(report)

    def note(self, what: str, of: object) -> None:
        self.told.append((what, of, asyncio.get_running_loop().time()))

    def times(self, what: str) -> list[float]:
        return [when for told, _, when in self.told if told == what]

    def offered(self) -> list[Grant]:
        return [of for told, of, _ in self.told if told == "offer" and isinstance(of, Grant)]

    def put(self, *events: ev.Event) -> None:
        assert self.runtime is not None
        now = LoopClock().now()
        for event in events:
            self.runtime.put(replace(event, at=now))


@asynccontextmanager
async def running(world: World, *, spacing_s: float = 2.0, tick_s: float = 2.0) -> AsyncIterator[World]:
    twin = Twin(site(charger("A"), charger("B"), limit_a=63.0), since=EPOCH, tariff=flat_tariff(0.2, EPOCH))
    world.runtime = Runtime(
        twin,
        clock=LoopClock(),
        journal=world,
        solver=world,
        settings=RuntimeSettings(tick_s=tick_s, plan_every_s=EVERY_S, plan_spacing_s=spacing_s),
        observers=[world],
    )
    task = asyncio.create_task(world.runtime.run(world))
    world.put(*ready("A"), *ready("B"))
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


@pytest.fixture
async def charging() -> AsyncIterator[World]:
    """A car at A is being charged at 10 A for half a minute already."""
    async with running(World()) as world:
        await asyncio.sleep(20)
        world.put(*plugged_in("A", energy_kwh=50.0))
        await asyncio.sleep(30)
        yield world


async def test_every_grant_is_durable_before_it_is_offered(charging: World) -> None:
    durable: set[object] = set()
    assert charging.offered()
    for what, of, _ in charging.told:
        if what == "reserve" and isinstance(of, tuple):
            durable.update(of)
        elif isinstance(of, Grant):
            assert (of.connector_id, of.seq) in durable


async def test_grants_reach_the_chargers_in_the_order_they_were_made_however_slow_the_disk(charging: World) -> None:
    for wanted_a in (16.0, 8.0, 20.0, 7.0):
        charging.wanted_a, charging.disk_s = wanted_a, 9.0
        charging.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=None, limit_kw=None))
        await asyncio.sleep(0.2)
        charging.disk_s = 0.01
        charging.put(*plugged_in("B"), unplugged("B", 0.0))
        charging.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=6.0, limit_kw=None))
        await asyncio.sleep(15)
    numbers = [grant.seq for grant in charging.offered() if grant.connector_id == A]
    assert len(numbers) >= 6
    assert numbers == sorted(numbers)


async def test_room_that_comes_free_is_planned_for_at_once() -> None:
    async with running(World()) as world:
        world.put(*plugged_in("A"))
        await asyncio.sleep(40)
    shed = [report.decision.shedding for report in world.reports]
    assert shed[0]
    freed_s = world.reports[shed.index(False)].snapshot.now.monotonic_s
    assert freed_s > 5.0
    assert any(freed_s <= when <= freed_s + 2.0 for when in world.times("solve"))


async def test_while_the_disk_refuses_nothing_rises_but_decreases_go_out(charging: World) -> None:
    charging.disk_is_full = True
    before = len(charging.offered())
    charging.wanted_a = 20.0
    charging.put(*plugged_in("B"))
    await asyncio.sleep(10)
    assert all(grant.limit_a <= 10.0 and grant.connector_id == A for grant in charging.offered()[before:])
    charging.wanted_a = 7.0
    charging.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=None, limit_kw=None))
    await asyncio.sleep(10)
    assert charging.offered()[-1].limit_a == 7.0
    unsent = [e for e in charging.recorded if isinstance(e, ev.GrantAnswered) and e.outcome is GrantOutcome.UNSENT]
    assert unsent

    charging.disk_is_full = False
    charging.wanted_a = 20.0
    charging.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=None, limit_kw=None))
    await asyncio.sleep(20)
    newest = {grant.connector_id: grant.limit_a for grant in charging.offered()}
    assert newest == {A: 20.0, connector_id("B"): 20.0}


@pytest.mark.parametrize(
    "happens",
    [
        plugged_in("B")[-1],
        ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=20.0, limit_kw=None),
        plugged_in("A")[0],
        ev.TariffChanged(at=instant(), tariff=flat_tariff(0.5, EPOCH)),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_a_new_plan_is_made_at_once_when_it_matters(charging: World, happens: ev.Event) -> None:
    solved = len(charging.times("solve"))
    await asyncio.sleep(4)
    assert len(charging.times("solve")) == solved
    charging.put(happens)
    await asyncio.sleep(0.05)
    assert len(charging.times("solve")) == solved + 1


async def test_an_unplugged_car_frees_its_room_at_once(charging: World) -> None:
    charging.put(*plugged_in("B"))
    await asyncio.sleep(5)
    solved = len(charging.times("solve"))
    charging.put(unplugged("A", 0.0))
    await asyncio.sleep(0.05)
    assert len(charging.times("solve")) == solved + 1
    assert charging.reports[-1].decision.allotments[A].wish_a == 0


async def test_a_limit_that_ends_by_itself_is_planned_for_at_once(charging: World) -> None:
    until = LoopClock().now().later(20).utc
    charging.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=8.0, limit_kw=None, until=until))
    await asyncio.sleep(19)
    solved = len(charging.times("solve"))
    await asyncio.sleep(3.5)
    assert len(charging.times("solve")) == solved + 1


async def test_a_meter_sample_alone_calls_for_no_plan_and_the_next_comes_after_delta_t() -> None:
    async with running(World(solve_s=0.0)) as world:
        world.put(*plugged_in("A", energy_kwh=50.0))
        await asyncio.sleep(20)
        begun = len(world.times("solve"))
        for second in range(200):
            world.put(draws("A", 10.0, float(second)))
            await asyncio.sleep(1)
    gaps = np.diff(world.times("solve")[begun - 1 :])
    assert gaps == pytest.approx(EVERY_S, abs=0.5)
    assert len(gaps) == 3


async def test_however_much_happens_plans_keep_their_distance() -> None:
    async with running(World(), spacing_s=3.0) as world:
        world.put(*plugged_in("A"))
        for number in range(100):
            world.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=20.0 + number % 7, limit_kw=None))
            await asyncio.sleep(0.25)
    assert len(world.times("solve")) >= 8
    assert min(np.diff(world.times("solve"))) >= 3.0


async def test_however_much_happens_control_rests_between_ticks_and_still_heeds_the_last_word(charging: World) -> None:
    charging.wanted_a = 30.0
    charging.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=None, limit_kw=None))
    await asyncio.sleep(20)
    charging.disk_s = 0.1
    before = len(charging.reports)
    for number in range(200):
        limit_a = 30.0 - 0.1 * number
        charging.put(ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=limit_a, limit_kw=None))
        await asyncio.sleep(0.05)
    assert len(charging.reports) - before < 60
    await asyncio.sleep(0.6)
    assert charging.reports[-1].decision.margins[NodeId("grid")].limit_a == pytest.approx(10.1)


@pytest.mark.parametrize("disk_s", [0.0, 0.3, 2.0])
@pytest.mark.parametrize(
    "happens",
    [
        ev.LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=7.0, limit_kw=None),
        ev.ConnectorLimited(at=instant(), connector_id=A, limit_a=7.0, source="test"),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_in_a_storm_of_facts_on_a_slow_disk_room_is_made_within_two_ways_to_the_disk_and_a_rest(
    happens: ev.Event, disk_s: float
) -> None:
    async with running(World(wanted_a=32.0), tick_s=20.0) as world:
        await asyncio.sleep(45)
        world.put(*plugged_in("A", energy_kwh=50.0))
        await asyncio.sleep(60)
        world.disk_s, world.solve_s = disk_s, 100.0  # no tick comes of a plan
        storm = asyncio.create_task(_news_without_end(world))
        await asyncio.sleep(0.7)
        storm.cancel()
        world.put(happens)
        # The way of the tick under way, the rest after it, and the way of the tick that heeds the fact.
        async with asyncio.timeout(2 * disk_s + REST_MOST_S + 0.1):
            while not world.offered()[-1].limit_a <= 7.0:  # noqa: ASYNC110 -- the world notes, it wakes nobody
                await asyncio.sleep(0.01)


async def _news_without_end(world: World) -> None:
    """Facts that call for a tick each, and each tick for a grant."""
    for number in range(1000):
        world.put(ev.ConnectorLimited(at=instant(), connector_id=A, limit_a=30.0 - number % 2, source="storm"))
        await asyncio.sleep(0.02)


async def test_what_happens_while_a_plan_is_made_is_planned_for_in_the_next() -> None:
    async with running(World(solve_s=1.5)) as world:
        world.put(*plugged_in("A"))
        await asyncio.sleep(1.0)
        world.put(*plugged_in("B"))
        await asyncio.sleep(5.0)
        asked = [of for what, of, _ in world.told if what == "solve" and isinstance(of, PlanningProblem)]
    assert len(asked[-1].sessions) == 2


async def test_a_plan_by_rule_is_counted_and_followed_all_the_same() -> None:
    async with running(World(status=PlanStatus.FALLBACK)) as world:
        world.put(*plugged_in("A"))
        await asyncio.sleep(30)
        assert world.runtime is not None
        assert world.runtime.fallbacks == world.runtime.plans >= 1
    assert world.offered()[-1].limit_a == 10.0


async def test_without_a_car_no_plan_is_asked_for() -> None:
    async with running(World()) as world:
        await asyncio.sleep(300)
    assert world.times("solve") == []


async def test_ticks_renew_a_lease_before_it_ends_as_long_as_the_plan_holds(charging: World) -> None:
    await asyncio.sleep(600)
    grants = [grant for grant in charging.offered() if grant.connector_id == A and grant.limit_a == 10.0]
    assert len(grants) >= 10
    for earlier, later in pairwise(grants):
        assert later.issued.monotonic_s - earlier.issued.monotonic_s < earlier.lease_s
    assert charging.reports[-1].decision.allotments[A].limit_a == 10.0


async def test_an_event_is_in_the_journal_in_the_order_the_twin_took_it_and_each_tick_before_its_grants() -> None:
    async with running(World()) as world:
        world.put(*plugged_in("A"))
        await asyncio.sleep(10)
    kinds = [type(event).__name__ for event in world.recorded]
    assert kinds.index("RequestAnnounced") < kinds.index("TransactionStarted") < kinds.index("PlanAdopted")
    sent = next(event for event in world.recorded if isinstance(event, ev.GrantSent))
    ticks = [event.at for event in world.recorded if isinstance(event, ev.Ticked)]
    grant = next(grant for grant in world.offered() if grant.seq == sent.seq)
    assert grant.issued in ticks
