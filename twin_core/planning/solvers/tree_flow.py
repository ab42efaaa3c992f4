"""Energy below a tree of limits, as the arrays that the loops of the tree kernel work on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin_core.models.problem import Array
from twin_core.planning.solvers.kernel_loops import NEGLIGIBLE_KWH, Flags, Indices
from twin_core.planning.solvers.machine_code import compiled


class Shape(NamedTuple):
    """A tree of nodes; the root is node 0, and every other has a higher number than its parent.

    Attributes:
        parent: shape (n_nodes,), -1 for the root.
        child: every node but the root, those of one parent after the other.
        child_offset: shape (n_nodes + 1,), where in `child` those of each node begin.
        leaf: shape (n_sessions,), the lowest node that a session is below.
    """

    parent: Indices
    child: Indices
    child_offset: Indices
    leaf: Indices


class Flow(NamedTuple):
    """Who can place energy where, and what is placed by now.

    Attributes:
        shape: of the tree.
        upper_kwh: shape (n_sessions, n_steps), the most a session can place in a step.
        placed_kwh: the same, what it has placed there.
        first: shape (n_sessions,), the first step in which a session can place anything.
        end: shape (n_sessions,), the step after the last such.
        present: the sessions that can place something in a place directly, place by place.
        offset: shape (n_places + 1,), where in `present` the sessions of each place begin.
        open_kwh: shape (n_sessions,), still to be placed.
        short_kwh: shape (n_sessions,), placed in the session's own shortfall.
        room_kwh: shape (n_places,), what a place can still take.
        used_kwh: shape (n_places,), what it has taken.
        settled: shape (n_places + n_sessions,), places and sessions that nothing more will pass, see `_pull`.
    """

    shape: Shape
    upper_kwh: Array
    placed_kwh: Array
    first: Indices
    end: Indices
    present: Indices
    offset: Indices
    open_kwh: Array
    short_kwh: Array
    room_kwh: Array
    used_kwh: Array
    settled: Flags


@compiled
def flow(shape: Shape, upper_kwh: Array, wanted_kwh: Array, room_kwh: Array) -> Flow:
    """Nothing placed yet; what a session wants beyond what its stay allows counts as its shortfall at once.

    Args:
        room_kwh: shape (n_nodes, n_steps).
    """
    n_sessions, n_steps = upper_kwh.shape
    n_nodes = shape.parent.size
    n_places = n_nodes * n_steps
    first, end = np.full(n_sessions, n_steps), np.zeros(n_sessions, np.int64)
    offset = np.zeros(n_places + 1, np.int64)
    open_kwh = np.zeros(n_sessions)
    for i in range(n_sessions):
        most_kwh = 0.0
        for k in range(n_steps):
            if upper_kwh[i, k] > NEGLIGIBLE_KWH:
                first[i] = min(first[i], k)
                end[i] = k + 1
                offset[k * n_nodes + shape.leaf[i] + 1] += 1
                most_kwh += upper_kwh[i, k]
        open_kwh[i] = min(wanted_kwh[i], most_kwh)
    for place in range(n_places):
        offset[place + 1] += offset[place]
    present, at = np.empty(offset[n_places], np.int64), offset[:-1].copy()
    for i in range(n_sessions):
        for k in range(first[i], end[i]):
            if upper_kwh[i, k] > NEGLIGIBLE_KWH:
                place = k * n_nodes + shape.leaf[i]
                present[at[place]] = i
                at[place] += 1
    return Flow(
        shape,
        upper_kwh,
        np.zeros_like(upper_kwh),
        first,
        end,
        present,
        offset,
        open_kwh,
        wanted_kwh - open_kwh,
        room_kwh.T.copy().reshape(-1),
        np.zeros(n_places),
        np.zeros(n_places + n_sessions, np.bool_),
    )
