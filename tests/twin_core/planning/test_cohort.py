"""Cohorts against the optimum of the sessions one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.twin_core.planning.problems import car, depot, limit, rich_problems, session_problems
from twin_core.models.plan import PlanStatus
from twin_core.models.problem import Cap, PlanningProblem, SiteBattery, SiteFlows, Taper, VehicleBattery
from twin_core.planning.check import violations
from twin_core.planning.cohort import Cohort
from twin_core.planning.table import planner


def busy_day(n: int, seed: int = 1) -> PlanningProblem:
    """Cars of a day in quarter hours below a site limit that binds and a station limit."""
    random = np.random.default_rng(seed)
    arrivals = np.maximum(0.0, random.uniform(-4, 16, n))
    cars = [
        car(f"car {i}", random.uniform(5, 50), a, a + random.uniform(4, 9), max_kw=22.0) for i, a in enumerate(arrivals)
    ]
    prices = [float(p) for p in 0.2 + 0.1 * np.sin(np.arange(96) / 7)]
    station = limit("station", [float(i % 3 == 0) for i in range(n)], [n * 2.0] * 96)
    return depot(cars, n * 5.0, prices, 0.25, [station])


def test_cars_that_a_limit_knows_on_one_phase_are_still_one_cohort() -> None:
    one_phase = replace(limit("site L1", [1.0, 1.0], [6.0] * 2), single_phase_load=np.array([3.0, 3.0]))
    plan = Cohort().plan(depot([car("a", 10), car("b", 10)], prices=(0.1, 0.1), caps=[one_phase]))
    assert plan.power_kw.sum(axis=0) == pytest.approx([6.0, 6.0])


@settings(max_examples=60, deadline=None)
@given(problem=session_problems())
def test_a_cohort_of_one_car_is_that_car(problem: PlanningProblem) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    alone = replace(
        problem,
        sessions=tuple(
            replace(s, shortfall_eur_per_kwh=s.shortfall_eur_per_kwh + i / 100) for i, s in enumerate(problem.sessions)
        ),
    )
    plan, best = planner("cohort").plan(alone), planner("power_allocation").plan(alone)
    assert plan.objective_eur == pytest.approx(best.objective_eur, rel=1e-6, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(problem=rich_problems())
def test_no_cohort_breaks_a_limit_or_beats_the_optimum(problem: PlanningProblem) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    plan, best = Cohort(3.0, 30.0).plan(problem), planner("power_allocation").plan(problem)
    assert violations(problem, plan.power_kw, battery_kw=plan.battery_kw) == []
    slack = 1e-5 * max(1.0, abs(best.objective_eur))
    assert plan.objective_eur >= best.objective_eur - slack
    if plan.bound_eur is not None:
        assert plan.bound_eur <= best.objective_eur + slack


def test_what_a_car_is_topped_up_with_leaves_the_battery_its_room() -> None:
    """One cohort of two cars that are never there together, so that one is left short and topped up."""
    cars = [car("first", 5, departure_h=1), car("second", 10, arrival_h=1, departure_h=2)]
    below = Cap("site", np.ones(2), np.full(3, 10.0), battery_load=1.0)
    site = SiteFlows(np.array([0, 0, 20.0]), np.zeros(3), np.zeros(3), battery=SiteBattery(20, 0, 2, 20))
    problem = replace(depot(cars, None, [0.1, 0.2, 0.9], caps=[below]), site=site)
    plan = Cohort(100.0, 100.0).plan(problem)
    assert plan.battery_kw is not None
    np.testing.assert_allclose(plan.battery_kw[:2], 2, atol=1e-6)
    np.testing.assert_allclose(plan.power_kw, [[5, 0, 0], [0, 8, 0]], atol=1e-6)


@pytest.mark.parametrize("n", [60, 300])
def test_its_gap_is_stated_and_small_and_nobody_goes_short_for_it(n: int) -> None:
    problem = busy_day(n)
    plan, best = planner("cohort").plan(problem), planner("power_allocation").plan(problem)
    assert plan.status is PlanStatus.FEASIBLE
    assert plan.gap is not None
    assert plan.gap < 0.01
    assert plan.unserved_kwh.sum() == pytest.approx(best.unserved_kwh.sum(), abs=1e-3 * n)
    assert plan.cost_eur <= 1.01 * best.cost_eur


def test_wider_buckets_cost_more_and_say_so() -> None:
    problem = busy_day(300)
    fine, coarse = Cohort(0.25, 5.0).plan(problem), Cohort(6.0, 60.0).plan(problem)
    assert fine.gap is not None
    assert coarse.gap is not None
    assert fine.gap < coarse.gap


def test_ten_thousand_cars_are_a_few_hundred_cohorts() -> None:
    problem = busy_day(10_000)
    planned = Cohort(2.0, 25.0).plan(problem)
    assert planned.gap is not None
    assert planned.gap < 0.05


def test_members_of_one_cohort_are_served_by_who_can_wait_least() -> None:
    cars = [car("patient", 10, departure_h=4, max_kw=10), car("pressed", 10, departure_h=4, max_kw=3.4)]
    plan = Cohort(4.0, 100.0).plan(depot(cars, 6, [0.1, 0.1, 0.2, 0.3]))
    np.testing.assert_allclose(plan.unserved_kwh, 0, atol=1e-6)
    np.testing.assert_allclose(plan.power_kw[1, :2], [3.4, 3.4], atol=1e-6)


def test_cars_below_different_limits_are_no_cohort() -> None:
    cars = [car(name, 20, departure_h=4) for name in ("a", "b", "free", "too")]
    problem = depot(cars, caps=[limit("feeder", [1, 1, 0, 0], [6] * 4), limit("all", [1, 1, 1, 1], [40] * 4)])
    plan = Cohort(8.0, 100.0).plan(problem)
    np.testing.assert_allclose(plan.unserved_kwh[2:], 0, atol=1e-6)
    assert plan.unserved_kwh.sum() == pytest.approx(16, abs=1e-6)
    assert plan.gap == pytest.approx(0, abs=1e-6)


def test_cars_that_matter_unequally_are_no_cohort() -> None:
    cars = [car("a", 10, shortfall_eur_per_kwh=1.0, departure_h=4), car("b", 10, shortfall_eur_per_kwh=2.0)]
    plan = Cohort(1000.0, 100.0).plan(depot(cars, 10, [0.2]))
    np.testing.assert_allclose(plan.unserved_kwh, [10, 0], atol=1e-6)


def test_what_no_car_could_ever_take_is_part_of_the_bound() -> None:
    problem = depot([car("a", 70, departure_h=4), car("b", 10)], 20)
    plan = planner("cohort").plan(problem)
    assert plan.gap == pytest.approx(0, abs=1e-6)


def test_what_could_be_given_back_is_not_part_of_the_bound() -> None:
    willing = VehicleBattery(60, 30, discharge_max_kw=10)
    plan = planner("cohort").plan(depot([car("a", 5, battery=willing)], None, [9.0, 0.1, 0.1, 9.0]))
    assert plan.gap == pytest.approx(0, abs=1e-6)


def test_dear_energy_is_planned_for_and_not_topped_up() -> None:
    plan = planner("cohort").plan(depot([car("a", 10, shortfall_eur_per_kwh=0.1)], None, [3.0, 2.0]))
    np.testing.assert_allclose(plan.power_kw, [[0, 10]], atol=1e-6)
    assert plan.gap == pytest.approx(0, abs=1e-6)


def test_one_that_tapers_is_planned_by_itself() -> None:
    slow = car("slow", 20, taper=Taper(5.0, 25.0))
    problem = depot([slow, car("quick", 20), car("other", 20)], 22, [0.1, 0.2, 0.3, 0.4])
    plan, best = planner("cohort").plan(problem), planner("power_allocation").plan(problem)
    assert plan.cost_eur == pytest.approx(best.cost_eur, rel=1e-6)
