"""How much energy a session could take if nobody else were there."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array, PlanningProblem


def stay_kwh(problem: PlanningProblem) -> Array:
    """The most energy each stay lets in at full power, taper and ramp counted, no limit shared; shape (n_sessions,)."""
    sessions, hours = problem.sessions, problem.horizon.hours
    upper_kw = np.array([s.max_kw for s in sessions]).reshape(-1, 1) * problem.availability()
    most: Array = upper_kw @ hours
    for row, session in enumerate(sessions):
        if session.taper is None and not np.isfinite(session.ramp_kw_per_h):
            continue
        taken_kwh, before_kw = 0.0, session.now_kw
        for highest_kw, step_h in zip(upper_kw[row], hours, strict=True):
            if session.taper is not None:
                width_kwh = session.taper.full_kwh - session.taper.flat_kwh
                room_kwh = max(0.0, session.taper.full_kwh - taken_kwh)
                highest_kw = min(highest_kw, session.max_kw * min(1.0, room_kwh / width_kwh), room_kwh / step_h)
            before_kw = min(highest_kw, before_kw + session.ramp_kw_per_h * step_h)
            taken_kwh += before_kw * step_h
        most[row] = taken_kwh
    return most


def battery_room_kwh(problem: PlanningProblem) -> Array:
    """What fits into each battery, at the meter; infinite where nobody knows. Shape (n_sessions,)."""
    return np.array(
        [
            np.inf if b is None else max(0.0, (b.capacity_kwh - b.stored_kwh) / b.charge_efficiency)
            for b in (session.battery for session in problem.sessions)
        ]
    )
