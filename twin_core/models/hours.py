"""Steps of a horizon and hours of the day."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array, Horizon

HOURS_A_DAY = 24


def hour_shares(horizon: Horizon) -> Array:
    """Hours of each step that lie in each hour of the day, shape (24, n_steps); a column adds up to its step's length.

    Hours are those of the time zone of `horizon.start`; from a second day on they fall on the same rows again.
    """
    start = horizon.start
    midnight_h = start.hour + start.minute / 60 + (start.second + start.microsecond / 1e6) / 3600
    edges_h = midnight_h + horizon.edges_h
    n_hours = int(np.ceil(edges_h[-1])) if edges_h.size else 0
    begins_h = np.arange(n_hours).reshape(-1, 1)
    overlap = np.minimum(edges_h[1:], begins_h + 1) - np.maximum(edges_h[:-1], begins_h)
    shares = np.zeros((HOURS_A_DAY, horizon.n_steps))
    np.add.at(shares, np.arange(n_hours) % HOURS_A_DAY, np.maximum(overlap, 0.0))
    return shares
