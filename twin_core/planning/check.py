"""The last word on every plan: does it keep the limits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twin_core.models.problem import Array, PlanningProblem, SessionNeed, SiteBattery, SiteFlows
from twin_core.planning.accounting import charged_kwh
from twin_core.planning.ladder import can_be_offered, ladder

TOLERANCE = 1e-6
"""Largest excess over a limit that counts as rounding, in kW, kWh or A, or as a part of limits above 1."""


def violations(
    problem: PlanningProblem,
    power_kw: Array,
    tolerance: float = TOLERANCE,
    *,
    battery_kw: Array | None = None,
    grid_kw: Array | None = None,
) -> list[str]:
    """Every kind of limit that the powers break, one sentence each with the worst case; empty when they break none.

    Args:
        problem: what was asked.
        power_kw: shape (n_sessions, n_steps).
        tolerance: excess that counts as rounding, see `TOLERANCE`.
        battery_kw: shape (n_steps,), power into the site's battery.
        grid_kw: shape (n_steps,), exchange at the site's meter, import positive; what follows from the rest if None.
    """
    power_kw = np.asarray(power_kw, dtype=float)
    shape = (len(problem.sessions), problem.horizon.n_steps)
    if power_kw.shape != shape:
        return [f"power has shape {power_kw.shape}, must be {shape}"]
    if not np.isfinite(power_kw).all():
        return [f"{np.count_nonzero(~np.isfinite(power_kw))} powers are not finite numbers"]
    for name, series in (("battery", battery_kw), ("grid", grid_kw)):
        if series is not None and (np.shape(series) != shape[1:] or not np.isfinite(series).all()):
            return [f"{name} power must be {shape[1]} finite numbers"]
    stored_kw = np.zeros(shape[1]) if battery_kw is None else battery_kw
    found = [
        *_of_sessions(problem, power_kw, tolerance),
        *_of_caps(problem, power_kw, stored_kw, tolerance),
        *_of_batteries(problem, power_kw, tolerance),
        *_of_the_site(problem, power_kw, stored_kw, grid_kw, tolerance),
    ]
    return [sentence for sentence in found if sentence]


def _of_sessions(problem: PlanningProblem, power_kw: Array, tolerance: float) -> Iterator[str]:
    sessions, inside, hours = problem.sessions, problem.availability(), problem.horizon.hours
    names = [f"session {s.session_id!r}" for s in sessions]
    max_kw = np.array([s.max_kw for s in sessions]).reshape(-1, 1)
    back_kw = np.array([s.discharge_max_kw for s in sessions]).reshape(-1, 1)
    wanted_kwh = np.array([max(0.0, s.energy_kwh) for s in sessions]).reshape(-1, 1)
    yield _worst(
        names,
        -power_kw,
        back_kw * inside,
        tolerance,
        "kW, more than it may give back" if back_kw.any() else "kW below zero",
    )
    yield _worst(names, power_kw, max_kw * inside, tolerance, "kW, more than it can take")
    counted_kwh = charged_kwh(problem, power_kw)
    in_all_kwh = counted_kwh.sum(axis=1, keepdims=True)
    yield _worst(names, in_all_kwh, wanted_kwh, tolerance, "kWh in all, more than wanted")
    if any(np.isfinite(s.ramp_kw_per_h) for s in sessions):
        before_kw = np.column_stack([[s.now_kw for s in sessions], power_kw[:, :-1]])
        change_kw = np.array([s.ramp_kw_per_h for s in sessions]).reshape(-1, 1) * problem.horizon.hours
        ramped = inside > 0
        # Giving back may stop at once too: only charging has to rise slowly.
        yield _worst(
            names, (power_kw - np.maximum(before_kw, 0.0)) * ramped, change_kw, tolerance, "kW, too steep a rise"
        )
    for row, session in enumerate(sessions):
        if session.taper is not None:
            yield _worst(
                names[row : row + 1],
                power_kw[[row]],
                _tapered_kw(session, counted_kwh[row], tolerance),
                tolerance,
                "kW, more than a battery this full can take",
            )
            in_kwh = np.cumsum(counted_kwh[[row]], axis=1)
            full_kwh = np.full(in_kwh.shape, session.taper.full_kwh)
            yield _worst(names[row : row + 1], in_kwh, full_kwh, tolerance, "kWh by then, more than its battery holds")
        if problem.offerable_steps:
            yield _unofferable(problem, row, hours, power_kw[row], inside[row], tolerance)


def _tapered_kw(session: SessionNeed, counted_kwh: Array, tolerance: float) -> Array:
    """Highest power by the energy that is in at the start of each step but for rounding, shape (1, n_steps)."""
    assert session.taper is not None
    before_kwh = np.cumsum(counted_kwh) - counted_kwh
    left_kwh = session.taper.full_kwh - before_kwh + tolerance
    part = np.clip(left_kwh / (session.taper.full_kwh - session.taper.flat_kwh), 0.0, 1.0)
    highest: Array = (session.max_kw * part).reshape(1, -1)
    return highest


def _unofferable(
    problem: PlanningProblem, row: int, hours: Array, power_kw: Array, part: Array, tolerance: float
) -> str:
    """A sentence when an imminent power is none that a control pilot can offer.

    In a step of which the vehicle is only there for a part, the power is the mean over the whole step. The step that
    brings the last energy may have any power: more is offered, and the vehicle stops by itself.
    """
    session = problem.sessions[row]
    left_kwh = max(0.0, session.energy_kwh)
    for step in range(min(problem.offerable_steps, problem.horizon.n_steps)):
        mean_kw = float(power_kw[step])
        left_kwh -= mean_kw * hours[step]
        rungs = ladder(session, float(part[step]), np.inf)
        if left_kwh > tolerance and not can_be_offered(rungs, mean_kw, tolerance):
            where = f"session {session.session_id!r} step {step}"
            least_kw = min(rungs.min_kw, rungs.single_min_kw)
            offered_kw = mean_kw / rungs.part if rungs.part > 0 else mean_kw
            return (
                f"{where}: {offered_kw:.6g} kW cannot be offered (least {least_kw:.6g}, steps of {rungs.step_kw:.6g})"
            )
    return ""


def _of_caps(problem: PlanningProblem, power_kw: Array, battery_kw: Array, tolerance: float) -> Iterator[str]:
    on_one_phase = _on_one_phase(problem, power_kw)
    for cap in problem.caps:
        charging_use = cap.load @ power_kw
        if cap.single_phase_load is not None:
            charging_use = charging_use + (cap.single_phase_load - cap.load) @ (power_kw * on_one_phase)
        use = (charging_use + cap.battery_load * battery_kw).reshape(1, -1)
        limit = np.maximum(cap.limit, 0.0) if cap.floor is None and not cap.battery_load else cap.limit
        yield _worst([f"cap {cap.name!r}"], use, limit.reshape(1, -1), tolerance, "over the limit")
        if cap.floor is not None:
            yield _worst([f"cap {cap.name!r}"], -use, -cap.floor.reshape(1, -1), tolerance, "below the floor")


def _on_one_phase(problem: PlanningProblem, power_kw: Array) -> Array:
    """1 where an imminent power is one of a session switched to one phase, else 0; shape (n_sessions, n_steps)."""
    switched = np.zeros_like(power_kw)
    inside = problem.availability()
    for row, session in enumerate(problem.sessions):
        if session.single_phase is not None:
            for step in range(min(problem.offerable_steps, problem.horizon.n_steps)):
                rungs = ladder(session, float(inside[row, step]), np.inf)
                switched[row, step] = rungs.is_single_phase(float(power_kw[row, step]))
    return switched


def _of_batteries(problem: PlanningProblem, power_kw: Array, tolerance: float) -> Iterator[str]:
    for row, session in enumerate(problem.sessions):
        if session.battery is not None and session.discharge_max_kw > 0:
            kept = charged_kwh(problem, power_kw)[row] * session.battery.charge_efficiency
            stored = (session.battery.stored_kwh + np.cumsum(kept)).reshape(1, -1)
            name = [f"session {session.session_id!r}"]
            yield _worst(name, stored, np.full_like(stored, session.battery.capacity_kwh), tolerance, "kWh, overfull")
            yield _worst(name, -stored, np.full_like(stored, -session.battery.least_kwh), tolerance, "kWh, too empty")


def _of_the_site(
    problem: PlanningProblem, power_kw: Array, battery_kw: Array, grid_kw: Array | None, tolerance: float
) -> Iterator[str]:
    site = problem.site
    if site is None:
        if battery_kw.any():
            yield "battery power without a battery"
        return
    if site.battery is None and battery_kw.any():
        yield "battery power without a battery"
    if site.battery is not None:
        yield from _of_the_site_battery(problem, site.battery, battery_kw, tolerance)
    if grid_kw is not None:
        yield from _of_the_meter(site, power_kw, battery_kw, grid_kw, tolerance)


def _of_the_site_battery(
    problem: PlanningProblem, battery: SiteBattery, battery_kw: Array, tolerance: float
) -> Iterator[str]:
    into_kw, out_kw = np.maximum(battery_kw, 0.0), np.maximum(-battery_kw, 0.0)
    kept_kw = into_kw * battery.charge_efficiency - out_kw / battery.discharge_efficiency
    stored = (battery.stored_kwh + np.cumsum(kept_kw * problem.horizon.hours)).reshape(1, -1)
    name = ["battery"]
    yield _worst(name, into_kw[None], np.full_like(stored, battery.charge_max_kw), tolerance, "kW in")
    yield _worst(name, out_kw[None], np.full_like(stored, battery.discharge_max_kw), tolerance, "kW out")
    yield _worst(name, stored, np.full_like(stored, battery.capacity_kwh), tolerance, "kWh, overfull")
    yield _worst(name, -stored, np.full_like(stored, -battery.least_kwh), tolerance, "kWh, too empty")
    yield _worst(name, -stored[:, -1:], np.array([[-battery.end_kwh]]), tolerance, "kWh, too empty at the end")


def _of_the_meter(
    site: SiteFlows, power_kw: Array, battery_kw: Array, grid_kw: Array, tolerance: float
) -> Iterator[str]:
    net_kw = (site.base_kw + power_kw.sum(axis=0) + battery_kw).reshape(1, -1)
    yield _worst(["grid"], grid_kw[None], net_kw, tolerance, "kW, more than the site uses")
    yield _worst(["grid"], net_kw - site.pv_kw, grid_kw[None], tolerance, "kW, more than import and the sun give")
    if site.most_out_kw is not None:
        # What flows out without the sun is for the caps to hold.
        allowed_kw = np.maximum(site.most_out_kw, -net_kw)
        yield _worst(["grid"], -grid_kw[None], allowed_kw, tolerance, "kW, more of the sun than may flow out")


def _worst(names: list[str], value: Array, limit: Array, tolerance: float, what: str) -> str:
    """A sentence on the worst of the values above their limits, shape (len(names), n); empty when all keep them."""
    broken = ~(value <= limit + tolerance * np.maximum(1.0, limit))
    if not broken.any():
        return ""
    row, step = np.unravel_index(np.argmax(np.where(broken, value - limit, -np.inf)), value.shape)
    more = f", and {np.count_nonzero(broken) - 1} more" if np.count_nonzero(broken) > 1 else ""
    return f"{names[row]} step {step}: {value[row, step]:.6g} against {limit[row, step]:.6g} ({what}{more})"
