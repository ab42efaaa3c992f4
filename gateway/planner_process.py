"""Planners behind a deadline: in a process of their own for live control, in line for virtual time."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from types import TracebackType
from typing import Self

from gateway.planner_child import PlannerChild
from gateway.planner_pipe import Refusal
from twin_core.errors import PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.assessment import reassessed
from twin_core.planning.fallback import rescue
from twin_core.planning.reasons import explained
from twin_core.planning.table import factory

logger = logging.getLogger(__name__)

START_DEADLINE_S = 60.0
"""Wall time for importing the solver and a first plan; a second on a desktop, many on a small board."""

LONGEST_PAUSE_S = 30.0
"""Wall time between two attempts to start a planner that keeps failing to start."""


class Cause(StrEnum):
    """Why a rule had to step in."""

    LATE = "late"
    CRASHED = "crashed"
    REFUSED = "refused"
    """No plan, or one that broke a limit when it was checked again."""
    SUPERSEDED = "superseded"
    """A newer problem came while this one waited for its turn."""
    RESTARTING = "restarting"


@dataclass(frozen=True, slots=True)
class _Miss:
    cause: Cause
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}" if self.detail else str(self.cause)


@dataclass(slots=True)
class SolverCounters:
    """What became of problems; each ends as planned or in one of the causes.

    Attributes:
        restarts: times the planner's process was started again.
    """

    solves: int = 0
    planned: int = 0
    late: int = 0
    crashed: int = 0
    refused: int = 0
    superseded: int = 0
    restarting: int = 0
    restarts: int = 0


class PlannerProcess:
    """A planner in a child process with a hard deadline (a `PlanSolver`).

    One problem is solved at a time and the newest one waits; whatever goes wrong, `solve` answers with a rule's plan
    instead. A child that is late is killed, and another is started behind the scenes.

    Args:
        planner_name: name in the table of planners, or `package.module:Class`.
        deadline_s: wall seconds from the call of `solve` to its answer.
        scale: how much faster than the wall the running loop's clock runs.

    Raises:
        ConfigurationError: there is no such planner.
    """

    def __init__(self, planner_name: str, deadline_s: float = 2.0, scale: float = 1.0) -> None:
        factory(planner_name)
        self.counters = SolverCounters()
        self._planner_name = planner_name
        self._deadline_s = deadline_s
        self._scale = scale
        self._child: PlannerChild | None = None
        self._latest: PlannerChild | None = None
        self._start_is_decided = asyncio.Event()
        self._waiting: _Job | None = None
        self._wake = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._supervisor = asyncio.create_task(self._supervise(), name="planner supervisor")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        if self._latest is not None:
            await self._latest.end()

    async def ready(self) -> bool:
        """Wait until the planner has solved a first small problem; False when its start failed and is being retried."""
        await self._start_is_decided.wait()
        return self._child is not None

    async def solve(self, problem: PlanningProblem) -> Plan:
        """The planner's plan, checked again here, or a rule's.

        Never raises. A rule steps in at the deadline at the latest, and takes milliseconds.
        """
        begun_s = time.perf_counter()
        self.counters.solves += 1
        plan = _conclude(problem, await self._ask(problem), self.counters)
        return replace(plan, solve_s=time.perf_counter() - begun_s)

    async def _ask(self, problem: PlanningProblem) -> Plan | _Miss:
        if self._child is None:
            return _Miss(Cause.RESTARTING)
        loop = asyncio.get_running_loop()
        job = _Job(problem, loop.time() + self._deadline_s * self._scale, loop.create_future())
        self._turn_away(Cause.SUPERSEDED)
        self._waiting = job
        self._wake.set()
        return await job.outcome

    def _turn_away(self, cause: Cause) -> None:
        if self._waiting is not None:
            self._waiting.settle(_Miss(cause))
            self._waiting = None

    async def _supervise(self) -> None:
        fruitless = 0
        while True:
            try:
                answered = await self._live_once()
            except Exception as error:  # Whatever it was, a new child is the remedy.
                answered = False
                reason = str(error) or type(error).__name__
                logger.exception("planner failed", extra={"planner": self._planner_name, "reason": reason})
                self._start_is_decided.set()
            fruitless = 0 if answered else fruitless + 1
            if fruitless:
                await asyncio.sleep(min(0.5 * 2.0**fruitless, LONGEST_PAUSE_S) * self._scale)
            self._start_is_decided.clear()
            self.counters.restarts += 1

    async def _live_once(self) -> bool:
        """Start a child and serve with it until it is late or gone; whether it answered anything.

        Raises:
            OSError: the process could not be started, or was not ready in time.
            EOFError: it ended before it was ready.
            PlanningError: it cannot work, and said why.
        """
        child = self._latest = await PlannerChild.start(self._planner_name)
        try:
            async with asyncio.timeout(START_DEADLINE_S * self._scale):
                await child.greeting()
            logger.info("planner up", extra={"planner": self._planner_name, "pid": child.pid})
            child.on_exit(self._wake.set)
            self._child = child
            self._start_is_decided.set()
            return await self._serve(child)
        finally:
            if self._child is not None:
                self._child = None
                self._start_is_decided.clear()
            self._turn_away(Cause.RESTARTING)
            await child.end()

    async def _serve(self, child: PlannerChild) -> bool:
        """Pass problems to a child until it is late or gone; whether it answered any."""
        answered = False
        while job := await self._next_job(child):
            outcome: Plan | _Miss = _Miss(Cause.RESTARTING)
            try:
                async with asyncio.timeout_at(job.deadline_s):
                    reply = await child.ask(job.problem)
                outcome = _checked(job.problem, reply)
                answered = True
            except TimeoutError:
                outcome = _Miss(Cause.LATE, f"no plan within {self._deadline_s:g} s")
                return answered
            except (OSError, EOFError) as error:
                outcome = _Miss(Cause.CRASHED, str(error) or type(error).__name__)
                return answered
            finally:
                job.settle(outcome)
        logger.error("planner gone", extra={"planner": self._planner_name, "exit": child.exit_code})
        return answered

    async def _next_job(self, child: PlannerChild) -> _Job | None:
        """The newest problem; None when the child is gone."""
        while self._waiting is None:
            if child.exit_code is not None:
                return None
            self._wake.clear()
            await self._wake.wait()
        job, self._waiting = self._waiting, None
        return job


@dataclass(frozen=True, slots=True)
class _Job:
    """A problem on its way to the child.

    Attributes:
        deadline_s: on the loop's clock.
    """

    problem: PlanningProblem
    deadline_s: float
    outcome: asyncio.Future[Plan | _Miss]

    def settle(self, outcome: Plan | _Miss) -> None:
        """Tell whoever waits; too late when it was told before or has gone away."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class InlineSolver:
    """A planner called in line (a `PlanSolver`), for virtual time and studies: it holds up the loop while it thinks.

    Its plans took no time on the loop's clock and say so, so that runs of equal seeds stay equal.

    Raises:
        ConfigurationError: there is no such planner.
    """

    def __init__(self, planner_name: str) -> None:
        self.counters = SolverCounters()
        self._planner = factory(planner_name)()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass

    async def ready(self) -> bool:
        """Always."""
        return True

    async def solve(self, problem: PlanningProblem) -> Plan:
        """The planner's plan, checked, or a rule's. Never raises."""
        self.counters.solves += 1
        try:
            reply: object = self._planner.plan(problem)
            if isinstance(reply, Plan):
                reply = explained(problem, reply)
        except PlanningError as error:
            reply = Refusal(str(error))
        except Exception as error:  # Planners may be foreign ones.
            logger.exception("planner failed")
            reply = Refusal(f"{type(error).__name__}: {error}")
        return _conclude(problem, _checked(problem, reply), self.counters)


def _checked(problem: PlanningProblem, reply: object) -> Plan | _Miss:
    """A planner's answer, with its unserved energy and its cost computed anew."""
    if isinstance(reply, Refusal):
        return _Miss(Cause.REFUSED, reply.reason)
    if not isinstance(reply, Plan):
        return _Miss(Cause.REFUSED, f"the planner returned {type(reply).__name__}, not a plan")
    try:
        return reassessed(problem, reply)
    except (PlanningError, AttributeError, TypeError, ValueError) as error:
        return _Miss(Cause.REFUSED, str(error))


def _conclude(problem: PlanningProblem, outcome: Plan | _Miss, counters: SolverCounters) -> Plan:
    """Count the outcome, and let a rule step in where it is no plan."""
    if isinstance(outcome, Plan):
        counters.planned += 1
        return outcome
    setattr(counters, outcome.cause.value, getattr(counters, outcome.cause.value) + 1)
    # A planner that is down was reported when it went down.
    level = logging.DEBUG if outcome.cause is Cause.RESTARTING else logging.WARNING
    logger.log(level, "plan replaced", extra={"cause": outcome.cause.value, "detail": outcome.detail})
    return rescue(problem, str(outcome))
