"""What room at every node is worth once all energy is placed at the least cost: the duals of the tree kernel."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array
from twin_core.planning.solvers.kernel_loops import NEGLIGIBLE_KWH, Flags, Indices
from twin_core.planning.solvers.machine_code import compiled
from twin_core.planning.solvers.tree_flow import Flow


@compiled
def worth_of_room(
    net: Flow, price: Array, shortfall_price: Array, steps_by_price: Indices, sessions_by_price: Indices
) -> Array:
    """What a kWh more of room at each node would save, shape (n_nodes, n_steps), >= 0.

    From the dearest end with energy in it down, everything that its energy could move to has that price; what nobody
    would move to has the price of the node above, the root that of the step. Room at a node is worth what separates
    its price from that of the node above.

    Args:
        net: everything placed at the least cost.
    """
    n_places, n_nodes, n_sessions = net.room_kwh.size, net.shape.parent.size, net.open_kwh.size
    at_eur = np.full(n_places + n_sessions, -np.inf)
    seen, queue = np.zeros(n_places + n_sessions, np.bool_), np.empty(n_places + n_sessions, np.int64)
    s, k = n_sessions - 1, price.size - 1
    while s >= 0 or k >= 0:
        if k < 0 or (s >= 0 and shortfall_price[sessions_by_price[s]] >= price[steps_by_price[k]]):
            i = sessions_by_price[s]
            begin, from_price = n_places + i, shortfall_price[i]
            filled = net.short_kwh[i] + net.open_kwh[i] > NEGLIGIBLE_KWH
            s -= 1
        else:
            begin, from_price = steps_by_price[k] * n_nodes, price[steps_by_price[k]]
            filled = net.used_kwh[begin] > NEGLIGIBLE_KWH
            k -= 1
        if filled and not seen[begin]:
            seen[begin] = True
            queue[0] = begin
            n_reached, n_searched = 1, 0
            while n_searched < n_reached:
                at_eur[queue[n_searched]] = from_price
                n_reached = _reach_from(net, seen, queue, queue[n_searched], n_reached)
                n_searched += 1
    worth = np.zeros((n_nodes, price.size))
    for place in range(n_places):
        step, node = place // n_nodes, place % n_nodes
        above = price[step] if node == 0 else at_eur[step * n_nodes + net.shape.parent[node]]
        at_eur[place] = max(at_eur[place], above)
        worth[node, step] = at_eur[place] - above
    return worth


@compiled
def _reach_from(net: Flow, seen: Flags, queue: Indices, at: int, n_reached: int) -> int:
    """Reach all that energy at a place or of a session could move to; how many are reached now."""
    n_places, n_nodes = net.room_kwh.size, net.shape.parent.size
    if at >= n_places:
        i = at - n_places
        for k in range(net.first[i], net.end[i]):
            place = k * n_nodes + net.shape.leaf[i]
            if not seen[place] and net.upper_kwh[i, k] - net.placed_kwh[i, k] > NEGLIGIBLE_KWH:
                seen[place] = True
                queue[n_reached] = place
                n_reached += 1
        return n_reached
    step, node = at // n_nodes, at % n_nodes
    if node != 0 and net.room_kwh[at] > NEGLIGIBLE_KWH:
        above = step * n_nodes + net.shape.parent[node]
        if not seen[above]:
            seen[above] = True
            queue[n_reached] = above
            n_reached += 1
    for c in range(net.shape.child_offset[node], net.shape.child_offset[node + 1]):
        below = step * n_nodes + net.shape.child[c]
        if not seen[below] and net.used_kwh[below] > NEGLIGIBLE_KWH:
            seen[below] = True
            queue[n_reached] = below
            n_reached += 1
    for n in range(net.offset[at], net.offset[at + 1]):
        i = net.present[n]
        if not seen[n_places + i] and net.placed_kwh[i, step] > NEGLIGIBLE_KWH:
            seen[n_places + i] = True
            queue[n_reached] = n_places + i
            n_reached += 1
    return n_reached
