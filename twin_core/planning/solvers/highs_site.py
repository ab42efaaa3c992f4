"""The site's meter, the sun, the battery behind it and the demand charge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array, PlanningProblem, SiteBattery, SiteFlows
from twin_core.planning.solvers.highs_caps import Envelope
from twin_core.planning.solvers.linear_program import Mask
from twin_core.planning.solvers.rows import Draft, Index, Terms


def write_battery(draft: Draft, problem: PlanningProblem, apart: Mask) -> tuple[Index, Index] | None:
    """Columns of the power into and out of the site's battery, one a step each; None where there is none.

    Args:
        apart: shape (n_steps,), where charging and discharging at once must be ruled out by a binary.
    """
    battery: SiteBattery | None = None if problem.site is None else problem.site.battery
    if battery is None:
        return None
    n_steps, hours = problem.horizon.n_steps, problem.horizon.hours
    into = draft.columns(0.0, np.full(n_steps, battery.charge_max_kw))
    out = draft.columns(0.0, np.full(n_steps, battery.discharge_max_kw))
    least = np.full(n_steps, battery.least_kwh)
    least[-1] = max(battery.least_kwh, battery.end_kwh)
    stored = draft.columns(least, np.full(n_steps, battery.capacity_kwh))
    start = np.where(np.arange(n_steps) == 0, battery.stored_kwh, 0.0)
    rows = draft.rows(start, start, n_steps)
    draft.put(rows, stored, 1.0)
    draft.put(rows[1:], stored[:-1], -1.0)
    draft.put(rows, into, -battery.charge_efficiency * hours)
    draft.put(rows, out, hours / battery.discharge_efficiency)
    draft.price(out, battery.wear_eur_per_kwh * hours)
    draft.either_way(into[apart], out[apart])
    return into, out


@dataclass(frozen=True, slots=True)
class _Range:
    """What the meter may see in each step, shape (n_steps,) each: use without the sun, at most and at least."""

    most_kw: Array
    least_kw: Array


def write_meter(
    draft: Draft, problem: PlanningProblem, envelope: Envelope, terms: Terms, battery: tuple[Index, Index] | None
) -> Index:
    """Price of the energy, and the demand charge; returns the column of the peak above the one so far, if any."""
    price_eur = problem.import_eur_per_kwh() * problem.horizon.hours
    site = problem.site
    if site is None:
        draft.price(terms.column, price_eur[terms.step] * terms.kw)
        return np.zeros(0, dtype=np.int64)
    span = _range(site, envelope)
    # With the sun fully used, or worth nothing, and nothing that could flow out, import is use: no columns of its own.
    plain = (span.least_kw - site.pv_kw >= 0) & ((site.pv_kw == 0) | (price_eur >= 0))
    fixed_kw = site.base_kw - site.pv_kw
    draft.offset_eur += float((price_eur * fixed_kw)[plain].sum())
    for columns, kw, step in _uses(terms, battery):
        draft.price(columns[plain[step]], (price_eur[step] * kw)[plain[step]])
    peak = _peak_column(draft, site, span)
    _peak_rows(draft, site, span, plain, peak, _uses(terms, battery))
    _metered(draft, problem, site, span, np.flatnonzero(~plain), peak, _uses(terms, battery))
    return peak


def meter_kw(
    problem: PlanningProblem, site: SiteFlows, power_kw: Array, battery_kw: Array | None, peak_kw: float
) -> Array:
    """The cheapest exchange at the meter that powers allow without a higher peak than this; import positive."""
    most_kw = site.base_kw + power_kw.sum(axis=0) + (0.0 if battery_kw is None else battery_kw)
    least_kw = site.least_exchange_kw(most_kw)
    # Cost is linear between these.
    choices = np.stack([least_kw, *(np.clip(kw, least_kw, most_kw) for kw in (0.0, peak_kw)), most_kw])
    cost = problem.import_eur_per_kwh() * np.maximum(choices, 0.0) - site.export_eur_per_kwh * np.maximum(-choices, 0.0)
    cost[1:][choices[1:] > peak_kw] = np.inf
    exchange: Array = np.take_along_axis(choices, cost.argmin(axis=0)[None], axis=0)[0]
    return exchange


_Uses = tuple[tuple[Index, Array, Index], ...]
"""Columns that use power at the meter, how much per unit, and in which step."""


def _uses(terms: Terms, battery: tuple[Index, Index] | None) -> _Uses:
    of_sessions = (terms.column, terms.kw, terms.step)
    if battery is None:
        return (of_sessions,)
    into, out = battery
    steps, ones = np.arange(into.size), np.ones(into.size)
    return of_sessions, (into, ones, steps), (out, -ones, steps)


def _range(site: SiteFlows, envelope: Envelope) -> _Range:
    most_in, most_out = (0.0, 0.0)
    if site.battery is not None:
        most_in, most_out = site.battery.charge_max_kw, site.battery.discharge_max_kw
    return _Range(
        most_kw=site.base_kw + envelope.upper_kw.sum(axis=0) + most_in,
        least_kw=site.base_kw - envelope.back_kw.sum(axis=0) - most_out,
    )


def _peak_column(draft: Draft, site: SiteFlows, span: _Range) -> Index:
    highest_kw = float(span.most_kw.max(initial=0.0)) - site.peak_so_far_kw
    if site.demand_charge_eur_per_kw <= 0 or highest_kw <= 0:
        return np.zeros(0, dtype=np.int64)
    peak = draft.columns(0.0, np.array([highest_kw]))
    draft.price(peak, site.demand_charge_eur_per_kw)
    return peak


def _peak_rows(draft: Draft, site: SiteFlows, span: _Range, plain: Mask, peak: Index, uses: _Uses) -> None:
    """Where import is use: use - peak <= peak so far."""
    fixed_kw = site.base_kw - site.pv_kw
    high = plain & (span.most_kw - site.pv_kw > site.peak_so_far_kw)
    if not peak.size or not high.any():
        return
    row_of = np.full(plain.size, -1, dtype=np.int64)
    row_of[high] = rows = draft.rows(-np.inf, site.peak_so_far_kw - fixed_kw[high], int(high.sum()))
    draft.put(rows, np.repeat(peak, rows.size), -1.0)
    for columns, kw, step in uses:
        row = row_of[step]
        draft.put(row[row >= 0], columns[row >= 0], kw[row >= 0])


def _metered(
    draft: Draft, problem: PlanningProblem, site: SiteFlows, span: _Range, steps: Index, peak: Index, uses: _Uses
) -> None:
    """Where energy may flow either way: import - export + sun = use."""
    hours, price = problem.horizon.hours[steps], problem.import_eur_per_kwh()[steps]
    most_kw = np.maximum(span.most_kw[steps], 0.0)
    into = draft.columns(0.0, most_kw)
    most_out_kw = np.maximum(site.pv_kw[steps] - span.least_kw[steps], 0.0)
    if site.most_out_kw is not None:
        most_out_kw = np.minimum(most_out_kw, site.most_out_kw[steps])
    out = draft.columns(0.0, most_out_kw)
    sun = draft.columns(0.0, site.pv_kw[steps])
    draft.price(into, price * hours)
    draft.price(out, -site.export_eur_per_kwh[steps] * hours)
    row_of = np.full(problem.horizon.n_steps, -1, dtype=np.int64)
    row_of[steps] = rows = draft.rows(site.base_kw[steps], site.base_kw[steps], steps.size)
    for columns, sign in ((into, 1.0), (out, -1.0), (sun, 1.0)):
        draft.put(rows, columns, sign)
    for columns, kw, step in uses:
        row = row_of[step]
        draft.put(row[row >= 0], columns[row >= 0], -kw[row >= 0])
    # One meter cannot import and export at once; without this it would, wherever exporting pays more.
    dearer_out = site.export_eur_per_kwh[steps] > price
    draft.either_way(into[dearer_out], out[dearer_out])
    if peak.size:
        high = most_kw > site.peak_so_far_kw
        rows = draft.rows(-np.inf, site.peak_so_far_kw, int(high.sum()))
        draft.put(rows, into[high], 1.0)
        draft.put(rows, np.repeat(peak, rows.size), -1.0)
