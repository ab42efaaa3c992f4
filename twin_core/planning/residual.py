"""What is left of a problem once its first step is decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from twin_core.models.problem import Array, Cap, Horizon, PlanningProblem, SessionNeed, SiteFlows, Taper
from twin_core.planning.accounting import charged_kwh, grid_exchange_kw


def after_first_step(problem: PlanningProblem, power_kw: Array, battery_kw: float = 0.0) -> PlanningProblem:
    """The problem of the steps that follow: what was delivered is taken off, and time has moved on.

    Its `offerable_steps` is one less, and any powers that keep its limits keep those of the whole problem too.

    Args:
        problem: sound, with at least one step.
        power_kw: shape (n_sessions,), mean power of each session in the first step.
        battery_kw: power into the site's battery in the first step.
    """
    horizon, step_h = problem.horizon, float(problem.horizon.hours[0])
    first = replace(problem, horizon=Horizon(horizon.start, step_h, 1))
    counted_kwh = charged_kwh(first, power_kw.reshape(-1, 1))[:, 0]
    carbon = problem.carbon_kg_per_kwh
    return replace(
        problem,
        horizon=_later(horizon, step_h),
        sessions=tuple(
            _left(session, step_h, float(mean_kw), float(kwh))
            for session, mean_kw, kwh in zip(problem.sessions, power_kw, counted_kwh, strict=True)
        ),
        price_eur_per_kwh=problem.price_eur_per_kwh[1:],
        caps=tuple(_cap_later(cap) for cap in problem.caps),
        carbon_kg_per_kwh=None if carbon is None else carbon[1:],
        site=None if problem.site is None else _site_later(problem, problem.site, step_h, power_kw, battery_kw),
        offerable_steps=max(0, problem.offerable_steps - 1),
    )


def _later(horizon: Horizon, step_h: float) -> Horizon:
    lengths_h = horizon.lengths_h[1:]
    next_h = lengths_h[0] if lengths_h else step_h
    return Horizon(horizon.start + timedelta(hours=step_h), next_h, horizon.n_steps - 1, lengths_h)


def _left(session: SessionNeed, step_h: float, mean_kw: float, counted_kwh: float) -> SessionNeed:
    """A session one step later. An energy that was delivered but for rounding is delivered."""
    battery = session.battery
    if battery is not None and session.discharge_max_kw > 0:
        stored_kwh = battery.stored_kwh + counted_kwh * battery.charge_efficiency
        battery = replace(battery, stored_kwh=float(np.clip(stored_kwh, battery.least_kwh, battery.capacity_kwh)))
    later = replace(
        session,
        energy_kwh=max(0.0, max(0.0, session.energy_kwh) - counted_kwh),
        arrival_h=session.arrival_h - step_h,
        departure_h=session.departure_h - step_h,
        waited_h=session.waited_h + step_h,
        idle_h=0.0 if mean_kw > 0 else None if session.idle_h is None else session.idle_h + step_h,
        now_kw=mean_kw,
        run_h=max(0.0, session.run_h - step_h),
        battery=battery,
    )
    return later if session.taper is None else _tapered_later(later, session.taper, counted_kwh)


def _tapered_later(session: SessionNeed, taper: Taper, delivered_kwh: float) -> SessionNeed:
    """Past the bend the highest power itself is lower, and falls on along the same line."""
    flat_kwh, full_kwh = taper.flat_kwh - delivered_kwh, taper.full_kwh - delivered_kwh
    if flat_kwh >= 0:
        return replace(session, taper=Taper(flat_kwh, full_kwh))
    if not full_kwh > 1e-9:
        return replace(session, taper=None, max_kw=0.0)
    return replace(session, taper=Taper(0.0, full_kwh), max_kw=session.max_kw * full_kwh / (full_kwh - flat_kwh))


def _cap_later(cap: Cap) -> Cap:
    return replace(cap, limit=cap.limit[1:], floor=None if cap.floor is None else cap.floor[1:])


def _site_later(
    problem: PlanningProblem, site: SiteFlows, step_h: float, power_kw: Array, battery_kw: float
) -> SiteFlows:
    charging_kw = np.zeros((len(power_kw), problem.horizon.n_steps))
    charging_kw[:, 0] = power_kw
    stored_kw = np.zeros(problem.horizon.n_steps)
    stored_kw[0] = battery_kw
    import_kw = float(grid_exchange_kw(problem, site, charging_kw, stored_kw)[0])
    battery = site.battery
    if battery is not None:
        into_kw, out_kw = max(battery_kw, 0.0), max(-battery_kw, 0.0)
        kept_kw = into_kw * battery.charge_efficiency - out_kw / battery.discharge_efficiency
        stored_kwh = float(np.clip(battery.stored_kwh + kept_kw * step_h, battery.least_kwh, battery.capacity_kwh))
        battery = replace(battery, stored_kwh=stored_kwh)
    return replace(
        site,
        base_kw=site.base_kw[1:],
        pv_kw=site.pv_kw[1:],
        export_eur_per_kwh=site.export_eur_per_kwh[1:],
        export_limit_kw=None if site.export_limit_kw is None else site.export_limit_kw[1:],
        peak_so_far_kw=max(site.peak_so_far_kw, import_kw),
        battery=battery,
    )
