"""As late as possible, and everybody in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, limit, rich_problems
from twin_core.models.problem import Array, PlanningProblem, Taper
from twin_core.planning.check import violations
from twin_core.planning.residual import after_first_step
from twin_core.planning.table import planner


def test_everybody_charges_just_before_leaving() -> None:
    problem = depot([car("a", 15), car("b", 10, departure_h=2)], site_kw=20)
    np.testing.assert_allclose(planner("as_late_as_possible").plan(problem).power_kw, [[0, 0, 5, 10], [0, 10, 0, 0]])


def test_who_did_not_say_when_it_leaves_charges_at_the_end_of_the_horizon() -> None:
    problem = depot([car("a", 15, departure_h=float("inf"))])
    np.testing.assert_allclose(planner("as_late_as_possible").plan(problem).power_kw, [[0, 0, 5, 10]])


def test_what_is_too_much_at_the_end_is_moved_forward_and_not_lost() -> None:
    problem = depot([car("a", 10), car("b", 10), car("c", 10)], site_kw=10)
    plan = planner("as_late_as_possible").plan(problem)
    np.testing.assert_allclose(plan.power_kw.sum(axis=0), [0, 10, 10, 10])
    np.testing.assert_allclose(plan.unserved_kwh, 0)


def test_who_came_last_keeps_the_late_steps() -> None:
    problem = depot([car("here", 10), car("coming", 20, arrival_h=2)], site_kw=10)
    plan = planner("as_late_as_possible").plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[0, 10, 0, 0], [0, 0, 10, 10]])


@pytest.mark.parametrize("came_h", [0.0, -2.0])
def test_among_those_who_are_here_who_has_the_least_slack_keeps_the_late_steps(came_h: float) -> None:
    problem = depot([car("little", 10), car("much", 20, arrival_h=came_h)], site_kw=10)
    plan = planner("as_late_as_possible").plan(problem)
    assert plan.power_kw[1, 3] == pytest.approx(10)
    np.testing.assert_allclose(plan.unserved_kwh, 0)


def test_unequal_steps_and_limits_are_mirrored_with_the_stays() -> None:
    problem = depot([car("a", 12, departure_h=3.5)], site_kw=[9, 1, 2, 4])
    graded = replace(problem, horizon=replace(problem.horizon, step_h=0.5, lengths_h=(0.5, 0.5, 1.0, 2.0)))
    np.testing.assert_allclose(planner("as_late_as_possible").plan(graded).power_kw, [[3, 1, 2, 4]])


@st.composite
def crowded_sites(draw: st.DrawFn) -> PlanningProblem:
    """Cars that come and go with the steps and could each use all of the one limit."""
    n_steps = draw(st.integers(1, 7))
    cars = []
    for i in range(draw(st.integers(1, 6))):
        arrival = draw(st.integers(0, n_steps - 1))
        departure = draw(st.integers(arrival + 1, n_steps))
        cars.append(car(f"{i}", float(draw(st.integers(0, 25))), float(arrival), float(departure), max_kw=10.0))
    site_kw = [float(draw(st.integers(0, 10))) for _ in range(n_steps)]
    return depot(cars, site_kw, [0.2] * n_steps)


@settings(max_examples=80, deadline=None)
@given(problem=crowded_sites())
def test_on_one_limit_it_serves_what_earliest_deadline_first_serves_and_nothing_serves_more(
    problem: PlanningProblem,
) -> None:
    late, early = planner("as_late_as_possible").plan(problem), planner("edf").plan(problem)
    best = planner("power_allocation").plan(problem)
    assert late.unserved_kwh.sum() == pytest.approx(early.unserved_kwh.sum(), abs=1e-6)
    assert late.unserved_kwh.sum() == pytest.approx(best.unserved_kwh.sum(), abs=1e-5)


@pytest.mark.parametrize("name", ["as_late_as_possible", "round_robin"])
@settings(max_examples=60, deadline=None)
@given(problem=rich_problems())
def test_no_limit_is_ever_broken(name: str, problem: PlanningProblem) -> None:
    assert violations(problem, planner(name).plan(problem).power_kw) == []


def test_a_car_that_tapers_takes_of_the_late_steps_what_it_can() -> None:
    problem = depot([car("a", 15, taper=Taper(5.0, 15.0)), car("b", 10)], site_kw=20)
    plan = planner("as_late_as_possible").plan(problem)
    assert plan.power_kw[1, 3] == pytest.approx(10)
    assert violations(problem, plan.power_kw) == []


def test_a_battery_that_fills_slowly_loses_by_starting_late() -> None:
    plan = planner("as_late_as_possible").plan(depot([car("a", 15, taper=Taper(0.0, 15.0))]))
    np.testing.assert_allclose(plan.power_kw, [[0, 0, 5, 20 / 3]])
    np.testing.assert_allclose(plan.unserved_kwh, [10 / 3])


def test_two_that_cannot_both_charge_take_turns() -> None:
    problem = depot([car("a", 20), car("b", 20)], site_kw=10)
    np.testing.assert_allclose(planner("round_robin").plan(problem).power_kw, [[10, 0, 10, 0], [0, 10, 0, 10]])


def test_who_arrives_queues_up_behind_those_who_wait() -> None:
    cars = [car("a", 30), car("b", 30), car("new", 30, arrival_h=1)]
    served = planner("round_robin").plan(depot(cars, 10, [0.2] * 6)).power_kw.argmax(axis=0)
    np.testing.assert_array_equal(served, [0, 1, 0, 2, 1, 0])


def test_a_turn_lost_to_a_full_feeder_is_not_counted() -> None:
    cars = [car("a", 40), car("b", 40), car("c", 40)]
    problem = depot(cars, site_kw=10, caps=[limit("feeder", [1, 0, 0], [0, 10, 10, 10])])
    assert planner("round_robin").plan(problem).power_kw[0, 1] == pytest.approx(10)


def lived(name: str, problem: PlanningProblem) -> Array:
    """Powers as charged by one who plans anew in every step, each time with a planner that remembers nothing."""
    power_kw = np.zeros((len(problem.sessions), problem.horizon.n_steps))
    left = problem
    for step in range(problem.horizon.n_steps):
        power_kw[:, step] = planner(name).plan(left).power_kw[:, 0]
        left = after_first_step(left, power_kw[:, step])
    return power_kw


def test_planned_anew_in_every_step_everybody_still_gets_a_turn_unlike_first_come_first_served() -> None:
    problem = depot([car("a", 40), car("b", 40), car("c", 40)], 10, [0.2] * 6)
    np.testing.assert_array_equal(lived("round_robin", problem).argmax(axis=0), [0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(lived("fifs", problem).argmax(axis=0), [0] * 4 + [1] * 2)


def test_who_never_charged_queues_from_its_arrival_and_who_did_from_then_on() -> None:
    cars = [car("did, just now", 30, waited_h=9, idle_h=0.0), car("did", 30, waited_h=9, idle_h=0.5)]
    newcomers = [car("new", 30), car("waits", 30, waited_h=1)]
    plan = planner("round_robin").plan(depot([*cars, *newcomers], 10))
    np.testing.assert_array_equal(plan.power_kw.argmax(axis=0), [3, 1, 2, 0])
