"""Energy from sessions to steps at the least cost: the loops of the kernel, compiled.

Every session has energy to place. It can place it in a step of its stay, where it costs the step's price and takes room
that others want too, or in its own shortfall, where it costs its shortfall price and there is always room. So all costs
lie on where energy ends, none on the way, and what each end can take, given what the others took, forms a polymatroid:
ends filled one after the other in ascending price, each as far as possible without taking from those before, are
optimal. To fill an end that no session can reach directly, others make way: an augmenting path from a session with
energy to place, through steps where one session gives its place to another and moves on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from twin_core.models.problem import Array

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_Function = TypeVar("_Function", bound=Callable[..., Any])

NEGLIGIBLE_KWH = 1e-10
"""Less energy than this is rounding, and no room to move anything into."""

_BUCKETS = 128
_NONE = -1


def _compiled(function: _Function) -> _Function:
    """Machine code from the cache beside this file, if it is there; it runs without the interpreter's lock."""
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))


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
    """Working space of a search backwards from an end.

    Attributes:
        queue: shape (n_steps,), steps in the order in which they were reached.
        mover: shape (n_steps,), the session that can leave a step for the next one towards the end; -1 at the end.
        onward: shape (n_steps,), that next step; -1 where the session leaves for its own shortfall.
    """

    queue: Indices
    mover: Indices
    onward: Indices
    seen_step: Flags
    seen_session: Flags


@_compiled
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


@_compiled
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
        np.empty(n_steps, np.int64),
        np.empty(n_steps, np.int64),
        np.empty(n_steps, np.bool_),
        np.empty(n_sessions, np.bool_),
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
            pulled_kwh = _pull(net, search, k, _NONE)
            if pulled_kwh == 0.0:
                break
            left_kwh -= pulled_kwh
    while next_session < n_sessions and left_kwh > NEGLIGIBLE_KWH:
        until, taken_kwh = _give_up(net, search, shortfall_price, sessions_by_price, next_session)
        left_kwh -= taken_kwh
        next_session = until


@_compiled
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
        present, wanted_kwh = _by_freedom(present, wanted_kwh, freedom)
    placed_kwh = 0.0
    for n, i in enumerate(present):
        kwh = min(wanted_kwh[n], room_kwh - placed_kwh)
        if kwh > 0.0:
            net.placed_kwh[i, step] += kwh
            net.open_kwh[i] -= kwh
            placed_kwh += kwh
    net.room_kwh[step] = max(0.0, room_kwh - placed_kwh)
    return placed_kwh


@_compiled
def _by_freedom(present: Indices, wanted_kwh: Array, freedom: Array) -> tuple[Indices, Array]:
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


@_compiled
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
        for n in range(begin, until):
            pulled_kwh = 1.0
            while pulled_kwh > 0.0:
                pulled_kwh = _pull(net, search, _NONE, sessions_by_price[n])
                taken_kwh += pulled_kwh
    return until, taken_kwh


@_compiled
def _pull(net: Network, search: Search, step: int, session: int) -> float:
    """Bring energy to one end along paths on which others make way; in kWh, 0 when no session can reach it any more.

    In that case nothing that can reach the end has energy to place, and nothing will: all of it is settled, and no
    later search looks at it again.

    Args:
        step: the end; -1 where it is the shortfall of `session`.
        session: the session whose shortfall is the end.
    """
    search.seen_step[:] = net.settled_step
    search.seen_session[:] = net.settled_session
    n_reached, n_searched, pulled_kwh = 0, 0, 0.0
    if step >= 0:
        if search.seen_step[step]:
            return 0.0
        n_reached = _reach(search, step, _NONE, _NONE, n_reached)
    elif search.seen_session[session]:
        return 0.0
    else:
        n_reached = _reach_steps_of(net, search, session, _NONE, n_reached)
    while n_searched < n_reached:
        at = search.queue[n_searched]
        n_searched += 1
        for n in range(net.offset[at], net.offset[at + 1]):
            i = net.present[n]
            if search.seen_session[i] or net.upper_kwh[i, at] - net.placed_kwh[i, at] <= NEGLIGIBLE_KWH:
                continue
            if net.open_kwh[i] > NEGLIGIBLE_KWH:
                pulled_kwh += _push(net, search, i, at)
                if step >= 0 and net.room_kwh[step] <= NEGLIGIBLE_KWH:
                    return pulled_kwh
            else:
                n_reached = _reach_steps_of(net, search, i, at, n_reached)
    if pulled_kwh == 0.0:
        net.settled_step[:] = search.seen_step
        net.settled_session[:] = search.seen_session
    return pulled_kwh


@_compiled
def _reach(search: Search, step: int, mover: int, onward: int, n_reached: int) -> int:
    search.seen_step[step] = True
    search.mover[step] = mover
    search.onward[step] = onward
    search.queue[n_reached] = step
    return n_reached + 1


@_compiled
def _reach_steps_of(net: Network, search: Search, session: int, onward: int, n_reached: int) -> int:
    """Reach the steps that a session could leave; how many are reached now."""
    search.seen_session[session] = True
    for k in range(net.first[session], net.end[session]):
        if not search.seen_step[k] and net.placed_kwh[session, k] > NEGLIGIBLE_KWH:
            n_reached = _reach(search, k, session, onward, n_reached)
    return n_reached


@_compiled
def _push(net: Network, search: Search, session: int, step: int) -> float:
    """Place energy of a session in a step from which others make way up to the end of the search; in kWh."""
    kwh: float = min(net.open_kwh[session], net.upper_kwh[session, step] - net.placed_kwh[session, step])
    at = step
    while at != _NONE and search.mover[at] != _NONE:
        mover, onward = search.mover[at], search.onward[at]
        kwh = min(kwh, net.placed_kwh[mover, at])
        if onward != _NONE:
            kwh = min(kwh, net.upper_kwh[mover, onward] - net.placed_kwh[mover, onward])
        at = onward
    if at != _NONE:
        kwh = min(kwh, net.room_kwh[at])
    if kwh <= NEGLIGIBLE_KWH:
        return 0.0
    net.open_kwh[session] -= kwh
    net.placed_kwh[session, step] += kwh
    at = step
    while at != _NONE and search.mover[at] != _NONE:
        mover, onward = search.mover[at], search.onward[at]
        net.placed_kwh[mover, at] -= kwh
        if onward != _NONE:
            net.placed_kwh[mover, onward] += kwh
        else:
            net.short_kwh[mover] += kwh
        at = onward
    if at != _NONE:
        net.room_kwh[at] -= kwh
    return kwh


@_compiled
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


@_compiled
def _reach_leavers(net: Network, step: int, seen_session: Flags, queue: Indices, n_reached: int) -> int:
    """Reach the sessions with energy in a step; how many are reached now."""
    for n in range(net.offset[step], net.offset[step + 1]):
        i = net.present[n]
        if not seen_session[i] and net.placed_kwh[i, step] > NEGLIGIBLE_KWH:
            seen_session[i] = True
            queue[n_reached] = i
            n_reached += 1
    return n_reached
