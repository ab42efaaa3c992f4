"""Sun, base load, demand charge, tapers and ramps: what variants with an objective of their own plan with too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, site_problems, with_slow_cars
from twin_core.errors import PlanningError
from twin_core.models.plan import PlanStatus
from twin_core.models.problem import PlanningProblem, SiteBattery, SiteFlows, Taper
from twin_core.planning.check import violations
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.uncertainty.budget_robust import BudgetRobust
from twin_core.planning.uncertainty.departure_risk import DepartureRisk
from twin_core.planning.uncertainty.ellipsoid_robust import EllipsoidRobust
from twin_core.planning.uncertainty.mean_cvar import MeanCvar
from twin_core.planning.uncertainty.two_stage import Future, TwoStage

SUNNY = replace(
    depot([car("a", 25.0), car("b", 12.0, departure_h=3.0)], site_kw=18, prices=(0.3, 0.2, 0.25, 0.1)),
    site=SiteFlows(np.full(4, 3.0), np.array([0.0, 9.0, 6.0, 0.0]), np.full(4, 0.05), 0.5, 8.0),
)


@settings(max_examples=12, deadline=None)
@given(data=st.data(), problem=site_problems())
def test_without_any_risk_they_are_the_plan_at_the_nominal_prices(
    data: st.DataObject, problem: PlanningProblem
) -> None:
    assume(problem.sessions and problem.horizon.n_steps and problem.site is not None)
    assert problem.site is not None
    price = np.maximum(problem.price_eur_per_kwh, 0.0)
    site = replace(problem.site, battery=None, export_eur_per_kwh=np.minimum(problem.site.export_eur_per_kwh, price))
    problem = replace(problem, site=site, price_eur_per_kwh=price)
    slow = replace(problem, sessions=with_slow_cars(data.draw, problem).sessions)
    nominal = PowerAllocation().plan(slow)
    plan = BudgetRobust(0.0, 2).plan(slow)
    assert violations(slow, plan.power_kw) == []
    assert plan.objective_eur == pytest.approx(nominal.objective_eur, abs=2e-4, rel=1e-5)


@pytest.mark.parametrize(
    "variant",
    [
        BudgetRobust(np.array([0.0, 0.1, 0.1, 0.2]), 2),
        MeanCvar(np.array([[0.3, 0.2, 0.25, 0.1], [0.3, 0.1, 0.2, 0.4], [0.2, 0.2, 0.3, 0.1]]), 0.5, 0.9),
        EllipsoidRobust(0.05**2 * np.eye(24)),
    ],
)
def test_behind_a_meter_with_sun_and_a_demand_charge_plans_are_proved(variant: BudgetRobust) -> None:
    plan = variant.plan(SUNNY)
    assert violations(SUNNY, plan.power_kw) == []
    assert plan.bound_eur is not None
    assert plan.status is PlanStatus.PROVED


def test_the_adversary_has_no_say_in_what_the_sun_gives() -> None:
    sun = replace(SUNNY, site=SiteFlows(np.zeros(4), np.full(4, 40.0), np.zeros(4)))
    plan = BudgetRobust(0.5, 4).plan(sun)
    assert plan.objective_eur == pytest.approx(0.0, abs=1e-4)
    assert plan.unserved_kwh.sum() == pytest.approx(0.0, abs=1e-6)


def test_departures_are_weighed_for_cars_that_taper_and_rise_slowly() -> None:
    slow = car("a", 20.0, departure_h=4.0, taper=Taper(10.0, 20.0), ramp_kw_per_h=6.0)
    problem = depot([slow], prices=(0.3, 0.2, 0.1, 0.1))
    for planner in (
        DepartureRisk([np.array([2.0, 4.0])]),
        TwoStage([Future(np.array([2.0])), Future(np.array([4.0]))]),
    ):
        plan = planner.plan(problem)
        assert violations(problem, plan.power_kw) == []
        assert plan.power_kw[0, 0] == pytest.approx(6.0, abs=1e-5)


def test_what_is_not_covered_is_named() -> None:
    battery = replace(SUNNY, site=replace(SUNNY.site, battery=SiteBattery(10, 5, 5, 5)))  # type: ignore[type-var]
    with pytest.raises(PlanningError, match="batteries of the site"):
        BudgetRobust(0.1, 1).plan(battery)
    for planner in (DepartureRisk([np.ones(1)] * 2), TwoStage([Future(np.ones(2))])):
        with pytest.raises(PlanningError, match="does not know the site's own flows"):
            planner.plan(SUNNY)
