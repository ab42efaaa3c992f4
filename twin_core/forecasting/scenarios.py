"""What prices and base load may do: scenarios drawn from history, each as likely as the others.

Everything random takes the generator it draws from, so that a seed gives the same scenarios again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.hours import HOURS_A_DAY, hour_shares
from twin_core.models.problem import Array, Horizon


@dataclass(frozen=True, slots=True)
class ShrunkCovariance:
    """A covariance that can be inverted however short its history is.

    Attributes:
        mean: shape (n,).
        covariance: shape (n, n), symmetric and positive definite unless the history never varies.
        shrinkage: weight of the multiple of the identity in it, in [0, 1].
    """

    mean: Array
    covariance: Array
    shrinkage: float


def shrunk_covariance(history: Array) -> ShrunkCovariance:
    """Sample covariance, drawn towards a multiple of the identity as far as its own noise asks for.

    Ledoit & Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of Multivariate
    Analysis 88 (2004): Σ* = (b²/d²)·m·I + (1 − b²/d²)·S with m = tr S/n, d² = ‖S − m·I‖²/n and b² the mean of
    ‖x_k·x_kᵀ − S‖²/n over the days divided by their number, at most d².

    Args:
        history: shape (n_days, n), two days at least.

    Raises:
        PlanningError: the history is not a table of finite numbers with two rows or more.
    """
    table = _table(history)
    if table.shape[0] < 2:
        raise PlanningError(f"history: {table.shape[0]} days have no covariance, at least 2 are needed")
    n_days, n = table.shape
    mean = table.mean(axis=0)
    centred = table - mean
    sample = centred.T @ centred / n_days
    level = float(np.trace(sample)) / n
    target = level * np.eye(n)
    distance = float(((sample - target) ** 2).sum()) / n
    squares = (centred**2).sum(axis=1)
    # ‖x·xᵀ − S‖² summed over the days without a matrix for each: Σ‖x‖⁴ − n_days·‖S‖².
    noise = (float(squares @ squares) / n_days - float((sample**2).sum())) / (n * n_days)
    shrinkage = min(1.0, max(0.0, noise) / distance) if distance > 0 else 1.0
    return ShrunkCovariance(mean, shrinkage * target + (1.0 - shrinkage) * sample, shrinkage)


def gaussian_days(history: Array, n_scenarios: int, rng: np.random.Generator) -> Array:
    """Days drawn from a multivariate Gaussian with the mean and the shrunk covariance of the history.

    A Gaussian knows no bounds and prices do: each hour is clipped to the lowest and the highest that the history saw at
    any hour, which narrows the tails a little.

    Args:
        history: shape (n_days, n_hours), one row a day.

    Returns:
        Shape (n_scenarios, n_hours), in the unit of the history.

    Raises:
        PlanningError: see `shrunk_covariance`.
    """
    fitted = shrunk_covariance(history)
    drawn = rng.multivariate_normal(fitted.mean, fitted.covariance, size=n_scenarios, method="eigh")
    days: Array = np.clip(drawn, np.min(history), np.max(history))
    return days


def bootstrap_days(history: Array, n_scenarios: int, rng: np.random.Generator) -> Array:
    """Whole days of the history, drawn with replacement: what happened together stays together.

    Args:
        history: shape (n_days, n_hours), one row a day.

    Returns:
        Shape (n_scenarios, n_hours), each row one of the history's.

    Raises:
        PlanningError: the history is empty or not a table of finite numbers.
    """
    table = _table(history)
    drawn: Array = table[rng.integers(table.shape[0], size=n_scenarios)]
    return drawn


def hourly_on_steps(days: Array, horizon: Horizon) -> Array:
    """Hourly values as means over the steps of a horizon; after midnight the same day begins again.

    Args:
        days: shape (n_scenarios, 24), by the hour of the day in the time zone of `horizon.start`.

    Returns:
        Shape (n_scenarios, n_steps).

    Raises:
        PlanningError: the days do not have 24 hours.
    """
    table = _table(days)
    if table.shape[1] != HOURS_A_DAY:
        raise PlanningError(f"days: {table.shape[1]} hours, must be {HOURS_A_DAY}")
    steps: Array = table @ hour_shares(horizon) / horizon.hours
    return steps


def base_load_scenarios(
    forecast_kw: Array, sigma_kw: Array | float, n_scenarios: int, rng: np.random.Generator, *, persistence: float = 0.8
) -> Array:
    """A forecast with noise that lasts: Gaussian in every step, correlated from one step to the next.

    Args:
        forecast_kw: shape (n_steps,).
        sigma_kw: standard deviation of its error, shape (n_steps,) or one for all.
        persistence: correlation between the errors of neighbouring steps, in [0, 1).

    Returns:
        Shape (n_scenarios, n_steps); negative where the forecast less the noise is, as a site with sun may be.

    Raises:
        PlanningError: an argument is not a number in its range.
    """
    forecast = np.asarray(forecast_kw, dtype=float)
    sigma = np.broadcast_to(np.asarray(sigma_kw, dtype=float), forecast.shape)
    if not (np.isfinite(forecast).all() and np.isfinite(sigma).all() and (sigma >= 0).all()):
        raise PlanningError("base load: forecast and sigma must be finite, and sigma not negative")
    if not 0 <= persistence < 1:
        raise PlanningError(f"base load: persistence is {persistence}, must be at least 0 and below 1")
    noise = rng.standard_normal((n_scenarios, forecast.size))
    for step in range(1, forecast.size):
        noise[:, step] = persistence * noise[:, step - 1] + np.sqrt(1 - persistence**2) * noise[:, step]
    scenarios: Array = forecast + sigma * noise
    return scenarios


def _table(history: Array) -> Array:
    table = np.asarray(history, dtype=float)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise PlanningError(f"history: must be a table of finite numbers, a row a day, and has shape {table.shape}")
    return table
