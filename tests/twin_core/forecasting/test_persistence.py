"""The plainest forecast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from twin_core.forecasting.persistence import History, Persistence
from twin_core.models.plan import Array, Horizon

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = Horizon(NOON, 0.25, 4)


def history(*readings: tuple[float, object]) -> History:
    """Readings as (minutes before noon, value)."""
    times = [NOON - timedelta(minutes=minutes) for minutes, _ in readings]
    return History(times, np.array([value for _, value in readings], dtype=float))


def forecast(past: History) -> Array:
    values = Persistence(timedelta(minutes=10)).forecast(past, DAY)
    assert values is not None
    return values


def test_the_last_mean_goes_on() -> None:
    np.testing.assert_allclose(forecast(history((5, 10.0), (0, 99.0))), [10.0] * 4)


def test_a_reading_weighs_by_the_time_it_held() -> None:
    np.testing.assert_allclose(
        forecast(history((10, 10.0), (8, 20.0), (3, 40.0))), [(2 * 10 + 5 * 20 + 3 * 40) / 10] * 4
    )


def test_what_is_older_than_the_window_counts_only_for_its_part_inside() -> None:
    np.testing.assert_allclose(forecast(history((60, 1000.0), (30, 10.0), (5, 20.0))), [15.0] * 4)


def test_phases_are_kept_apart() -> None:
    values = forecast(history((10, (1.0, 2.0, 3.0)), (5, (3.0, 2.0, 1.0))))
    np.testing.assert_allclose(values, [[2.0, 2.0, 2.0]] * 4)


def test_an_old_last_reading_goes_on_alone() -> None:
    np.testing.assert_allclose(forecast(history((90, 10.0), (60, 20.0))), [20.0] * 4)


def test_a_reading_of_this_very_moment_is_enough() -> None:
    np.testing.assert_allclose(forecast(history((0, 7.0))), [7.0] * 4)


def test_readings_that_are_no_numbers_or_of_the_future_are_left_out() -> None:
    np.testing.assert_allclose(forecast(history((10, 5.0), (4, float("nan")), (-1, 500.0))), [5.0] * 4)


def test_nothing_is_said_of_what_was_never_measured() -> None:
    assert Persistence().forecast(History((), np.zeros(0)), DAY) is None
    assert Persistence().forecast(History((), np.zeros((0, 3))), DAY) is None
    assert Persistence().forecast(history((1, float("nan"))), DAY) is None
