"""Power Allocation against its own literal statement and against the rules."""

from __future__ import annotations

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.twin_core.planning.problems import car, depot, energy_kwh, limit, problems
from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.check import violations
from twin_core.planning.optimum import TIE_BREAK_EUR_PER_KWH, shortfall_prices
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.table import PLANNERS, planner


def paid(problem: PlanningProblem, plan: Plan) -> float:
    """Energy bill and price of what is left undone."""
    return plan.cost_eur + float(shortfall_prices(problem) @ plan.unserved_kwh)


def literal_optimum(problem: PlanningProblem) -> float:
    """Model 3.1 as one reads it: a variable for every car and step, every limit a row of its own."""
    n, n_steps, step_h = len(problem.sessions), problem.horizon.n_steps, problem.horizon.step_h
    cost = np.concatenate([np.tile(problem.price_eur_per_kwh * step_h, n), shortfall_prices(problem)])
    demand = np.hstack([np.kron(np.eye(n), np.full(n_steps, step_h)), np.eye(n)])
    upper = (np.array([s.max_kw for s in problem.sessions]).reshape(-1, 1) * problem.availability()).ravel()
    rows, limits = [], []
    for cap in problem.caps:
        for step in np.flatnonzero(np.isfinite(cap.limit)):
            rows.append(np.concatenate([np.kron(cap.load, np.eye(n_steps)[step]), np.zeros(n)]))
            limits.append(max(0.0, cap.limit[step]))
    found = linprog(
        cost,
        A_ub=np.array(rows) if rows else None,
        b_ub=limits or None,
        A_eq=demand,
        b_eq=[max(0.0, s.energy_kwh) for s in problem.sessions],
        bounds=[(0, u) for u in upper] + [(0, None)] * n,
        method="highs",
    )
    assert found.status == 0
    return float(found.fun)


@settings(max_examples=80, deadline=None)
@given(problem=problems())
def test_it_is_as_cheap_as_the_literal_model_and_keeps_every_limit(problem: PlanningProblem) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    plan = PowerAllocation().plan(problem)
    assert violations(problem, plan.power_kw) == []
    assert plan.status is PlanStatus.PROVED
    wanted = sum(max(0.0, s.energy_kwh) for s in problem.sessions)
    optimum, could = literal_optimum(problem), sum(s.max_kw for s in problem.sessions) * problem.horizon.hours.sum()
    dearer_eur = paid(problem, plan) - optimum
    assert dearer_eur <= 1e-6 * max(1.0, abs(optimum)) + TIE_BREAK_EUR_PER_KWH * wanted
    # The literal model is solved to prices within 1e-7.
    assert dearer_eur >= -1e-6 * max(1.0, abs(optimum)) - 1e-7 * (wanted + could)


@settings(max_examples=40, deadline=None)
@given(problem=problems(), data=st.data())
def test_solving_a_structure_again_with_other_numbers_is_like_solving_it_anew(
    problem: PlanningProblem, data: st.DataObject
) -> None:
    n_steps = problem.horizon.n_steps
    prices = data.draw(st.lists(st.floats(-0.3, 0.8), min_size=n_steps, max_size=n_steps))
    wanted = data.draw(st.lists(st.floats(0.0, 60.0), min_size=len(problem.sessions), max_size=len(problem.sessions)))
    other = replace(
        problem,
        price_eur_per_kwh=np.array(prices),
        sessions=tuple(replace(s, energy_kwh=e) for s, e in zip(problem.sessions, wanted, strict=True)),
        caps=tuple(replace(c, limit=c.limit + 3.0) for c in problem.caps),
    )
    kept = PowerAllocation()
    kept.plan(problem)
    again, anew = kept.plan(other), PowerAllocation().plan(other)
    if problem.sessions and n_steps:
        assert paid(other, again) == pytest.approx(paid(other, anew), rel=1e-6, abs=1e-5)


def depot_evening(seed: int, site_kw: float) -> PlanningProblem:
    """Twenty cars over a day in quarter hours below a site limit and three phases."""
    random = np.random.default_rng(seed)
    arrivals = np.maximum(0.0, random.uniform(-6, 12, 20))
    cars = [
        car(f"car {i}", random.uniform(5, 50), a, a + random.uniform(2, 9), max_kw=7.4 if i % 4 == 0 else 22.0)
        for i, a in enumerate(arrivals)
    ]
    phases = [
        limit(f"L{p + 1}", [(4.35 if i // 4 % 3 == p else 0) if i % 4 == 0 else 1.45 for i in range(20)], [240] * 96)
        for p in range(3)
    ]
    prices = 0.2 + 0.1 * np.sin(np.arange(96) / 7) + 0.02 * random.normal(size=96)
    return depot(cars, site_kw, [float(p) for p in prices], 0.25, phases)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("site_kw", [60.0, 200.0])
def test_it_serves_no_less_than_any_rule_and_at_equal_energy_never_dearer(seed: int, site_kw: float) -> None:
    problem = depot_evening(seed, site_kw)
    best = planner("power_allocation").plan(problem)
    for name in PLANNERS:
        rule = planner(name).plan(problem)
        assert best.unserved_kwh.sum() <= rule.unserved_kwh.sum() + 1e-5
        assert paid(problem, best) <= paid(problem, rule) + 1e-5
        if abs(best.unserved_kwh.sum() - rule.unserved_kwh.sum()) < 1e-5:
            assert best.cost_eur <= rule.cost_eur + 1e-5


def test_it_charges_in_the_cheap_steps() -> None:
    problem = depot([car("a", 15, departure_h=4)], prices=[0.3, 0.1, 0.4, 0.2])
    np.testing.assert_allclose(PowerAllocation().plan(problem).power_kw, [[0, 10, 0, 5]], atol=1e-6)


@pytest.mark.parametrize("n_steps", [4, 96, 288])
def test_of_equal_prices_it_takes_the_earlier_step(n_steps: int) -> None:
    problem = depot([car("a", 12, departure_h=1e9)], prices=[0.2] * n_steps)
    plan = PowerAllocation().plan(problem)
    np.testing.assert_allclose(plan.power_kw[0, :3], [10, 2, 0], atol=1e-6)


def test_negative_prices_overcharge_nobody() -> None:
    problem = depot([car("a", 5)], prices=[-0.5, -0.1, 0.2, -0.4])
    plan = PowerAllocation().plan(problem)
    assert energy_kwh(problem, plan.power_kw) == pytest.approx([5])
    assert plan.cost_eur == pytest.approx(-2.5)


def test_what_does_not_fit_is_left_undone_and_not_infeasible() -> None:
    plan = PowerAllocation().plan(depot([car("a", 100, departure_h=2)], site_kw=3))
    np.testing.assert_allclose(plan.unserved_kwh, [94])
    assert plan.status is PlanStatus.PROVED


def test_a_price_above_the_shortfall_price_stops_nobody_from_charging() -> None:
    problem = depot([car("a", 10, shortfall_eur_per_kwh=0.1)], prices=[2.0, 2.0])
    np.testing.assert_allclose(PowerAllocation().plan(problem).unserved_kwh, [0], atol=1e-6)


def test_who_matters_more_is_served_first_also_when_prices_are_high() -> None:
    cars = [car("a", 10, shortfall_eur_per_kwh=1.0), car("b", 10, shortfall_eur_per_kwh=2.0)]
    for price in (0.1, 3.0):
        plan = PowerAllocation().plan(depot(cars, site_kw=10, prices=[price]))
        np.testing.assert_allclose(plan.unserved_kwh, [10, 0], atol=1e-6)


def test_steps_are_hours_whatever_their_length() -> None:
    hourly = depot([car("a", 20, departure_h=4), car("b", 9, departure_h=3)], 9.0, [0.3, 0.1, 0.2, 0.4])
    quarters = depot(hourly.sessions, 9.0, [p for p in (0.3, 0.1, 0.2, 0.4) for _ in range(4)], 0.25)
    one, other = PowerAllocation("cvxpy").plan(hourly), PowerAllocation().plan(quarters)
    assert one.cost_eur == pytest.approx(other.cost_eur, abs=1e-4)
    assert one.unserved_kwh.sum() == pytest.approx(other.unserved_kwh.sum(), abs=1e-6)


@pytest.mark.parametrize("status", ["user_limit", "infeasible", "optimal_inaccurate"])
def test_a_solver_that_proved_nothing_is_not_believed(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = cp.Problem.solve

    def unsure(self: cp.Problem, *args: object, **options: object) -> None:
        solve(self, *args, **options)
        self._status = status

    monkeypatch.setattr(cp.Problem, "solve", unsure)
    problem = depot([car("a", 15)], site_kw=12)
    if status == "optimal_inaccurate":
        assert PowerAllocation("cvxpy").plan(problem).status is PlanStatus.FEASIBLE
    else:
        with pytest.raises(PlanningError, match=status):
            PowerAllocation("cvxpy").plan(problem)


def test_nonsense_of_a_solver_that_says_optimal_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = cp.Problem.solve

    def liar(self: cp.Problem, *args: object, **options: object) -> None:
        solve(self, *args, **options)
        for variable in self.variables():
            variable.save_value(np.full(variable.shape, np.nan))

    monkeypatch.setattr(cp.Problem, "solve", liar)
    with pytest.raises(PlanningError, match="not finite"):
        PowerAllocation("cvxpy").plan(depot([car("a", 15)], site_kw=12))
