"""A planning problem as the arrays that planners work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.soundness import require_sound


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a problem, brought to as few rows as they need.

    Attributes:
        upper_kw: shape (n_sessions, n_steps), the most each session may get in each step by itself.
        wanted_kwh: shape (n_sessions,), >= 0; no more than fits in a battery that is part of the problem.
        load: shape (n_caps, n_sessions), what one kW of each session puts on each limit that several share.
        limit: shape (n_caps, n_steps), finite and >= 0.
    """

    upper_kw: Array
    wanted_kwh: Array
    load: Array
    limit: Array


def bounds_of(problem: PlanningProblem) -> Bounds:
    """The limits of a problem.

    A cap that loads one session only becomes part of that session's upper bound, and caps with equal loads, such as
    the three phases above balanced cars, become one: a site of 1,000 chargers has thousands of caps, of which a
    handful are shared.

    Raises:
        PlanningError: the problem makes no sense; the text names the field.
    """
    require_sound(problem)
    upper_kw = problem.availability()
    upper_kw *= np.array([s.max_kw for s in problem.sessions], dtype=float).reshape(-1, 1)
    shared: dict[bytes, tuple[Array, Array]] = {}
    for cap in problem.caps:
        limit = np.maximum(cap.limit, 0.0)
        loaded = np.flatnonzero(cap.load)
        if loaded.size == 1:
            row = loaded[0]
            upper_kw[row] = np.minimum(upper_kw[row], limit / cap.load[row])
        elif loaded.size > 1:
            key = cap.load.tobytes()
            _, tightest = shared.get(key, (cap.load, limit))
            shared[key] = (cap.load, np.minimum(tightest, limit))

    n_sessions, n_steps = upper_kw.shape
    load = np.array([row for row, _ in shared.values()], dtype=float).reshape(len(shared), n_sessions)
    limit = np.array([row for _, row in shared.values()], dtype=float).reshape(len(shared), n_steps)
    return Bounds(
        upper_kw=upper_kw,
        wanted_kwh=_wanted_kwh(problem),
        load=load,
        # No limit is above what could be used at most, so that "no limit" is a number a solver can hold.
        limit=np.minimum(limit, _most(load, upper_kw)),
    )


def _most(load: Array, upper_kw: Array) -> Array:
    """`load @ upper_kw`, row by row over those who load it: most limits are above a few sessions only."""
    most = np.zeros((load.shape[0], upper_kw.shape[1]))
    for row, own in enumerate(load):
        members = np.flatnonzero(own)
        everybody = members.size == own.size
        most[row] = own @ upper_kw if everybody else own[members] @ upper_kw[members]
    return most


def _wanted_kwh(problem: PlanningProblem) -> Array:
    wanted_kwh = np.array([s.energy_kwh for s in problem.sessions], dtype=float)
    for row, session in enumerate(problem.sessions):
        battery = session.battery
        if battery is not None and session.discharge_max_kw > 0:
            free_kwh = (battery.capacity_kwh - battery.stored_kwh) / battery.charge_efficiency
            wanted_kwh[row] = min(session.energy_kwh, free_kwh)
    return np.asarray(np.maximum(wanted_kwh, 0.0))
