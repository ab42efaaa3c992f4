"""What each session asks by itself: its powers, its energy, its battery's path, taper and ramp."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.solvers.highs_caps import Envelope
from twin_core.planning.solvers.highs_offers import offered_terms, round_trips
from twin_core.planning.solvers.linear_program import Mask
from twin_core.planning.solvers.rows import Draft, Index, Terms


def write_sessions(draft: Draft, problem: PlanningProblem, envelope: Envelope, apart: Mask) -> Terms:
    """Columns of the powers, and the rows of the sessions.

    Args:
        apart: shape (n_sessions, n_steps), where charging and giving back at once must be ruled out by a binary.
    """
    n_offered = min(problem.offerable_steps, problem.horizon.n_steps)
    later = np.arange(problem.horizon.n_steps) >= n_offered
    charging = _later_terms(draft, problem, envelope.upper_kw * later, back=False)
    giving = _later_terms(draft, problem, envelope.back_kw * later, back=True)
    _keep_apart(draft, charging, giving, apart)
    terms = Terms.joined(charging, giving, *offered_terms(draft, problem, envelope, n_offered))
    wear = np.array([0.0 if s.battery is None else s.battery.wear_eur_per_kwh for s in problem.sessions])
    out_kwh = np.maximum(-terms.kw, 0.0) * problem.horizon.hours[terms.step]
    draft.price(terms.column, wear[terms.session] * out_kwh)
    _write_energy(draft, problem, envelope, terms)
    _write_ramps(draft, problem, terms)
    return terms


def _later_terms(draft: Draft, problem: PlanningProblem, most_kw: Array, *, back: bool) -> Terms:
    session, step = np.nonzero(most_kw)
    hours = problem.horizon.hours[step]
    columns = draft.columns(0.0, most_kw[session, step])
    sign = -1.0 if back else 1.0
    counted = -hours / round_trips(problem)[session] if back else hours
    single = np.zeros(session.size, dtype=bool)
    return Terms(session, step, columns, np.full(session.size, sign), counted, single)


def _keep_apart(draft: Draft, charging: Terms, giving: Terms, apart: Mask) -> None:
    """A binary for each marked step: 1 for charging, 0 for giving back."""
    column_in = np.full(apart.shape, -1, dtype=np.int64)
    column_in[charging.session, charging.step] = charging.column
    column_out = np.full(apart.shape, -1, dtype=np.int64)
    column_out[giving.session, giving.step] = giving.column
    session, step = np.nonzero(apart & (column_in >= 0) & (column_out >= 0))
    draft.either_way(column_in[session, step], column_out[session, step])


def _write_energy(draft: Draft, problem: PlanningProblem, envelope: Envelope, terms: Terms) -> None:
    """No more than wanted; what is delivered saves its price as a shortfall."""
    sessions = problem.sessions
    wanted = np.array([max(0.0, s.energy_kwh) for s in sessions], dtype=float)
    shortfall = np.array([s.shortfall_eur_per_kwh for s in sessions], dtype=float)
    draft.offset_eur += float(shortfall @ wanted)
    draft.price(terms.column, -shortfall[terms.session] * terms.counted_kwh)
    by_path = np.array(
        [
            s.discharge_max_kw > 0 or (s.taper is not None and s.taper.flat_kwh < w)
            for s, w in zip(sessions, wanted, strict=True)
        ],
        dtype=bool,
    )
    tight = ~by_path & (envelope.upper_kw @ problem.horizon.hours > wanted)
    row_of = np.full(len(sessions), -1, dtype=np.int64)
    row_of[tight] = draft.rows(-np.inf, wanted[tight], int(tight.sum()))
    row = row_of[terms.session]
    draft.put(row[row >= 0], terms.column[row >= 0], terms.counted_kwh[row >= 0])
    if by_path.any():
        _write_paths(draft, problem, terms, by_path, wanted)


def _write_paths(draft: Draft, problem: PlanningProblem, terms: Terms, by_path: Mask, wanted: Array) -> None:
    """Energy counted so far as a column per step of a stay: cumulative sums would be dense rows."""
    least, most = _path_limits(problem, wanted)
    here = (problem.availability() > 0) & by_path[:, None]
    session, step = np.nonzero(here)
    state_of = np.full(here.shape, -1, dtype=np.int64)
    state_of[session, step] = state = draft.columns(least[session, step], most[session, step])
    row_of = np.full(here.shape, -1, dtype=np.int64)
    row_of[session, step] = rows = draft.rows(0.0, 0.0, session.size)
    draft.put(rows, state, 1.0)
    before = np.where(step > 0, state_of[session, step - 1], -1)
    draft.put(rows[before >= 0], before[before >= 0], -1.0)
    row = row_of[terms.session, terms.step]
    draft.put(row[row >= 0], terms.column[row >= 0], -terms.counted_kwh[row >= 0])
    _write_tapers(draft, problem, terms, state_of)


def _path_limits(problem: PlanningProblem, wanted: Array) -> tuple[Array, Array]:
    """Least and most energy counted by the end of each step, shape (n_sessions, n_steps) each."""
    here = problem.availability() > 0
    shape = here.shape
    least, most = np.zeros(shape), np.tile(wanted.reshape(-1, 1), shape[1])
    for row, session in enumerate(problem.sessions):
        stays = np.flatnonzero(here[row])
        if session.battery is not None and session.discharge_max_kw > 0:
            kept = session.battery.charge_efficiency
            least[row] = (session.battery.least_kwh - session.battery.stored_kwh) / kept
            most[row] = (session.battery.capacity_kwh - session.battery.stored_kwh) / kept
            if stays.size:
                most[row, stays[-1]] = min(most[row, stays[-1]], wanted[row])
        if session.taper is not None:
            # Power in a step is limited by what is in at its start: a long step would fill it beyond full.
            most[row] = np.minimum(most[row], session.taper.full_kwh)
    return least, most


def _write_tapers(draft: Draft, problem: PlanningProblem, terms: Terms, state_of: Index) -> None:
    """Power + slope·(energy before) <= slope·full, from the second step of a stay on: the first one starts at 0."""
    slope, full = np.zeros(len(problem.sessions)), np.zeros(len(problem.sessions))
    for row, need in enumerate(problem.sessions):
        if need.taper is not None:
            slope[row] = need.max_kw / (need.taper.full_kwh - need.taper.flat_kwh)
            full[row] = need.taper.full_kwh
    session, step = np.nonzero((state_of >= 0) & (slope > 0)[:, None])
    before = np.where(step > 0, state_of[session, step - 1], -1)
    session, step, before = session[before >= 0], step[before >= 0], before[before >= 0]
    rows = draft.rows(-np.inf, slope[session] * full[session], session.size)
    row_of = np.full(state_of.shape, -1, dtype=np.int64)
    row_of[session, step] = rows
    draft.put(rows, before, slope[session])
    term_row = row_of[terms.session, terms.step]
    draft.put(term_row[term_row >= 0], terms.column[term_row >= 0], terms.kw[term_row >= 0])


def _write_ramps(draft: Draft, problem: PlanningProblem, terms: Terms) -> None:
    """Charging power may rise by so much from step to step, and fall at once; giving back may begin and end at once."""
    steepest = np.array([s.ramp_kw_per_h for s in problem.sessions], dtype=float)
    limited = np.isfinite(steepest)[:, None] & (problem.availability() > 0)
    if not limited.any():
        return
    session, step = np.nonzero(limited)
    now_kw = np.array([s.now_kw for s in problem.sessions], dtype=float)
    rise_kw = steepest[session] * problem.horizon.hours[step] + np.where(
        step == 0, np.maximum(now_kw, 0.0)[session], 0.0
    )
    row_of = np.full((limited.shape[0], limited.shape[1] + 1), -1, dtype=np.int64)
    row_of[session, step] = draft.rows(-np.inf, rise_kw, session.size)
    for row, sign in ((row_of[terms.session, terms.step], 1.0), (row_of[terms.session, terms.step + 1], -1.0)):
        charging = (row >= 0) & (terms.kw > 0)
        draft.put(row[charging], terms.column[charging], sign * terms.kw[charging])
