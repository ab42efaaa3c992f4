"""Scenarios of stays: nothing that never happened, nothing that can no longer happen."""

from __future__ import annotations

import numpy as np
import pytest

from twin_core.errors import PlanningError
from twin_core.forecasting.stay_scenarios import arrival_scenarios, departure_scenarios, energy_scenarios
from twin_core.forecasting.stays import PastStay

RNG = np.random.default_rng(0)


def test_who_has_stayed_three_hours_is_not_expected_to_leave_before_that() -> None:
    past = np.array([1.0, 2.0, 4.0, 6.0])
    drawn = departure_scenarios(past, np.array([0.0, 3.0]), np.array([5.0, 5.0]), 200, np.random.default_rng(0))
    assert drawn.shape == (200, 2)
    assert set(drawn[:, 0]) == {1.0, 2.0, 4.0, 6.0}
    assert set(drawn[:, 1]) == {1.0, 3.0}


def test_who_stays_longer_than_anybody_before_is_believed() -> None:
    drawn = departure_scenarios(np.array([1.0, 2.0]), np.array([2.0]), np.array([7.5]), 4, RNG)
    assert set(drawn[:, 0]) == {7.5}
    assert set(departure_scenarios(np.array([]), np.array([0.0]), np.array([3.0]), 4, RNG)[:, 0]) == {3.0}
    with pytest.raises(PlanningError, match="past stays"):
        departure_scenarios(np.array([np.nan]), np.array([0.0]), np.array([3.0]), 4, RNG)


def test_energies_are_off_by_what_past_ones_were_off_by_and_fit_into_the_vehicle() -> None:
    drawn = energy_scenarios(np.array([10.0, 40.0]), np.array([0.5, 1.0, 1.5]), 300, RNG, most_kwh=50.0)
    assert set(drawn[:, 0]) == {5.0, 10.0, 15.0}
    assert set(drawn[:, 1]) == {20.0, 40.0, 50.0}
    with pytest.raises(PlanningError, match="ratios"):
        energy_scenarios(np.array([10.0]), np.array([]), 3, RNG)


def test_arrivals_are_those_of_one_past_day_from_now_on_in_order() -> None:
    busy = (PastStay(17.0, 4.0, 12.0), PastStay(9.5, 3.0, 8.0), PastStay(7.0, 9.0, 30.0))
    drawn = arrival_scenarios([busy, ()], 8.0, 10.0, 100, np.random.default_rng(0))
    assert set(drawn) == {(PastStay(1.5, 3.0, 8.0), PastStay(9.0, 4.0, 12.0)), ()}
    assert set(arrival_scenarios([busy], 8.0, 9.0, 3, RNG)) == {(PastStay(1.5, 3.0, 8.0),)}
    with pytest.raises(PlanningError, match="past days"):
        arrival_scenarios([], 8.0, 10.0, 1, RNG)
