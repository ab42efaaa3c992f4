"""Planners behind a deadline, with planners that sleep, die and lie."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import async_solipsism
import numpy as np
import pytest

from gateway.planner_process import InlineSolver, PlannerProcess, SolverCounters
from tests.twin_core.planning.problems import car, depot
from twin_core.errors import ConfigurationError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.check import violations
from twin_core.planning.fallback import rescue
from twin_core.planning.table import planner

AWKWARD = "tests.gateway.awkward_planners:Awkward"
DEADLINE_S = 0.6
NONSENSE = {
    "raise an error": "ZeroDivisionError: no reason",
    "refuse": "the solver found no plan: infeasible",
    "answer NaN": "powers are not finite",
    "break a limit": "cap 'site'",
    "answer words": "could not convert string to float",
    "answer something else": "returned dict, not a plan",
}


def asked_to(deed: str) -> PlanningProblem:
    """A problem with two cars at a site that can serve one; the first is called what the planner shall do."""
    return depot([car(deed, 20), car("other", 20)], site_kw=10)


def is_the_rules(plan: Plan, problem: PlanningProblem) -> bool:
    return plan.status is PlanStatus.FALLBACK and bool((plan.power_kw == rescue(problem, "").power_kw).all())


def ends(counters: SolverCounters) -> dict[str, int]:
    """Counters that are not zero."""
    return {name: count for name, count in asdict(counters).items() if count}


@pytest.fixture
async def solver() -> AsyncIterator[PlannerProcess]:
    async with PlannerProcess(AWKWARD, deadline_s=DEADLINE_S) as process:
        assert await process.ready()
        yield process
    assert_gone(process)


def assert_gone(process: PlannerProcess) -> None:
    assert process._child is None


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- another process has no event to wait for
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def open_files(pid: int) -> list[str]:
    return [str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()]


async def test_plans_come_out_of_the_process_as_they_come_out_of_the_planner() -> None:
    problem = depot([car("a", 15), car("b", 12, arrival_h=1)], site_kw=12, prices=[0.3, 0.1, 0.2, 0.4])
    async with PlannerProcess("power_allocation", deadline_s=20) as process:
        assert await process.ready()
        plan = await process.solve(problem)
    inline = planner("power_allocation").plan(problem)
    np.testing.assert_array_equal(plan.power_kw, inline.power_kw)
    assert (plan.status, plan.cost_eur, plan.planner) == (PlanStatus.PROVED, inline.cost_eur, "power_allocation")
    assert 0 < plan.solve_s < 20
    assert ends(process.counters) == {"solves": 1, "planned": 1}


async def test_a_late_planner_is_killed_and_a_rule_answers_at_the_deadline(solver: PlannerProcess) -> None:
    problem, begun_s = asked_to("sleep"), time.perf_counter()
    late_child = solver._child.pid
    plan = await solver.solve(problem)
    assert DEADLINE_S <= time.perf_counter() - begun_s < DEADLINE_S + 0.3
    assert is_the_rules(plan, problem)
    assert plan.reason == "late: no plan within 0.6 s"
    assert plan.solve_s >= DEADLINE_S
    await until(lambda: not alive(late_child))
    assert await solver.ready()
    assert (await solver.solve(asked_to("behave"))).planner == "awkward"
    assert ends(solver.counters) == {"solves": 2, "planned": 1, "late": 1, "restarts": 1}


async def test_while_the_planner_restarts_a_rule_answers_at_once(solver: PlannerProcess) -> None:
    await solver.solve(asked_to("sleep"))
    begun_s = time.perf_counter()
    plan = await solver.solve(asked_to("behave"))
    assert time.perf_counter() - begun_s < 0.1
    assert plan.reason == "restarting"
    assert solver.counters.restarting == 1


async def test_a_planner_that_dies_is_replaced_in_the_same_tick_and_started_again(solver: PlannerProcess) -> None:
    assert (await solver.solve(asked_to("behave"))).planner == "awkward"
    problem = asked_to("die")
    plan = await solver.solve(problem)
    assert is_the_rules(plan, problem)
    assert plan.reason.startswith("crashed")
    assert await solver.ready()
    assert (await solver.solve(asked_to("behave"))).planner == "awkward"
    assert ends(solver.counters) == {"solves": 3, "planned": 2, "crashed": 1, "restarts": 1}


async def test_a_planner_killed_while_idle_is_noticed_before_the_next_problem(solver: PlannerProcess) -> None:
    await solver.solve(asked_to("behave"))
    os.kill(solver._child.pid, signal.SIGKILL)
    await until(lambda: solver._child is None)
    assert await solver.ready()
    assert (await solver.solve(asked_to("behave"))).planner == "awkward"
    assert ends(solver.counters) == {"solves": 2, "planned": 2, "restarts": 1}


@pytest.mark.parametrize("kind", ["process", "inline"])
async def test_nonsense_is_replaced_by_a_rule_and_costs_no_restart(kind: str) -> None:
    async with PlannerProcess(AWKWARD, 5.0) if kind == "process" else InlineSolver(AWKWARD) as solver:
        assert await solver.ready()
        for deed, says in NONSENSE.items():
            problem = asked_to(deed)
            plan = await solver.solve(problem)
            assert is_the_rules(plan, problem), deed
            assert says in plan.reason
        assert (await solver.solve(asked_to("behave"))).planner == "awkward"
    assert ends(solver.counters) == {"solves": 7, "planned": 1, "refused": 6}


SOLVERS_NONSENSE = {
    "answer NaN": "powers are not finite",
    "answer the wrong shape": "shape (2, 3), must be (2, 4)",
    "answer nothing": "'NoneType' object has no attribute",
    "break a limit": "cap 'site'",
    "raise an error": "MemoryError: 101 GiB",
    "stop with zeros": "no more than doing nothing",
}


async def test_whatever_a_solver_answers_the_depot_gets_a_plan_that_keeps_its_limits() -> None:
    async with PlannerProcess("tests.gateway.awkward_planners:WithAwkwardSolver", 30.0) as process:
        assert await process.ready()
        for deed, says in SOLVERS_NONSENSE.items():
            problem = asked_to(deed)
            plan = await process.solve(problem)
            assert is_the_rules(plan, problem), deed
            assert says in plan.reason
        assert (await process.solve(asked_to("behave"))).status is PlanStatus.PROVED
    assert ends(process.counters) == {"solves": 7, "planned": 1, "refused": 6}


@pytest.mark.parametrize(("deed", "reason"), [("never end", "late"), ("crash", "crashed")])
async def test_a_solver_that_hangs_or_takes_its_process_with_it_is_replaced_within_the_deadline(
    deed: str, reason: str
) -> None:
    async with PlannerProcess("tests.gateway.awkward_planners:WithAwkwardSolver", 3.0) as process:
        assert await process.ready()
        child, problem = process._child.pid, asked_to(deed)
        plan = await process.solve(problem)
        assert is_the_rules(plan, problem)
        assert plan.reason.startswith(reason)
        assert plan.solve_s < 3.3
        await until(lambda: not alive(child))
        assert await process.ready()
        assert (await process.solve(asked_to("behave"))).status is PlanStatus.PROVED


async def test_what_a_planner_says_of_cost_and_service_is_computed_anew(solver: PlannerProcess) -> None:
    problem = asked_to("lie about money")
    plan = await solver.solve(problem)
    assert plan.cost_eur == pytest.approx(8.0)
    assert plan.session_ids == ("lie about money", "other")


async def test_what_a_planner_prints_does_not_reach_the_pipe(
    solver: PlannerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await solver.solve(asked_to("chatter"))).planner == "awkward"
    assert (await solver.solve(asked_to("behave"))).planner == "awkward"
    await until(lambda: any("noise" in getattr(r, "text", "") for r in caplog.records))


async def test_the_newest_problem_wins_the_place_in_the_queue(solver: PlannerProcess) -> None:
    solves = []
    for deed in ("doze", "raise an error", "refuse", "behave"):
        solves.append(asyncio.create_task(solver.solve(asked_to(deed))))
        await asyncio.sleep(0.01)
    reasons = [(await solve).reason for solve in solves]
    assert reasons == ["", "superseded", "superseded", ""]
    assert ends(solver.counters) == {"solves": 4, "planned": 2, "superseded": 2}


async def test_who_waits_behind_a_late_problem_is_answered_with_it(solver: PlannerProcess) -> None:
    first = asyncio.create_task(solver.solve(asked_to("sleep")))
    await asyncio.sleep(0.05)
    begun_s = time.perf_counter()
    second = await solver.solve(asked_to("behave"))
    assert time.perf_counter() - begun_s < DEADLINE_S
    assert second.reason == "restarting"
    assert (await first).reason.startswith("late")


async def test_a_caller_that_goes_away_leaves_the_planner_in_order(solver: PlannerProcess) -> None:
    gone = asyncio.create_task(solver.solve(asked_to("doze")))
    await asyncio.sleep(0.05)
    gone.cancel()
    assert (await solver.solve(asked_to("behave"))).planner == "awkward"


async def test_closing_in_the_middle_of_a_solve_answers_it_and_leaves_no_process() -> None:
    async with PlannerProcess(AWKWARD, 30.0) as process:
        await process.ready()
        child = process._child.pid
        solve = asyncio.create_task(process.solve(asked_to("sleep")))
        await asyncio.sleep(0.05)
    assert is_the_rules(await solve, asked_to("sleep"))
    assert not alive(child)
    assert (await process.solve(asked_to("behave"))).status is PlanStatus.FALLBACK


async def test_closing_before_the_planner_is_up_leaves_no_process() -> None:
    async with PlannerProcess(AWKWARD, 30.0) as process:
        await asyncio.sleep(0.1)
    assert_gone(process)


async def test_a_planner_that_cannot_start_leaves_the_depot_to_the_rule() -> None:
    async with PlannerProcess("tests.gateway.awkward_planners:NeverStarts") as process:
        assert not await process.ready()
        problem = asked_to("behave")
        assert is_the_rules(await process.solve(problem), problem)


def test_an_unknown_planner_is_refused_before_anything_starts() -> None:
    for solver in (PlannerProcess, InlineSolver):
        with pytest.raises(ConfigurationError, match="use one of uncontrolled"):
            solver("magic")


async def test_the_gateway_itself_never_imports_a_solver() -> None:
    code = "import sys, gateway.planner_process; print(*{'cvxpy', 'highspy', 'scipy'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    python = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment
    )
    output, _ = await python.communicate()
    assert (python.returncode, output.split()) == (0, [])


async def test_the_process_holds_none_of_the_gateways_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.set_inheritable(True)
        async with PlannerProcess(AWKWARD) as process:
            await process.ready()
            held = open_files(process._child.pid)
        assert f"socket:[{os.fstat(server.fileno()).st_ino}]" not in held
        assert len(held) >= 5


GATEWAY = """
import asyncio
from gateway.planner_process import PlannerProcess
from tests.gateway.test_planner_process import AWKWARD, asked_to
async def main():
    async with PlannerProcess(AWKWARD, 60) as process:
        await process.ready()
        print(process._child.pid, flush=True)
        await process.solve(asked_to("sleep"))
asyncio.run(main())
"""


async def test_the_process_dies_with_a_gateway_that_is_killed_in_the_middle_of_a_solve() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert gateway.stdout is not None
    child = int(await gateway.stdout.readline())
    await asyncio.sleep(0.1)
    assert alive(child)
    gateway.kill()
    await gateway.wait()
    await until(lambda: not alive(child), 2.0)


class Scaled(asyncio.SelectorEventLoop):
    """A loop whose clock runs sixty times faster than the wall."""

    def __init__(self) -> None:
        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                return super().select(timeout and timeout / 60)

        super().__init__(Selector())

    def time(self) -> float:
        return time.monotonic() * 60


def test_the_deadline_is_on_the_wall_also_where_the_loops_clock_runs_faster() -> None:
    async def day() -> tuple[Plan, Plan]:
        async with PlannerProcess(AWKWARD, DEADLINE_S, scale=60) as process:
            assert await process.ready()
            return await process.solve(asked_to("doze")), await process.solve(asked_to("sleep"))

    with asyncio.Runner(loop_factory=Scaled) as runner:
        in_time, late = runner.run(day())
    assert in_time.status is PlanStatus.PROVED
    assert DEADLINE_S <= late.solve_s < DEADLINE_S + 0.4


def test_in_line_planners_take_no_virtual_time() -> None:
    async def solve() -> tuple[Plan, float]:
        loop = asyncio.get_running_loop()
        async with InlineSolver("llf") as solver:
            begun_s = loop.time()
            return await solver.solve(asked_to("a")), loop.time() - begun_s

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        plan, took_s = runner.run(solve())
    assert took_s == 0
    assert plan.solve_s == 0
    assert plan.planner == "llf"
    assert violations(asked_to("a"), plan.power_kw) == []
