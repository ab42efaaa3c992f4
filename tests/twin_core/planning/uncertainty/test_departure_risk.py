"""An hour is waited for when it saves more than the chance of losing it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, problems
from twin_core.errors import PlanningError
from twin_core.forecasting.departures import hours_left
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem, VehicleBattery
from twin_core.planning.check import violations
from twin_core.planning.edf import EarliestDeadlineFirst
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.uncertainty.departure_risk import LEAST_LIKELY, DepartureRisk, still_there
from twin_core.planning.uncertainty.two_stage import Future, TwoStage, expected_objective_eur

EVENING = (0.30, 0.28, 0.25, 0.22, 0.15, 0.12, 0.10, 0.10)
N_CARS = 4


def note(plan: Plan) -> str:
    return plan.reasons.notes[0] if plan.reasons else ""


@pytest.mark.parametrize(("leave_in_100", "waits"), [(4, True), (14, False)])
def test_one_car_waits_exactly_when_the_saving_is_above_the_chance_times_the_loss(
    leave_in_100: int, waits: bool
) -> None:
    # Waiting saves 0.1 €/kWh if the car stays, and loses γ − π = 2.0 − 0.3 if it leaves: even at 0.1/1.8 = 5.6 %.
    problem = depot([car("a", 10, departure_h=2.0, shortfall_eur_per_kwh=2.0)], prices=(0.3, 0.2))
    plan = DepartureRisk([np.where(np.arange(100) < leave_in_100, 1.0, 2.0)]).plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[0, 10]] if waits else [[10, 0]], atol=1e-6)
    part = 1 - leave_in_100 / 100
    expected = part * 2.0 + (1 - part) * 20.0 if waits else 3.0
    assert plan.objective_eur == pytest.approx(expected, abs=1e-4)
    assert ("cannot change" in note(plan)) == waits


def test_of_two_cars_the_likelier_to_leave_goes_first_though_both_announce_the_same() -> None:
    problem = depot(
        [car("sure", 10, departure_h=2.0), car("hasty", 10, departure_h=2.0)], site_kw=10, prices=(0.2,) * 2
    )
    plan = DepartureRisk([np.array([2.0]), np.array([1.0, 2.0])]).plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[0, 10], [10, 0]], atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(problem=problems(), data=st.data())
def test_it_is_the_scenario_programme_whose_powers_are_common_to_the_end(
    problem: PlanningProblem, data: st.DataObject
) -> None:
    """Written out with a model for each future, nothing is better by more than a hair, and it says so of itself."""
    assume(problem.sessions and problem.horizon.n_steps)
    said = np.array([s.departure_h for s in problem.sessions])
    hours = st.lists(st.floats(-1.0, 9.0), min_size=said.size, max_size=said.size)
    drawn = np.array([np.minimum(data.draw(hours), said) for _ in range(3)])
    plan = DepartureRisk(list(drawn.T)).plan(problem)
    assert violations(problem, plan.power_kw) == []
    futures = [Future(departure_h) for departure_h in drawn]
    written_out = TwoStage(futures, first_h=100.0).plan(problem)
    mine_eur = expected_objective_eur(problem, futures, plan.power_kw, first_h=100.0)
    unlikely_eur = LEAST_LIKELY * 10 * sum(max(0.0, s.energy_kwh) for s in problem.sessions)
    assert mine_eur == pytest.approx(written_out.objective_eur, abs=1e-4 + unlikely_eur, rel=1e-5)
    assert plan.objective_eur == pytest.approx(mine_eur, abs=1e-4 + unlikely_eur, rel=1e-5)


def test_the_part_of_a_step_that_a_car_is_there_for_is_a_mean_over_its_departures() -> None:
    problem = depot([car("a", 10, arrival_h=0.5, departure_h=2.5)], prices=(0.2,) * 4)
    there = still_there(problem, [np.array([0.75, 2.0, 9.0, -1.0])])
    np.testing.assert_allclose(there, [[(0.25 + 0.5 + 0.5) / 4, 2 / 4, 0.5 / 4, 0.0]])


def undelivered_and_cost(plan: Callable[[PlanningProblem], Plan], past_h: Array, n_days: int) -> tuple[float, float]:
    """Evenings lived hour by hour: cars say they stay until morning, and leave as past ones did."""
    short_kwh, cost_eur = 0.0, 0.0
    for day in range(n_days):
        leaves_h = np.random.default_rng(50 + day).choice(past_h, N_CARS)
        wanted = np.full(N_CARS, 18.0)
        for hour in range(int(leaves_h.max())):
            cars = [
                car(f"car {i}", wanted[i], departure_h=8.0 - hour if leaves_h[i] > hour else -1.0, waited_h=float(hour))
                for i in range(N_CARS)
            ]
            power_kw = plan(depot(cars, site_kw=20, prices=EVENING[hour:])).power_kw[:, 0]
            wanted -= power_kw
            cost_eur += EVENING[hour] * float(power_kw.sum())
        short_kwh += float(wanted.sum())
    return short_kwh, cost_eur


def weighing(past_h: Array) -> Callable[[PlanningProblem], Plan]:
    return DepartureRisk(partial(may_leave, past_h)).plan


def may_leave(past_h: Array, problem: PlanningProblem) -> tuple[Array, ...]:
    waited, said = (np.array([getattr(s, f) for s in problem.sessions]) for f in ("waited_h", "departure_h"))
    return hours_left(past_h, waited, said)


edf = EarliestDeadlineFirst().plan


def test_where_anybody_may_leave_at_any_time_less_is_left_undelivered_than_by_earliest_deadline_first() -> None:
    past_h = np.array([2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    mine, theirs = (undelivered_and_cost(plan, past_h, 24) for plan in (weighing(past_h), edf))
    assert mine[0] < theirs[0]


def test_where_nobody_leaves_soon_it_is_cheaper_by_a_quarter_and_leaves_nobody_short() -> None:
    past_h = np.array([6.0, 7.0, 7.0, 8.0, 8.0, 8.0])
    mine, theirs = undelivered_and_cost(weighing(past_h), past_h, 6), undelivered_and_cost(edf, past_h, 6)
    assert mine[0] == pytest.approx(0.0, abs=1e-6)
    assert mine[1] < 0.75 * theirs[1]


def test_nobody_expected_to_leave_early_is_the_plan_as_announced_and_says_so() -> None:
    problem = depot([car("a", 10, departure_h=3.0), car("b", 15)], site_kw=12, prices=(0.3, 0.1, 0.2, 0.1))
    plan = DepartureRisk([np.array([3.0, 50.0]), np.array([100.0])]).plan(problem)
    assert plan.cost_eur == pytest.approx(PowerAllocation().plan(problem).cost_eur, abs=1e-6)
    assert "cannot change" in note(plan)


def test_what_no_past_stay_reached_is_used_when_nothing_else_is_left() -> None:
    problem = depot([car("a", 20, departure_h=4.0)], prices=(0.2,) * 4)
    plan = DepartureRisk([np.array([1.0])]).plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[10, 10, 0, 0]], atol=1e-6)


def test_nonsense_is_refused_by_name() -> None:
    problem = depot([car("a", 10)])
    with pytest.raises(PlanningError, match="left_h has 2 entries"):
        DepartureRisk([np.ones(1), np.ones(1)]).plan(problem)
    for bad in ([np.nan], []):
        with pytest.raises(PlanningError, match="left_h of session 'a'"):
            DepartureRisk([np.array(bad)]).plan(problem)
    gives_back = replace(problem, sessions=(car("a", 1, battery=VehicleBattery(50, 30, discharge_max_kw=10)),))
    with pytest.raises(PlanningError, match="give back"):
        DepartureRisk([np.array([4.0])]).plan(gives_back)
