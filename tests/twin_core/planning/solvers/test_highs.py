"""The direct HiGHS solver against the model as one reads it, and its own honesty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import NOON, car
from twin_core.errors import PlanningError
from twin_core.models.problem import (
    Cap,
    Horizon,
    PlanningProblem,
    SessionNeed,
    SiteBattery,
    SiteFlows,
    Taper,
    VehicleBattery,
)
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.solvers.highs import Highs
from twin_core.planning.solvers.oracle import Oracle
from twin_core.planning.solvers.solver import Solution
from twin_core.planning.soundness import require_sound


def objective(problem: PlanningProblem, found: Solution) -> float:
    return bill(problem, found.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw).objective_eur


def kept(problem: PlanningProblem, found: Solution) -> list[str]:
    return violations(problem, found.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw)


numbers = st.floats(0.0, 1.0).map(lambda x: round(x, 3))


@st.composite
def needs(draw: st.DrawFn, name: str) -> SessionNeed:
    battery = taper = None
    energy = draw(st.sampled_from([0.0, 6.0, 20.0])) * draw(numbers)
    if draw(st.integers(0, 3)) == 0:
        stored = draw(numbers) * 30
        battery = VehicleBattery(
            40.0,
            stored,
            stored * draw(numbers),
            draw(st.sampled_from([0.0, 7.0])),
            draw(st.sampled_from([0.9, 1.0])),
            0.95,
            draw(st.sampled_from([0.0, 0.02])),
        )
    elif draw(st.integers(0, 2)) == 0:
        flat = draw(numbers) * 10
        taper = Taper(flat, flat + 3.0 + 10 * draw(numbers))
    return car(
        name,
        energy,
        draw(st.sampled_from([-1.0, 0.0, 0.4, 2.0])),
        draw(st.sampled_from([1.0, 2.5, 4.0, float("inf")])),
        max_kw=draw(st.sampled_from([0.0, 7.4, 11.0])),
        shortfall_eur_per_kwh=draw(st.sampled_from([0.05, 0.3, 2.0])),
        now_kw=draw(st.sampled_from([0.0, 5.0])),
        ramp_kw_per_h=draw(st.sampled_from([float("inf"), float("inf"), 6.0])),
        battery=battery,
        taper=taper,
    )


@st.composite
def sites(draw: st.DrawFn, n_steps: int, prices: list[float]) -> SiteFlows:
    series = st.lists(numbers, min_size=n_steps, max_size=n_steps).map(np.array)
    battery = None
    if draw(st.booleans()):
        stored = 10 * draw(numbers)
        battery = SiteBattery(
            10.0, stored, 4.0, 5.0, stored / 3, stored * draw(numbers), 0.9, 0.95, draw(st.sampled_from([0.0, 0.03]))
        )
    export = draw(st.sampled_from(["none", "half", "dearer", "random"]))
    paid = {"none": 0.0, "half": 0.5, "dearer": 1.2}.get(export, 0.0) * np.array(prices)
    return SiteFlows(
        10 * draw(series),
        draw(st.sampled_from([0.0, 12.0])) * draw(series),
        0.6 * draw(series) - 0.2 if export == "random" else paid,
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.sampled_from([0.0, 8.0])),
        battery,
    )


@st.composite
def whole_problems(draw: st.DrawFn) -> PlanningProblem:
    """Every feature of the typed problem that the readable model has too."""
    n_steps = draw(st.integers(1, 6))
    cars = [draw(needs(f"car {i}")) for i in range(draw(st.integers(0, 4)))]
    worst = draw(st.sampled_from([0.0, 0.0, -0.1]))
    prices = [worst + 0.5 * p for p in draw(st.lists(numbers, min_size=n_steps, max_size=n_steps))]
    site = draw(st.one_of(st.none(), sites(n_steps, prices)))
    has_battery = site is not None and site.battery is not None
    caps = []
    for index in range(draw(st.integers(0, 3))):
        loads = draw(st.lists(st.sampled_from([0.0, 1.0, 1.45, 4.35]), min_size=len(cars), max_size=len(cars)))
        tops = draw(st.lists(st.sampled_from([0.0, 3.0, 9.0, 21.0, float("inf")]), min_size=n_steps, max_size=n_steps))
        below = draw(st.sampled_from([None, None, -4.0, 0.0]))
        floor = None if below is None else np.full(n_steps, below)
        caps.append(Cap(f"cap {index}", np.array(loads), np.array(tops), floor, 1.0 if has_battery else 0.0))
    lengths = tuple(draw(st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=n_steps, max_size=n_steps)))
    carbon = draw(st.one_of(st.none(), st.lists(numbers, min_size=n_steps, max_size=n_steps).map(np.array)))
    horizon = Horizon(NOON, lengths[0], n_steps, draw(st.sampled_from([(), lengths])))
    return PlanningProblem(horizon, tuple(cars), np.array(prices), tuple(caps), carbon, 0.1, site)


@settings(max_examples=120, deadline=None)
@given(problem=whole_problems())
def test_it_is_as_cheap_as_the_readable_model_and_its_own_proof_says_so(problem: PlanningProblem) -> None:
    require_sound(problem)
    assume(problem.sessions or problem.site)
    try:
        expected = Oracle().solve(problem)
    except PlanningError:
        with pytest.raises(PlanningError):
            Highs().solve(problem)
        return
    found = Highs().solve(problem)
    assert kept(problem, found) == []
    mine, best = objective(problem, found), objective(problem, expected)
    assert mine == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert found.proved
    if found.bound_eur is not None:
        assert -1e-9 <= (mine - found.bound_eur) / max(1.0, abs(mine)) <= 1e-6
    else:
        assert found.duals is None
