"""How fast and how exactly plans are made, beside peers in the same run: `make bench-planning`.

Times are on the wall, medians and 95th percentiles of repeated calls with other numbers where a tick would bring
other numbers. `objective_gap` is the distance to a bound proved by our own check, relative to the objective.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks import planning_problems as problems
from benchmarks.peers import adacharge
from benchmarks.peers.environment import Peer, question
from benchmarks.rolling_tick import tick_rows
from gateway.planner_process import PlannerProcess
from twin_core.models.problem import PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.optimum import optimal_plan, served_first
from twin_core.planning.solvers.highs import Highs
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.table import planner

Row = dict[str, Any]
REPEATS = 9
NOT_INSTALLED: dict[str, Any] = {"ms": [], "version": "not installed"}


def run() -> list[Row]:
    """Every figure of the planning issue, a row each."""
    rows: list[Row] = []
    for row in _rows():
        print({key: value for key, value in row.items() if value is not None}, flush=True)
        rows.append(row)
    return rows


def _rows() -> Iterator[Row]:
    for n_sessions, n_steps in ((100, 288), (1200, 96), (10_000, 96)):
        for name, kw_per_ev in (("room", 11.3), ("tight", 7.0), ("scarce", 5.0)):
            problem = problems.plain(n_sessions, n_steps, kw_per_ev)
            yield _ours(f"plain site, {n_sessions} x {n_steps}, {name}", problem, "kernel")
    yield from tick_rows()
    yield _ours("100 x 96, re-solve", problems.plain(100, 96), "cvxpy")
    yield _beside_adacharge()
    for name, room in (("", 1.0), (", tight", 0.8), (", scarce", 0.6)):
        alike, mixed = problems.three_phase_tree(room=room), problems.tree(room=room)
        yield _beside_cold_highs(f"site tree, 60 stations, cars on 3 phases, 1200 x 96{name}", alike, "tree")
        yield _beside_cold_highs(f"site tree, 60 stations, 3 phases, 1200 x 96{name}", mixed, "highs")
    yield _ours("demand charge, 1200 x 96", problems.demand_charge(), "highs")
    yield from _beside_flexmeasures()
    yield _beside_acnportal()
    yield asyncio.run(_through_the_process())


def _ours(name: str, problem: PlanningProblem, solver: str) -> Row:
    """One of our solvers on a problem, prices a little different each time, as from tick to tick."""
    problem, bench = served_first(problem), SolverBench(solver)
    chosen = bench.solver_for(problem)
    random = np.random.default_rng(1)
    chosen.solve(problem)
    times_ms, gaps, plan = [], [], None
    for _ in range(REPEATS):
        noise = 1 + 0.02 * random.normal(size=problem.horizon.n_steps)
        asked = replace(problem, price_eur_per_kwh=problem.price_eur_per_kwh * noise)
        times_ms.append(_timed(lambda asked=asked: chosen.solve(asked)))
        plan = optimal_plan("bench", asked, bench)
        gaps.append(plan.gap)
    assert plan is not None
    return _row(name, solver, times_ms, gap=_worst(gaps)) | {"status": str(plan.status)}


def _beside_cold_highs(name: str, problem: PlanningProblem, solver: str) -> Row:
    """One of our solvers and HiGHS on the whole linear program, by turns on the same prices."""
    problem = served_first(problem)
    chosen, cold, random = SolverBench(solver).solver_for(problem), Highs(headstart=False), np.random.default_rng(1)
    chosen.solve(problem)
    ours_ms, cold_ms, gaps = [], [], []
    for _ in range(REPEATS):
        noise = 1 + 0.02 * random.normal(size=problem.horizon.n_steps)
        asked = replace(problem, price_eur_per_kwh=problem.price_eur_per_kwh * noise)
        ours_ms.append(_timed(lambda asked=asked: chosen.solve(asked)))
        cold_ms.append(_timed(lambda asked=asked: cold.solve(asked)))
        mine, other = (bill(asked, s.solve(asked).power_kw).objective_eur for s in (chosen, cold))
        gaps.append(abs(mine - other) / max(1.0, abs(other)))
    return _row(name, solver, ours_ms, "HiGHS from nothing", cold_ms, max(gaps))


def _worst(gaps: list[float | None]) -> float | None:
    known = [abs(gap) for gap in gaps if gap is not None]
    return max(known) if len(known) == len(gaps) else None


def _beside_adacharge() -> Row:
    problem = served_first(problems.plain(100, 96))
    chosen = SolverBench().solver_for(problem)
    chosen.solve(problem)
    ours_ms = [_timed(lambda: chosen.solve(problem)) for _ in range(REPEATS)]
    found = chosen.solve(problem)
    mine_eur = bill(problem, found.power_kw).objective_eur
    peer_eur = adacharge.objective_eur(problem)
    peer_ms = [_timed(lambda: adacharge.objective_eur(problem)) for _ in range(REPEATS)]
    gap = abs(mine_eur - peer_eur) / max(1.0, abs(mine_eur))
    peer = "adacharge's formulation, cvxpy, CLARABEL"
    return _row("plain site, 100 x 96", chosen.name, ours_ms, peer, peer_ms, gap)


def _beside_flexmeasures() -> Iterator[Row]:
    """A similar problem, not the same: its cars leave with an exact energy, so they ask for what the site can carry."""
    peer, there = Peer("flexmeasures"), Peer("flexmeasures").installed()
    for name, problem in (("plain site, 100 x 96", problems.plain(100, 96)), ("V2G, 50 x 96", problems.v2g())):
        asked, bench = served_first(problem), SolverBench()
        chosen = bench.solver_for(asked)
        chosen.solve(asked)
        ours_ms = [_timed(lambda chosen=chosen, asked=asked: chosen.solve(asked)) for _ in range(REPEATS)]
        gap = optimal_plan("bench", asked, bench).gap
        answer = peer.ask({**question(problem, demand=0.8), "repeats": 3}) if there else NOT_INSTALLED
        said = f"FlexMeasures {answer['version']}, device scheduler, highspy"
        yield _row(name, chosen.name, ours_ms, said, answer["ms"], gap)


def _beside_acnportal() -> Row:
    """A day under least laxity first: ours is planned ahead at once, theirs is simulated step by step."""
    problem, rule, peer = problems.plain(100, 288, kw_per_ev=5.0), planner("llf"), Peer("acnportal")
    ours_ms = [_timed(lambda: rule.plan(problem)) for _ in range(REPEATS)]
    answer = peer.ask({**question(problem, demand=1.0), "repeats": 3}) if peer.installed() else NOT_INSTALLED
    said = f"acnportal {answer['version']}, LLF in ACN-Sim"
    return _row("least laxity first over a day, 100 x 288", "llf", ours_ms, said, answer["ms"])


async def _through_the_process() -> Row:
    """What the gateway waits for: the problem goes to the planner's process and the checked plan comes back."""
    problem = problems.plain(100, 96)
    async with PlannerProcess("power_allocation", deadline_s=30.0) as process:
        if not await process.ready():
            raise SystemExit("the planner's process did not start")
        await process.solve(problem)
        times_ms = []
        for _ in range(REPEATS):
            begun_s = time.perf_counter()
            plan = await process.solve(problem)
            times_ms.append((time.perf_counter() - begun_s) * 1e3)
    row = _row("plain site, 100 x 96, through the planner's process", plan.solver, times_ms, gap=plan.gap)
    return row | {"status": str(plan.status)}


def _timed(call: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    call()
    return (time.perf_counter() - begun_s) * 1e3


def _row(
    problem: str,
    solver: str,
    ms: list[float],
    peer: str = "",
    peer_ms: list[float] | None = None,
    gap: float | None = None,
) -> Row:
    row: Row = {
        "problem": problem,
        "solver": solver,
        "peer": peer,
        "median_ms": round(median(ms), 2),
        "p95_ms": round(quantiles(ms, n=20, method="inclusive")[-1], 2),
        "objective_gap": gap,
    }
    if peer_ms:
        row["peer_median_ms"] = round(median(peer_ms), 1)
        row["times_faster"] = round(median(peer_ms) / median(ms), 1)
    return row
