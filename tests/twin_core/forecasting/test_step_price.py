"""Prices of steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_core.forecasting.step_price import step_prices
from twin_core.models.problem import Horizon
from twin_core.models.tariff import Tariff, flat_tariff

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_step_pays_each_price_for_as_long_as_it_holds() -> None:
    tariff = Tariff((NOON, NOON + timedelta(minutes=75), NOON + timedelta(minutes=90)), (0.2, 0.6, 0.1))
    np.testing.assert_allclose(
        step_prices(tariff, Horizon(NOON, 1.0, 3)), [0.2, 0.25 * 0.2 + 0.25 * 0.6 + 0.5 * 0.1, 0.1]
    )


def test_the_first_price_holds_before_it_begins_and_the_last_one_on() -> None:
    tariff = Tariff((NOON + timedelta(hours=1), NOON + timedelta(hours=2)), (0.2, 0.4))
    np.testing.assert_allclose(step_prices(tariff, Horizon(NOON, 1.0, 4)), [0.2, 0.2, 0.4, 0.4])


def test_one_price_for_all_time_stays_that_number_to_the_last_digit() -> None:
    prices = step_prices(flat_tariff(0.25, datetime(2000, 1, 1, tzinfo=UTC)), Horizon(NOON, 0.25, 96))
    assert set(prices) == {0.25}


@pytest.mark.parametrize(("month", "day", "night_h"), [(3, 29, 2), (10, 25, 4), (6, 1, 3)])
def test_a_tariff_in_local_time_holds_on_the_days_the_clocks_change(month: int, day: int, night_h: int) -> None:
    midnight, three, six = (datetime(2026, month, day, hour, tzinfo=ZoneInfo("Europe/Rome")) for hour in (0, 3, 6))
    tariff = Tariff((midnight, three, six), (0.1, 0.3, 0.2))
    prices = step_prices(tariff, Horizon(midnight.astimezone(UTC), 0.5, 48))
    night, morning = 2 * night_h, 6
    np.testing.assert_allclose(prices, [0.1] * night + [0.3] * morning + [0.2] * (48 - night - morning))


def mean_price(tariff: Tariff, start: datetime, end: datetime) -> float:
    """By hand: cut at every change, and ask the tariff in the middle of each piece."""
    cuts = sorted({start, end, *(when for when in tariff.starts if start < when < end)})
    pieces = [(after - before, tariff.price_at(before + (after - before) / 2)) for before, after in pairwise(cuts)]
    return sum(length / (end - start) * price for length, price in pieces)


@given(
    gaps=st.lists(st.floats(0.01, 5.0), min_size=1, max_size=8),
    first_h=st.floats(-20.0, 3.0),
    step_h=st.sampled_from([0.25, 1.0]),
)
def test_every_step_costs_what_the_tariff_says_piece_by_piece(gaps: list[float], first_h: float, step_h: float) -> None:
    starts = tuple(NOON + timedelta(hours=first_h + float(h)) for h in np.cumsum(gaps))
    tariff = Tariff(starts, tuple(0.1 * (i % 4) + 0.05 for i in range(len(starts))))
    horizon = Horizon(NOON, step_h, 16)
    expected = [mean_price(tariff, when, when + timedelta(hours=horizon.step_h)) for when in horizon.times()]
    np.testing.assert_allclose(step_prices(tariff, horizon), expected, atol=1e-9)
