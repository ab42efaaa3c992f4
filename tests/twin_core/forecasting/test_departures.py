"""Who may leave when: what past stays allow, covered without a gap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_core.errors import PlanningError
from twin_core.forecasting.departures import hours_left, spread_departures

PAST = np.array([8.0, 2.0, 4.0, 6.0])


def test_who_has_been_here_for_a_while_is_compared_with_stays_that_lasted_longer() -> None:
    left = hours_left(PAST, np.array([0.0, 4.0, 9.0]), np.array([np.inf, 3.0, 1.5]))
    assert [list(of_one) for of_one in left] == [[2, 4, 6, 8], [2, 3], [1.5]]


@given(n=st.integers(1, 12), seed=st.integers(0, 99))
def test_each_vehicle_leaves_at_each_of_its_quantiles_once(n: int, seed: int) -> None:
    left = hours_left(PAST, np.array([0.0, 5.0]), np.array([np.inf, np.inf]))
    drawn = spread_departures(left, n, np.random.default_rng(seed))
    assert drawn.shape == (n, 2)
    for column, hours in zip(drawn.T, left, strict=True):
        wanted = np.quantile(hours, (np.arange(n) + 0.5) / n, method="inverted_cdf")
        np.testing.assert_allclose(np.sort(column), wanted)


def test_as_many_scenarios_as_past_stays_have_exactly_their_distribution_combined_at_random() -> None:
    left = (np.arange(50.0), np.arange(50.0))
    drawn = spread_departures(left, 50, np.random.default_rng(3))
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.column_stack(left))
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.5


def test_the_same_seed_gives_the_same_departures() -> None:
    once, again = (spread_departures((PAST, PAST), 6, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_nonsense_is_refused() -> None:
    with pytest.raises(PlanningError, match="past stays"):
        hours_left(np.array([np.nan]), np.array([0.0]), np.array([1.0]))
    with pytest.raises(PlanningError, match="departures"):
        spread_departures((np.array([]),), 3, np.random.default_rng(0))
    with pytest.raises(PlanningError, match="departures"):
        spread_departures((PAST,), 0, np.random.default_rng(0))
