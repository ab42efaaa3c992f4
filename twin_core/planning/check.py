"""The last word on every plan: does it keep the limits, what does it leave undone, what does it cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from twin_core.errors import PlanningError
from twin_core.models.plan import Array, Plan, PlanningProblem, PlanStatus, SessionNeed

TOLERANCE = 1e-6
"""Largest excess over a limit that counts as rounding, in kW, kWh or A, or as a part of limits above 1."""

_Mask = npt.NDArray[np.bool_]

_SESSION_FIELDS: tuple[tuple[str, Callable[[SessionNeed], float], Callable[[Array], _Mask], str], ...] = (
    ("energy_kwh", lambda s: s.energy_kwh, np.isfinite, "finite"),
    ("arrival_h", lambda s: s.arrival_h, np.isfinite, "finite"),
    ("departure_h", lambda s: s.departure_h, lambda x: x > -np.inf, "a number, infinite where nobody said"),
    ("max_kw", lambda s: s.max_kw, lambda x: (x >= 0) & np.isfinite(x), "finite and not negative"),
    ("waited_h", lambda s: s.waited_h, np.isfinite, "finite"),
    (
        "shortfall_eur_per_kwh",
        lambda s: s.shortfall_eur_per_kwh,
        lambda x: (x >= 0) & np.isfinite(x),
        "finite and not negative",
    ),
)


def require_sound(problem: PlanningProblem) -> None:
    """Refuse a problem that no planner can answer sensibly.

    Negative energy counts as nothing wanted, a negative limit as 0, an infinite limit as none, and a departure before
    now as a vehicle that cannot charge: these are all facts a depot can bring about.

    Raises:
        PlanningError: a value is missing, NaN or of the wrong shape; the text names the field.
    """
    horizon = problem.horizon
    if not (0 < horizon.step_h < np.inf and horizon.n_steps >= 0):
        raise PlanningError(f"horizon: {horizon.n_steps} steps of {horizon.step_h} h cannot be planned")
    for field, read, is_sound, wanted in _SESSION_FIELDS:
        values = np.array([read(session) for session in problem.sessions], dtype=float)
        broken = np.flatnonzero(~is_sound(values))
        if broken.size:
            session = problem.sessions[broken[0]]
            raise PlanningError(f"session {session.session_id!r}: {field} is {values[broken[0]]}, must be {wanted}")
    _require_array("price_eur_per_kwh", problem.price_eur_per_kwh, horizon.n_steps, np.isfinite, "finite")
    for cap in problem.caps:
        n_sessions = len(problem.sessions)
        _require_array(
            f"cap {cap.name!r}: load", cap.load, n_sessions, lambda x: (x >= 0) & np.isfinite(x), "finite and >= 0"
        )
        _require_array(f"cap {cap.name!r}: limit", cap.limit, horizon.n_steps, lambda x: ~np.isnan(x), "a number")


def _require_array(field: str, values: Array, length: int, is_sound: Callable[[Array], _Mask], wanted: str) -> None:
    if np.shape(values) != (length,):
        raise PlanningError(f"{field} has shape {np.shape(values)}, must be ({length},)")
    broken = np.flatnonzero(~is_sound(values))
    if broken.size:
        raise PlanningError(f"{field}[{broken[0]}] is {values[broken[0]]}, must be {wanted}")


def violations(problem: PlanningProblem, power_kw: Array, tolerance: float = TOLERANCE) -> list[str]:
    """Every kind of limit that the powers break, one sentence each with the worst case; empty when they break none.

    Args:
        problem: what was asked.
        power_kw: shape (n_sessions, n_steps).
        tolerance: excess that counts as rounding, see `TOLERANCE`.
    """
    power_kw = np.asarray(power_kw, dtype=float)
    shape = (len(problem.sessions), problem.horizon.n_steps)
    if power_kw.shape != shape:
        return [f"power has shape {power_kw.shape}, must be {shape}"]
    if not np.isfinite(power_kw).all():
        return [f"{np.count_nonzero(~np.isfinite(power_kw))} powers are not finite numbers"]

    max_kw = np.array([s.max_kw for s in problem.sessions]).reshape(-1, 1)
    wanted_kwh = np.array([max(0.0, s.energy_kwh) for s in problem.sessions])
    names = [f"session {s.session_id!r}" for s in problem.sessions]
    found = [
        _worst(names, -power_kw, np.zeros(shape), tolerance, "kW below zero"),
        _worst(names, power_kw, max_kw * problem.availability(), tolerance, "kW, more than it can take"),
        _worst(
            names,
            power_kw.sum(axis=1, keepdims=True) * problem.horizon.step_h,
            wanted_kwh.reshape(-1, 1),
            tolerance,
            "kWh in all, more than wanted",
        ),
    ]
    for cap in problem.caps:
        use = (cap.load @ power_kw).reshape(1, -1)
        limit = np.maximum(cap.limit, 0.0).reshape(1, -1)
        found.append(_worst([f"cap {cap.name!r}"], use, limit, tolerance, "over the limit"))
    return [sentence for sentence in found if sentence]


def _worst(names: list[str], value: Array, limit: Array, tolerance: float, what: str) -> str:
    """A sentence on the worst of the values above their limits, shape (len(names), n); empty when all keep them."""
    broken = ~(value <= limit + tolerance * np.maximum(1.0, limit))
    if not broken.any():
        return ""
    row, step = np.unravel_index(np.argmax(np.where(broken, value - limit, -np.inf)), value.shape)
    more = f", and {np.count_nonzero(broken) - 1} more" if np.count_nonzero(broken) > 1 else ""
    return f"{names[row]} step {step}: {value[row, step]:.6g} against {limit[row, step]:.6g} ({what}{more})"


def assess(
    problem: PlanningProblem,
    power_kw: Array,
    planner: str,
    status: PlanStatus,
    reason: str = "",
) -> Plan:
    """The plan these powers make, with what they leave unserved and what the energy costs.

    Args:
        problem: what was asked.
        power_kw: shape (n_sessions, n_steps).
        planner: who answers.
        status: how the planner came by the powers; not questioned here.
        reason: why a fallback stepped in.

    Raises:
        PlanningError: the powers break a limit.
    """
    broken = violations(problem, power_kw)
    if broken:
        raise PlanningError(f"{planner} broke {len(broken)} kinds of limits: " + "; ".join(broken[:3]))
    power_kw = np.maximum(power_kw, 0.0)
    step_h = problem.horizon.step_h
    wanted_kwh = np.array([s.energy_kwh for s in problem.sessions], dtype=float)
    return Plan(
        planner=planner,
        status=status,
        horizon=problem.horizon,
        session_ids=tuple(s.session_id for s in problem.sessions),
        power_kw=power_kw,
        unserved_kwh=np.maximum(wanted_kwh - power_kw.sum(axis=1) * step_h, 0.0),
        cost_eur=float(problem.price_eur_per_kwh @ power_kw.sum(axis=0)) * step_h,
        reason=reason,
    )
