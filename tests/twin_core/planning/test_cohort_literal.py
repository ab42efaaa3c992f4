"""The thesis' cohort model as it stands, on days small enough to follow by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from twin_core.errors import PlanningError
from twin_core.planning.cohort_literal import (
    CohortModel,
    cohort_fifs,
    solve_cohort_literal,
    thesis_dissatisfaction,
    thesis_leave,
)

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


def thesis_day(*, charge_then_depart: bool = False) -> CohortModel:
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
    )


def test_where_waiting_is_dear_everybody_charges_at_once() -> None:
    run = solve_cohort_literal(NOBODY_LEAVES)
    np.testing.assert_allclose(run.power_kw, [40, 40, 0], atol=1e-6)
    assert run.energy_eur == pytest.approx(40 * 0.5 * 0.4 + 40 * 0.5 * 0.1)
    assert (run.delivered_kwh, run.unserved_kwh) == (pytest.approx(40), pytest.approx(0, abs=1e-6))


def test_where_waiting_costs_nothing_the_cheap_steps_are_taken_as_far_as_energy_is_asked_for() -> None:
    lazy = replace(NOBODY_LEAVES, waiting_eur=0.0)
    np.testing.assert_allclose(solve_cohort_literal(lazy).power_kw, 0, atol=1e-6)
    np.testing.assert_allclose(solve_cohort_literal(lazy, least_kwh=40).power_kw, [0, 40, 40], atol=1e-6)
    with pytest.raises(PlanningError, match="no optimum: infeasible"):
        solve_cohort_literal(lazy, least_kwh=41)


def test_the_limit_holds_for_optimum_and_rule() -> None:
    narrow = replace(NOBODY_LEAVES, limit_kw=np.array([15.0, 5.0, 20.0]))
    np.testing.assert_allclose(solve_cohort_literal(narrow, least_kwh=20).power_kw, [15, 5, 20], atol=1e-6)
    assert (solve_cohort_literal(narrow).power_kw <= narrow.limit_kw + 1e-6).all()
    np.testing.assert_allclose(cohort_fifs(narrow).power_kw, [15, 5, 20])


@pytest.mark.parametrize("charge_then_depart", [False, True])
def test_every_car_is_somewhere(charge_then_depart: bool) -> None:
    day = thesis_day(charge_then_depart=charge_then_depart)
    for run in (solve_cohort_literal(day), cohort_fifs(day)):
        wanted_kwh = float((day.arrivals @ np.arange(11)).sum()) * day.power_kw * day.step_h
        if charge_then_depart:
            assert run.delivered_kwh + run.unserved_kwh == pytest.approx(wanted_kwh)
        assert run.waiting.min() >= -1e-6
        assert run.power_kw.max() <= 3300 + 1e-6


@pytest.mark.parametrize("charge_then_depart", [False, True])
def test_the_optimum_costs_less_than_the_rule_and_a_good_part_of_it_is_energy_not_delivered(
    charge_then_depart: bool,
) -> None:
    day = thesis_day(charge_then_depart=charge_then_depart)
    best, rule = solve_cohort_literal(day), cohort_fifs(day)
    assert best.proved
    assert not rule.proved
    assert best.objective_eur <= rule.objective_eur + 1e-6
    assert best.delivered_kwh < rule.delivered_kwh
    fair = solve_cohort_literal(day, least_kwh=rule.delivered_kwh)
    assert best.energy_eur < fair.energy_eur <= rule.energy_eur + 1e-6


def test_most_cars_leave_short_under_the_published_rates() -> None:
    day = thesis_day()
    assert solve_cohort_literal(day).left_short > 0.8 * day.arrivals.sum()
