"""The imminent steps, in which a session gets nothing or a power that its charger can really offer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.solvers.highs_caps import Envelope
from twin_core.planning.solvers.rows import Draft, Index, Terms

_ROUNDING = 1e-9
"""A power this much short of a whole step, in steps, is a whole one."""


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to use a connector: charging, giving back, or charging on one phase. Arrays per session and step.

    Attributes:
        least_kw: mean power over the step at the lowest offer.
        most_kw: mean power over the step at most.
        step_kw: granularity of the mean power; 0 where any can be set.
    """

    least_kw: Array
    most_kw: Array
    step_kw: Array
    kw_sign: float = 1.0
    single: bool = False


def round_trips(problem: PlanningProblem) -> Array:
    """Part of the energy that comes back from each vehicle's battery, shape (n_sessions,)."""
    return np.array(
        [
            1.0 if s.battery is None else s.battery.charge_efficiency * s.battery.discharge_efficiency
            for s in problem.sessions
        ]
    )


def offered_terms(draft: Draft, problem: PlanningProblem, envelope: Envelope, n_steps: int) -> tuple[Terms, ...]:
    """Columns of the powers in the first `n_steps`, whole-numbered where they must be.

    In a step of which a vehicle is there for a part only, all powers are means over the whole step.
    """
    if n_steps == 0 or not problem.sessions:
        return ()
    ways = _ways(problem, envelope, n_steps)
    blocks, switches = zip(*(_write_way(draft, problem, way, len(ways) > 1) for way in ways), strict=True)
    if len(ways) > 1:
        _one_way_at_a_time(draft, switches)
    return tuple(blocks)


def _ways(problem: PlanningProblem, envelope: Envelope, n_steps: int) -> list[_Way]:
    sessions, inside = problem.sessions, problem.availability()[:, :n_steps]
    least_kw = np.array([s.min_kw for s in sessions], dtype=float).reshape(-1, 1) * inside
    step_kw = np.array([s.step_kw for s in sessions], dtype=float).reshape(-1, 1) * inside
    ways = [_Way(least_kw, envelope.upper_kw[:, :n_steps], step_kw)]
    if envelope.back_kw.any():
        ways.append(_Way(least_kw, envelope.back_kw[:, :n_steps], step_kw, kw_sign=-1.0))
    if any(s.single_phase for s in sessions):
        ways.append(_single_phase(problem, inside))
    return ways


def _single_phase(problem: PlanningProblem, inside: Array) -> _Way:
    """One phase takes only what three cannot offer, so that a power says by itself which it is."""
    least, most, step = (np.zeros(len(problem.sessions)) for _ in range(3))
    for row, session in enumerate(problem.sessions):
        if session.single_phase is not None and session.min_kw > session.single_phase.min_kw:
            part = session.single_phase.min_kw / session.min_kw
            least[row], step[row] = session.single_phase.min_kw, session.step_kw * part
            # Clearly below the lowest offer on three phases.
            most[row] = min(session.single_phase.max_kw, session.min_kw * (1 - 1e-3))
    return _Way(least[:, None] * inside, most[:, None] * inside, step[:, None] * inside, single=True)


def _write_way(draft: Draft, problem: PlanningProblem, way: _Way, is_switched: bool) -> tuple[Terms, Index]:
    """Columns of one way, and the binaries that open it, shape (n_sessions, n_steps), -1 where none is needed.

    Where powers come in steps, the column counts them; else it is the power.
    """
    unit_kw = np.where(way.step_kw > 0, way.step_kw, 1.0)
    counts = way.step_kw > 0
    most = np.where(counts, np.floor(way.most_kw / unit_kw + _ROUNDING), way.most_kw)
    least = np.where(counts, np.ceil(way.least_kw / unit_kw - _ROUNDING), way.least_kw)
    open_ = (most > 0) & (most >= least)
    switch_of = np.full(open_.shape, -1, dtype=np.int64)
    column_of = np.full(open_.shape, -1, dtype=np.int64)
    for whole in (False, True):
        session, step = np.nonzero(open_ & (counts == whole))
        column_of[session, step] = draft.columns(0.0, most[session, step], integer=whole)
    session, step = np.nonzero(open_ & (is_switched | (least > np.where(counts, 1.0, 0.0))))
    switch_of[session, step] = switch = draft.columns(0.0, np.ones(session.size), integer=True)
    for limit, lower, upper in ((most, -np.inf, 0.0), (least, 0.0, np.inf)):
        rows = draft.rows(lower, upper, session.size)
        draft.put(rows, column_of[session, step], 1.0)
        draft.put(rows, switch, -limit[session, step])
    session, step = np.nonzero(open_)
    kw = way.kw_sign * unit_kw[session, step]
    counted = kw * problem.horizon.hours[step] / (round_trips(problem)[session] if way.kw_sign < 0 else 1.0)
    single = np.full(session.size, way.single)
    return Terms(session, step, column_of[session, step], kw, counted, single), switch_of


def _one_way_at_a_time(draft: Draft, switches: tuple[Index, ...]) -> None:
    """A connector is used in one way at most in each step."""
    session, step = np.nonzero(np.sum([of >= 0 for of in switches], axis=0) > 1)
    rows = draft.rows(-np.inf, 1.0, session.size)
    for switch_of in switches:
        switch = switch_of[session, step]
        draft.put(rows[switch >= 0], switch[switch >= 0], 1.0)
