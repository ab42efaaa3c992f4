"""The loop all the way round: drain facts, plan every Δt or at once when it matters, tick, reserve, send.

The only module of the core that waits. What it waits for goes through the event loop, so virtual time, scaled time
and real time run the same code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from twin_core.cycle import CycleReport, Twin
from twin_core.errors import StorageError
from twin_core.inbox import Inbox
from twin_core.models import events as ev
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ConnectorId
from twin_core.models.plan import Plan, PlanStatus
from twin_core.ports import ChargerPort, Clock, Journal, PlanSolver
from twin_core.problem import known_only
from twin_core.state import expired_limits

logger = logging.getLogger(__name__)

REPLANNING = (
    ev.TransactionStarted,
    ev.TransactionStopped,
    ev.LimitChanged,
    ev.ConnectorLimited,
    ev.RequestAnnounced,
    ev.TariffChanged,
    ev.ChargerDisconnected,
    ev.FallbackConfirmed,
    ev.FallbackRefused,
    ev.VehicleExpected,
)
"""Facts after which the plan in force is not the plan one would make."""

REST = 4.0
"""After a tick that facts called for, control rests this many times as long as it took before the next of that kind.

A thousand chargers that come back at once call for a thousand ticks, which would leave no time to serve anybody.
"""

REST_MOST_S = 1.0
"""The longest rest, whatever a slow disk made of the tick and however far apart regular ticks are.

Others reckon with room that is made at once: before a fallback rises, chargers wait fifteen seconds for it.
"""


class CycleObserver(Protocol):
    """Whoever wants to see every tick: telemetry, the panel, a demo's report."""

    def on_cycle(self, report: CycleReport) -> None:
        """Look at a report. Must return at once and never raise."""


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """The two rhythms of control, in seconds of the loop's clock.

    Attributes:
        tick_s: how often grants are renewed, draws judged and limits checked.
        plan_every_s: Δt, how often a new plan is made when nothing happens.
        plan_spacing_s: least time between two plans, however much happens.
    """

    tick_s: float = 2.0
    plan_every_s: float = 60.0
    plan_spacing_s: float = 2.0


class Runtime:
    """Runs a twin. Also the sink into which every connector puts its facts."""

    def __init__(
        self,
        twin: Twin,
        *,
        clock: Clock,
        journal: Journal,
        solver: PlanSolver,
        settings: RuntimeSettings | None = None,
        observers: Sequence[CycleObserver] = (),
    ) -> None:
        self.twin = twin
        self.inbox = Inbox(self._wake)
        self.plan_times_s: list[float] = []
        self.plans = 0
        self.fallbacks = 0
        self._clock = clock
        self._journal = journal
        self._solver = solver
        self._settings = settings or RuntimeSettings()
        self._observers = tuple(observers)
        self._chargers: ChargerPort | None = None
        self._facts = asyncio.Event()
        self._replan = asyncio.Event()
        self._urgent = asyncio.Event()
        self._last_sent_a: dict[ConnectorId, float] = {}
        self._storage_failing = False
        self._shedding = False
        # Grants must reach the wire in the order they were decided, though each tick waits for the disk.
        self._one_tick = asyncio.Lock()

    def put(self, event: ev.Event) -> None:
        """Hand over one fact (EventSink)."""
        self.inbox.put(event)

    async def run(self, chargers: ChargerPort) -> None:
        """Run until cancelled."""
        self._chargers = chargers
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._drain_facts(), name="facts")
            tasks.create_task(self._heed_facts(), name="urgent ticks")
            tasks.create_task(self._keep_planning(), name="planning")
            tasks.create_task(self._keep_ticking(), name="ticks")

    def _wake(self) -> None:
        self._facts.set()

    async def _drain_facts(self) -> None:
        while True:
            await self._facts.wait()
            self._facts.clear()
            if self.take_in(self.inbox.drain()):
                self._replan.set()
                self._urgent.set()

    async def _heed_facts(self) -> None:
        """Tick at once when a fact calls for it, and after a rest when the next one does."""
        loop = asyncio.get_running_loop()
        while True:
            await self._urgent.wait()
            self._urgent.clear()
            begun_s = loop.time()
            await self.tick()
            await asyncio.sleep(min(REST_MOST_S, REST * (loop.time() - begun_s)))

    def take_in(self, events: Sequence[ev.Event]) -> bool:
        """Apply and journal facts; True when one of them calls for a new plan."""
        urgent = False
        for event in events:
            self.twin.receive(event)
            self._journal.record(event)
            urgent = urgent or isinstance(event, REPLANNING)
        return urgent

    async def _keep_ticking(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._settings.tick_s, loop.time())
            await asyncio.sleep(due - loop.time())
            await self.tick()

    async def tick(self) -> CycleReport:
        """One control cycle, and the way of its grants: decided, durable, sent."""
        async with self._one_tick:
            return await self._tick()

    async def _tick(self) -> CycleReport:
        now = self._clock.now()
        if expired_limits(self.twin.state, now):
            self._replan.set()
        self._journal.record(ev.Ticked(at=now))
        report = self.twin.tick(now)
        if report.alarms or (self._shedding and not report.decision.shedding):
            self._replan.set()  # room was lost or came free that the plan in force knows nothing of
        self._shedding = report.decision.shedding
        if report.decision.grants:
            await self._send(report.decision.grants)
        for verification in report.verifications:
            logger.debug(
                "verified", extra={"connector": str(verification.connector_id), "verdict": verification.verdict}
            )
        for observer in self._observers:
            observer.on_cycle(report)
        return report

    async def _send(self, grants: Sequence[Grant]) -> None:
        assert self._chargers is not None
        try:
            await self._journal.reserve(grants)
        except StorageError as error:
            self._refuse_increases(grants, error)
            grants = [g for g in grants if g.limit_a <= self._last_sent_a.get(g.connector_id, 0.0)]
        else:
            self._storage_failing = False
        for grant in grants:
            self._last_sent_a[grant.connector_id] = grant.limit_a
            self._chargers.offer(grant)

    def _refuse_increases(self, grants: Sequence[Grant], error: StorageError) -> None:
        """Without a journal nothing is raised: what is not durable could not be counted after a restart."""
        if not self._storage_failing:
            logger.error("journal unavailable, increases are held back", extra={"detail": str(error)})
        self._storage_failing = True
        for grant in grants:
            if grant.limit_a > self._last_sent_a.get(grant.connector_id, 0.0):
                self.put(
                    ev.GrantAnswered(
                        at=self._clock.now(),
                        connector_id=grant.connector_id,
                        seq=grant.seq,
                        outcome=GrantOutcome.UNSENT,
                        detail="not durable",
                    )
                )

    async def _keep_planning(self) -> None:
        while True:
            await self._plan_once()
            await asyncio.sleep(self._settings.plan_spacing_s)
            try:
                async with asyncio.timeout(self._settings.plan_every_s - self._settings.plan_spacing_s):
                    await self._replan.wait()
            except TimeoutError:
                pass
            self._replan.clear()

    async def _plan_once(self) -> None:
        problem = self.twin.problem(self._clock.now())
        if not problem.sessions:
            return
        plan = known_only(problem, await self._solver.solve(problem))
        self._count(plan)
        self.take_in([ev.PlanAdopted(at=self._clock.now(), plan=plan)])
        await self.tick()

    def _count(self, plan: Plan) -> None:
        self.plans += 1
        self.plan_times_s.append(plan.solve_s)
        del self.plan_times_s[:-10_000]
        if plan.status is PlanStatus.FALLBACK:
            self.fallbacks += 1
            logger.warning("plan replaced by a rule", extra={"planner": plan.planner, "reason": plan.reason})
