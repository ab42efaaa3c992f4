"""Prices nobody knows: what each variant promises, and what it admits it cannot change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, problems
from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem, SiteFlows, VehicleBattery
from twin_core.planning.check import violations
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.uncertainty.answer import CANNOT
from twin_core.planning.uncertainty.box_robust import SAME_SCHEDULE, VARYING, BoxRobust
from twin_core.planning.uncertainty.budget_robust import BOX, NOMINAL, BudgetRobust
from twin_core.planning.uncertainty.ellipsoid_robust import ALIKE, EllipsoidRobust
from twin_core.planning.uncertainty.expected_price import NOTE, ExpectedPrice
from twin_core.planning.uncertainty.mean_cvar import MeanCvar, tail_mean
from twin_core.planning.uncertainty.model import served_at

PRICES = (0.30, 0.12, 0.21, 0.10, 0.14, 0.27, 0.11, 0.19)
DAY = depot(
    [car("a", 28, departure_h=6), car("b", 33), car("c", 9, arrival_h=2, departure_h=5.5)], site_kw=18, prices=PRICES
)
RISK = np.array([0.0, 0.2, 0.0, 0.3, 0.01, 0.0, 0.1, 0.02])


def energy(problem: PlanningProblem, plan: Plan) -> Array:
    kwh: Array = plan.power_kw.sum(axis=0) * problem.horizon.hours
    return kwh


def notes(plan: Plan) -> tuple[str, ...]:
    return plan.reasons.notes if plan.reasons else ()


def scenarios(n_steps: int, n: int = 12, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    drawn: Array = 0.2 + 0.1 * rng.standard_normal((n, n_steps)) * rng.uniform(0, 2, n_steps)
    return drawn


def same_energy(problem: PlanningProblem, plan: Plan, other: Plan, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(energy(problem, plan), energy(problem, other), atol=tolerance)


def test_risk_neutral_scenarios_are_their_mean_price_and_say_so() -> None:
    prices = scenarios(8)
    plan = ExpectedPrice(prices).plan(DAY)
    nominal = PowerAllocation().plan(replace(DAY, price_eur_per_kwh=prices.mean(axis=0)))
    np.testing.assert_array_equal(plan.power_kw, nominal.power_kw)
    assert plan.cost_eur == pytest.approx(float((prices @ energy(DAY, plan)).mean()))
    assert notes(plan) == (NOTE,)


def test_no_plan_has_a_lower_mean_over_the_scenarios() -> None:
    prices = scenarios(8)
    plan = ExpectedPrice(prices).plan(DAY)
    for scenario in prices:
        known = PowerAllocation().plan(replace(DAY, price_eur_per_kwh=scenario))
        assert (prices @ energy(DAY, known)).mean() >= plan.cost_eur - 1e-6


def test_a_uniform_box_keeps_the_schedule_and_says_so() -> None:
    plan, nominal = BoxRobust(0.15).plan(DAY), PowerAllocation().plan(DAY)
    np.testing.assert_allclose(plan.power_kw, nominal.power_kw, atol=1e-9)
    assert notes(plan) == (SAME_SCHEDULE,)
    assert plan.cost_eur == pytest.approx(nominal.cost_eur)
    assert plan.objective_eur == pytest.approx(nominal.objective_eur + 0.15 * energy(DAY, nominal).sum())


def test_a_box_that_varies_moves_energy_to_the_surer_hours() -> None:
    plan, nominal = BoxRobust(RISK).plan(DAY), PowerAllocation().plan(DAY)
    worst = DAY.price_eur_per_kwh + RISK
    assert worst @ energy(DAY, plan) < worst @ energy(DAY, nominal) - 1.0
    assert plan.cost_eur > nominal.cost_eur
    assert plan.objective_eur == pytest.approx(worst @ energy(DAY, plan), abs=1e-4)
    assert notes(plan) == (VARYING,)


def v2g_day(prices: tuple[float, ...] = PRICES) -> PlanningProblem:
    battery = VehicleBattery(50.0, 30.0, discharge_max_kw=10.0, charge_efficiency=1.0, discharge_efficiency=1.0)
    return depot([car("a", 0, battery=battery), car("b", 12)], prices=prices)


def test_with_vehicles_that_give_back_even_a_uniform_box_makes_trades_smaller() -> None:
    problem = v2g_day()
    traded = [float(np.abs(energy(problem, BoxRobust(d).plan(problem))).sum()) for d in (0.0, 0.05, 0.5)]
    assert traded[0] > traded[1] > traded[2]
    assert traded[2] == pytest.approx(12.0, abs=1e-5)
    assert violations(problem, BoxRobust(0.05).plan(problem).power_kw) == []


def test_the_worst_case_of_a_box_plan_that_gives_back_is_its_objective_and_the_lowest() -> None:
    problem, nominal = v2g_day(), PowerAllocation().plan(v2g_day())
    plan = BoxRobust(RISK).plan(problem)

    def worst(of: Plan) -> float:
        kwh = energy(problem, of)
        return float(problem.price_eur_per_kwh @ kwh + RISK @ np.abs(kwh))

    assert plan.objective_eur == pytest.approx(worst(plan), abs=1e-4)
    assert worst(plan) < worst(nominal) - 0.1


def test_a_budget_of_nothing_is_nominal_and_a_budget_of_everything_is_the_box() -> None:
    nothing, everything = BudgetRobust(RISK, 0).plan(DAY), BudgetRobust(RISK, 8).plan(DAY)
    same_energy(DAY, nothing, PowerAllocation().plan(DAY))
    same_energy(DAY, everything, BoxRobust(RISK).plan(DAY))
    assert (notes(nothing)[1:], notes(everything)[1:]) == ((NOMINAL,), (BOX,))
    assert notes(nothing)[0].startswith(CANNOT)
    (hedged,) = notes(BudgetRobust(RISK, 2).plan(DAY))
    assert hedged.startswith("Hedged")


@settings(max_examples=12, deadline=None)
@given(budget=st.integers(0, 8))
def test_the_objective_of_a_budget_plan_is_the_bill_when_its_dearest_steps_are_off(budget: int) -> None:
    def worst(plan: Plan) -> float:
        kwh = energy(DAY, plan)
        return float(DAY.price_eur_per_kwh @ kwh + np.sort(RISK * kwh)[::-1][:budget].sum())

    plan = BudgetRobust(RISK, budget).plan(DAY)
    assert plan.status is PlanStatus.PROVED
    assert plan.objective_eur == pytest.approx(worst(plan), abs=1e-4)
    assert worst(plan) <= worst(PowerAllocation().plan(DAY)) + 1e-6
    assert worst(plan) <= worst(BoxRobust(RISK).plan(DAY)) + 1e-6


def covariance(seed: int = 3) -> Array:
    root = 0.05 * np.random.default_rng(seed).standard_normal((24, 24))
    made: Array = root @ root.T
    return made


def test_an_ellipsoid_of_size_nothing_is_nominal() -> None:
    plan = EllipsoidRobust(covariance(), kappa=0.0).plan(DAY)
    same_energy(DAY, plan, PowerAllocation().plan(DAY), 1e-3)
    assert plan.cost_eur == pytest.approx(PowerAllocation().plan(DAY).cost_eur, abs=1e-4)
    assert "size 0" in notes(plan)[1]


def test_an_ellipsoid_plan_pays_on_average_for_a_lower_worst_case() -> None:
    sigma, kappa = covariance(), 2.0
    hours = np.arange(12, 20)

    def worst(plan: Plan) -> float:
        kwh = energy(DAY, plan)
        return float(DAY.price_eur_per_kwh @ kwh + kappa * np.sqrt(kwh @ sigma[np.ix_(hours, hours)] @ kwh))

    plan, nominal = EllipsoidRobust(sigma, kappa).plan(DAY), PowerAllocation().plan(DAY)
    assert worst(plan) < worst(nominal) - 0.1
    assert plan.objective_eur == pytest.approx(worst(plan), abs=1e-4)
    assert plan.cost_eur >= nominal.cost_eur - 1e-4
    assert violations(DAY, plan.power_kw) == []


def test_hours_that_all_move_together_alike_cannot_change_the_schedule() -> None:
    plan = EllipsoidRobust(np.full((24, 24), 0.05**2)).plan(DAY)
    same_energy(DAY, plan, PowerAllocation().plan(DAY), 1e-3)
    assert notes(plan)[1] == ALIKE
    assert notes(plan)[0].startswith(CANNOT)


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), np.full((24, 24), np.nan), -np.eye(24)])
def test_what_is_no_covariance_is_refused(bad: Array) -> None:
    with pytest.raises(PlanningError, match="hour_covariance"):
        EllipsoidRobust(bad)


@settings(max_examples=25, deadline=None)
@given(problem=problems(), seed=st.integers(0, 99), weight=st.sampled_from([0.0, 0.5, 1.0]))
def test_no_tail_is_heavier_than_that_of_the_plan_at_the_mean_price(
    problem: PlanningProblem, seed: int, weight: float
) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    prices = scenarios(problem.horizon.n_steps, seed=seed)
    gamma = np.array([s.shortfall_eur_per_kwh for s in served_at(problem, prices.max(axis=0)).sessions])

    def objective(plan: Plan) -> float:
        bills = prices @ energy(problem, plan)
        risk = (1 - weight) * bills.mean() + weight * tail_mean(bills, 0.75)
        return float(risk + gamma @ plan.unserved_kwh)

    hedged = MeanCvar(prices, 0.75, weight).plan(problem)
    assert violations(problem, hedged.power_kw) == []
    assert hedged.objective_eur == pytest.approx(objective(hedged), abs=1e-4, rel=1e-5)
    assert objective(hedged) <= objective(ExpectedPrice(prices).plan(problem)) + 1e-4


def test_a_hedge_says_what_it_gains_and_no_hedge_says_that_there_is_none() -> None:
    assert "Hedged" in notes(MeanCvar(scenarios(8), 0.75, 1.0).plan(DAY))[0]
    alike = np.array(PRICES) + np.array([[0.0], [0.05], [-0.02]])
    assert "cannot change this schedule" in notes(MeanCvar(alike, 0.75, 1.0).plan(DAY))[0]


def test_the_tail_counts_the_scenario_at_its_edge_in_part() -> None:
    costs = np.array([4.0, 1.0, 3.0, 2.0])
    assert tail_mean(costs, 0.75) == pytest.approx(4.0)
    assert tail_mean(costs, 0.625) == pytest.approx((4.0 + 0.5 * 3.0) / 1.5)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BoxRobust(np.ones(3)).plan(DAY), r"shape \(3,\)"),
        (lambda: BoxRobust(np.nan).plan(DAY), "finite and not negative"),
        (lambda: BudgetRobust(-0.1, 1).plan(DAY), "finite and not negative"),
        (lambda: BudgetRobust(0.1, np.nan), "budget_steps"),
        (lambda: EllipsoidRobust(np.eye(24), np.nan), "kappa"),
        (lambda: MeanCvar(np.ones((2, 8)), beta=1.0), "beta"),
        (lambda: MeanCvar(np.ones((2, 7))).plan(DAY), "price scenarios"),
        (lambda: ExpectedPrice(np.full((2, 8), np.nan)).plan(DAY), "price scenarios"),
        (lambda: BudgetRobust(0.1, 2).plan(v2g_day((0.1, -0.1))), "give back at negative prices"),
        (
            lambda: BudgetRobust(0.1, 2).plan(replace(DAY, site=SiteFlows(np.zeros(8), np.zeros(8), np.ones(8)))),
            "export that pays more",
        ),
    ],
)
def test_what_makes_no_sense_or_is_not_covered_is_refused_by_name(make: Any, says: str) -> None:
    with pytest.raises(PlanningError, match=says):
        make()
