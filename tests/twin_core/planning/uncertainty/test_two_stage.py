"""Recourse: the first steps are decided before it is known who leaves and who comes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, limit, problems
from twin_core.errors import PlanningError
from twin_core.forecasting.departures import hours_left
from twin_core.models.problem import Array, PlanningProblem, VehicleBattery
from twin_core.planning.check import violations
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.uncertainty.two_stage import Future, TwoStage, expected_objective_eur, problem_in

EVENING = (0.30, 0.28, 0.25, 0.22, 0.15, 0.12, 0.10, 0.10)
PAST_STAYS = np.array([2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
N_CARS = 4


def evening(energies_kwh: Array, hour: int = 0, here: Array | None = None) -> PlanningProblem:
    """Cars that all say they stay until morning, below a limit that cannot serve them all in a hurry."""
    present = np.ones(N_CARS, dtype=bool) if here is None else here
    cars = [
        car(f"car {i}", energies_kwh[i], departure_h=8.0 - hour if present[i] else -1.0, waited_h=float(hour))
        for i in range(N_CARS)
    ]
    return depot(cars, site_kw=20, prices=EVENING[hour:])


def futures(problem: PlanningProblem, n: int, seed: int) -> tuple[Future, ...]:
    waited = np.array([s.waited_h for s in problem.sessions])
    said = np.array([s.departure_h for s in problem.sessions])
    rng = np.random.default_rng(seed)
    drawn = np.array([rng.choice(left, n) for left in hours_left(PAST_STAYS, waited, said)]).T
    return tuple(Future(np.where(said > 0, departure_h, -1.0)) for departure_h in drawn)


def notes(plan_notes: object) -> str:
    return str(getattr(plan_notes, "notes", ("",))[0])


def test_on_days_it_never_saw_it_beats_the_plan_that_believes_what_was_announced() -> None:
    problem = evening(np.full(N_CARS, 18.0))
    seen, held_out = futures(problem, 25, seed=1), futures(problem, 60, seed=2)
    believing, hedged = PowerAllocation().plan(problem), TwoStage(seen).plan(problem)
    expected = {
        name: expected_objective_eur(problem, held_out, plan.power_kw)
        for name, plan in (("believing", believing), ("hedged", hedged))
    }
    assert expected["hedged"] < 0.9 * expected["believing"]
    assert "Hedged" in notes(hedged.reasons)
    assert hedged.cost_eur > believing.cost_eur


def test_played_out_step_by_step_it_leaves_drivers_with_less_undelivered() -> None:
    def undelivered_kwh(decide: Callable[[PlanningProblem, int], Array], leaves_h: Array) -> float:
        wanted = np.full(N_CARS, 18.0)
        for hour in range(int(leaves_h.max())):
            power_kw = decide(evening(wanted, hour, leaves_h > hour), hour)[:, 0]
            wanted = wanted - power_kw
        return float(wanted.sum())

    def hedge(problem: PlanningProblem, hour: int) -> Array:
        return TwoStage(futures(problem, 5, seed=hour)).plan(problem).power_kw

    def believe(problem: PlanningProblem, _: int) -> Array:
        return PowerAllocation().plan(problem).power_kw

    days = [np.random.default_rng(50 + day).choice(PAST_STAYS, N_CARS) for day in range(3)]
    hedged, believed = (sum(undelivered_kwh(decide, day) for day in days) for decide in (hedge, believe))
    assert hedged < 0.5 * believed


def test_the_cars_that_are_here_charge_before_the_crowd_comes() -> None:
    problem = depot([car("here", 15)], site_kw=10, prices=(0.3, 0.3, 0.1, 0.1))
    crowd = tuple(car(f"coming {i}", 10, arrival_h=2.0, departure_h=4.0) for i in range(2))
    comes, stays_away = Future(np.array([100.0]), crowd), Future(np.array([100.0]))
    assert PowerAllocation().plan(problem).power_kw[0, :2].sum() == pytest.approx(0.0, abs=1e-6)
    assert TwoStage([comes, comes, stays_away]).plan(problem).power_kw[0, :2].sum() == pytest.approx(15.0, abs=1e-6)
    assert TwoStage([stays_away]).plan(problem).power_kw[0, :2].sum() == pytest.approx(0.0, abs=1e-6)


def test_where_waiting_saves_nothing_nobody_waits() -> None:
    problem = depot([car("a", 10, departure_h=4.0)], prices=(0.2,) * 4)
    stays, leaves = Future(np.array([4.0])), Future(np.array([3.0]))
    plan = TwoStage([stays, leaves], first_h=1.0).plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[10, 0, 0, 0]], atol=1e-6)


def test_power_that_no_future_takes_is_not_planned() -> None:
    problem = depot([car("a", 10, departure_h=4.0)], prices=(0.2,) * 4)
    plan = TwoStage([Future(np.array([-1.0]))], first_h=2.0).plan(problem)
    assert not plan.power_kw[:, :2].any()


def test_when_all_comes_as_announced_it_is_the_plan_as_announced_and_says_so() -> None:
    problem = evening(np.full(N_CARS, 18.0))
    plan = TwoStage([Future(np.full(N_CARS, 8.0))] * 3).plan(problem)
    assert plan.cost_eur == pytest.approx(PowerAllocation().plan(problem).cost_eur, abs=1e-4)
    assert "cannot better the first steps" in notes(plan.reasons)


def test_who_leaves_within_the_first_steps_gets_what_flows_until_then() -> None:
    problem = depot([car("a", 10)], prices=(0.1, 0.1))
    leaves_early = Future(np.array([0.25]))
    plan = TwoStage([leaves_early], first_h=1.0).plan(problem)
    assert plan.power_kw[0, 0] == pytest.approx(10.0, abs=1e-6)
    energy_eur, shortfall_eur = 2.5 * 0.1, 7.5 * 1.0
    assert plan.objective_eur == pytest.approx(energy_eur + shortfall_eur, abs=1e-4)


def test_a_stay_of_next_to_nothing_plans_as_one_of_nothing() -> None:
    problem = depot([car("a", 10, departure_h=2.3e-309), car("b", 10)], prices=(0.1, 0.1))
    plan = TwoStage([Future(np.array([1.0, 2.0]))], first_h=1.0).plan(problem)
    assert plan.power_kw[0].tolist() == pytest.approx([0.0, 0.0])
    assert plan.power_kw[1, 0] == pytest.approx(10.0, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(problem=problems(), data=st.data())
def test_it_keeps_every_limit_and_no_first_steps_are_better_over_its_own_futures(
    problem: PlanningProblem, data: st.DataObject
) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    hours = st.lists(st.floats(-1.0, 9.0), min_size=len(problem.sessions), max_size=len(problem.sessions))
    may_come = [Future(np.array(data.draw(hours))) for _ in range(3)]
    plan, nominal = TwoStage(may_come, first_h=1.0).plan(problem), PowerAllocation().plan(problem)
    assert violations(problem, plan.power_kw) == []
    mine, theirs = (expected_objective_eur(problem, may_come, p.power_kw, first_h=1.0) for p in (plan, nominal))
    assert mine == pytest.approx(plan.objective_eur, abs=1e-4, rel=1e-5)
    assert mine <= theirs + 1e-4


def test_arrivals_load_the_limits_as_given_or_as_the_cars_that_are_here_do() -> None:
    problem = depot([car("a", 1), car("b", 1)], caps=[limit("L1", [4.0, 0.0], [9] * 4)])
    coming = (car("c", 5), car("d", 5))
    stays = np.array([4.0, 3.0])
    assert problem_in(problem, Future(stays, coming)).caps[0].load.tolist() == [4.0, 0.0, 2.0, 2.0]
    known = problem_in(problem, Future(stays, coming, np.array([[0.0, 4.0]])))
    assert known.caps[0].load.tolist() == [4.0, 0.0, 0.0, 4.0]
    assert [s.departure_h for s in known.sessions[:2]] == [4.0, 3.0]


def test_nonsense_is_refused_by_name() -> None:
    problem = evening(np.full(N_CARS, 18.0))
    with pytest.raises(PlanningError, match="futures"):
        TwoStage([])
    with pytest.raises(PlanningError, match="departure_h has shape"):
        TwoStage([Future(np.array([1.0]))]).plan(problem)
    with pytest.raises(PlanningError, match="departure_h is nan"):
        TwoStage([Future(np.full(N_CARS, np.nan))]).plan(problem)
    with pytest.raises(PlanningError, match="arrival_load has shape"):
        TwoStage([Future(np.full(N_CARS, 8.0), (car("c", 5),), np.ones((1, 2)))]).plan(problem)
    gives_back = depot([car("a", 1, battery=VehicleBattery(50, 30, discharge_max_kw=10))])
    with pytest.raises(PlanningError, match="give back"):
        TwoStage([Future(np.array([4.0]))]).plan(gives_back)
