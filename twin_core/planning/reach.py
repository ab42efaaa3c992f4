"""How much energy a session could take if nobody else were there."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.allocation import slowed


def stay_kwh(problem: PlanningProblem) -> Array:
    """The most energy each stay lets in at full power, taper and ramp counted, no limit shared; shape (n_sessions,)."""
    upper_kw = np.array([s.max_kw for s in problem.sessions]).reshape(-1, 1) * problem.availability()
    most: Array = slowed(problem, upper_kw) @ problem.horizon.hours
    return most


def battery_room_kwh(problem: PlanningProblem) -> Array:
    """What fits into each battery, at the meter; infinite where nobody knows. Shape (n_sessions,)."""
    return np.array(
        [
            np.inf if b is None else max(0.0, (b.capacity_kwh - b.stored_kwh) / b.charge_efficiency)
            for b in (session.battery for session in problem.sessions)
        ]
    )
