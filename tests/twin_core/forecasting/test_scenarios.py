"""Scenarios of prices and base load: as wild as their history, and no wilder."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_core.errors import PlanningError
from twin_core.forecasting.scenarios import (
    base_load_scenarios,
    bootstrap_days,
    gaussian_days,
    hourly_on_steps,
    shrunk_covariance,
)
from twin_core.models.hours import hour_shares
from twin_core.models.problem import Array, Horizon


def history(n_days: int, seed: int = 0) -> Array:
    """Days whose level varies more than their hours do."""
    rng = np.random.default_rng(seed)
    shape = 0.1 + 0.04 * np.sin(np.arange(24) / 24 * 4 * np.pi)
    made: Array = shape + 0.03 * rng.standard_normal((n_days, 1)) + 0.01 * rng.standard_normal((n_days, 24))
    return made


def test_ten_days_are_enough_for_a_covariance_of_24_hours_that_can_be_inverted() -> None:
    fitted = shrunk_covariance(history(10))
    assert np.linalg.eigvalsh(np.cov(history(10), rowvar=False)).min() < 1e-12
    assert np.linalg.eigvalsh(fitted.covariance).min() > 1e-6
    assert 0 < fitted.shrinkage < 1
    np.testing.assert_allclose(fitted.covariance, fitted.covariance.T)


def test_shrinkage_keeps_the_total_variance_and_fades_as_the_history_grows() -> None:
    short, long = history(10), history(3000)
    assert np.trace(shrunk_covariance(short).covariance) == pytest.approx(short.var(axis=0).sum())
    assert shrunk_covariance(long).shrinkage < shrunk_covariance(short).shrinkage / 10


def test_the_shrinkage_is_that_of_the_formula_taken_day_by_day() -> None:
    days = history(7)[:, :5]
    centred = days - days.mean(axis=0)
    sample = centred.T @ centred / 7
    target = np.trace(sample) / 5 * np.eye(5)
    noise = sum(((np.outer(day, day) - sample) ** 2).sum() for day in centred) / 7**2
    assert shrunk_covariance(days).shrinkage == pytest.approx(noise / ((sample - target) ** 2).sum())


def test_a_history_that_never_varies_has_no_covariance_and_gives_itself_again() -> None:
    flat = np.full((5, 24), 0.2)
    assert not shrunk_covariance(flat).covariance.any()
    np.testing.assert_allclose(gaussian_days(flat, 3, np.random.default_rng(0)), 0.2)


def test_gaussian_days_vary_together_as_the_history_does_and_stay_among_its_prices() -> None:
    past = history(200)
    drawn = gaussian_days(past, 4000, np.random.default_rng(1))
    assert drawn.shape == (4000, 24)
    assert past.min() <= drawn.min() <= drawn.max() <= past.max()
    np.testing.assert_allclose(drawn.mean(axis=0), past.mean(axis=0), atol=0.005)
    assert np.corrcoef(drawn[:, 3], drawn[:, 17])[0, 1] == pytest.approx(
        np.corrcoef(past[:, 3], past[:, 17])[0, 1], abs=0.1
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n_days=st.integers(1, 9))
def test_the_bootstrap_draws_whole_real_days_only(seed: int, n_days: int) -> None:
    past = history(n_days)
    drawn = bootstrap_days(past, 20, np.random.default_rng(seed))
    assert drawn.shape == (20, 24)
    assert {day.tobytes() for day in drawn} <= {day.tobytes() for day in past}


def test_the_same_seed_gives_the_same_scenarios() -> None:
    once, again = (gaussian_days(history(30), 5, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("bad", [np.zeros(24), np.zeros((0, 24)), np.full((3, 24), np.nan)])
def test_a_history_that_is_no_table_of_numbers_is_refused(bad: Array) -> None:
    with pytest.raises(PlanningError, match="history"):
        bootstrap_days(bad, 1, np.random.default_rng(0))
    with pytest.raises(PlanningError, match="history"):
        shrunk_covariance(bad)


def test_hours_become_means_of_steps_of_any_length_and_midnight_begins_the_day_again() -> None:
    day = np.arange(24.0).reshape(1, -1)
    horizon = Horizon.graded(datetime(2026, 6, 1, 22, 30, tzinfo=UTC), (2, 0.25), (1, 0.5), (1, 1.0))
    np.testing.assert_allclose(hourly_on_steps(day, horizon), [[22, 22, 23, (23 + 0) / 2]])
    with pytest.raises(PlanningError, match="23 hours"):
        hourly_on_steps(day[:, 1:], horizon)


@settings(max_examples=50, deadline=None)
@given(
    minute=st.integers(0, 24 * 60 - 1),
    lengths=st.lists(st.sampled_from([1 / 12, 0.25, 0.5, 1.0, 2.0]), min_size=0, max_size=40),
)
def test_every_step_is_divided_among_the_hours_without_remainder(minute: int, lengths: list[float]) -> None:
    start = datetime(2026, 6, 1, minute // 60, minute % 60, tzinfo=UTC)
    horizon = Horizon.graded(start, *((1, length) for length in lengths)) if lengths else Horizon(start, 1.0, 0)
    shares = hour_shares(horizon)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=0), horizon.hours, atol=1e-9)


def test_base_load_errors_have_their_sigma_and_last() -> None:
    sigma = np.array([0.0, 5.0, 5.0, 5.0])
    drawn = base_load_scenarios(np.full(4, 30.0), sigma, 20_000, np.random.default_rng(0), persistence=0.8)
    np.testing.assert_allclose(drawn.std(axis=0), sigma, rtol=0.03)
    np.testing.assert_allclose(drawn.mean(axis=0), 30.0, atol=0.2)
    assert np.corrcoef(drawn[:, 1], drawn[:, 2])[0, 1] == pytest.approx(0.8, abs=0.02)
    with pytest.raises(PlanningError, match="sigma"):
        base_load_scenarios(np.full(4, 30.0), np.nan, 3, np.random.default_rng(0))
    with pytest.raises(PlanningError, match="persistence"):
        base_load_scenarios(np.full(4, 30.0), 1.0, 3, np.random.default_rng(0), persistence=1.0)
