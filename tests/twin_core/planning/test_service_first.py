"""The default planner: energy first, then people, then money."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, energy_kwh
from twin_core.models.problem import Array, Cap, PlanningProblem, SessionNeed, Taper, VehicleBattery
from twin_core.planning.check import violations
from twin_core.planning.precedence import first_in_line_now
from twin_core.planning.quick_charge import QuickCharge
from twin_core.planning.service_first import ServiceFirst


@st.composite
def crowded(draw: st.DrawFn) -> PlanningProblem:
    """Cars below one cap that is often too small."""
    cars = [
        car(
            f"car {i}",
            draw(st.floats(1.0, 40.0)),
            draw(st.sampled_from([0.0, 0.0, 1.0])),
            draw(st.floats(1.0, 6.0)),
            priority=draw(st.sampled_from([0.5, 1.0, 2.0])),
        )
        for i in range(draw(st.integers(1, 6)))
    ]
    prices = draw(st.lists(st.sampled_from([-0.05, 0.05, 0.1, 0.3]), min_size=6, max_size=6))
    return depot(cars, draw(st.floats(1.0, 40.0)), prices)


def full(problem: PlanningProblem, power_kw: Array) -> float:
    """Summed priority of those who get all they want."""
    got = energy_kwh(problem, power_kw)
    return sum(s.priority for s, e in zip(problem.sessions, got, strict=True) if e >= s.energy_kwh - 1e-4)


@settings(max_examples=15, deadline=None)
@given(crowded())
def test_no_plan_delivers_more_energy(problem: PlanningProblem) -> None:
    mine, most = ServiceFirst().plan(problem), QuickCharge().plan(problem)
    assert mine.power_kw.sum() == pytest.approx(most.power_kw.sum(), abs=1e-4, rel=1e-6)
    assert not violations(problem, mine.power_kw)


@settings(max_examples=15, deadline=None)
@given(crowded())
def test_at_that_energy_no_fewer_are_served_in_full_than_by_quick_charge(problem: PlanningProblem) -> None:
    assert full(problem, ServiceFirst().plan(problem).power_kw) >= full(problem, QuickCharge().plan(problem).power_kw)


def test_a_shortfall_falls_on_the_one_who_wants_most_instead_of_on_everybody() -> None:
    problem = depot([car("big", 40), car("a", 10), car("b", 10), car("c", 10)], 10)
    assert energy_kwh(problem, ServiceFirst().plan(problem).power_kw) == pytest.approx([10, 10, 10, 10], abs=1e-4)


def test_who_waited_through_earlier_days_is_served_before_one_who_wants_less() -> None:
    problem = depot([car("owed", 40, priority=9), car("a", 10), car("b", 10)], 12, prices=(0.2,) * 4)
    assert energy_kwh(problem, ServiceFirst().plan(problem).power_kw)[0] == pytest.approx(40, abs=1e-4)


def test_money_is_saved_where_that_costs_nobody_energy() -> None:
    problem = depot([car("only", 10)], 20, prices=(0.4, 0.1, 0.4, 0.4))
    assert ServiceFirst().plan(problem).power_kw[0] == pytest.approx([0, 10, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    "cannot",
    [
        {"battery": VehicleBattery(30.0, 25.0, 10.0, 5.0, charge_efficiency=1.0)},
        {"taper": Taper(2.0, 5.0)},
        {"ramp_kw_per_h": 0.5},
    ],
    ids=["full battery", "taper", "ramp"],
)
def test_a_car_that_can_take_no_more_even_alone_makes_nobody_pay_the_dear_hours(cannot: dict[str, Any]) -> None:
    problem = depot([car("cannot", 30, **cannot), car("waits", 10)], 40, prices=(0.4, 0.1, 0.4, 0.4))
    assert ServiceFirst().plan(problem).power_kw[1] == pytest.approx([0, 10, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("awkward", "cap_kw"),
    [
        (car("awkward", 30), 3.0),
        (car("awkward", 16, departure_h=2.0, taper=Taper(0.0, 16.5)), None),
        (car("awkward", 15, departure_h=2.0, ramp_kw_per_h=3.0), None),
        (car("awkward", 30, battery=VehicleBattery(20.0, 10.0, discharge_max_kw=5.0)), None),
    ],
    ids=["cable", "taper", "ramp", "room in a battery"],
)
def test_one_who_could_not_be_full_even_alone_makes_nobody_charge_in_a_dear_hour(
    awkward: SessionNeed, cap_kw: float | None
) -> None:
    cable = [] if cap_kw is None else [Cap("cable", np.array([0.0, 1.0]), np.full(4, cap_kw))]
    problem = depot([car("patient", 10), awkward], 40, prices=(0.4, 0.4, 0.4, 0.1), caps=cable)
    assert ServiceFirst().plan(problem).power_kw[0] == pytest.approx([0, 0, 0, 10], abs=1e-6)


def test_nothing_is_put_off_into_an_hour_for_which_a_crowd_is_expected() -> None:
    here = car("here", 10)
    crowd = car("crowd", 10, 1.0, 2.0, priority=1e-6)
    problem = depot([here, crowd], 10, prices=(0.4, 0.1, 0.5, 0.5))
    assert ServiceFirst().plan(problem).power_kw[0, 0] == pytest.approx(10, abs=1e-6)


def test_who_comes_first_in_line_goes_first_and_nobody_loses_by_it() -> None:
    problem = depot([car("a", 10), car("b", 10)], 10)
    moved = first_in_line_now(problem, np.array([[0.0, 10, 0, 0], [10, 0, 0, 0]]), np.array([0.0, 1.0]))
    assert moved.tolist() == [[10, 0, 0, 0], [0, 10, 0, 0]]


def test_nobody_lets_another_go_first_who_will_be_gone_by_then() -> None:
    problem = depot([car("a", 10), car("b", 10, departure_h=1.0)], 10)
    power_kw = np.array([[0.0, 10, 0, 0], [10, 0, 0, 0]])
    assert first_in_line_now(problem, power_kw, np.array([0.0, 1.0])).tolist() == power_kw.tolist()


def test_of_those_who_will_be_full_the_one_who_leaves_first_goes_first() -> None:
    problem = depot([car("soon done", 5), car("leaves", 10, departure_h=3.0), car("too much", 40)], 10)
    assert ServiceFirst().plan(problem).power_kw[:, 0] == pytest.approx([0, 10, 0], abs=1e-6)


def unsure(name: str, kwh: float, likely_h: float, **other: float) -> SessionNeed:
    """A car that is counted on for four hours and will likely stay for `likely_h`."""
    return car(name, kwh, departure_h=4.0, likely_departure_h=likely_h, **other)


def first_served(*cars: SessionNeed, site_kw: float = 10.0) -> str:
    power_kw = ServiceFirst().plan(depot(cars, site_kw)).power_kw[:, 0]
    return str(cars[int(np.argmax(power_kw))].session_id)


def test_where_nobody_knows_who_leaves_when_the_likely_first_goes_first() -> None:
    assert first_served(unsure("stays", 30, 9.0), unsure("leaves", 30, 5.0)) == "leaves"
    assert first_served(unsure("leaves", 30, 5.0), unsure("stays", 30, 9.0)) == "leaves"


def test_in_a_crowd_who_is_soon_done_goes_first_and_among_few_who_needs_longest() -> None:
    two = unsure("little", 10, 8.0), unsure("much", 40, 8.0)
    crowd = tuple(unsure(f"other {i}", 40, 12.0) for i in range(6))
    assert first_served(*two) == "much"
    assert first_served(*two, *crowd) == "little"


def test_who_is_owed_goes_first_though_others_are_likely_to_leave_sooner() -> None:
    assert first_served(unsure("leaves", 30, 5.0), unsure("owed", 30, 8.0, priority=3.0)) == "owed"


@settings(max_examples=15, deadline=None)
@given(crowded(), st.lists(st.floats(0.5, 8.0), min_size=6, max_size=6), st.booleans())
def test_a_line_uses_the_limits_now_as_much_as_quick_charge_does(
    problem: PlanningProblem, likely_h: list[float], two_groups: bool
) -> None:
    sessions = tuple(replace(s, likely_departure_h=h) for s, h in zip(problem.sessions, likely_h, strict=False))
    unsure_problem = replace(problem, sessions=sessions)
    if two_groups:
        half = np.arange(len(sessions)) % 2
        caps = (*problem.caps, Cap("feeder", half.astype(float), problem.caps[0].limit / 3))
        unsure_problem = replace(unsure_problem, caps=caps)
    mine, most = ServiceFirst().plan(unsure_problem), QuickCharge().plan(unsure_problem)
    assert not violations(unsure_problem, mine.power_kw)
    if mine.power_kw.sum() < most.power_kw.sum() - 1e-3:
        assert mine.power_kw[:, 0].sum() == pytest.approx(most.power_kw[:, 0].sum(), abs=1e-4)


def test_a_line_does_not_give_a_car_more_than_its_own_limit() -> None:
    cars = unsure("first", 30, 5.0), unsure("second", 30, 9.0)
    problem = depot(cars, 10, caps=[Cap("cable", np.array([1.0, 0.0]), np.full(4, 3.0))])
    assert ServiceFirst().plan(problem).power_kw[:, 0] == pytest.approx([3, 7], abs=1e-6)


def test_who_is_first_in_line_does_not_shut_two_lines_on_which_two_others_could_charge() -> None:
    cars = unsure("on both", 40, 5.0), unsure("on one", 40, 9.0), unsure("on the other", 40, 9.0)
    lines = [Cap("one", np.array([1.0, 1, 0]), np.full(4, 10.0)), Cap("other", np.array([1.0, 0, 1]), np.full(4, 10.0))]
    assert ServiceFirst().plan(depot(cars, caps=lines)).power_kw[:, 0] == pytest.approx([0, 10, 10], abs=1e-6)


def test_a_crowded_hall_makes_the_other_one_pay_no_dear_hours() -> None:
    halls = [
        Cap("hall A", np.array([1.0, 1.0, 0.0]), np.full(4, 6.0)),
        Cap("hall B", np.array([0.0, 0.0, 1.0]), np.full(4, 20.0)),
    ]
    cars = [car("a", 20), car("b", 20), car("c", 20)]
    plan = ServiceFirst().plan(depot(cars, None, prices=(0.4, 0.4, 0.1, 0.1), caps=halls))
    assert plan.power_kw[:2].sum(axis=0) == pytest.approx([6, 6, 6, 6], abs=1e-5)
    assert plan.power_kw[2] == pytest.approx([0, 0, 10, 10], abs=1e-5)


def test_who_loads_a_full_limit_with_one_who_goes_short_does_not_wait_for_cheap_hours() -> None:
    shared = [Cap("both", np.array([1.0, 1.0, 1.0]), np.full(4, 12.0))]
    cars = [car("a", 30), car("b", 20), car("c", 4)]
    plan = ServiceFirst().plan(depot(cars, None, prices=(0.4, 0.4, 0.1, 0.1), caps=shared))
    assert plan.power_kw.sum(axis=0) == pytest.approx([12, 12, 12, 12], abs=1e-5)
