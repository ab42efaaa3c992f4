"""Tomorrow is like just now: the plainest forecast, and the one every other has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from twin_core.models.plan import Array, Horizon


@dataclass(frozen=True, slots=True)
class History:
    """What a meter showed; a reading holds until the next one.

    Attributes:
        times: aware, rising.
        values: shape (n_readings,) or (n_readings, n_channels), e.g. A on L1, L2 and L3.
    """

    times: Sequence[datetime]
    values: Array


class Forecaster(Protocol):
    """Says how a measured value goes on."""

    def forecast(self, history: History, horizon: Horizon) -> Array | None:
        """Mean of each step, shape (n_steps,) or (n_steps, n_channels), in the unit of the history.

        None when nothing was measured from which one could tell: never a guess, and never zero.
        """


@dataclass(frozen=True, slots=True)
class Persistence:
    """The mean of the last while, held for the whole horizon.

    Attributes:
        window: how far back the mean reaches from the start of the horizon. When the last reading is older it goes on
            alone; whether it is too old to be used is for whoever knows its age.
    """

    window: timedelta = timedelta(minutes=15)

    def forecast(self, history: History, horizon: Horizon) -> Array | None:
        """See `Forecaster.forecast`; readings that are not numbers and readings of the future are left out."""
        values = np.asarray(history.values, dtype=float)
        columns = values.reshape(len(history.times), -1 if history.times else 1)
        age_s = np.array([horizon.start.timestamp() - when.timestamp() for when in history.times])
        known = (age_s >= 0) & np.isfinite(columns).all(axis=1)
        if not known.any():
            return None
        mean = _recent_mean(age_s[known], columns[known], self.window.total_seconds())
        return np.broadcast_to(mean, (horizon.n_steps, mean.size)).reshape(horizon.n_steps, *values.shape[1:]).copy()


def _recent_mean(age_s: Array, values: Array, window_s: float) -> Array:
    """Time-weighted mean of a step function over the last window, shape (n_channels,)."""
    begins_s = np.minimum(age_s, window_s)
    held_s = begins_s - np.minimum(np.append(age_s[1:], 0.0), window_s)
    if held_s.sum() > 0:
        mean: Array = held_s @ values / held_s.sum()
        return mean
    latest: Array = values[-1]
    return latest
