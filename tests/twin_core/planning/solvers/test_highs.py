"""The direct HiGHS solver against the model as one reads it, and its own honesty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import highspy
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import NOON, car, depot, limit
from twin_core.errors import PlanningError
from twin_core.models.problem import (
    Cap,
    Horizon,
    PlanningProblem,
    SessionNeed,
    SinglePhase,
    SiteBattery,
    SiteFlows,
    Taper,
    VehicleBattery,
)
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.optimum import earlier_first, served_first
from twin_core.planning.solvers.highs import Apart, Highs, write
from twin_core.planning.solvers.oracle import Oracle
from twin_core.planning.solvers.solver import Solution, Solver
from twin_core.planning.soundness import require_sound


def objective(problem: PlanningProblem, found: Solution) -> float:
    return bill(problem, found.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw).objective_eur


def kept(problem: PlanningProblem, found: Solution) -> list[str]:
    return violations(problem, found.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw)


numbers = st.floats(0.0, 1.0).map(lambda x: round(x, 3))


@st.composite
def needs(draw: st.DrawFn, name: str) -> SessionNeed:
    battery = taper = None
    energy = draw(st.sampled_from([0.0, 6.0, 20.0])) * draw(numbers)
    if draw(st.integers(0, 3)) == 0:
        stored = draw(numbers) * 30
        battery = VehicleBattery(
            40.0,
            stored,
            stored * draw(numbers),
            draw(st.sampled_from([0.0, 7.0])),
            draw(st.sampled_from([0.9, 1.0])),
            0.95,
            draw(st.sampled_from([0.0, 0.02])),
        )
    if draw(st.integers(0, 2)) == 0:
        flat = draw(numbers) * 10
        taper = Taper(flat, flat + 3.0 + 10 * draw(numbers))
    return car(
        name,
        energy,
        draw(st.sampled_from([-1.0, 0.0, 0.4, 2.0])),
        draw(st.sampled_from([1.0, 2.5, 4.0, float("inf")])),
        max_kw=draw(st.sampled_from([0.0, 7.4, 11.0])),
        shortfall_eur_per_kwh=draw(st.sampled_from([0.05, 0.3, 2.0])),
        now_kw=draw(st.sampled_from([0.0, 5.0])),
        ramp_kw_per_h=draw(st.sampled_from([float("inf"), 6.0])),
        battery=battery,
        taper=taper,
    )


@st.composite
def sites(draw: st.DrawFn, n_steps: int, prices: list[float]) -> SiteFlows:
    series = st.lists(numbers, min_size=n_steps, max_size=n_steps).map(np.array)
    battery = None
    if draw(st.booleans()):
        stored = 10 * draw(numbers)
        battery = SiteBattery(
            10.0, stored, 4.0, 5.0, stored / 3, stored * draw(numbers), 0.9, 0.95, draw(st.sampled_from([0.0, 0.03]))
        )
    export = draw(st.sampled_from(["none", "half", "dearer", "random"]))
    paid = {"none": 0.0, "half": 0.5, "dearer": 1.2}.get(export, 0.0) * np.array(prices)
    return SiteFlows(
        10 * draw(series),
        draw(st.sampled_from([0.0, 12.0])) * draw(series),
        0.6 * draw(series) - 0.2 if export == "random" else paid,
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.sampled_from([0.0, 8.0])),
        battery,
    )


@st.composite
def whole_problems(draw: st.DrawFn) -> PlanningProblem:
    """Every feature of the typed problem that the readable model has too."""
    n_steps = draw(st.integers(1, 6))
    cars = [draw(needs(f"car {i}")) for i in range(draw(st.integers(0, 4)))]
    worst = draw(st.sampled_from([0.0, 0.0, -0.1]))
    prices = [worst + 0.5 * p for p in draw(st.lists(numbers, min_size=n_steps, max_size=n_steps))]
    site = draw(st.one_of(st.none(), sites(n_steps, prices)))
    has_battery = site is not None and site.battery is not None
    caps = []
    for index in range(draw(st.integers(0, 3))):
        loads = draw(st.lists(st.sampled_from([0.0, 1.0, 1.45, 4.35]), min_size=len(cars), max_size=len(cars)))
        tops = draw(st.lists(st.sampled_from([0.0, 3.0, 9.0, 21.0, float("inf")]), min_size=n_steps, max_size=n_steps))
        below = draw(st.sampled_from([None, None, -4.0, 0.0]))
        floor = None if below is None else np.full(n_steps, below)
        caps.append(Cap(f"cap {index}", np.array(loads), np.array(tops), floor, 1.0 if has_battery else 0.0))
    lengths = tuple(draw(st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=n_steps, max_size=n_steps)))
    carbon = draw(st.one_of(st.none(), st.lists(numbers, min_size=n_steps, max_size=n_steps).map(np.array)))
    horizon = Horizon(NOON, lengths[0], n_steps, draw(st.sampled_from([(), lengths])))
    return PlanningProblem(horizon, tuple(cars), np.array(prices), tuple(caps), carbon, 0.1, site)


@settings(max_examples=120, deadline=None)
@given(problem=whole_problems())
def test_it_is_as_cheap_as_the_readable_model_and_its_own_proof_says_so(problem: PlanningProblem) -> None:
    require_sound(problem)
    assume(problem.sessions or problem.site)
    try:
        expected = Oracle().solve(problem)
    except PlanningError:
        with pytest.raises(PlanningError):
            Highs().solve(problem)
        return
    found = Highs().solve(problem)
    assert kept(problem, found) == []
    mine, best = objective(problem, found), objective(problem, expected)
    if kept(problem, expected):
        # The readable model lets energy be burnt where that costs nothing: below the optimum, and no plan.
        assert mine >= best - 1e-6
    else:
        assert mine == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert found.proved
    if found.bound_eur is not None:
        assert -1e-9 <= (mine - found.bound_eur) / max(1.0, abs(mine)) <= 1e-6
    else:
        assert found.duals is None


def v2g_cars(n: int) -> list[SessionNeed]:
    random = np.random.default_rng(1)
    stored = random.uniform(10, 40, n)
    return [
        car(f"car {i}", 15.0, max_kw=11.0, battery=VehicleBattery(60.0, float(s), 5.0, 11.0))
        for i, s in enumerate(stored)
    ]


def test_vehicles_that_give_back_need_no_whole_numbers_while_energy_is_worth_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = depot(v2g_cars(10), 60.0, [0.1, 0.4, 0.1, 0.5, 0.2, 0.3])
    assert not write(problem, Apart.nowhere(problem)).lp.integer.any()
    highs = Highs()
    monkeypatch.setattr(highs._engine, "whole", None)
    found = highs.solve(problem)
    assert found.proved
    assert (found.power_kw < -1).any()
    assert kept(problem, found) == []


def test_where_burning_energy_would_pay_nobody_charges_and_gives_back_at_once() -> None:
    full = VehicleBattery(40.0, 40.0, 5.0, 11.0)
    problem = depot([car("a", 0.0, max_kw=11.0, battery=full)], None, [0.2, -0.5, -0.5, -0.3])
    found, expected = Highs().solve(problem), Oracle().solve(problem)
    assert kept(problem, found) == []
    assert objective(problem, found) == pytest.approx(objective(problem, expected), abs=1e-6)
    assert found.duals is None


@pytest.mark.parametrize("made", [Highs, Oracle])
def test_charging_rises_from_what_is_drawn_now_and_giving_back_ends_at_once(made: type[Solver]) -> None:
    rising = car("a", 20.0, departure_h=3, now_kw=4.0, ramp_kw_per_h=2.0)
    found = made().solve(depot([rising], None, [0.1, 0.2, 0.3]))
    np.testing.assert_allclose(found.power_kw, [[6, 8, 6]], atol=1e-6)
    half_steps = made().solve(depot([rising], None, [0.1, 0.2, 0.3], 0.5))
    np.testing.assert_allclose(half_steps.power_kw, [[5, 6, 7]], atol=1e-6)
    giving = replace(rising, energy_kwh=0.0, battery=VehicleBattery(40.0, 30.0, 5.0, 9.0), now_kw=-3.0)
    found = made().solve(depot([giving], None, [0.9, 0.1, 0.1]))
    counted_kwh = 2 + 4
    np.testing.assert_allclose(found.power_kw, [[-counted_kwh * 0.95**2, 2, 4]], atol=1e-6)


@pytest.mark.parametrize("made", [Highs, Oracle])
def test_a_vehicle_is_emptied_to_its_least_and_filled_to_its_capacity_with_losses_either_way(
    made: type[Solver],
) -> None:
    vehicle = VehicleBattery(21.6, 20.0, 14.0, 9.0, 0.8, 0.9)
    giving = car("a", 0.0, departure_h=1, battery=vehicle, shortfall_eur_per_kwh=0.05)
    # 6 kWh out of the battery are 5.4 at the meter.
    np.testing.assert_allclose(made().solve(depot([giving], None, [0.9, 0.2])).power_kw, [[-5.4, 0]], atol=1e-6)
    filled = replace(giving, energy_kwh=9.0, departure_h=2.0)
    # 1.6 kWh fit in, for which 2 are drawn.
    found = made().solve(depot([filled], None, [0.01, 0.02]))
    np.testing.assert_allclose(found.power_kw, [[2, 0]], atol=1e-6)


def test_limits_have_the_price_that_one_more_unit_would_save() -> None:
    cars = [car("a", 12.0, departure_h=2), car("b", 8.0, departure_h=2), car("c", 20.0, departure_h=2)]
    caps = [
        limit("wide", [1, 1, 1], [50, 50]),
        limit("site", [1, 1, 1], [9, 12]),
        limit("a alone", [2, 0, 0], [4, 20]),
    ]
    problem = depot(cars, None, [0.3, 0.1], 0.5, caps)
    duals = Highs().solve(problem).duals
    assert duals is not None
    before = objective(problem, Highs().solve(problem))
    for index, cap in enumerate(caps):
        for step in range(2):
            more = replace(cap, limit=cap.limit + 0.01 * (np.arange(2) == step))
            wider = replace(problem, caps=(*caps[:index], more, *caps[index + 1 :]))
            saved = before - objective(wider, Highs().solve(wider))
            assert saved == pytest.approx(0.01 * 0.5 * duals.cap[index, step], abs=1e-7)
    assert duals.cap[1].min() > 0
    assert duals.cap[2, 0] >= 0


@st.composite
def offered(draw: st.DrawFn) -> PlanningProblem:
    """Few cars whose imminent powers must be offerable, some of which can switch to one phase."""
    cars = [
        car(
            f"car {i}",
            draw(st.sampled_from([0.7, 5.0, 20.0])),
            draw(st.sampled_from([0.0, 0.5])),
            draw(st.sampled_from([1.5, 4.0])),
            max_kw=11.0,
            min_kw=4.14,
            step_kw=draw(st.sampled_from([0.0, 0.69])),
            single_phase=draw(st.sampled_from([None, SinglePhase(3.68, 1.38)])),
        )
        for i in range(draw(st.integers(1, 3)))
    ]
    loads = [np.full(len(cars), 1.45)] * 3
    singles = [4.35 * (np.arange(len(cars)) % 3 == phase) for phase in range(3)]
    switch = [s.single_phase is not None for s in cars]
    caps = [
        Cap(f"L{p}", load, np.full(3, draw(st.sampled_from([3.0, 8.0, 16.0]))), None, 0.0, np.where(switch, one, load))
        for p, (load, one) in enumerate(zip(loads, singles, strict=True))
    ]
    problem = depot(cars, None, [0.3, 0.1, 0.2], 1.0, caps)
    return replace(problem, offerable_steps=draw(st.integers(1, 2)))


@settings(max_examples=40, deadline=None)
@given(problem=offered())
def test_imminent_powers_can_be_offered_and_cost_no_less_than_free_ones(problem: PlanningProblem) -> None:
    found = Highs().solve(problem)
    assert kept(problem, found) == []
    assert found.proved
    mine = objective(problem, found)
    if not any(s.single_phase for s in problem.sessions):
        free = replace(problem, offerable_steps=0)
        assert mine >= objective(free, Highs().solve(free)) - 1e-6
    assert found.bound_eur is None or found.bound_eur <= mine + 1e-9


def crowded() -> PlanningProblem:
    """Two cars below a limit of which their offers cannot use all."""
    cars = [car(name, energy, min_kw=4.0, step_kw=1.5) for name, energy in (("a", 5.0), ("b", 9.0))]
    return replace(depot(cars, 11.3, [0.1], 1.0), offerable_steps=1)


def test_the_best_offer_is_the_best_of_all_offers() -> None:
    problem = crowded()
    # Offers are 4.5, 6, 7.5 and 9 kW, and the last of the energy: 5 kW for the first car.
    offers = [(a, b) for a in (0, 4.5, 5) for b in (0, 4.5, 6, 7.5, 9) if a + b <= 11.3]
    best = min(14 - a - b + 0.1 * (a + b) for a, b in offers)
    assert objective(problem, Highs().solve(problem)) == pytest.approx(best, abs=1e-6)


def test_a_last_bit_below_the_lowest_offer_is_delivered() -> None:
    problem = replace(depot([car("a", 0.5, departure_h=1, min_kw=4.0)], 11.0, [0.1], 1.0), offerable_steps=1)
    np.testing.assert_allclose(Highs().solve(problem).power_kw, [[0.5]], atol=1e-6)


def test_no_time_is_no_plan() -> None:
    with pytest.raises(PlanningError, match=r"no time left|Time limit"):
        Highs().solve(depot([car("a", 15)], site_kw=12), deadline_s=0.0)


class Stopped:
    """HiGHS whose search for whole numbers ends for lack of time, with a point of somebody's choice."""

    def __init__(self, highs: Any, point: float | None) -> None:
        self._highs, self._point, self._whole = highs, point, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._highs, name)

    def passModel(self, model: Any) -> Any:  # noqa: N802 -- as HiGHS calls it
        self._whole = bool(model.integrality_)
        return self._highs.passModel(model)

    def getModelStatus(self) -> Any:  # noqa: N802 -- as HiGHS calls it
        return highspy.HighsModelStatus.kTimeLimit if self._whole else self._highs.getModelStatus()

    def getSolution(self) -> Any:  # noqa: N802 -- as HiGHS calls it
        solution = self._highs.getSolution()
        if self._whole and self._point is not None:
            solution.col_value = [self._point] * len(solution.col_value)
        return solution


@pytest.mark.parametrize(("point", "why"), [(0.0, "doing nothing"), (9.0, "breaks"), (float("nan"), "breaks")])
def test_a_search_stopped_without_a_good_point_is_no_plan(point: float, why: str) -> None:
    problem = crowded()
    highs = Highs()
    highs._engine._highs = Stopped(highs._engine._highs, point)
    with pytest.raises(PlanningError, match=why):
        highs.solve(problem)


def test_a_search_stopped_at_a_good_point_is_believed_but_not_called_proved() -> None:
    problem = crowded()
    highs = Highs()
    highs._engine._highs = Stopped(highs._engine._highs, None)
    found = highs.solve(problem)
    assert not found.proved
    assert kept(problem, found) == []
    assert found.bound_eur is not None
    assert found.bound_eur <= objective(problem, found)


def test_a_limit_that_cannot_be_kept_is_said() -> None:
    impossible = Cap("feed", np.ones(1), np.full(1, 50.0), floor=np.full(1, 20.0))
    with pytest.raises(PlanningError, match="Infeasible"):
        Highs().solve(depot([car("a", 15)], None, [0.1], 1.0, [impossible]))


def test_a_solver_kept_for_many_problems_answers_like_a_new_one() -> None:
    kept_one = Highs()
    for n in (3, 1, 5, 3):
        problem = depot([car(f"{i}", 5 + i, departure_h=2 + i) for i in range(n)], 9.0, [0.3, 0.1, 0.2, 0.4])
        again, anew = kept_one.solve(problem), Highs().solve(problem)
        assert objective(problem, again) == pytest.approx(objective(problem, anew), abs=1e-9)


def test_somebody_elses_threads_in_the_same_process_do_not_stop_it() -> None:
    highspy.Highs.resetGlobalScheduler(True)
    other = highspy.Highs()
    other.setOptionValue("output_flag", False)
    other.setOptionValue("threads", 3)
    other.addVar(0.0, 1.0)
    other.run()
    try:
        assert Highs().solve(depot([car("a", 15)], site_kw=12)).proved
    finally:
        highspy.Highs.resetGlobalScheduler(True)


@pytest.mark.parametrize("made", [Highs, Oracle])
def test_a_battery_near_full_takes_less_from_step_to_step(made: type[Solver]) -> None:
    """10 kW until 5 kWh are in, then a line down to 0 at 15: 10 in the first hour leave 5 kW, those leave none."""
    tapering = car("a", 30.0, taper=Taper(5.0, 15.0))
    found = made().solve(depot([tapering], None, [0.1, 0.2, 0.3, 0.4]))
    np.testing.assert_allclose(found.power_kw, [[10, 5, 0, 0]], atol=1e-6)
    half_hours = made().solve(depot([tapering], None, [0.1, 0.2, 0.3], 0.5))
    np.testing.assert_allclose(half_hours.power_kw, [[10, 10, 5]], atol=1e-6)


def test_a_start_from_which_the_simplex_loses_its_way_is_no_end_of_it() -> None:
    # HiGHS 1.15 answers "Unknown" to this one from the start that is given to it.
    battery = VehicleBattery(capacity_kwh=20, stored_kwh=0, discharge_max_kw=2)
    cars = [
        car("a", 0, departure_h=np.inf, max_kw=11.04, battery=battery),
        car("b", 6, arrival_h=-5, departure_h=3, max_kw=7.36),
    ]
    cap = Cap("grid", np.ones(2), np.array([59.0, 9.0, 59.0, 59.0]), np.array([0.0, -9.0, 0.0, 0.0]))
    problem = earlier_first(served_first(depot(cars, None, [0.3] * 4, caps=[cap])))
    assert Highs().solve(problem).power_kw.sum() == pytest.approx(6.0)
