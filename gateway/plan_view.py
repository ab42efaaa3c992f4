"""A plan in a terminal: sessions, power and price by step, limits that bind, and what could not be met."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from twin_core.models.plan import Plan, PlanStatus, ReasonCode, Reasons
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import charged_kwh
from twin_core.planning.lifting import Lifted

BARS = " ▁▂▃▄▅▆▇█"
MOST_COLUMNS = 72
"""Steps drawn at most: a longer horizon is drawn in means over several."""

MOST_SESSIONS = 40
"""Sessions listed at most, those that go short first; the JSON has all."""

_STATUS = {PlanStatus.PROVED: "green", PlanStatus.FEASIBLE: "cyan", PlanStatus.FALLBACK: "yellow"}
_REASON = {ReasonCode.SHORT: "yellow", ReasonCode.STAY_TOO_SHORT: "yellow", ReasonCode.FULL_POWER: "green"}


def render(name: str, problem: PlanningProblem, plan: Plan, lifted: tuple[Lifted, ...]) -> RenderableType:
    """The plan as something rich can print.

    Args:
        name: of the problem.
        problem: what was asked.
        plan: the answer, explained.
        lifted: limits that were taken away for comparison.
    """
    reasons = plan.reasons or Reasons()
    parts = [_head(name, problem, plan), Text(), _steps(problem, plan), Text(), _sessions(problem, plan, reasons)]
    if reasons.limits:
        parts += [Text(), _limits(reasons, lifted)]
    if reasons.unmet:
        parts += [Text(), Text(f"not met ({len(reasons.unmet)})", "bold yellow")]
        parts += [Padding(Text(sentence), (0, 0, 0, 2)) for sentence in reasons.unmet[:MOST_SESSIONS]]
    parts += [Text(note, "dim") for note in reasons.notes]
    return Group(*parts)


def _head(name: str, problem: PlanningProblem, plan: Plan) -> RenderableType:
    delivered_kwh = float(charged_kwh(problem, plan.power_kw).sum())
    status = f"[bold {_STATUS[plan.status]}]{plan.status.value}[/]"
    gap = "" if plan.gap is None else f", gap {max(0.0, plan.gap):.1e}"
    by = f"{plan.planner} on {plan.solver}" if plan.solver else plan.planner
    money = f"{plan.cost_eur:.2f} €, {delivered_kwh:.1f} kWh delivered, {plan.unserved_kwh.sum():.1f} kWh not"
    carbon = f", {plan.carbon_kg:.1f} kg CO₂" if plan.carbon_kg else ""
    return Text.from_markup(
        f"[bold]{escape(name)}[/]\n{status}{gap} by {escape(by)} in {plan.solve_s * 1000:.0f} ms: {money}{carbon}"
    )


def _steps(problem: PlanningProblem, plan: Plan) -> RenderableType:
    """Price and power along the horizon, one column a step or a few."""
    table = Table.grid(padding=(0, 2))
    total_kw = plan.power_kw.sum(axis=0)
    rows: list[tuple[str, Array, str]] = [("price", problem.price_eur_per_kwh, "€/kWh"), ("charging", total_kw, "kW")]
    if problem.site is not None and problem.site.pv_kw.any():
        rows.append(("sun", problem.site.pv_kw, "kW"))
    if plan.battery_kw is not None:
        rows.append(("battery", plan.battery_kw, "kW"))
    for label, values, unit in rows:
        if values.size:
            form = ".3f" if unit == "€/kWh" else ".1f"
            table.add_row(label, _bars(values), Text(f"{values.min():{form}} to {values.max():{form}} {unit}", "dim"))
    times = problem.horizon.times()
    if times:
        end = problem.horizon.start + timedelta(hours=float(problem.horizon.edges_h[-1]))
        width = min(MOST_COLUMNS, len(times))
        table.add_row("", Text(f"{times[0]:%H:%M}{'':{max(1, width - 10)}}{end:%H:%M}", "dim"), "")
    return table


def _bars(values: Array) -> str:
    chunks = np.array_split(values, min(MOST_COLUMNS, values.size))
    means = np.array([chunk.mean() for chunk in chunks])
    low, high = min(0.0, float(means.min())), float(means.max())
    parts = (means - low) / (high - low) if high > low else np.zeros_like(means)
    return "".join(BARS[round(float(part) * (len(BARS) - 1))] for part in parts)


def _sessions(problem: PlanningProblem, plan: Plan, reasons: Reasons) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("session", no_wrap=True)
    table.add_column("gets", justify="right", no_wrap=True)
    table.add_column("kWh", no_wrap=True)
    table.add_column("charges", no_wrap=True)
    table.add_column("next kWh", justify="right", no_wrap=True)
    table.add_column("why")
    delivered_kwh = charged_kwh(problem, plan.power_kw).sum(axis=1)
    order = np.argsort(-plan.unserved_kwh, kind="stable") if plan.unserved_kwh.size > MOST_SESSIONS else None
    rows = range(len(problem.sessions)) if order is None else order[:MOST_SESSIONS].tolist()
    for row in rows:
        session, reason = problem.sessions[row], reasons.sessions[row]
        served = Text(f"{delivered_kwh[row]:.1f}", "yellow" if plan.unserved_kwh[row] > 1e-3 else "")
        next_eur = reason.marginal_eur_per_kwh
        table.add_row(
            Text(session.session_id),
            served,
            Text(f"of {max(0.0, session.energy_kwh):.1f}", "dim"),
            _span(plan, row),
            f"{next_eur:.3f} €" if np.isfinite(next_eur) else "–",
            Text(reason.text, _REASON.get(reason.code, "")),
        )
    if order is not None:
        table.add_row(Text(f"and {len(problem.sessions) - MOST_SESSIONS} more", "dim"))
    return table


def _span(plan: Plan, row: int) -> str:
    """From when to when a session charges."""
    used = np.flatnonzero(np.abs(plan.power_kw[row]) > 1e-6)
    if not used.size:
        return "–"
    begin, end = (plan.horizon.start + timedelta(hours=plan.horizon.edges_h[edge]) for edge in used[[0, -1]] + (0, 1))
    return f"{begin:%H:%M}–{end:%H:%M}"


def _limits(reasons: Reasons, lifted: tuple[Lifted, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("limit that binds", no_wrap=True)
    table.add_column("for", justify="right")
    table.add_column("dearest", justify="right")
    table.add_column("without all limits of its node")
    told = {name: found for found in lifted for name in found.names}
    seen: set[tuple[str, ...]] = set()
    for limit in reasons.limits:
        found = told.get(limit.name)
        text = Text()
        if found is not None and found.names not in seen:
            seen.add(found.names)
            text = _difference(found)
        elif found is not None:
            text = Text("the same", "dim")
        else:
            text = Text("–", "dim")
        priced = bool(limit.price.max(initial=0.0) >= 0.0005)
        unit = "kWh" if limit.name.endswith("kW") else "A·h"
        table.add_row(
            Text(limit.name),
            f"{limit.bound_h:.1f} h",
            f"{limit.price.max(initial=0.0):.3f} €/{unit}" if priced else "–",
            text,
        )
    return table


def _difference(found: Lifted) -> Text:
    if abs(found.saves_eur) < 0.005 and abs(found.delivers_kwh) < 0.05:
        return Text("no difference", "dim")
    money = f"{abs(found.saves_eur):.2f} € {'less' if found.saves_eur >= 0 else 'more'}"
    energy = f", {abs(found.delivers_kwh):.1f} kWh {'more' if found.delivers_kwh >= 0 else 'less'} delivered"
    return Text(money + (energy if abs(found.delivers_kwh) >= 0.05 else ""))
