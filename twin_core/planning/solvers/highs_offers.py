"""The imminent steps, in which a session gets nothing or a power that its charger can really offer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.ladder import LEAST_PART
from twin_core.planning.solvers.highs_caps import Envelope
from twin_core.planning.solvers.linear_program import Mask
from twin_core.planning.solvers.rows import Draft, Index, Terms

_ROUNDING = 1e-9
"""A power this much short of a whole step, in steps, is a whole one."""


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to use a connector: charging, giving back, on one phase, or to the end. Arrays per session and step.

    Attributes:
        least_kw: mean power over the step at the lowest offer.
        most_kw: mean power over the step at most; 0 where this way is not open.
        step_kw: granularity of the mean power; 0 where any can be set.
        closing: brings the last energy, which may flow at any power: the vehicle stops by itself.
    """

    least_kw: Array
    most_kw: Array
    step_kw: Array
    kw_sign: float = 1.0
    single: bool = False
    closing: bool = False

    @property
    def unit_kw(self) -> Array:
        """Mean power per unit of its column, which counts steps where there are any."""
        return np.where(self.step_kw > 0, self.step_kw, 1.0)

    @property
    def most(self) -> Array:
        """The most its column can be."""
        return np.where(self.step_kw > 0, np.floor(self.most_kw / self.unit_kw + _ROUNDING), self.most_kw)

    @property
    def least(self) -> Array:
        """The least its column can be once it is used."""
        return np.where(self.step_kw > 0, np.ceil(self.least_kw / self.unit_kw - _ROUNDING), self.least_kw)

    @property
    def is_open(self) -> Mask:
        """Where it can be used."""
        return np.asarray((self.most > 0) & (self.most >= self.least))


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
    crowded = np.sum([way.is_open for way in ways], axis=0) > 1
    blocks, switches = zip(*(_write_way(draft, problem, way, crowded) for way in ways), strict=True)
    _one_way_at_a_time(draft, crowded, switches)
    for way, switch_of in zip(ways, switches, strict=True):
        if way.closing:
            _brings_the_last(draft, problem, Terms.joined(*blocks), switch_of)
    return tuple(blocks)


def _ways(problem: PlanningProblem, envelope: Envelope, n_steps: int) -> list[_Way]:
    sessions, inside = problem.sessions, problem.availability()[:, :n_steps]
    here = inside > LEAST_PART
    upper_kw, back_kw = envelope.upper_kw[:, :n_steps] * here, envelope.back_kw[:, :n_steps] * here
    least_kw = np.array([s.min_kw for s in sessions], dtype=float).reshape(-1, 1) * inside
    step_kw = np.array([s.step_kw for s in sessions], dtype=float).reshape(-1, 1) * inside
    ways = [_Way(least_kw, upper_kw, step_kw)]
    if back_kw.any():
        ways.append(_Way(least_kw, back_kw, step_kw, kw_sign=-1.0))
    single = _single_phase(problem, inside * here)
    if single.is_open.any():
        ways.append(single)
    return [*ways, *_closing(problem, upper_kw, least_kw, single)]


def _closing(problem: PlanningProblem, upper_kw: Array, least_kw: Array, single: _Way) -> list[_Way]:
    """Where a session can have all its energy by the end of an imminent step, that step may have any power."""
    wanted = np.array([s.energy_kwh for s in problem.sessions], dtype=float)[:, None]
    reach = np.cumsum(upper_kw * problem.horizon.hours[: upper_kw.shape[1]], axis=1)
    only_charges = np.array([s.discharge_max_kw == 0 for s in problem.sessions])[:, None]
    can_close = (wanted > 0) & (reach >= wanted) & only_charges
    if not can_close.any():
        return []
    free = np.zeros_like(upper_kw)
    # A power below the lowest on three phases is one on one phase, where a charger can switch.
    least = np.where(single.is_open, least_kw, 0.0)
    ways = [_Way(least, upper_kw * can_close, free, closing=True)]
    if single.is_open.any():
        ways.append(_Way(free, single.most_kw * can_close, free, single=True, closing=True))
    return ways


def _brings_the_last(draft: Draft, problem: PlanningProblem, terms: Terms, switch_of: Index) -> None:
    """A closing way is open only where by the end of its step all that is wanted is in."""
    session, step = np.nonzero(switch_of >= 0)
    wanted = np.array([s.energy_kwh for s in problem.sessions], dtype=float)[session]
    row_of = np.full(switch_of.shape, -1, dtype=np.int64)
    row_of[session, step] = rows = draft.rows(0.0, np.inf, session.size)
    draft.put(rows, switch_of[session, step], -wanted)
    for last in range(switch_of.shape[1]):
        row = np.where(terms.step <= last, row_of[terms.session, last], -1)
        draft.put(row[row >= 0], terms.column[row >= 0], terms.counted_kwh[row >= 0])


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


def _write_way(draft: Draft, problem: PlanningProblem, way: _Way, crowded: Mask) -> tuple[Terms, Index]:
    """Columns of one way, and the binaries that open it, shape (n_sessions, n_steps), -1 where none is needed.

    Where powers come in steps, the column counts them; else it is the power.
    """
    unit_kw, most, least, open_ = way.unit_kw, way.most, way.least, way.is_open
    switch_of = np.full(open_.shape, -1, dtype=np.int64)
    column_of = np.full(open_.shape, -1, dtype=np.int64)
    for whole in (False, True):
        session, step = np.nonzero(open_ & ((way.step_kw > 0) == whole))
        column_of[session, step] = draft.columns(0.0, most[session, step], integer=whole)
    needs_switch = crowded | way.closing | (least > np.where(way.step_kw > 0, 1.0, 0.0))
    session, step = np.nonzero(open_ & needs_switch)
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


def _one_way_at_a_time(draft: Draft, crowded: Mask, switches: tuple[Index, ...]) -> None:
    """A connector is used in one way at most in each step."""
    session, step = np.nonzero(crowded)
    rows = draft.rows(-np.inf, 1.0, session.size)
    for switch_of in switches:
        switch = switch_of[session, step]
        draft.put(rows[switch >= 0], switch[switch >= 0], 1.0)
