"""Energy from sessions through a tree of limits to steps at the least cost: the loops of the tree kernel, compiled.

As in `kernel_loops` all costs lie on where energy ends, so ends are filled in ascending price and what was placed never
has to end anywhere else. What differs is the way: in each step energy climbs from the session's own node to the root,
and every node on the way has room of its own. A place is a node in a step, numbered `step * n_nodes + node`. To get
energy into a place that is full, some of what climbs through it makes way: back down into one of the nodes below, out
of that place into the session it came from, and on to another step of that session's stay.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin_core.models.problem import Array
from twin_core.planning.solvers.kernel_loops import NEGLIGIBLE_KWH, Indices, by_freedom
from twin_core.planning.solvers.machine_code import compiled
from twin_core.planning.solvers.tree_flow import Flow

_NONE = -1


class Search(NamedTuple):
    """Working space of a search for paths to one end, each step of which leads one level down to it.

    Places and sessions are numbered together, sessions behind all places.

    Attributes:
        level: 1 next to the end; 0 where no path leads to it, -1 where none ever will.
        queue: in the order in which they were reached.
        arc: of each, which of its ways on to try next; those before lead nowhere any more.
        sources: shape (n_sessions,), sessions reached that have energy to place.
        path: the places and sessions of the path that is followed.
    """

    level: Indices
    queue: Indices
    arc: Indices
    sources: Indices
    path: Indices


@compiled
def place_cheapest(
    net: Flow, price: Array, shortfall_price: Array, steps_by_price: Indices, sessions_by_price: Indices
) -> None:
    """Place all energy at the least cost.

    Args:
        net: nothing placed yet.
        price: shape (n_steps,), €/kWh.
        shortfall_price: shape (n_sessions,), €/kWh.
        steps_by_price: every step, the cheapest first.
        sessions_by_price: every session, the one with the cheapest shortfall first.
    """
    n_sessions, size, n_nodes = net.open_kwh.size, net.settled.size, net.shape.parent.size
    search = Search(
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(n_sessions, np.int64),
        np.empty(size + 1, np.int64),
    )
    later_kwh = net.upper_kwh.sum(axis=1)
    left_kwh = net.open_kwh.sum()
    next_session = 0
    for k in steps_by_price:
        while next_session < n_sessions and shortfall_price[sessions_by_price[next_session]] <= price[k]:
            until, taken_kwh = _give_up(net, search, shortfall_price, sessions_by_price, next_session)
            left_kwh -= taken_kwh
            next_session = until
        if not left_kwh > NEGLIGIBLE_KWH:
            return
        left_kwh -= _fill(net, later_kwh, k)
        root = k * n_nodes
        while left_kwh > NEGLIGIBLE_KWH and net.room_kwh[root] > NEGLIGIBLE_KWH:
            pulled_kwh = _pull(net, search, root, sessions_by_price[:0])
            if pulled_kwh == 0.0:
                break
            left_kwh -= pulled_kwh
    while next_session < n_sessions and left_kwh > NEGLIGIBLE_KWH:
        until, taken_kwh = _give_up(net, search, shortfall_price, sessions_by_price, next_session)
        left_kwh -= taken_kwh
        next_session = until


@compiled
def _fill(net: Flow, later_kwh: Array, step: int) -> float:
    """Place in a step what fits without anybody making way, the least free sessions first; in kWh."""
    n_nodes = net.shape.parent.size
    begin, end = net.offset[step * n_nodes], net.offset[(step + 1) * n_nodes]
    if begin == end:
        return 0.0
    present = net.present[begin:end]
    freedom, wanted_kwh = np.empty(present.size), np.empty(present.size)
    for n, i in enumerate(present):
        wanted_kwh[n] = min(net.open_kwh[i], net.upper_kwh[i, step])
        freedom[n] = later_kwh[i] - net.open_kwh[i]
        later_kwh[i] -= net.upper_kwh[i, step]
    present, wanted_kwh = by_freedom(present, wanted_kwh, freedom)
    placed_kwh = 0.0
    for n, i in enumerate(present):
        kwh, node = wanted_kwh[n], net.shape.leaf[i]
        while node != _NONE:
            kwh = min(kwh, net.room_kwh[step * n_nodes + node])
            node = net.shape.parent[node]
        if kwh > 0.0:
            net.placed_kwh[i, step] += kwh
            net.open_kwh[i] -= kwh
            placed_kwh += kwh
            node = net.shape.leaf[i]
            while node != _NONE:
                net.room_kwh[step * n_nodes + node] -= kwh
                net.used_kwh[step * n_nodes + node] += kwh
                node = net.shape.parent[node]
    return placed_kwh


@compiled
def _give_up(
    net: Flow, search: Search, shortfall_price: Array, sessions_by_price: Indices, begin: int
) -> tuple[int, float]:
    """Fill the shortfalls of one price; where the next price begins, and how much energy was placed in kWh."""
    until, taken_kwh = begin, 0.0
    price = shortfall_price[sessions_by_price[begin]]
    while until < sessions_by_price.size and shortfall_price[sessions_by_price[until]] == price:
        i = sessions_by_price[until]
        net.short_kwh[i] += net.open_kwh[i]
        taken_kwh += net.open_kwh[i]
        net.open_kwh[i] = 0.0
        until += 1
    if net.open_kwh.max() > NEGLIGIBLE_KWH:
        pulled_kwh = 1.0
        while pulled_kwh > 0.0:
            pulled_kwh = _pull(net, search, _NONE, sessions_by_price[begin:until])
            taken_kwh += pulled_kwh
    return until, taken_kwh


@compiled
def _pull(net: Flow, search: Search, root: int, giving_up: Indices) -> float:
    """Bring energy to one end along paths on which others make way; in kWh, 0 when no session can reach it any more.

    In that case nothing that can reach the end has energy to place, and nothing will: all of it is settled, and no
    later search looks at it again.

    Args:
        root: the place that is the end; -1 where it is the shortfalls of `giving_up`.
        giving_up: sessions whose shortfalls have one price and are the end together.
    """
    n_sources, pulled_kwh = _level(net, search, root, giving_up), 0.0
    for n in range(n_sources):
        pushed_kwh = 1.0
        while pushed_kwh > 0.0 and net.open_kwh[search.sources[n]] > NEGLIGIBLE_KWH:
            pushed_kwh = _push(net, search, search.sources[n])
            pulled_kwh += pushed_kwh
            if root != _NONE and net.room_kwh[root] <= NEGLIGIBLE_KWH:
                return pulled_kwh
    if pulled_kwh == 0.0:
        net.settled[:] = search.level != 0
    return pulled_kwh


@compiled
def _level(net: Flow, search: Search, root: int, giving_up: Indices) -> int:
    """Set the levels of those that can reach the end; how many of the sessions have energy to place.

    It looks no further than it has to: until these sessions could fill the end, or else until there is nobody left.
    """
    n_places, level, queue = net.room_kwh.size, search.level, search.queue
    level[:] = np.where(net.settled, -1, 0)
    search.arc[:] = 0
    n_reached, n_searched, n_sources = 0, 0, 0
    enough_kwh, found_kwh = np.inf if root == _NONE else net.room_kwh[root], 0.0
    if root != _NONE and level[root] == 0:
        level[root] = 1
        queue[0] = root
        n_reached = 1
    for i in giving_up:
        if level[n_places + i] == 0:
            level[n_places + i] = 1
            queue[n_reached] = n_places + i
            n_reached += 1
    while n_searched < n_reached and found_kwh < enough_kwh:
        at = queue[n_searched]
        n_searched += 1
        if at < n_places:
            n_reached = _reach_place_from(net, search, at, n_reached)
            continue
        i = at - n_places
        if net.open_kwh[i] > NEGLIGIBLE_KWH:
            search.sources[n_sources] = i
            n_sources += 1
            found_kwh += net.open_kwh[i]
        n_nodes = net.shape.parent.size
        for k in range(net.first[i], net.end[i]):
            place = k * n_nodes + net.shape.leaf[i]
            if level[place] == 0 and net.placed_kwh[i, k] > NEGLIGIBLE_KWH:
                level[place] = level[at] + 1
                queue[n_reached] = place
                n_reached += 1
    return n_sources


@compiled
def _reach_place_from(net: Flow, search: Search, place: int, n_reached: int) -> int:
    """Reach all from where energy could come into a place; how many are reached now."""
    n_places, n_nodes, level, queue = net.room_kwh.size, net.shape.parent.size, search.level, search.queue
    step, node = place // n_nodes, place % n_nodes
    parent = net.shape.parent[node]
    if parent != _NONE and net.used_kwh[place] > NEGLIGIBLE_KWH and level[step * n_nodes + parent] == 0:
        level[step * n_nodes + parent] = level[place] + 1
        queue[n_reached] = step * n_nodes + parent
        n_reached += 1
    for c in range(net.shape.child_offset[node], net.shape.child_offset[node + 1]):
        below = step * n_nodes + net.shape.child[c]
        if level[below] == 0 and net.room_kwh[below] > NEGLIGIBLE_KWH:
            level[below] = level[place] + 1
            queue[n_reached] = below
            n_reached += 1
    for n in range(net.offset[place], net.offset[place + 1]):
        i = net.present[n]
        if level[n_places + i] == 0 and net.upper_kwh[i, step] - net.placed_kwh[i, step] > NEGLIGIBLE_KWH:
            level[n_places + i] = level[place] + 1
            queue[n_reached] = n_places + i
            n_reached += 1
    return n_reached


@compiled
def _push(net: Flow, search: Search, source: int) -> float:
    """Bring energy of a session to the end, others making way; in kWh, 0 when no path is left."""
    length = _path(net, search, source)
    if length == 0:
        return 0.0
    n_places, n_nodes, path = net.room_kwh.size, net.shape.parent.size, search.path
    kwh = net.open_kwh[source]
    last = path[length - 1]
    if last < n_places:
        kwh = min(kwh, net.room_kwh[last])
    for n in range(length - 1):
        kwh = min(kwh, _way_kwh(net, path[n], path[n + 1]))
    for n in range(length - 1):
        a, b = path[n], path[n + 1]
        if a >= n_places:
            net.placed_kwh[a - n_places, b // n_nodes] += kwh
        elif b >= n_places:
            net.placed_kwh[b - n_places, a // n_nodes] -= kwh
        elif b < a:
            net.room_kwh[a] -= kwh
            net.used_kwh[a] += kwh
        else:
            net.room_kwh[b] += kwh
            net.used_kwh[b] -= kwh
    net.open_kwh[source] -= kwh
    if last < n_places:
        net.room_kwh[last] -= kwh
        net.used_kwh[last] += kwh
    else:
        net.short_kwh[last - n_places] += kwh
    return float(kwh)


@compiled
def _way_kwh(net: Flow, a: int, b: int) -> float:
    """What can still go from one place or session straight to another."""
    n_places, n_nodes = net.room_kwh.size, net.shape.parent.size
    if a >= n_places:
        step = b // n_nodes
        return float(net.upper_kwh[a - n_places, step] - net.placed_kwh[a - n_places, step])
    if b >= n_places:
        return float(net.placed_kwh[b - n_places, a // n_nodes])
    return float(net.room_kwh[a] if b < a else net.used_kwh[b])


@compiled
def _path(net: Flow, search: Search, source: int) -> int:
    """How many places and sessions the path from a session down to the end has, 0 for none.

    What proves a dead end is skipped by every later path: levels only lead down, and pushing opens nothing downwards.
    """
    n_places, depth = net.room_kwh.size, 0
    search.path[0] = n_places + source
    while True:
        at = search.path[depth]
        if search.level[at] == 1:
            return depth + 1
        found = _step_of_session(net, search, at) if at >= n_places else _way_on(net, search, at)
        if found != _NONE:
            depth += 1
            search.path[depth] = found
            continue
        if depth == 0:
            return 0
        depth -= 1
        search.arc[search.path[depth]] += 1


@compiled
def _step_of_session(net: Flow, search: Search, at: int) -> int:
    n_nodes, i = net.shape.parent.size, at - net.room_kwh.size
    stay = net.end[i] - net.first[i]
    while search.arc[at] < stay:
        k = net.first[i] + search.arc[at]
        place = k * n_nodes + net.shape.leaf[i]
        if search.level[place] == search.level[at] - 1 and net.upper_kwh[i, k] - net.placed_kwh[i, k] > NEGLIGIBLE_KWH:
            return int(place)
        search.arc[at] += 1
    return _NONE


@compiled
def _way_on(net: Flow, search: Search, place: int) -> int:
    """From a place up to its parent, down to a node below, or into a session that leaves; -1 for nowhere."""
    n_places, n_nodes, level = net.room_kwh.size, net.shape.parent.size, search.level
    step, node = place // n_nodes, place % n_nodes
    below, many = net.shape.child_offset[node], net.shape.child_offset[node + 1] - net.shape.child_offset[node]
    sessions = net.offset[place + 1] - net.offset[place]
    while search.arc[place] <= many + sessions:
        arc = search.arc[place]
        if arc == 0:
            parent = net.shape.parent[node]
            if parent != _NONE:
                above = step * n_nodes + parent
                if level[above] == level[place] - 1 and net.room_kwh[place] > NEGLIGIBLE_KWH:
                    return int(above)
        elif arc <= many:
            child = step * n_nodes + net.shape.child[below + arc - 1]
            if level[child] == level[place] - 1 and net.used_kwh[child] > NEGLIGIBLE_KWH:
                return int(child)
        else:
            i = net.present[net.offset[place] + arc - many - 1]
            if level[n_places + i] == level[place] - 1 and net.placed_kwh[i, step] > NEGLIGIBLE_KWH:
                return int(n_places + i)
        search.arc[place] += 1
    return _NONE
