"""Caps as bounds where one session is alone below them, as rows where several share them; and their prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix

from twin_core.models.problem import Array, Cap, PlanningProblem
from twin_core.planning.solvers.rows import Draft, Index, Terms
from twin_core.planning.solvers.solver import Duals


@dataclass(frozen=True, slots=True)
class SharedCaps:
    """Caps of equal loads, brought to one.

    Attributes:
        load: shape (n_groups, n_sessions).
        single_load: shape (n_groups, n_sessions), while switched to one phase.
        battery_load: shape (n_groups,).
        limit: shape (n_groups, n_steps), the tightest of each group, infinite where there is none.
        floor: shape (n_groups, n_steps), the tightest of each group.
        limit_owner: shape (n_groups, n_steps), the cap whose limit that is.
        floor_owner: shape (n_groups, n_steps).
    """

    load: Array
    single_load: Array
    battery_load: Array
    limit: Array
    floor: Array
    limit_owner: Index
    floor_owner: Index


@dataclass(frozen=True, slots=True)
class Envelope:
    """What each session may do by itself, and the caps that several share.

    Attributes:
        upper_kw: shape (n_sessions, n_steps), the most it may draw.
        back_kw: shape (n_sessions, n_steps), the most it may give back.
        owner: shape (n_sessions, n_steps), the cap that set `upper_kw`, -1 where it is the session's own limit.
        shared: the other caps.
    """

    upper_kw: Array
    back_kw: Array
    owner: Index
    shared: SharedCaps


@dataclass(frozen=True, slots=True)
class CapRows:
    """Rows written for the shared caps: the row of group `group[r]` in step `step[r]` is `row[r]`."""

    group: Index
    step: Index
    row: Index


def envelope_of(problem: PlanningProblem) -> Envelope:
    """A depot of 1,000 chargers has thousands of caps, of which a handful are shared: the others become bounds."""
    inside = problem.availability()
    upper_kw = np.array([s.max_kw for s in problem.sessions], dtype=float).reshape(-1, 1) * inside
    back_kw = np.array([s.discharge_max_kw for s in problem.sessions], dtype=float).reshape(-1, 1) * inside
    owner = np.full(upper_kw.shape, -1, dtype=np.int64)
    simple = [s.discharge_max_kw == 0 and s.single_phase is None for s in problem.sessions]
    groups: dict[tuple[bytes, bytes, float], list[int]] = {}
    for index, cap in enumerate(problem.caps):
        loaded = np.flatnonzero(cap.load)
        if loaded.size == 1 and simple[loaded[0]] and cap.floor is None and not cap.battery_load:
            row = loaded[0]
            limit_kw = np.maximum(cap.limit, 0.0) / cap.load[row]
            tighter = limit_kw < upper_kw[row]
            upper_kw[row, tighter], owner[row, tighter] = limit_kw[tighter], index
        elif loaded.size or cap.battery_load or cap.floor is not None:
            key = (cap.load.tobytes(), _single_load(cap).tobytes(), cap.battery_load)
            groups.setdefault(key, []).append(index)
    return Envelope(upper_kw, back_kw, owner, _shared(problem, list(groups.values())))


def write_caps(
    draft: Draft, problem: PlanningProblem, envelope: Envelope, terms: Terms, battery: tuple[Index, Index] | None
) -> CapRows:
    """A row for every step in which a shared cap can bind.

    Args:
        battery: columns of the power into and out of the site's battery.
    """
    shared, store = envelope.shared, None if problem.site is None else problem.site.battery
    most_in, most_out = (0.0, 0.0) if store is None else (store.charge_max_kw, store.discharge_max_kw)
    carried = np.maximum(shared.load, shared.single_load)
    most = carried @ envelope.upper_kw + (shared.battery_load * most_in)[:, None]
    least = -(carried @ envelope.back_kw) - (shared.battery_load * most_out)[:, None]
    group, step = np.nonzero((shared.limit < most) | (shared.floor > least))
    rows = draft.rows(shared.floor[group, step], shared.limit[group, step], group.size)
    row_of = np.full(shared.limit.shape, -1, dtype=np.int64)
    row_of[group, step] = rows
    for load, chosen in ((shared.load, ~terms.single), (shared.single_load, terms.single)):
        _put(draft, load, chosen.nonzero()[0], terms, row_of)
    if battery is not None:
        for columns, sign in zip(battery, (1.0, -1.0), strict=True):
            draft.put(rows, columns[step], sign * shared.battery_load[group])
    return CapRows(group, step, rows)


def duals_of(
    problem: PlanningProblem, envelope: Envelope, caps: CapRows, terms: Terms, row_duals: Array, column_duals: Array
) -> Duals:
    """Prices of the caps, in € for a unit of the limit and an hour.

    Args:
        row_duals: in € per unit of each row.
        column_duals: in € per unit of each column, negative where its upper limit binds.
    """
    shape = (len(problem.caps), problem.horizon.n_steps)
    cap, floor, hours = np.zeros(shape), np.zeros(shape), problem.horizon.hours
    price = row_duals[caps.row] / hours[caps.step]
    shared = envelope.shared
    np.add.at(cap, (shared.limit_owner[caps.group, caps.step], caps.step), np.maximum(-price, 0.0))
    np.add.at(floor, (shared.floor_owner[caps.group, caps.step], caps.step), np.maximum(price, 0.0))
    owner = envelope.owner[terms.session, terms.step]
    for term in np.flatnonzero((owner >= 0) & (column_duals[terms.column] < 0)):
        session, step = terms.session[term], terms.step[term]
        per_unit = problem.caps[owner[term]].load[session] * hours[step]
        cap[owner[term], step] += -column_duals[terms.column[term]] / per_unit
    return Duals(cap, floor)


def _single_load(cap: Cap) -> Array:
    return cap.load if cap.single_phase_load is None else cap.single_phase_load


def _limit(cap: Cap) -> Array:
    limit: Array = np.maximum(cap.limit, 0.0) if cap.floor is None and not cap.battery_load else cap.limit
    return limit


def _shared(problem: PlanningProblem, groups: list[list[int]]) -> SharedCaps:
    caps, n_steps, n_groups = problem.caps, problem.horizon.n_steps, len(groups)
    limit, floor = np.full((n_groups, n_steps), np.inf), np.full((n_groups, n_steps), -np.inf)
    limit_owner = np.zeros((n_groups, n_steps), dtype=np.int64)
    floor_owner = np.zeros_like(limit_owner)
    for group, members in enumerate(groups):
        limits = np.array([_limit(caps[m]) for m in members])
        floors = np.array([np.full(n_steps, -np.inf) if caps[m].floor is None else caps[m].floor for m in members])
        tightest, highest = limits.argmin(axis=0), floors.argmax(axis=0)
        limit[group], floor[group] = limits.min(axis=0), floors.max(axis=0)
        limit_owner[group], floor_owner[group] = np.array(members)[tightest], np.array(members)[highest]
    firsts = [caps[members[0]] for members in groups]
    shape = (n_groups, len(problem.sessions))
    return SharedCaps(
        load=np.array([cap.load for cap in firsts], dtype=float).reshape(shape),
        single_load=np.array([_single_load(cap) for cap in firsts], dtype=float).reshape(shape),
        battery_load=np.array([cap.battery_load for cap in firsts], dtype=float),
        limit=limit,
        floor=floor,
        limit_owner=limit_owner,
        floor_owner=floor_owner,
    )


def _put(draft: Draft, load: Array, chosen: Index, terms: Terms, row_of: Index) -> None:
    """Each chosen term into the rows of all caps that its session loads."""
    by_session = csc_matrix(load)
    first, count = by_session.indptr[:-1], np.diff(by_session.indptr)
    many = count[terms.session[chosen]]
    term = np.repeat(chosen, many)
    within = np.arange(term.size) - np.repeat(np.cumsum(many) - many, many)
    entry = first[terms.session[term]] + within
    row = row_of[by_session.indices[entry], terms.step[term]]
    written = row >= 0
    draft.put(row[written], terms.column[term[written]], (by_session.data[entry] * terms.kw[term])[written])
