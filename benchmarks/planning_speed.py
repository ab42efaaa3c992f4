"""How fast Power Allocation plans again through its process, beside the model as one would write it down in cvxpy.

Run with `python -m benchmarks.planning_speed`. Both sides solve the same problems in the same run, on HiGHS and to the
same optimum; the peer has no process to talk to, which is to its advantage.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any

import cvxpy as cp
import numpy as np

from gateway.planner_process import PlannerProcess
from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, Cap, Horizon, PlanningProblem, SessionNeed
from twin_core.planning.fallback import rescue
from twin_core.planning.optimum import shortfall_prices

SIZES = ((20, 96), (100, 96))
REPEATS = 30
SEED = 7


def run() -> list[dict[str, Any]]:
    """One row a problem: ours and the peer's median and 95th percentile in ms, and how far their objectives differ."""
    return [asyncio.run(_row(n_sessions, n_steps)) for n_sessions, n_steps in SIZES]


async def _row(n_sessions: int, n_steps: int) -> dict[str, Any]:
    ours_ms, peer_ms, rule_ms, gaps = [], [], [], []
    async with PlannerProcess("power_allocation", deadline_s=30.0) as solver:
        if not await solver.ready():
            raise SystemExit("the planner's process did not start")
        for repeat, problem in enumerate(_problems(n_sessions, n_steps)):
            begun_s = time.perf_counter()
            plan = await solver.solve(problem)
            solved_s = time.perf_counter()
            optimum = _literal(problem)
            peer_s = time.perf_counter()
            rescue(problem, "timed")
            rescued_s = time.perf_counter()
            gaps.append(abs(_paid(problem, plan) - optimum) / max(1.0, abs(optimum)))
            if repeat == 0:
                first_ms = (solved_s - begun_s) * 1e3
                continue
            ours_ms.append((solved_s - begun_s) * 1e3)
            peer_ms.append((peer_s - solved_s) * 1e3)
            rule_ms.append((rescued_s - peer_s) * 1e3)
    return {
        "problem": f"power allocation {n_sessions} x {n_steps}, site and 3 phases",
        "solver": "ours, compact, through the process",
        "peer": "cvxpy as written, dense, HiGHS",
        "first_ms": round(first_ms, 1),
        "median_ms": round(median(ours_ms), 1),
        "p95_ms": round(quantiles(ours_ms, n=20)[-1], 1),
        "peer_median_ms": round(median(peer_ms), 1),
        "peer_p95_ms": round(quantiles(peer_ms, n=20)[-1], 1),
        "times_faster": round(median(peer_ms) / median(ours_ms), 1),
        "fallback_median_ms": round(median(rule_ms), 2),
        "objective_gap": max(gaps),
        "fallbacks": solver.counters.solves - solver.counters.planned,
    }


def _problems(n_sessions: int, n_steps: int) -> Iterator[PlanningProblem]:
    """A day in quarter hours; each repeat has other prices, demands and limits for the same cars and windows."""
    random = np.random.default_rng(SEED)
    arrival_h = np.maximum(0.0, random.uniform(-6.0, 14.0, n_sessions))
    stay_h = random.uniform(1.0, 9.0, n_sessions)
    single = np.arange(n_sessions) % 4 == 0
    hours = np.arange(n_steps) / 4.0
    cars = [
        SessionNeed(
            session_id=SessionId(f"car {i}"),
            connector_id=ConnectorId(ChargerId(f"charger {i}"), 1),
            energy_kwh=0.0,
            arrival_h=float(arrival_h[i]),
            departure_h=float(arrival_h[i] + stay_h[i]),
            max_kw=7.4 if single[i] else 22.0,
            min_kw=1.4 if single[i] else 4.1,
            kw_per_a=0.23 if single[i] else 0.69,
        )
        for i in range(n_sessions)
    ]
    phases = [np.where(single, np.where(np.arange(n_sessions) // 4 % 3 == p, 4.35, 0.0), 1.45) for p in range(3)]
    for _ in range(REPEATS + 1):
        wanted_kwh = random.uniform(5.0, 50.0, n_sessions)
        base_kw = 0.25 * n_sessions * (1 + np.sin(hours / 4) * random.uniform(0.5, 1.0))
        yield PlanningProblem(
            horizon=Horizon(datetime(2026, 6, 1, tzinfo=UTC), 0.25, n_steps),
            sessions=tuple(replace(car, energy_kwh=float(e)) for car, e in zip(cars, wanted_kwh, strict=True)),
            price_eur_per_kwh=0.2 + 0.08 * np.sin(hours / 3) + 0.02 * random.normal(size=n_steps),
            caps=(
                Cap("site", np.ones(n_sessions), 2.5 * n_sessions - base_kw),
                *(Cap(f"L{p + 1}", load, np.full(n_steps, 3.2 * n_sessions)) for p, load in enumerate(phases)),
            ),
        )


def _literal(problem: PlanningProblem) -> float:
    """Model 3.1 as it stands in the thesis, a variable for every car and step, written anew for every solve."""
    step_h, n_steps = problem.horizon.step_h, problem.horizon.n_steps
    upper_kw: Array = np.array([s.max_kw for s in problem.sessions]).reshape(-1, 1) * problem.availability()
    wanted_kwh = np.array([s.energy_kwh for s in problem.sessions])
    power_kw = cp.Variable((len(problem.sessions), n_steps))
    shortfall_kwh = cp.Variable(len(problem.sessions))
    cost = problem.price_eur_per_kwh @ cp.sum(power_kw, axis=0) * step_h + shortfall_prices(problem) @ shortfall_kwh
    model = cp.Problem(
        cp.Minimize(cost),
        [
            power_kw >= 0,
            power_kw <= upper_kw,
            shortfall_kwh >= 0,
            step_h * cp.sum(power_kw, axis=1) + shortfall_kwh == wanted_kwh,
            *(cap.load @ power_kw <= cap.limit for cap in problem.caps),
        ],
    )
    return float(model.solve(solver=cp.HIGHS, warm_start=False))


def _paid(problem: PlanningProblem, plan: Plan) -> float:
    return plan.cost_eur + float(shortfall_prices(problem) @ plan.unserved_kwh)


if __name__ == "__main__":
    for row in run():
        print("  ".join(f"{name}={value}" for name, value in row.items()))
