"""What is left once a first step is decided can still be planned, whatever the site's battery did in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin_core.planning.problems import car, depot
from twin_core.errors import PlanningError
from twin_core.models.problem import PlanningProblem, SiteBattery, SiteFlows
from twin_core.planning.check import violations
from twin_core.planning.residual import after_first_step
from twin_core.planning.soundness import require_sound
from twin_core.planning.table import planner

STEPS = 4


def with_battery(end_kwh: float, stored_kwh: float = 5.0) -> PlanningProblem:
    """A dear hour and three cheap ones, a car that has to be rounded, and a battery that may give 3 kW."""
    ev = car("A", 21.0, departure_h=4.0, max_kw=5.5, min_kw=4.14, step_kw=0.69)
    battery = SiteBattery(10.0, stored_kwh, charge_max_kw=3.0, discharge_max_kw=3.0, end_kwh=end_kwh)
    flat = np.full(STEPS, 3.0)
    site = SiteFlows(flat, np.zeros(STEPS), np.zeros(STEPS), battery=battery)
    return replace(depot([ev], prices=(1.0, 0.1, 0.1, 0.1)), site=site, offerable_steps=1)


@pytest.mark.parametrize("name", ["power_allocation", "service_first", "peak", "carbon"])
def test_a_battery_that_helps_out_now_and_is_full_again_at_the_end_is_planned_with(name: str) -> None:
    problem = with_battery(end_kwh=5.0)
    plan = planner(name).plan(problem)
    assert plan.battery_kw is not None
    assert plan.battery_kw[0] < -1.0, "it gives in the dear hour, and is below its end then"
    assert not violations(problem, plan.power_kw, battery_kw=plan.battery_kw)


def test_the_rest_of_a_plan_is_sound_where_its_battery_has_been_used() -> None:
    rest = after_first_step(with_battery(end_kwh=5.0), np.array([4.14]), battery_kw=-3.0)
    assert rest.site is not None
    assert rest.site.battery is not None
    assert rest.site.battery.stored_kwh < rest.site.battery.end_kwh
    require_sound(rest)


def test_an_end_above_the_capacity_is_refused_by_name() -> None:
    require_sound(with_battery(end_kwh=9.9))
    with pytest.raises(PlanningError, match=r"end_kwh is 10\.5"):
        require_sound(with_battery(end_kwh=10.5))
