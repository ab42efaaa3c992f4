"""What sessions cost that share nothing: the loop behind a bound, compiled."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array
from twin_core.planning.solvers.kernel_loops import Indices
from twin_core.planning.solvers.machine_code import compiled


@compiled
def alone_eur(
    price: Array, kind_of: Indices, upper_kw: Array, hours: Array, wanted_kwh: Array, shortfall: Array
) -> float:
    """Least cost in € of sessions each of which takes its cheapest steps until it has enough or going short is cheaper.

    Args:
        price: shape (n_kinds, n_steps), €/kWh as the sessions of each kind see it.
        kind_of: shape (n_sessions,).
        upper_kw: shape (n_sessions, n_steps).
        hours: shape (n_steps,), length of each step.
        wanted_kwh: shape (n_sessions,).
        shortfall: shape (n_sessions,), €/kWh.
    """
    order = np.empty(price.shape, np.int64)
    for kind in range(price.shape[0]):
        order[kind] = np.argsort(price[kind])
    total_eur = 0.0
    for i in range(kind_of.size):
        prices, left_kwh, own_eur = price[kind_of[i]], wanted_kwh[i], 0.0
        for k in order[kind_of[i]]:
            if left_kwh <= 0.0 or prices[k] >= shortfall[i]:
                break
            kwh = min(upper_kw[i, k] * hours[k], left_kwh)
            own_eur += kwh * prices[k]
            left_kwh -= kwh
        total_eur += own_eur + left_kwh * shortfall[i]
    return total_eur
