"""What is planned for the imminent steps can be offered as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from tests.twin_core.planning.problems import car, depot, energy_kwh, limit
from tests.twin_core.planning.real_problems import real_problems
from twin_core.errors import PlanningError
from twin_core.models.plan import PlanStatus
from twin_core.models.problem import Cap, PlanningProblem, SinglePhase, VehicleBattery
from twin_core.planning.check import violations
from twin_core.planning.fallback import rescue
from twin_core.planning.imminent import offerable_plan, relaxed
from twin_core.planning.offers import offers
from twin_core.planning.table import PLANNERS, planner

THREE = {"max_kw": 11.04, "min_kw": 4.14, "kw_per_a": 0.69}
RULES = ["uncontrolled", "fifs", "equal_share", "edf", "llf", "round_robin"]


MADE = {name: planner(name) for name in PLANNERS}
"""Kept between examples, as they are live: what a planner compiles it compiles once."""


def soon(problem: PlanningProblem, steps: int = 1) -> PlanningProblem:
    return replace(problem, offerable_steps=steps)


@pytest.mark.parametrize("name", PLANNERS)
@settings(max_examples=20, deadline=None)
@given(problem=real_problems())
def test_whoever_plans_the_imminent_steps_can_be_offered_and_no_limit_breaks(
    name: str, problem: PlanningProblem
) -> None:
    assert violations(problem, MADE[name].plan(problem).power_kw) == []


@settings(max_examples=100, deadline=None)
@given(problem=real_problems())
def test_the_rule_that_steps_in_can_be_offered_too(problem: PlanningProblem) -> None:
    assert violations(problem, rescue(problem, "late").power_kw) == []


@pytest.mark.parametrize("name", ["equal_share", "edf", "power_allocation"])
@settings(max_examples=25, deadline=None)
@given(problem=real_problems(offerable_steps=1))
def test_what_rounding_takes_is_delivered_later_where_there_is_room(name: str, problem: PlanningProblem) -> None:
    """With no limit of the site and time enough afterwards, everybody still gets all it wants."""
    # A flat car with nothing slow about it can make up everything in the later steps.
    roomy = tuple(
        replace(s, taper=None, ramp_kw_per_h=np.inf, arrival_h=0.0, departure_h=np.inf) for s in problem.sessions
    )
    left_h = float(problem.horizon.hours[1:].sum())
    roomy = tuple(replace(s, energy_kwh=min(s.energy_kwh, s.max_kw * left_h)) for s in roomy)
    asked = replace(problem, sessions=roomy, caps=())
    np.testing.assert_allclose(MADE[name].plan(asked).unserved_kwh, 0.0, atol=1e-6)


def test_a_power_below_the_minimum_is_given_to_some_in_whole_instead_of_to_all_in_part() -> None:
    problem = soon(depot([car(f"car {i}", 30, departure_h=4, **THREE) for i in range(4)], site_kw=10))
    plan = planner("equal_share").plan(problem)
    assert sorted(plan.power_kw[:, 0] > 0) == [False, False, True, True]
    assert plan.power_kw[:, 0].sum() == pytest.approx(10.0)
    assert plan.power_kw.sum() == pytest.approx(40.0)


def test_setpoints_are_whole_steps_rounded_down() -> None:
    problem = soon(depot([car("a", 40, step_kw=0.69, **THREE)], site_kw=9))
    plan = planner("edf").plan(problem)
    np.testing.assert_allclose(plan.power_kw[0], [13 * 0.69, 9, 9, 9])


def test_the_remainder_of_all_goes_to_whoever_lost_most_by_rounding() -> None:
    cars = [car("a", 40, step_kw=1.0, max_kw=10.0, min_kw=1.0), car("b", 40, step_kw=1.0, max_kw=10.0, min_kw=1.0)]
    problem = soon(depot(cars, caps=[limit("feeder", [1, 0], [4.4] * 4), limit("site", [1, 1], [10] * 4)]))
    np.testing.assert_allclose(planner("equal_share").plan(problem).power_kw[:, 0], [4, 6])


def test_a_car_that_could_not_make_it_up_later_is_offered_its_minimum_though_the_plan_is_for_less() -> None:
    leaving = car("leaving", 3, departure_h=1, **THREE)
    problem = soon(depot([leaving, car("staying", 20, **THREE)], site_kw=[5, 5, 20, 20]))
    plan = planner("equal_share").plan(problem)
    np.testing.assert_allclose(plan.power_kw[0], [3, 0, 0, 0])
    assert plan.unserved_kwh[0] == pytest.approx(0.0)


def test_the_last_of_a_session_s_energy_may_have_any_power() -> None:
    problem = soon(depot([car("a", 1.0, **THREE)]))
    np.testing.assert_allclose(planner("edf").plan(problem).power_kw[0], [1, 0, 0, 0])


def test_a_session_is_not_switched_off_within_its_minimum_run_unless_the_limits_ask_for_it() -> None:
    on = car("on", 20, now_kw=4.14, run_h=0.5, **THREE)
    dear_now = soon(depot([on], prices=[0.9, 0.1, 0.1, 0.1]))
    assert planner("power_allocation").plan(dear_now).power_kw[0, 0] == pytest.approx(4.14)
    off = soon(depot([replace(on, now_kw=0.0)], prices=[0.9, 0.1, 0.1, 0.1]))
    assert planner("power_allocation").plan(off).power_kw[0, 0] == 0
    shut = soon(depot([on], site_kw=[4, 20, 20, 20], prices=[0.9, 0.1, 0.1, 0.1]))
    assert planner("power_allocation").plan(shut).power_kw[0, 0] == 0


def test_its_minimum_run_goes_before_what_others_would_get() -> None:
    on, other = car("on", 8, now_kw=4.14, run_h=0.5, **THREE), car("other", 30, departure_h=3, **THREE)
    plan = planner("edf").plan(soon(depot([on, other], site_kw=10)))
    np.testing.assert_allclose(plan.power_kw[:, 0], [4.14, 5.86])


def test_where_the_three_phase_minimum_does_not_fit_one_phase_does() -> None:
    switching = car("a", 8, single_phase=SinglePhase(max_kw=3.68, min_kw=1.38), **THREE)
    line = Cap("L1", np.array([1 / 0.69]), np.full(4, 5.0), single_phase_load=np.array([1 / 0.23]))
    assert planner("edf").plan(soon(depot([switching], caps=[line]))).power_kw[0, 0] == 0
    others_line = replace(line, single_phase_load=np.array([0.0]))
    plan = planner("edf").plan(soon(depot([switching], caps=[others_line])))
    assert plan.power_kw[0, 0] == pytest.approx(3.45)
    seven_a = replace(line, limit=np.full(4, 5.9), single_phase_load=np.array([0.8 / 0.23]))
    assert planner("edf").plan(soon(depot([switching], caps=[seven_a]))).power_kw[0, 0] == pytest.approx(
        5.9 * 0.23 / 0.8
    )


def test_a_limit_counts_a_car_on_one_phase_by_its_whole_current() -> None:
    switching = car("a", 8, single_phase=SinglePhase(max_kw=3.68, min_kw=1.38), **THREE)
    line = Cap("L1", np.array([1 / 0.69]), np.full(4, 7.0), single_phase_load=np.array([1 / 0.23]))
    problem = soon(depot([switching], caps=[line]))
    assert violations(problem, np.array([[3.0, 0, 0, 0]])) == ["cap 'L1' step 0: 13.0435 against 7 (over the limit)"]
    assert violations(replace(problem, offerable_steps=0), np.array([[3.0, 0, 0, 0]])) == []


@pytest.mark.parametrize(
    ("kw", "fine"), [(0.0, True), (4.14, True), (4.83, True), (4.5, False), (2.0, False), (8.0, False)]
)
def test_the_check_knows_what_can_be_offered(kw: float, fine: bool) -> None:
    problem = soon(depot([car("a", 30, step_kw=0.69, **THREE)]))
    assert (violations(problem, np.array([[kw, 0, 0, 0]])) == []) is fine


def test_a_plan_that_needs_no_rounding_stays_proved_and_one_that_does_says_feasible() -> None:
    smooth = soon(depot([car("a", 11.04, **THREE)]))
    assert planner("power_allocation").plan(smooth).status is PlanStatus.PROVED
    rounded = soon(depot([car("a", 30, **THREE)], site_kw=[3, 20, 20, 20]))
    assert planner("power_allocation").plan(rounded).status is PlanStatus.FEASIBLE


def test_nothing_is_asked_twice_where_nothing_had_to_be_rounded() -> None:
    asked: list[PlanningProblem] = []
    rule = planner("edf")

    def ask(problem: PlanningProblem):
        asked.append(problem)
        return rule.plan(problem)

    offerable_plan(soon(depot([car("a", 30, **THREE)]), steps=3), ask)
    assert len(asked) == 1
    offerable_plan(soon(depot([car("a", 30, **THREE)], site_kw=[3, 20, 20, 20])), ask)
    assert len(asked) == 3
    assert asked[-1].horizon.n_steps == 3


def test_what_is_no_plan_is_refused_by_name() -> None:
    with pytest.raises(PlanningError, match="returned str, not a plan"):
        offerable_plan(soon(depot([car("a", 1)])), lambda problem: "tea")  # type: ignore[arg-type,return-value]


def test_the_relaxed_problem_knows_neither_offers_nor_single_phases() -> None:
    switching = car("a", 8, single_phase=SinglePhase(max_kw=3.68, min_kw=1.38), **THREE)
    plain = relaxed(soon(depot([switching])))
    assert plain.offerable_steps == 0
    assert plain.sessions[0].single_phase is None
    assert planner("power_allocation").plan(replace(soon(depot([switching])), offerable_steps=0)).status is (
        PlanStatus.PROVED
    )


def test_energy_is_that_of_the_unrounded_plan() -> None:
    cars = [car(f"car {i}", 12 + i, departure_h=4, step_kw=0.69, **THREE) for i in range(3)]
    problem = depot(cars, site_kw=15)
    for name in RULES:
        exact, offered = planner(name).plan(problem), planner(name).plan(soon(problem))
        quantum_kwh = 0.69 * problem.horizon.step_h
        assert np.abs(np.array(energy_kwh(problem, exact.power_kw - offered.power_kw))).max() < quantum_kwh


def test_offers_leave_the_room_that_the_battery_and_those_who_give_back_take_and_make() -> None:
    """A limit sees the battery charge and what flows back; what the plan keeps below it, its rounding keeps too."""
    feed = Cap("feed", np.ones(2), np.full(4, 8.0), np.full(4, -9.0), battery_load=1.0)
    giving = car("giving", 0.0, battery=VehicleBattery(40.0, 30.0, 5.0, 6.0), min_kw=1.0)
    problem = soon(depot([car("a", 40, min_kw=1.0), giving], caps=[feed]))
    np.testing.assert_allclose(offers(problem, np.array([10.0, 0.0]), battery_kw=3.0), [5.0, 0.0])
    np.testing.assert_allclose(offers(problem, np.array([10.0, 0.0]), battery_kw=-1.0), [9.0, 0.0])
    np.testing.assert_allclose(offers(problem, np.array([10.0, -2.0])), [10.0, -2.0])
    np.testing.assert_allclose(offers(problem, np.array([10.0, -1.5])), [9.5, -1.5])


def test_nobody_gives_back_more_than_a_floor_allows_after_rounding() -> None:
    """Where a charging car is rounded down, what flows back would pass the floor: then nobody gives back."""
    feed = Cap("feed", np.ones(2), np.full(4, 8.0), np.full(4, -4.0))
    giving = car("giving", 0.0, battery=VehicleBattery(40.0, 30.0, 5.0, 6.0), min_kw=1.0)
    problem = soon(depot([car("a", 20, **THREE), giving], caps=[feed]))
    np.testing.assert_allclose(offers(problem, np.array([3.0, -6.0])), [0.0, 0.0])
    np.testing.assert_allclose(offers(problem, np.array([5.0, -6.0])), [5.0, -6.0])


def test_the_last_energy_may_have_any_power_and_no_energy_but_the_last() -> None:
    problem = soon(depot([car("a", 2.0, **THREE)]))
    assert violations(problem, np.array([[2.0, 0, 0, 0]])) == []
    (found,) = violations(problem, np.array([[1.5, 0.5, 0, 0]]))
    assert "1.5 kW cannot be offered" in found


@pytest.mark.parametrize(("on_leaves_h", "charges"), [(3.1, "on"), (3.5, "other")])
def test_a_session_that_is_on_gives_way_only_to_one_with_clearly_less_laxity(on_leaves_h: float, charges: str) -> None:
    cars = [car("on", 8, 0.0, on_leaves_h, now_kw=4.14, **THREE), car("other", 8, 0.0, 3.0, **THREE)]
    offered_kw = offers(soon(depot(cars, site_kw=5)), np.array([2.5, 2.5]))
    assert [s.session_id for s, kw in zip(cars, offered_kw, strict=True) if kw > 0] == [charges]


def test_nobody_is_charged_beyond_its_wish_to_give_back_what_rounding_may_never_take_out() -> None:
    battery = VehicleBattery(40.0, 20.0, discharge_max_kw=4.0)
    seller = car("seller", 0.0, min_kw=4.14, step_kw=0.69, battery=battery)
    problem = replace(depot([seller], 20, prices=(0.0, 0.9, 0.9, 0.9)), offerable_steps=4)
    plan = planner("v2g").plan(problem)
    assert not violations(problem, plan.power_kw)
    assert plan.power_kw.tolist() == [[0.0] * 4]
