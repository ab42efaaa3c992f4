"""Rule planners, on problems small enough to solve by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings

from tests.twin_core.planning.problems import car, depot, energy_kwh, limit, problems
from twin_core.models.plan import PlanStatus
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.bounds import bounds_of
from twin_core.planning.check import violations
from twin_core.planning.table import planner

RULES = ["uncontrolled", "fifs", "equal_share", "edf", "llf", "round_robin"]
"""Those that fill from now on; `as_late_as_possible` fills from the end."""


@pytest.mark.parametrize("name", RULES)
def test_everybody_charges_at_full_power_at_once_where_nothing_is_scarce(name: str) -> None:
    problem = depot([car("a", 15), car("b", 10, arrival_h=1.5)], site_kw=20)
    plan = planner(name).plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[10, 5, 0, 0], [0, 5, 5, 0]])
    assert plan.status is PlanStatus.FEASIBLE
    assert plan.planner == name


def test_first_come_is_served_in_full_where_equal_share_divides() -> None:
    problem = depot([car("late", 20, waited_h=1), car("early", 20, waited_h=5)], site_kw=12)
    np.testing.assert_allclose(planner("fifs").plan(problem).power_kw[:, 0], [2, 10])
    np.testing.assert_allclose(planner("equal_share").plan(problem).power_kw[:, 0], [6, 6])


def test_a_car_that_is_still_to_come_queues_behind_those_that_are_here() -> None:
    problem = depot([car("coming", 20, arrival_h=1), car("here", 30)], site_kw=10)
    np.testing.assert_allclose(planner("fifs").plan(problem).power_kw, [[0, 0, 0, 10], [10, 10, 10, 0]])


def test_equal_share_passes_on_what_a_small_car_cannot_take() -> None:
    problem = depot([car("small", 20, max_kw=2), car("b", 20), car("c", 20)], site_kw=12)
    np.testing.assert_allclose(planner("equal_share").plan(problem).power_kw[:, 0], [2, 5, 5])


def test_equal_share_lifts_those_outside_a_full_feeder_above_those_below_it() -> None:
    cars = [car("a", 40), car("b", 40), car("c", 40)]
    problem = depot(cars, site_kw=15, caps=[limit("feeder", [1, 1, 0], [6] * 4)])
    np.testing.assert_allclose(planner("equal_share").plan(problem).power_kw[:, 0], [3, 3, 9])


def test_equal_share_counts_a_single_phase_car_by_its_amperes() -> None:
    problem = depot([car("one", 40), car("three", 40)], caps=[limit("L1", [4.5, 1.5], [30] * 4)])
    np.testing.assert_allclose(planner("equal_share").plan(problem).power_kw[:, 0], [5, 5])


def test_edf_serves_who_leaves_first_and_llf_who_can_wait_least() -> None:
    leaves_first = car("leaves first", 5, departure_h=2)
    wants_most = car("wants most", 29, departure_h=3)
    problem = depot([leaves_first, wants_most], site_kw=10)
    np.testing.assert_allclose(planner("edf").plan(problem).power_kw[:, :2], [[5, 0], [5, 10]])
    np.testing.assert_allclose(planner("llf").plan(problem).power_kw[:, 0], [0, 10])


def test_llf_measures_laxity_anew_in_every_step() -> None:
    problem = depot([car("a", 20, departure_h=4), car("b", 20, departure_h=4)], site_kw=10)
    plan = planner("llf").plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[10, 0, 10, 0], [0, 10, 0, 10]])


def test_uncontrolled_cars_are_cut_to_the_same_part_of_what_they_want() -> None:
    problem = depot([car("big", 99, max_kw=22), car("small", 99, max_kw=11)], site_kw=16.5)
    np.testing.assert_allclose(planner("uncontrolled").plan(problem).power_kw[:, 0], [11, 5.5])


@pytest.mark.parametrize("name", ["fifs", "edf", "llf"])
def test_a_full_feeder_does_not_hold_up_those_behind_it_in_the_queue(name: str) -> None:
    cars = [car("a", 40, departure_h=4), car("b", 40, departure_h=5), car("c", 40, departure_h=6)]
    problem = depot(cars, site_kw=15, caps=[limit("feeder", [1, 1, 0], [4] * 4)])
    np.testing.assert_allclose(planner(name).plan(problem).power_kw[:, 0], [4, 0, 10])


def test_first_and_last_step_count_by_the_part_in_which_the_car_is_there() -> None:
    problem = depot([car("a", 99, arrival_h=0.25, departure_h=2.5)])
    np.testing.assert_allclose(planner("edf").plan(problem).power_kw, [[7.5, 10, 5, 0]])


def test_steps_are_hours_whatever_their_length() -> None:
    quarter_hours = depot([car("a", 5)], prices=[0.2] * 4, step_h=0.25)
    plan = planner("fifs").plan(quarter_hours)
    np.testing.assert_allclose(plan.power_kw, [[10, 10, 0, 0]])
    assert plan.cost_eur == pytest.approx(1.0)


def test_the_plan_says_what_it_leaves_undone_and_what_it_costs() -> None:
    problem = depot([car("a", 50), car("b", 3)], site_kw=5, prices=[0.1, 0.2])
    plan = planner("fifs").plan(problem)
    np.testing.assert_allclose(plan.unserved_kwh, [40, 3])
    assert plan.cost_eur == pytest.approx(5 * 0.1 + 5 * 0.2)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_no_rule_ever_breaks_a_limit(name: str, problem: PlanningProblem) -> None:
    plan = planner(name).plan(problem)
    assert violations(problem, plan.power_kw) == []


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=30, deadline=None)
@given(problem=problems())
def test_no_rule_leaves_power_lying_that_somebody_could_take(name: str, problem: PlanningProblem) -> None:
    """Uncontrolled cars are cut by their worst limit, so others may be left with room; all other rules waste none."""
    if name == "uncontrolled":
        return
    plan = planner(name).plan(problem)
    upper = np.array([s.max_kw for s in problem.sessions]).reshape(-1, 1) * problem.availability()
    for step in range(problem.horizon.n_steps):
        done = np.array(energy_kwh(problem, plan.power_kw[:, : step + 1]))
        for row, session in enumerate(problem.sessions):
            blocked = any(
                c.load[row] > 0 and c.load @ plan.power_kw[:, step] >= max(0, c.limit[step]) - 1e-6
                for c in problem.caps
            )
            content = plan.power_kw[row, step] >= upper[row, step] - 1e-6 or done[row] >= session.energy_kwh - 1e-6
            assert blocked or content


def unsated(problem: PlanningProblem, power_kw: Array) -> list[int]:
    """Rows that want more in the first step than they got."""
    bounds = bounds_of(problem)
    wanted_kw = np.minimum(bounds.upper_kw[:, 0], bounds.wanted_kwh / problem.horizon.step_h)
    return [int(row) for row in np.flatnonzero(power_kw[:, 0] < wanted_kw - 1e-6)]


def full_caps(problem: PlanningProblem, power_kw: Array, row: int) -> list[Array]:
    """Loads of the limits that are full in the first step and that a session is below."""
    return [
        cap.load
        for cap in problem.caps
        if cap.load[row] > 0 and cap.load @ power_kw[:, 0] >= max(0.0, cap.limit[0]) - 1e-6
    ]


@settings(max_examples=80, deadline=None)
@given(problem=problems())
def test_equal_share_holds_back_nobody_for_the_sake_of_one_who_has_more(problem: PlanningProblem) -> None:
    """Max-min fairness: below some full limit, whoever wants more already has as much as anybody there."""
    assume(problem.sessions and problem.horizon.n_steps)
    power_kw = planner("equal_share").plan(problem).power_kw
    for row in unsated(problem, power_kw):
        caps = full_caps(problem, power_kw, row)
        assert any(power_kw[row, 0] >= power_kw[load > 0, 0].max() - 1e-6 for load in caps)


@pytest.mark.parametrize("name", ["fifs", "edf"])
@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_nobody_gets_anything_that_one_before_it_in_the_queue_still_wants(name: str, problem: PlanningProblem) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    power_kw = planner(name).plan(problem).power_kw
    keys = [s.departure_h if name == "edf" else s.arrival_h - s.waited_h for s in problem.sessions]
    for row in unsated(problem, power_kw):
        later = np.array([(key, other) > (keys[row], row) for other, key in enumerate(keys)])
        caps = full_caps(problem, power_kw, row)
        assert any(not (power_kw[:, 0] * later * load > 1e-6).any() for load in caps)
