"""What room in each step is worth once all energy is placed at the least cost: the duals of the kernel, compiled."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array
from twin_core.planning.solvers.kernel_loops import NEGLIGIBLE_KWH, Flags, Indices, Network
from twin_core.planning.solvers.machine_code import compiled


@compiled
def worth_of_room(
    net: Network, price: Array, shortfall_price: Array, steps_by_price: Indices, sessions_by_price: Indices
) -> Array:
    """The dearest price that a kWh more of room in each step would save, shape (n_steps,); -inf where nobody comes.

    From the dearest end with energy in it down, everything that its energy could move to has that price.

    Args:
        net: everything placed at the least cost.
    """
    n_sessions, n_steps = net.upper_kwh.shape
    worth = np.full(n_steps, -np.inf)
    seen_step, seen_session = np.zeros(n_steps, np.bool_), np.zeros(n_sessions, np.bool_)
    queue = np.empty(n_sessions, np.int64)
    s, k = n_sessions - 1, n_steps - 1
    while s >= 0 or k >= 0:
        n_reached = 0
        if k < 0 or (s >= 0 and shortfall_price[sessions_by_price[s]] >= price[steps_by_price[k]]):
            i = sessions_by_price[s]
            from_price = shortfall_price[i]
            if net.short_kwh[i] + net.open_kwh[i] > NEGLIGIBLE_KWH and not seen_session[i]:
                seen_session[i] = True
                queue[0] = i
                n_reached = 1
            s -= 1
        else:
            at = steps_by_price[k]
            from_price = price[at]
            if not seen_step[at]:
                n_reached = _reach_leavers(net, at, seen_session, queue, n_reached)
            k -= 1
        n_searched = 0
        while n_searched < n_reached:
            i = queue[n_searched]
            n_searched += 1
            for at in range(net.first[i], net.end[i]):
                if not seen_step[at] and net.upper_kwh[i, at] - net.placed_kwh[i, at] > NEGLIGIBLE_KWH:
                    seen_step[at] = True
                    worth[at] = from_price
                    n_reached = _reach_leavers(net, at, seen_session, queue, n_reached)
    return worth


@compiled
def _reach_leavers(net: Network, step: int, seen_session: Flags, queue: Indices, n_reached: int) -> int:
    """Reach the sessions with energy in a step; how many are reached now."""
    for n in range(net.offset[step], net.offset[step + 1]):
        i = net.present[n]
        if not seen_session[i] and net.placed_kwh[i, step] > NEGLIGIBLE_KWH:
            seen_session[i] = True
            queue[n_reached] = i
            n_reached += 1
    return n_reached
