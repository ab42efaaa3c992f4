"""Robust and tail-averse plans against formulations of another kind, closed forms, and prices they never saw."""

from __future__ import annotations

from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.twin_core.planning.problems import car, depot, problems
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.uncertainty.box_robust import BoxRobust
from twin_core.planning.uncertainty.budget_robust import BudgetRobust
from twin_core.planning.uncertainty.ellipsoid_robust import EllipsoidRobust
from twin_core.planning.uncertainty.expected_price import ExpectedPrice
from twin_core.planning.uncertainty.mean_cvar import MeanCvar, tail_mean

PRICES = np.array([0.20, 0.12, 0.21, 0.10, 0.14, 0.17])
RISK = np.array([0.02, 0.15, 0.01, 0.20, 0.05, 0.08])
ONE = depot([car("a", 33.0)], prices=PRICES)
"""One car of 10 kW that wants 33 kWh in six hours: the energies by step are 0 to 10 and add up to 33."""


def energy(plan: Plan) -> Array:
    kwh: Array = plan.power_kw.sum(axis=0) * plan.horizon.hours
    return kwh


def least_worst_bill(bills: Array) -> float:
    """Lowest t with t >= price·E for every listed price and E a schedule of `ONE`: every adversary written out."""
    n_steps = bills.shape[1]
    rows = np.column_stack([bills, -np.ones(bills.shape[0])])
    found = linprog(
        np.append(np.zeros(n_steps), 1.0),
        A_ub=rows,
        b_ub=np.zeros(bills.shape[0]),
        A_eq=[np.append(np.ones(n_steps), 0.0)],
        b_eq=[33.0],
        bounds=[(0, 10)] * n_steps + [(None, None)],
    )
    return float(found.fun)


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_a_budget_plan_is_the_best_against_every_choice_of_steps_written_out(budget: int) -> None:
    chosen = list(combinations(range(6), budget))
    bills = np.array([PRICES + np.where(np.isin(np.arange(6), steps), RISK, 0.0) for steps in chosen])
    plan = BudgetRobust(RISK, budget).plan(ONE)
    assert plan.objective_eur == pytest.approx(least_worst_bill(bills), abs=1e-5)
    assert plan.status is PlanStatus.PROVED


@pytest.mark.parametrize("in_tail", [1, 2, 4])
def test_a_tail_plan_is_the_best_against_every_part_of_the_scenarios_written_out(in_tail: int) -> None:
    prices = PRICES + RISK * np.random.default_rng(4).standard_normal((8, 6))
    parts = np.array([prices[list(part)].mean(axis=0) for part in combinations(range(8), in_tail)])
    weight = 0.7
    plan = MeanCvar(prices, 1 - in_tail / 8, weight).plan(ONE)
    mixed = (1 - weight) * prices.mean(axis=0) + weight * parts
    assert plan.objective_eur == pytest.approx(least_worst_bill(mixed), abs=1e-5)
    assert plan.status is PlanStatus.PROVED


def test_an_ellipsoid_plan_of_equal_prices_divides_energy_by_the_inverse_of_the_variance() -> None:
    # min κ·√Σ(σ_k·E_k)² with Σ E_k = L and no bound in the way: E_k ∝ 1/σ_k², at κ·L/√Σ(1/σ_k²).
    sigma = np.array([0.04, 0.05, 0.06, 0.07])
    covariance = np.eye(24)
    covariance[np.arange(12, 16), np.arange(12, 16)] = sigma**2
    plan = EllipsoidRobust(covariance, kappa=2.0).plan(depot([car("a", 20.0)]))
    inverse = 1 / sigma**2
    np.testing.assert_allclose(energy(plan), 20 * inverse / inverse.sum(), atol=2e-3)
    assert plan.objective_eur == pytest.approx(20 * 0.2 + 2 * 20 / np.sqrt(inverse.sum()), abs=1e-5)
    assert plan.status is PlanStatus.PROVED


@settings(max_examples=10, deadline=None)
@given(problem=problems(), seed=st.integers(0, 99))
def test_the_proof_of_a_plan_at_its_own_worst_price_is_never_above_its_objective(
    problem: PlanningProblem, seed: int
) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    rng, n_steps = np.random.default_rng(seed), problem.horizon.n_steps
    root = 0.05 * rng.standard_normal((24, 24))
    plans = [
        BudgetRobust(rng.uniform(0, 0.2, n_steps), 2).plan(problem),
        MeanCvar(0.2 + 0.1 * rng.standard_normal((9, n_steps)), 0.7, 0.8).plan(problem),
        EllipsoidRobust(root @ root.T).plan(problem),
    ]
    for plan in plans:
        assert plan.bound_eur is not None
        assert plan.bound_eur <= plan.objective_eur + 1e-6 * max(1.0, abs(plan.objective_eur))
        assert plan.bound_eur >= plan.objective_eur - 1e-4 * max(1.0, abs(plan.objective_eur))
        assert plan.reasons is not None
        assert len(plan.reasons.sessions) == len(problem.sessions)


def test_no_price_within_the_box_makes_the_bill_higher_than_was_promised() -> None:
    fresh = PRICES + RISK * np.random.default_rng(8).uniform(-1, 1, (2000, 6))
    plan = BoxRobust(RISK).plan(ONE)
    assert (fresh @ energy(plan)).max() <= plan.objective_eur + 1e-6


def test_prices_that_are_off_independently_seldom_exceed_what_a_small_budget_promised() -> None:
    # Bertsimas & Sim, theorem 2: at most exp(−Γ²/(2n)), here exp(−9/12) = 0.47, and in truth far less.
    fresh = PRICES + RISK * np.random.default_rng(9).uniform(-1, 1, (4000, 6))
    plan = BudgetRobust(RISK, 3).plan(ONE)
    assert (fresh @ energy(plan) > plan.objective_eur).mean() <= np.exp(-9 / 12)
    assert plan.objective_eur < BoxRobust(RISK).plan(ONE).objective_eur


@pytest.mark.parametrize("kappa", [0.5, 1.645])
def test_gaussian_prices_exceed_what_an_ellipsoid_promised_as_often_as_its_size_says(kappa: float) -> None:
    root = 0.05 * np.random.default_rng(1).standard_normal((24, 24))
    covariance = root @ root.T
    plan = EllipsoidRobust(covariance, kappa).plan(ONE)
    hours = np.arange(12, 18)
    fresh = np.random.default_rng(2).multivariate_normal(PRICES, covariance[np.ix_(hours, hours)], 20_000)
    often, chance = (fresh @ energy(plan) > plan.objective_eur).mean(), 1 - NormalDist().cdf(kappa)
    assert often == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 20_000))


def test_on_scenarios_it_never_saw_the_tail_plan_has_the_lighter_tail() -> None:
    def drawn(n: int, seed: int) -> Array:
        prices: Array = PRICES + RISK * np.random.default_rng(seed).standard_normal((n, 6))
        return prices

    seen, fresh = drawn(200, 1), drawn(20_000, 2)
    hedged, neutral = (energy(plan.plan(ONE)) for plan in (MeanCvar(seen, 0.9, 1.0), ExpectedPrice(seen)))
    assert tail_mean(fresh @ hedged, 0.9) < 0.95 * tail_mean(fresh @ neutral, 0.9)
    assert (fresh @ hedged).mean() > (fresh @ neutral).mean()


def test_what_a_sample_average_loses_to_full_knowledge_fades_as_the_sample_grows() -> None:
    best = PowerAllocation().plan(ONE).cost_eur

    def lost(n: int) -> float:
        rng = np.random.default_rng(n)
        plans = [ExpectedPrice(PRICES + 0.1 * rng.standard_normal((n, 6))).plan(ONE) for _ in range(30)]
        return float(np.mean([PRICES @ energy(plan) for plan in plans])) - best

    few, some, many = lost(2), lost(20), lost(500)
    assert few > 2 * some > 0
    assert some > 2 * many >= 0
