"""Energy from sessions to steps at the least cost: the loops of the kernel, compiled.

Every session has energy to place. It can place it in a step of its stay, where it costs the step's price and takes room
that others want too, or in its own shortfall, where it costs its shortfall price and there is always room. So all costs
lie on where energy ends, none on the way, and what each end can take, given what the others took, forms a polymatroid:
ends filled one after the other in ascending price, each as far as possible without taking from those before, are
optimal. To fill an end that no session can reach directly, others make way: an augmenting path from a session with
energy to place, through steps where one session gives its place to another and moves on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twin_core.models.problem import Array
from twin_core.planning.solvers.machine_code import compiled

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEGLIGIBLE_KWH = 1e-10
"""Less energy than this is rounding, and no room to move anything into."""

_BUCKETS = 128
_NONE = -1


class Network(NamedTuple):
    """Who can place energy where, and what is placed by now.

    Attributes:
        upper_kwh: shape (n_sessions, n_steps), the most a session can place in a step.
        placed_kwh: the same, what it has placed there.
        first: shape (n_sessions,), the first step in which a session can place anything.
        end: shape (n_sessions,), the step after the last such.
        present: the sessions that can place something in a step, step by step.
        offset: shape (n_steps + 1,), where in `present` the sessions of each step begin.
        open_kwh: shape (n_sessions,), still to be placed.
        short_kwh: shape (n_sessions,), placed in the session's own shortfall.
        room_kwh: shape (n_steps,), what a step can still take.
        settled_session: shape (n_sessions,), what it placed stays where it is, see `_pull`.
        settled_step: shape (n_steps,), the same of what is placed in a step.
    """

    upper_kwh: Array
    placed_kwh: Array
    first: Indices
    end: Indices
    present: Indices
    offset: Indices
    open_kwh: Array
    short_kwh: Array
    room_kwh: Array
    settled_session: Flags
    settled_step: Flags


class Search(NamedTuple):
    """Working space of a search for paths to one end, which all lead from level to level down to it.

    A session enters a step of its own level, and another one leaves that step, whose level is one lower.

    Attributes:
        step_level: shape (n_steps,), from 1 on; 0 where no path leads to the end, -1 where none ever will.
        session_level: shape (n_sessions,), the same; 1 where a session can enter the end itself.
        queue: shape (n_steps,), steps in the order in which they were reached.
        sources: shape (n_sessions,), sessions reached that have energy to place.
        enters: shape (n_sessions,), the step to try next; those before lead nowhere any more.
        leaves: shape (n_steps,), the place in `Network.present` of the session to try next.
        path_step: shape (n_steps + 1,), the steps of the path that is followed.
        path_session: shape (n_steps + 1,), the sessions that enter them.
    """

    step_level: Indices
    session_level: Indices
    queue: Indices
    sources: Indices
    enters: Indices
    leaves: Indices
    path_step: Indices
    path_session: Indices


@compiled
def network(upper_kwh: Array, wanted_kwh: Array, room_kwh: Array) -> Network:
    """Nothing placed yet; what a session wants beyond what its stay allows counts as its shortfall at once."""
    n_sessions, n_steps = upper_kwh.shape
    first, end = np.full(n_sessions, n_steps), np.zeros(n_sessions, np.int64)
    offset = np.zeros(n_steps + 1, np.int64)
    open_kwh = np.zeros(n_sessions)
    for i in range(n_sessions):
        most_kwh = 0.0
        for k in range(n_steps):
            if upper_kwh[i, k] > NEGLIGIBLE_KWH:
                first[i] = min(first[i], k)
                end[i] = k + 1
                offset[k + 1] += 1
                most_kwh += upper_kwh[i, k]
        open_kwh[i] = min(wanted_kwh[i], most_kwh)
    for k in range(n_steps):
        offset[k + 1] += offset[k]
    present, at = np.empty(offset[n_steps], np.int64), offset[:-1].copy()
    for i in range(n_sessions):
        for k in range(first[i], end[i]):
            if upper_kwh[i, k] > NEGLIGIBLE_KWH:
                present[at[k]] = i
                at[k] += 1
    return Network(
        upper_kwh,
        np.zeros_like(upper_kwh),
        first,
        end,
        present,
        offset,
        open_kwh,
        wanted_kwh - open_kwh,
        room_kwh.copy(),
        np.zeros(n_sessions, np.bool_),
        np.zeros(n_steps, np.bool_),
    )


@compiled
def place_cheapest(
    net: Network, price: Array, shortfall_price: Array, steps_by_price: Indices, sessions_by_price: Indices
) -> None:
    """Place all energy at the least cost.

    Args:
        net: nothing placed yet.
        price: shape (n_steps,), €/kWh.
        shortfall_price: shape (n_sessions,), €/kWh.
        steps_by_price: every step, the cheapest first.
        sessions_by_price: every session, the one with the cheapest shortfall first.
    """
    n_sessions, n_steps = net.upper_kwh.shape
    search = Search(
        np.empty(n_steps, np.int64),
        np.empty(n_sessions, np.int64),
        np.empty(n_steps, np.int64),
        np.empty(n_sessions, np.int64),
        np.empty(n_sessions, np.int64),
        np.empty(n_steps, np.int64),
        np.empty(n_steps + 1, np.int64),
        np.empty(n_steps + 1, np.int64),
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
        while left_kwh > NEGLIGIBLE_KWH and net.room_kwh[k] > NEGLIGIBLE_KWH:
            pulled_kwh = _pull(net, search, k, sessions_by_price[:0])
            if pulled_kwh == 0.0:
                break
            left_kwh -= pulled_kwh
    while next_session < n_sessions and left_kwh > NEGLIGIBLE_KWH:
        until, taken_kwh = _give_up(net, search, shortfall_price, sessions_by_price, next_session)
        left_kwh -= taken_kwh
        next_session = until


@compiled
def _fill(net: Network, later_kwh: Array, step: int) -> float:
    """Place in a step what the sessions present can place directly, those with the least freedom first; in kWh.

    The order decides nothing but how often others have to make way later on, so it is only sorted into buckets.

    Args:
        later_kwh: shape (n_sessions,), what each can place in this step and in those not yet filled; this step is
            taken off.
    """
    present = net.present[net.offset[step] : net.offset[step + 1]]
    freedom, wanted_kwh = np.empty(present.size), np.empty(present.size)
    for n, i in enumerate(present):
        wanted_kwh[n] = min(net.open_kwh[i], net.upper_kwh[i, step])
        freedom[n] = later_kwh[i] - net.open_kwh[i]
        later_kwh[i] -= net.upper_kwh[i, step]
    room_kwh = net.room_kwh[step]
    if wanted_kwh.sum() > room_kwh:
        present, wanted_kwh = by_freedom(present, wanted_kwh, freedom)
    placed_kwh = 0.0
    for n, i in enumerate(present):
        kwh = min(wanted_kwh[n], room_kwh - placed_kwh)
        if kwh > 0.0:
            net.placed_kwh[i, step] += kwh
            net.open_kwh[i] -= kwh
            placed_kwh += kwh
    net.room_kwh[step] = max(0.0, room_kwh - placed_kwh)
    return placed_kwh


@compiled
def by_freedom(present: Indices, wanted_kwh: Array, freedom: Array) -> tuple[Indices, Array]:
    """Sessions and what they want, the least free first, by buckets of equal width."""
    low = freedom.min()
    width = max(freedom.max() - low, NEGLIGIBLE_KWH) * (1.0 + 1e-9) / _BUCKETS
    bucket, begins = np.empty(present.size, np.int64), np.zeros(_BUCKETS + 1, np.int64)
    for n in range(present.size):
        bucket[n] = int((freedom[n] - low) / width)
        begins[bucket[n] + 1] += 1
    for b in range(_BUCKETS):
        begins[b + 1] += begins[b]
    ordered, ordered_kwh = np.empty_like(present), np.empty_like(wanted_kwh)
    for n in range(present.size):
        at = begins[bucket[n]]
        begins[bucket[n]] += 1
        ordered[at] = present[n]
        ordered_kwh[at] = wanted_kwh[n]
    return ordered, ordered_kwh


@compiled
def _give_up(
    net: Network, search: Search, shortfall_price: Array, sessions_by_price: Indices, begin: int
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
def _pull(net: Network, search: Search, step: int, giving_up: Indices) -> float:
    """Bring energy to one end along paths on which others make way; in kWh, 0 when no session can reach it any more.

    In that case nothing that can reach the end has energy to place, and nothing will: all of it is settled, and no
    later search looks at it again.

    Args:
        step: the end; -1 where it is the shortfalls of `giving_up`.
        giving_up: sessions whose shortfalls have one price and are the end together.
    """
    n_sources, pulled_kwh = _level(net, search, step, giving_up), 0.0
    for n in range(n_sources):
        pushed_kwh = 1.0
        while pushed_kwh > 0.0 and net.open_kwh[search.sources[n]] > NEGLIGIBLE_KWH:
            pushed_kwh = _push(net, search, search.sources[n], step)
            pulled_kwh += pushed_kwh
            if step >= 0 and net.room_kwh[step] <= NEGLIGIBLE_KWH:
                return pulled_kwh
    if pulled_kwh == 0.0:
        net.settled_step[:] = search.step_level != 0
        net.settled_session[:] = search.session_level != 0
    return pulled_kwh


@compiled
def _level(net: Network, search: Search, step: int, giving_up: Indices) -> int:
    """Set the levels of those that can reach the end; how many of the sessions have energy to place.

    It looks no further than it has to: until these sessions could fill the end, or else until there is nobody left.
    """
    search.step_level[:] = np.where(net.settled_step, -1, 0)
    search.session_level[:] = np.where(net.settled_session, -1, 0)
    search.enters[:] = net.first
    search.leaves[:] = net.offset[:-1]
    n_reached, n_searched, n_sources = 0, 0, 0
    enough_kwh, found_kwh = np.inf if step < 0 else net.room_kwh[step], 0.0
    if step >= 0 and not net.settled_step[step]:
        search.step_level[step] = 1
        search.queue[0] = step
        n_reached = 1
    for i in giving_up:
        if not net.settled_session[i]:
            search.session_level[i] = 1
            n_reached = _reach_steps_of(net, search, i, n_reached)
    while n_searched < n_reached and found_kwh < enough_kwh:
        at = search.queue[n_searched]
        n_searched += 1
        for n in range(net.offset[at], net.offset[at + 1]):
            i = net.present[n]
            if search.session_level[i] == 0 and net.upper_kwh[i, at] - net.placed_kwh[i, at] > NEGLIGIBLE_KWH:
                search.session_level[i] = search.step_level[at]
                n_reached = _reach_steps_of(net, search, i, n_reached)
                if net.open_kwh[i] > NEGLIGIBLE_KWH:
                    search.sources[n_sources] = i
                    n_sources += 1
                    found_kwh += net.open_kwh[i]
    return n_sources


@compiled
def _reach_steps_of(net: Network, search: Search, session: int, n_reached: int) -> int:
    """Reach the steps that a session could leave; how many are reached now."""
    for k in range(net.first[session], net.end[session]):
        if search.step_level[k] == 0 and net.placed_kwh[session, k] > NEGLIGIBLE_KWH:
            search.step_level[k] = search.session_level[session] + 1
            search.queue[n_reached] = k
            n_reached += 1
    return n_reached


@compiled
def _push(net: Network, search: Search, source: int, end: int) -> float:
    """Place energy of a session in a step, others making way down to the end; in kWh, 0 when no path is left.

    Args:
        end: the step; -1 where it is a shortfall.
    """
    length, gives_up = _path(net, search, source, end)
    if length == 0:
        return 0.0
    kwh: float = net.open_kwh[source]
    for n in range(length):
        i, k = search.path_session[n], search.path_step[n]
        kwh = min(kwh, net.upper_kwh[i, k] - net.placed_kwh[i, k])
        if n + 1 < length or gives_up:
            kwh = min(kwh, net.placed_kwh[search.path_session[n + 1], k])
    if not gives_up:
        kwh = min(kwh, net.room_kwh[end])
    for n in range(length):
        i, k = search.path_session[n], search.path_step[n]
        net.placed_kwh[i, k] += kwh
        if n + 1 < length or gives_up:
            net.placed_kwh[search.path_session[n + 1], k] -= kwh
    net.open_kwh[source] -= kwh
    if gives_up:
        net.short_kwh[search.path_session[length]] += kwh
    else:
        net.room_kwh[end] -= kwh
    return kwh


@compiled
def _path(net: Network, search: Search, source: int, end: int) -> tuple[int, bool]:
    """How many steps the path from a session down to the end has, 0 for none; and whether its end is a shortfall.

    What proves a dead end is skipped by every later path: levels only lead down, and pushing opens nothing downwards.
    """
    depth = 0
    search.path_session[0] = source
    while True:
        at = _step_to_enter(net, search, search.path_session[depth])
        if at == _NONE:
            if depth == 0:
                return 0, False
            depth -= 1
            at = search.path_step[depth]
            search.leaves[at] += 1
        search.path_step[depth] = at
        if at == end:
            return depth + 1, False
        leaver = _session_to_leave(net, search, at)
        if leaver == _NONE:
            search.enters[search.path_session[depth]] += 1
            continue
        depth += 1
        search.path_session[depth] = leaver
        if end == _NONE and search.step_level[at] == 2:
            return depth, True


@compiled
def _step_to_enter(net: Network, search: Search, session: int) -> int:
    while search.enters[session] < net.end[session]:
        k = search.enters[session]
        can_enter = net.upper_kwh[session, k] - net.placed_kwh[session, k] > NEGLIGIBLE_KWH
        if can_enter and search.step_level[k] == search.session_level[session]:
            return int(k)
        search.enters[session] += 1
    return _NONE


@compiled
def _session_to_leave(net: Network, search: Search, step: int) -> int:
    while search.leaves[step] < net.offset[step + 1]:
        i = net.present[search.leaves[step]]
        if search.session_level[i] == search.step_level[step] - 1 and net.placed_kwh[i, step] > NEGLIGIBLE_KWH:
            return int(i)
        search.leaves[step] += 1
    return _NONE
