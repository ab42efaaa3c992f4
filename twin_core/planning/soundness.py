"""Whether a problem can be answered at all: every field a number of the right shape."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from twin_core.errors import PlanningError
from twin_core.models.problem import (
    Array,
    Cap,
    Horizon,
    PlanningProblem,
    SessionNeed,
    SiteBattery,
    SiteFlows,
    VehicleBattery,
)

_Mask = npt.NDArray[np.bool_]

_NARROWEST_KWH = 1e-9
"""Energy over which a battery's highest power falls, at least: solvers divide by it."""

_SESSION_FIELDS: tuple[tuple[str, Callable[[Array], _Mask], str], ...] = (
    ("energy_kwh", np.isfinite, "finite"),
    ("arrival_h", np.isfinite, "finite"),
    ("departure_h", lambda x: x > -np.inf, "a number, infinite where nobody said"),
    ("max_kw", lambda x: (x >= 0) & np.isfinite(x), "finite and not negative"),
    ("waited_h", np.isfinite, "finite"),
    (
        "shortfall_eur_per_kwh",
        lambda x: (x >= 0) & np.isfinite(x),
        "finite and not negative",
    ),
    ("priority", lambda x: (x > 0) & np.isfinite(x), "finite and above 0"),
    ("step_kw", lambda x: (x >= 0) & np.isfinite(x), "finite and not negative"),
    ("min_kw", lambda x: (x >= 0) & np.isfinite(x), "finite and not negative"),
    ("kw_per_a", lambda x: (x > 0) & np.isfinite(x), "finite and above 0"),
    ("now_kw", np.isfinite, "finite"),
    ("run_h", lambda x: x >= 0, "not negative"),
    ("ramp_kw_per_h", lambda x: x > 0, "above 0, infinite where nothing limits it"),
)

_BATTERY_FIELDS: tuple[tuple[str, Callable[[SiteBattery | VehicleBattery], bool], str], ...] = (
    ("least_kwh", lambda b: 0 <= b.least_kwh <= b.stored_kwh, "between 0 and stored_kwh"),
    ("stored_kwh", lambda b: b.stored_kwh <= b.capacity_kwh < np.inf, "at most capacity_kwh, which is finite"),
    ("discharge_max_kw", lambda b: 0 <= b.discharge_max_kw < np.inf, "finite and not negative"),
    ("charge_efficiency", lambda b: 0 < b.charge_efficiency <= 1, "above 0 and at most 1"),
    ("discharge_efficiency", lambda b: 0 < b.discharge_efficiency <= 1, "above 0 and at most 1"),
    ("wear_eur_per_kwh", lambda b: 0 <= b.wear_eur_per_kwh < np.inf, "finite and not negative"),
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
    for field, is_sound, wanted in _SESSION_FIELDS:
        values = np.array(list(map(attrgetter(field), problem.sessions)), dtype=float)
        broken = np.flatnonzero(~is_sound(values))
        if broken.size:
            session = problem.sessions[broken[0]]
            raise PlanningError(f"session {session.session_id!r}: {field} is {values[broken[0]]}, must be {wanted}")
    _require_horizon(horizon)
    n_steps = horizon.n_steps
    _require_array("price_eur_per_kwh", problem.price_eur_per_kwh, n_steps, np.isfinite, "finite")
    if problem.carbon_kg_per_kwh is not None:
        _require_array("carbon_kg_per_kwh", problem.carbon_kg_per_kwh, n_steps, np.isfinite, "finite")
    if not np.isfinite(problem.carbon_eur_per_kg):
        raise PlanningError(f"carbon_eur_per_kg is {problem.carbon_eur_per_kg}, must be finite")
    for session in problem.sessions:
        _require_session(session)
    for cap in problem.caps:
        _require_cap(cap, len(problem.sessions), n_steps)
    if problem.site is not None:
        _require_site(problem.site, n_steps)


def _require_session(session: SessionNeed) -> None:
    """What a session may have or not."""
    if session.idle_h is not None and not np.isfinite(session.idle_h):
        raise PlanningError(f"session {session.session_id!r}: idle_h is {session.idle_h}, must be finite")
    likely_h = session.likely_departure_h
    if likely_h is not None and not likely_h > -np.inf:
        raise PlanningError(
            f"session {session.session_id!r}: likely_departure_h is {likely_h}, must be a number, infinite where nobody"
            " knows"
        )
    if session.battery is not None:
        _require_battery(f"session {session.session_id!r}: battery", session.battery)
    single = session.single_phase
    if single is not None and not (0 < single.min_kw <= single.max_kw < np.inf and session.min_kw > 0):
        raise PlanningError(
            f"session {session.session_id!r}: single_phase.min_kw {single.min_kw} must be above 0 and at most "
            f"single_phase.max_kw {single.max_kw}, and min_kw {session.min_kw} above 0"
        )
    taper = session.taper
    if taper is not None and not (taper.flat_kwh >= 0 and _NARROWEST_KWH <= taper.full_kwh - taper.flat_kwh < np.inf):
        raise PlanningError(
            f"session {session.session_id!r}: taper.flat_kwh {taper.flat_kwh} must be at least 0 and "
            f"{_NARROWEST_KWH:g} below taper.full_kwh {taper.full_kwh}"
        )


def _require_horizon(horizon: Horizon) -> None:
    if horizon.lengths_h and len(horizon.lengths_h) != horizon.n_steps:
        raise PlanningError(f"horizon: {len(horizon.lengths_h)} lengths for {horizon.n_steps} steps")
    broken = [h for h in horizon.lengths_h if not 0 < h < np.inf]
    if broken:
        raise PlanningError(f"horizon: a step of {broken[0]} h cannot be planned")


def _require_cap(cap: Cap, n_sessions: int, n_steps: int) -> None:
    def sound_load(x: Array) -> _Mask:
        return (x >= 0) & np.isfinite(x)

    _require_array(f"cap {cap.name!r}: load", cap.load, n_sessions, sound_load, "finite and >= 0")
    _require_array(f"cap {cap.name!r}: limit", cap.limit, n_steps, lambda x: ~np.isnan(x), "a number")
    if cap.single_phase_load is not None:
        _require_array(
            f"cap {cap.name!r}: single_phase_load", cap.single_phase_load, n_sessions, sound_load, "finite and >= 0"
        )
    if cap.floor is not None:
        _require_array(f"cap {cap.name!r}: floor", cap.floor, n_steps, lambda x: x <= cap.limit, "at most the limit")
    if not 0 <= cap.battery_load < np.inf:
        raise PlanningError(f"cap {cap.name!r}: battery_load is {cap.battery_load}, must be finite and >= 0")


def _require_site(site: SiteFlows, n_steps: int) -> None:
    _require_array("site: base_kw", site.base_kw, n_steps, np.isfinite, "finite")
    _require_array("site: pv_kw", site.pv_kw, n_steps, lambda x: (x >= 0) & np.isfinite(x), "finite and >= 0")
    _require_array("site: export_eur_per_kwh", site.export_eur_per_kwh, n_steps, np.isfinite, "finite")
    if site.export_limit_kw is not None:
        _require_array("site: export_limit_kw", site.export_limit_kw, n_steps, lambda x: x >= 0, "a number >= 0")
    for field, value in (
        ("demand_charge_eur_per_kw", site.demand_charge_eur_per_kw),
        ("peak_so_far_kw", site.peak_so_far_kw),
    ):
        if not 0 <= value < np.inf:
            raise PlanningError(f"site: {field} is {value}, must be finite and >= 0")
    if site.battery is not None:
        _require_battery("site: battery", site.battery)
        if not 0 <= site.battery.end_kwh <= site.battery.capacity_kwh:
            raise PlanningError(f"site: battery: end_kwh is {site.battery.end_kwh}, must be between 0 and capacity_kwh")
        if not 0 <= site.battery.charge_max_kw < np.inf:
            raise PlanningError(
                f"site: battery: charge_max_kw is {site.battery.charge_max_kw}, must be finite and not negative"
            )


def _require_battery(name: str, battery: SiteBattery | VehicleBattery) -> None:
    for field, is_sound, wanted in _BATTERY_FIELDS:
        if not is_sound(battery):
            raise PlanningError(f"{name}: {field} is {getattr(battery, field)}, must be {wanted}")


def _require_array(field: str, values: Array, length: int, is_sound: Callable[[Array], _Mask], wanted: str) -> None:
    if np.shape(values) != (length,):
        raise PlanningError(f"{field} has shape {np.shape(values)}, must be ({length},)")
    broken = np.flatnonzero(~is_sound(values))
    if broken.size:
        raise PlanningError(f"{field}[{broken[0]}] is {values[broken[0]]}, must be {wanted}")
