"""The thesis' cohort model as it stands, on days small enough to follow by hand, and the planner made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.twin_core.planning.problems import car, depot, energy_kwh, limit, rich_problems
from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem, Taper
from twin_core.planning.bounds import bounds_of
from twin_core.planning.check import violations
from twin_core.planning.cohort_classes import (
    CohortModel,
    first_served,
    followed,
    thesis_dissatisfaction,
    thesis_leave,
)
from twin_core.planning.cohort_literal import ClassifiedDay, CohortLiteral, classified
from twin_core.planning.cohort_optimum import cheapest
from twin_core.planning.table import planner

NOBODY_LEAVES = CohortModel(
    price_eur_per_kwh=np.array([0.4, 0.1, 0.2]),
    arrivals=np.zeros((3, 3)),
    leave=np.zeros(3),
    dissatisfaction=thesis_dissatisfaction(2),
    waiting_eur=100.0,
    power_kw=10.0,
    limit_kw=1000.0,
    step_h=0.5,
    first=np.array([0.0, 0.0, 4.0]),
)

READINGS = [(False, False), (False, True), (True, False)]
"""Whether charging comes before leaving, and whether only who stays is charged."""


def thesis_day(*, charge_then_depart: bool = False, only_who_stays: bool = False) -> CohortModel:
    """Set-up (c) with a made-up level of arrivals and two-peak prices."""
    t = np.arange(144) / 6
    rate = 1 + 14 * np.exp(-((t - 6) ** 2) / 4) + 14 * np.exp(-((t - 17) ** 2) / 4)
    mix = np.arange(1.0, 12.0) / 66
    price = 0.11 + 0.03 * np.sin((t - 4) / 24 * 4 * np.pi)
    return CohortModel(
        price,
        np.outer(rate / 6 * 5, mix),
        thesis_leave(10),
        thesis_dissatisfaction(10),
        1.3,
        22.0,
        3300.0,
        1 / 6,
        charge_then_depart=charge_then_depart,
        only_who_stays=only_who_stays,
    )


# The model.


@st.composite
def models(draw: st.DrawFn) -> CohortModel:
    """Up to six steps of up to three classes that want something."""
    n, n_steps = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    cars = st.floats(0.0, 9.0, allow_subnormal=False)
    return CohortModel(
        price_eur_per_kwh=np.array(
            draw(st.lists(st.floats(-0.2, 0.6, allow_subnormal=False), min_size=n_steps, max_size=n_steps))
        ),
        arrivals=np.array(draw(st.lists(cars, min_size=n_steps * (n + 1), max_size=n_steps * (n + 1)))).reshape(
            n_steps, n + 1
        ),
        leave=np.array(draw(st.lists(st.floats(0.0, 1.0, allow_subnormal=False), min_size=n + 1, max_size=n + 1))),
        dissatisfaction=np.array(
            [0.0, *draw(st.lists(st.floats(0.0, 2.0, allow_subnormal=False), min_size=n, max_size=n))]
        ),
        waiting_eur=draw(st.sampled_from([0.0, 0.5, 3.0])),
        power_kw=10.0,
        limit_kw=draw(st.sampled_from([0.0, 15.0, 1000.0])),
        step_h=draw(st.sampled_from([0.25, 1.0])),
        first=np.array(draw(st.lists(cars, min_size=n + 1, max_size=n + 1))),
        charge_then_depart=draw(st.booleans()),
        only_who_stays=draw(st.booleans()),
    )


def literal_optimum(model: CohortModel) -> float:
    """3.3 as one reads it, with dense rows: columns are c(0…T−1), then x(1…T)."""
    n_steps, m = model.arrivals.shape
    n_c, x_0 = n_steps * m, model.start()
    stays, moves = np.diag(model.stays), model.moves
    equal, equals = np.zeros((n_c, 2 * n_c)), model.arrivals.ravel().copy()
    below, limits = np.zeros((n_c, 2 * n_c)), np.zeros(n_c)
    cost = np.concatenate([np.repeat(model.price_eur_per_kwh * model.car_step_kwh, m), np.zeros(n_c)])
    for t in range(n_steps):
        c, x, before = slice(t * m, t * m + m), slice(n_c + t * m, n_c + t * m + m), slice(n_c + t * m - m, n_c + t * m)
        equal[c, c], equal[c, x] = -moves, np.eye(m)
        below[c, c] = np.eye(m)
        if t == 0:
            equals[c] += stays @ x_0
            limits[c] = model.chargeable * x_0
        else:
            equal[c, before] = -stays
            below[c, before] = -np.diag(model.chargeable)
            cost[before] = model.waiting_eur * model.dissatisfaction
    together = np.hstack([np.kron(np.eye(n_steps), np.ones(m)), np.zeros((n_steps, n_c))])
    found = linprog(
        cost,
        A_ub=np.vstack([below, together]),
        b_ub=np.concatenate([limits, model.limits_kw / model.power_kw]),
        A_eq=equal,
        b_eq=equals,
        method="highs",
    )
    assert found.status == 0
    return float(found.fun) + model.waiting_eur * float(model.dissatisfaction @ x_0)


@settings(max_examples=80, deadline=None)
@given(model=models())
def test_the_optimum_is_that_of_the_model_as_one_reads_it(model: CohortModel) -> None:
    run = cheapest(model)
    assert run.proved
    assert run.objective_eur == pytest.approx(literal_optimum(model), rel=1e-6, abs=1e-5)


@settings(max_examples=80, deadline=None)
@given(model=models())
def test_no_rule_beats_the_optimum_nor_that_at_the_rule_s_own_energy(model: CohortModel) -> None:
    best = cheapest(model)
    for order in ("most_wanting", "equally"):
        rule = first_served(model, order)
        assert best.objective_eur <= rule.objective_eur + 1e-4
        same = cheapest(model, energy_kwh=rule.delivered_kwh)
        assert same.delivered_kwh == pytest.approx(rule.delivered_kwh, abs=1e-4)
        assert same.energy_eur <= rule.energy_eur + 1e-4


def test_energy_that_came_with_a_trace_of_a_car_is_delivered() -> None:
    arrivals = np.zeros((4, 2))
    arrivals[2, 1] = 3.4e-12
    model = CohortModel(
        price_eur_per_kwh=np.array([0.0, 0.0, 0.0, 0.5]),
        arrivals=arrivals,
        leave=np.array([0.0, 0.5]),
        dissatisfaction=np.zeros(2),
        waiting_eur=0.0,
        power_kw=10.0,
        limit_kw=15.0,
        step_h=0.25,
        first=np.array([0.0, 1.0]),
    )
    rule = first_served(model)
    assert cheapest(model, energy_kwh=rule.delivered_kwh).delivered_kwh == pytest.approx(rule.delivered_kwh)


def test_where_waiting_is_dear_everybody_charges_at_once() -> None:
    run = cheapest(NOBODY_LEAVES)
    np.testing.assert_allclose(run.power_kw, [40, 40, 0], atol=1e-6)
    assert run.energy_eur == pytest.approx(40 * 0.5 * 0.4 + 40 * 0.5 * 0.1)
    assert (run.delivered_kwh, run.unserved_kwh) == (pytest.approx(40), pytest.approx(0, abs=1e-6))


def test_where_waiting_costs_nothing_the_cheap_steps_are_taken_as_far_as_energy_is_asked_for() -> None:
    lazy = replace(NOBODY_LEAVES, waiting_eur=0.0)
    np.testing.assert_allclose(cheapest(lazy).power_kw, 0, atol=1e-6)
    np.testing.assert_allclose(cheapest(lazy, energy_kwh=40).power_kw, [0, 40, 40], atol=1e-6)
    with pytest.raises(PlanningError, match="found no plan: Infeasible"):
        cheapest(lazy, energy_kwh=41)


def test_at_given_energy_no_more_waiting_than_allowed_moves_charging_forward() -> None:
    run = cheapest(NOBODY_LEAVES, energy_kwh=40, most_waiting=4 + 4)
    np.testing.assert_allclose(run.power_kw, [40, 40, 0], atol=1e-4)
    assert run.waiting_car_steps == pytest.approx(8, abs=1e-5)


def test_the_limit_holds_for_optimum_and_rule() -> None:
    narrow = replace(NOBODY_LEAVES, limit_kw=np.array([15.0, 5.0, 20.0]))
    np.testing.assert_allclose(cheapest(narrow, energy_kwh=20).power_kw, [15, 5, 20], atol=1e-6)
    assert (cheapest(narrow).power_kw <= narrow.limit_kw + 1e-6).all()
    np.testing.assert_allclose(first_served(narrow).power_kw, [15, 5, 20])


def test_below_a_limit_the_text_serves_the_most_wanting_first_and_the_formula_everybody_equally() -> None:
    narrow = replace(NOBODY_LEAVES, limit_kw=15.0, first=np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(first_served(narrow).charging[0], [0, 0, 1.5])
    np.testing.assert_allclose(first_served(narrow, "equally").charging[0], [0, 0.5, 1.0])


def test_a_rule_that_charges_only_who_stays_charges_nobody_of_a_class_that_leaves_at_once() -> None:
    leaving = replace(NOBODY_LEAVES, leave=np.array([0.0, 0.25, 1.0]), arrivals=np.array([[0, 0, 4.0]] * 3))
    assert first_served(replace(leaving, only_who_stays=True)).delivered_kwh == 0
    assert first_served(leaving).delivered_kwh > 0
    kept = cheapest(replace(leaving, only_who_stays=True))
    assert kept.delivered_kwh == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("charge_then_depart", "only_who_stays"), READINGS)
def test_on_the_thesis_day_the_optimum_is_proved_and_a_good_part_of_what_it_saves_is_energy_not_delivered(
    charge_then_depart: bool, only_who_stays: bool
) -> None:
    """Long chains of states are what HiGHS' presolve loses digits in: 144 steps of ten classes."""
    day = thesis_day(charge_then_depart=charge_then_depart, only_who_stays=only_who_stays)
    best, rule = cheapest(day), first_served(day)
    assert best.proved
    assert not rule.proved
    assert best.objective_eur <= rule.objective_eur + 1e-6
    assert best.delivered_kwh < rule.delivered_kwh
    same = cheapest(day, energy_kwh=rule.delivered_kwh)
    assert same.proved
    assert best.energy_eur < same.energy_eur <= rule.energy_eur + 1e-6


@pytest.mark.parametrize("seed", range(2))
def test_whole_cars_by_chance_do_not_cost_the_optimum_its_proof(seed: int) -> None:
    """The simplex method breaks rows of such a day along its 144 steps, or stops."""
    day = thesis_day()
    cars = np.random.default_rng(seed).poisson(1.5 * day.arrivals).astype(float)
    cars[:, 0] = 0.0
    assert cheapest(replace(day, arrivals=cars)).proved


def test_most_cars_leave_short_under_the_published_rates() -> None:
    day = thesis_day()
    assert cheapest(day).left_short > 0.8 * day.arrivals.sum()


def test_where_nobody_is_charged_everybody_leaves_short_or_is_still_there() -> None:
    day = thesis_day()
    run = followed(day, np.zeros_like(day.arrivals))
    assert run.left_short + run.waiting[-1, 1:].sum() == pytest.approx(day.arrivals[:, 1:].sum())
    assert run.unserved_kwh == pytest.approx(day.wanted_kwh)


def test_more_cars_charging_than_there_are_is_found_out() -> None:
    with pytest.raises(PlanningError, match="breaks its rows by 1 cars"):
        followed(NOBODY_LEAVES, np.array([[0, 0, 5.0], [0, 0, 0], [0, 0, 0]]))


def test_a_weight_on_those_who_want_nothing_is_refused() -> None:
    with pytest.raises(PlanningError, match=r"dissatisfaction\[0\] is 1.0"):
        replace(NOBODY_LEAVES, dissatisfaction=np.ones(3))


# The planner.


def seen(problem: PlanningProblem, n: int = 10) -> ClassifiedDay:
    bounds = bounds_of(problem)
    return classified(problem, bounds, bounds.wanted_kwh > 0, n)


def notes(plan: Plan) -> str:
    assert plan.reasons is not None
    return "\n".join(plan.reasons.notes)


def test_a_problem_s_sessions_are_counted_by_class_and_moment() -> None:
    cars = [car("a", 20), car("b", 21), car("c", 4), car("later", 40, arrival_h=1.5, departure_h=3)]
    wider = limit("wider", [2, 2, 2, 2], [70] * 4)
    model = seen(depot(cars, 25, [0.1, 0.2, 0.3, 0.4], caps=[wider])).model
    assert (model.power_kw, model.step_h, model.n_classes) == (10, 1, 11)
    assert model.first is not None
    np.testing.assert_array_equal(np.flatnonzero(model.first), [1, 2])
    assert model.first[2] == 2
    assert model.arrivals[1, 4] == model.arrivals.sum() == 1
    np.testing.assert_allclose(model.limits_kw, 25)
    np.testing.assert_allclose(model.price_eur_per_kwh, [0.1, 0.2, 0.3, 0.4])


def test_a_class_leaves_at_the_rate_at_which_its_sessions_do() -> None:
    cars = [car("stays", 10), car("a", 20, departure_h=1), car("b", 20, departure_h=3), car("c", 30, departure_h=4)]
    leave = seen(depot(cars)).model.leave
    np.testing.assert_allclose(leave[1:4], [0, 2 / 4, 1 / 4])
    np.testing.assert_allclose(leave[[0, 4]], 3 / 12)


def test_a_wish_of_more_than_n_steps_makes_the_model_s_steps_longer() -> None:
    day = seen(depot([car("a", 40), car("b", 10)], None, [0.1, 0.3, 0.1, 0.5]), n=2)
    assert (day.model.step_h, day.model.n_steps) == (2, 2)
    np.testing.assert_allclose(day.model.price_eur_per_kwh, [0.2, 0.3])
    np.testing.assert_allclose(day.overlap_h.sum(axis=1), 1)


def test_who_stays_is_charged_in_full_and_in_the_cheap_steps_that_waiting_allows() -> None:
    problem = depot([car("a", 10), car("b", 20)], 20)
    plan = CohortLiteral().plan(problem)
    assert energy_kwh(problem, plan.power_kw) == pytest.approx([10, 20], abs=1e-5)
    assert plan.status is PlanStatus.FEASIBLE
    assert "repaired" not in notes(plan)


def test_what_the_model_gives_a_class_goes_to_those_who_want_as_much() -> None:
    """With one place and all waiting alike, the model finishes the small wish first, whoever can wait least."""
    problem = depot([car("much", 20, departure_h=8), car("little", 10, departure_h=8)], 10)
    plan = CohortLiteral().plan(problem)
    assert plan.power_kw[1, 0] == pytest.approx(10, abs=1e-5)


def test_what_a_class_cannot_take_goes_to_others_and_what_nobody_can_is_said() -> None:
    """All cars charge alike in the model: it takes both for done when the slow one has half of what it wants."""
    problem = depot([car("fast", 20, max_kw=15.0), car("slow", 20, max_kw=5.0)])
    plan = CohortLiteral().plan(problem)
    assert energy_kwh(problem, plan.power_kw) == pytest.approx([20, 10], abs=1e-4)
    assert "10.0 kWh were meant for cars that had left, were full or not there yet" in notes(plan)


def test_what_the_model_charges_after_a_car_left_is_lost_and_said() -> None:
    problem = depot([car("short stay", 20, departure_h=1), car("long stay", 20, departure_h=4)])
    plan = CohortLiteral().plan(problem)
    assert "cars leave short" in notes(plan)
    assert violations(problem, plan.power_kw) == []
    assert (plan.power_kw[0, 1:] == 0).all()


def test_a_limit_that_the_model_does_not_know_is_kept_and_said() -> None:
    cars = [car("a", 20), car("b", 20), car("free", 20)]
    problem = depot(cars, caps=[limit("feeder", [1, 1, 0], [8] * 4)])
    plan = CohortLiteral().plan(problem)
    assert plan.power_kw[:2].sum(axis=0).max() <= 8 + 1e-6
    assert "above limits that the model does not know" in notes(plan)


def test_a_battery_that_fills_slowly_takes_what_it_can() -> None:
    problem = depot([car("a", 20, taper=Taper(5.0, 20.0))])
    plan = CohortLiteral().plan(problem)
    assert violations(problem, plan.power_kw) == []
    assert "does not know" in notes(plan)


@settings(max_examples=60, deadline=None)
@given(problem=rich_problems())
def test_whatever_a_problem_holds_its_plan_keeps_the_limits(problem: PlanningProblem) -> None:
    plan = planner("cohort_literal").plan(problem)
    assert violations(problem, plan.power_kw) == []
    assert (plan.power_kw >= 0).all()
