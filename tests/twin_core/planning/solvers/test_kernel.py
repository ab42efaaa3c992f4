"""The kernel against the model as one reads it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import NOON, car, depot, limit
from twin_core.models.problem import Cap, Horizon, PlanningProblem, SiteFlows, Taper, VehicleBattery
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.solvers.kernel import Kernel
from twin_core.planning.solvers.oracle import Oracle
from twin_core.planning.solvers.solver import Solution
from twin_core.planning.solvers.table import SolverBench


@st.composite
def site_problems(draw: st.DrawFn) -> PlanningProblem:
    """Up to seven cars below one limit that is slack, scarce or zero, and limits of their own; steps of any length."""
    n_sessions, n_steps = draw(st.integers(1, 7)), draw(st.integers(1, 8))
    cars = [
        car(
            f"car {i}",
            draw(st.one_of(st.just(0.0), st.floats(-1.0, 60.0))),
            draw(st.floats(-1.0, 3.0)),
            draw(st.one_of(st.just(float("inf")), st.floats(0.0, 8.0))),
            max_kw=draw(st.sampled_from([0.0, 3.7, 11.0, 22.0])),
            shortfall_eur_per_kwh=draw(st.sampled_from([0.0, 0.1, 0.25, 1.0, 5.0])),
        )
        for i in range(n_sessions)
    ]
    prices = draw(
        st.lists(st.one_of(st.sampled_from([0.1, 0.2]), st.floats(-0.3, 0.8)), min_size=n_steps, max_size=n_steps)
    )
    limits = st.lists(
        st.one_of(st.sampled_from([-5.0, 0.0, float("inf")]), st.floats(0.0, 40.0)), min_size=n_steps, max_size=n_steps
    )
    load = draw(st.sampled_from([1.0, 1.45, 4.35]))
    caps = [limit("site", [load] * n_sessions, draw(limits))]
    if draw(st.booleans()):
        own = draw(st.integers(0, n_sessions - 1))
        caps.append(limit("charger", [1.45 if i == own else 0.0 for i in range(n_sessions)], draw(limits)))
    if draw(st.booleans()):
        caps.append(limit("transformer", [2.0] * n_sessions, draw(limits)))
    problem = depot(cars, None, prices, 1.0, caps)
    lengths_h = tuple(draw(st.lists(st.sampled_from([1 / 12, 0.25, 0.5, 1.0]), min_size=n_steps, max_size=n_steps)))
    carbon = np.array(draw(st.lists(st.floats(0.0, 0.6), min_size=n_steps, max_size=n_steps)))
    return replace(
        problem,
        horizon=Horizon(NOON, lengths_h[0], n_steps, lengths_h),
        carbon_kg_per_kwh=carbon,
        carbon_eur_per_kg=draw(st.sampled_from([0.0, 0.08])),
    )


def solved(problem: PlanningProblem) -> Solution:
    kernel = Kernel()
    assert kernel.covers(problem)
    return kernel.solve(problem)


def objective_eur(problem: PlanningProblem, solution: Solution) -> float:
    return bill(problem, solution.power_kw).objective_eur


@settings(max_examples=150, deadline=None)
@given(problem=site_problems())
def test_it_is_as_cheap_as_the_oracle_keeps_every_limit_and_proves_it(problem: PlanningProblem) -> None:
    mine = solved(problem)
    assert violations(problem, mine.power_kw) == []
    optimum = objective_eur(problem, Oracle().solve(problem))
    assert objective_eur(problem, mine) == pytest.approx(optimum, rel=1e-6, abs=1e-6)
    assert mine.proved
    assert mine.bound_eur == pytest.approx(optimum, rel=1e-6, abs=1e-6)


def many_cars(seed: int, limit_kw: float) -> PlanningProblem:
    """Sixty cars over a day, each with a shortfall price of its own."""
    rng = np.random.default_rng(seed)
    arrivals = rng.uniform(-1.0, 20.0, 60)
    cars = [
        car(
            f"car {i}",
            float(rng.uniform(2.0, 70.0)),
            float(arrival),
            float(arrival + rng.uniform(0.3, 9.0)),
            max_kw=float(rng.choice([3.7, 7.4, 11.0, 22.0])),
            shortfall_eur_per_kwh=float(rng.uniform(0.0, 1.0)),
        )
        for i, arrival in enumerate(arrivals)
    ]
    return depot(cars, limit_kw, list(rng.uniform(-0.1, 0.5, 48)), 0.5)


@pytest.mark.parametrize("limit_kw", [600.0, 150.0, 60.0, 10.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_proves_its_optimum_on_whole_days_slack_tight_and_scarce(seed: int, limit_kw: float) -> None:
    problem = many_cars(seed, limit_kw)
    mine = solved(problem)
    assert violations(problem, mine.power_kw) == []
    assert mine.proved
    assert objective_eur(problem, mine) == pytest.approx(objective_eur(problem, Oracle().solve(problem)), rel=1e-6)


def test_who_costs_most_to_leave_short_is_served_even_if_others_must_make_way() -> None:
    early = car("early", 10.0, 0.0, 1.0, shortfall_eur_per_kwh=5.0)
    both = car("both", 10.0, 0.0, 2.0, shortfall_eur_per_kwh=2.0)
    late = car("late", 10.0, 1.0, 2.0, shortfall_eur_per_kwh=1.0)
    mine = solved(depot([early, both, late], 10.0, [0.1, 0.3]))
    assert np.round(mine.power_kw, 9).tolist() == [[10.0, 0.0], [0.0, 10.0], [0.0, 0.0]]


def test_a_step_dearer_than_a_shortfall_is_left_empty() -> None:
    assert solved(depot([car("a", 10.0, shortfall_eur_per_kwh=0.2)], None, [0.3, 0.25])).power_kw.sum() == 0.0


def test_the_price_of_a_limit_is_what_one_more_kilowatt_would_save() -> None:
    def site(limit_kw: float) -> PlanningProblem:
        return depot([car("a", 8.0), car("b", 8.0)], [limit_kw, 50.0], [0.1, 0.4])

    mine = solved(site(10.0))
    more = replace(site(10.0), caps=(replace(site(10.0).caps[0], limit=np.array([11.0, 50.0])),))
    assert mine.duals is not None
    assert mine.duals.cap[0] == pytest.approx([0.3, 0.0])
    saved = objective_eur(site(10.0), mine) - objective_eur(more, solved(more))
    assert mine.duals.cap[0, 0] == pytest.approx(saved)


@pytest.mark.parametrize(
    "changed",
    [
        lambda p: replace(p, site=SiteFlows(np.zeros(2), np.zeros(2), np.zeros(2))),
        lambda p: replace(p, offerable_steps=1),
        lambda p: replace(p, caps=(limit("line", [1.0, 2.0], [5.0, 5.0]),)),
        lambda p: replace(p, sessions=(replace(p.sessions[0], taper=Taper(1.0, 2.0)), p.sessions[1])),
        lambda p: replace(p, sessions=(replace(p.sessions[0], ramp_kw_per_h=5.0), p.sessions[1])),
        lambda p: replace(
            p,
            sessions=(replace(p.sessions[0], battery=VehicleBattery(50.0, 20.0, discharge_max_kw=5.0)), p.sessions[1]),
        ),
        lambda p: replace(p, caps=(Cap("site", np.ones(2), np.array([9.0, 9.0]), floor=np.array([1.0, 1.0])),)),
    ],
)
def test_it_leaves_to_others_what_is_no_plain_site(changed: object) -> None:
    problem = depot([car("a", 8.0), car("b", 8.0)], 10.0, [0.1, 0.4])
    assert Kernel().covers(problem)
    assert not Kernel().covers(changed(problem))  # type: ignore[operator]


def test_the_table_takes_it_for_a_plain_site() -> None:
    problem = depot([car("a", 8.0), car("b", 8.0)], 10.0, [0.1, 0.4])
    assert SolverBench().solver_for(problem).name == "kernel"
