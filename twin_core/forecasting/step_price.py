"""What a value that changes with time is in each step of a horizon."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array, Horizon
from twin_core.models.tariff import Series, Tariff


def step_prices(tariff: Tariff, horizon: Horizon) -> Array:
    """Mean price of each step in €/kWh, shape (n_steps,); see `step_means`."""
    return step_means(Series(tariff.starts, tariff.price_eur_per_kwh), horizon)


def step_means(series: Series, horizon: Horizon) -> Array:
    """Mean of each step, shape (n_steps,), exact where the value changes within a step.

    All differences are taken between points in time and not between clock faces, so that tariffs written in local
    time hold across the change to and from summer time.
    """
    changes_h = np.array([when.timestamp() - horizon.start.timestamp() for when in series.starts]) / 3600.0
    values = np.array(series.values, dtype=float)
    edges_h = horizon.edges_h
    # What is past does not matter, and the first value holds before its start too.
    changes_h = np.maximum(changes_h, 0.0)
    changes_h[0] = 0.0
    summed_at_change = np.concatenate([[0.0], np.cumsum(np.diff(changes_h) * values[:-1])])
    running = np.searchsorted(changes_h, edges_h, side="right") - 1
    summed_at_edge = summed_at_change[running] + (edges_h - changes_h[running]) * values[running]
    means: Array = np.diff(summed_at_edge) / horizon.hours
    return means
