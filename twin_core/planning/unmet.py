"""What a plan leaves unmet of what is hard: limits that the base load breaks, batteries that are emptier than asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np

from twin_core.models.plan import Overload, Plan
from twin_core.models.problem import Array, Cap, Horizon, PlanningProblem, SessionNeed, SiteBattery
from twin_core.planning.check import TOLERANCE

NEGLIGIBLE_KWH = 1e-3
"""Energy below this is rounding."""

_NEGLIGIBLE = 1e-4
"""An excess over a limit below this, in A or kW, is rounding."""

_MOST_SPANS = 4
"""Times told of one limit; the plan in JSON has every step."""


class Clock:
    """Moments of a horizon as one reads them: time of day, with the weekday where it is longer than a day."""

    def __init__(self, horizon: Horizon) -> None:
        self._start, self._edges_h = horizon.start, horizon.edges_h.tolist()
        self._form = "%H:%M" if self._edges_h[-1] <= 24.0 else "%a %H:%M"

    def after(self, since_h: float) -> str:
        """The moment so many hours from the start; the end of the horizon at the latest."""
        return (self._start + timedelta(hours=min(since_h, self._edges_h[-1]))).strftime(self._form)

    def never_here(self, session: SessionNeed) -> str:
        """Why a session is there in no step at all; empty where it is in some."""
        if session.departure_h <= 0:
            return f"gone since {(self._start + timedelta(hours=session.departure_h)).strftime(self._form)}"
        if session.arrival_h >= self._edges_h[-1]:
            return f"comes after the end of the plan at {self.after(self._edges_h[-1])}"
        return ""

    def step(self, step: int) -> str:
        """The start of a step, or the end of the one before."""
        return self.after(self._edges_h[step])


def overloads(problem: PlanningProblem, plan: Plan) -> tuple[Overload, ...]:
    """Limits and floors that the plan does not keep, because nothing can; the worst first.

    Only a limit that is broken before anybody charges can be one: no plan becomes one that breaks another.
    """
    found = [Overload(cap.name, over) for cap in problem.caps if (over := _over(cap, plan)).any()]
    return tuple(sorted(found, key=lambda overload: -float(overload.over.max())))


def unmet_limits(problem: PlanningProblem, plan: Plan, found: tuple[Overload, ...]) -> Iterator[str]:
    """A sentence on each overload, and on each battery that holds less than it is to."""
    caps = {cap.name: cap for cap in problem.caps}
    clock = Clock(problem.horizon)
    for overload in found:
        yield f"{overload.name}: {_spans(caps[overload.name], overload.over, clock)}"
    if problem.site is not None and problem.site.battery is not None and problem.horizon.n_steps:
        yield from _of_the_site_battery(problem, problem.site.battery, plan, clock)
    for session in problem.sessions:
        battery = session.battery
        if battery is not None and battery.stored_kwh < battery.least_kwh - NEGLIGIBLE_KWH:
            yield (
                f"{session.session_id}: its battery holds {battery.stored_kwh:.1f} kWh, less than the "
                f"{battery.least_kwh:.1f} kWh it is to keep: nothing is taken out below that"
            )


def unit_of(cap_name: str) -> str:
    """The unit of a cap that is named after its node and what it limits: "hall L1" in A, "hall kW" in kW, else none."""
    last = cap_name.rpartition(" ")[2]
    return {"L1": "A", "L2": "A", "L3": "A", "kW": "kW", "export": "kW"}.get(last, "")


def _over(cap: Cap, plan: Plan) -> Array:
    """By how much what cannot be helped is beyond a limit or a floor, shape (n_steps,)."""
    broken_before = (cap.limit < 0).any() or (cap.floor is not None and (cap.floor > 0).any())
    if not broken_before:
        return np.zeros_like(cap.limit)
    use = cap.load @ plan.power_kw
    if plan.battery_kw is not None:
        use = use + cap.battery_load * plan.battery_kw
    above = np.where(cap.limit < 0, use - cap.limit, 0.0)
    below = np.zeros_like(above) if cap.floor is None else np.where(cap.floor > 0, cap.floor - use, 0.0)
    over: Array = np.maximum(above, below)
    return np.where(over > _NEGLIGIBLE, over, 0.0)


def _spans(cap: Cap, over: Array, clock: Clock) -> str:
    """When a limit is not kept, and by how much at most in each span."""
    unit = f" {unit_of(cap.name)}".rstrip()
    broken = np.concatenate(([0], (over > 0).astype(int), [0]))
    edges = np.flatnonzero(np.diff(broken)).tolist()
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    told = [
        f"{over[first:last].max():.3g}{unit} over its limit {clock.step(first)}–{clock.step(last)}"
        + _without_help(cap, over, first, last, unit)
        for first, last in spans[:_MOST_SPANS]
    ]
    more = [f"and {len(spans) - _MOST_SPANS} times more"] if len(spans) > _MOST_SPANS else []
    return "; ".join([*told, *more])


def _without_help(cap: Cap, over: Array, first: int, last: int, unit: str) -> str:
    """What it would be if nobody helped, where somebody does."""
    back = np.zeros_like(cap.limit) if cap.floor is None else cap.floor
    alone = float(np.maximum(-cap.limit, back)[first:last].max())
    if alone > float(over[first:last].max()) + _NEGLIGIBLE:
        return f", {alone:.3g}{unit} without what the plan does about it"
    return " by the base load alone"


def _of_the_site_battery(problem: PlanningProblem, battery: SiteBattery, plan: Plan, clock: Clock) -> Iterator[str]:
    held = _stored_kwh(problem, battery, plan)
    low = np.flatnonzero(held < battery.least_kwh - NEGLIGIBLE_KWH)
    if low.size:
        enough = np.flatnonzero(held >= battery.least_kwh - NEGLIGIBLE_KWH)
        until = f"until {clock.step(int(enough[0]))}" if enough.size else "all along"
        least = f"{held.min():.1f} kWh, less than the {battery.least_kwh:.1f} kWh it is to keep"
        yield f"site battery: {least}, {until}"
    if held[-1] < battery.end_kwh - max(NEGLIGIBLE_KWH, TOLERANCE * battery.end_kwh):
        yield f"site battery: {held[-1]:.1f} kWh at the end instead of {battery.end_kwh:.1f}"


def _stored_kwh(problem: PlanningProblem, battery: SiteBattery, plan: Plan) -> Array:
    """What it holds now and at the end of each step, shape (n_steps + 1,)."""
    power_kw = np.zeros(problem.horizon.n_steps) if plan.battery_kw is None else plan.battery_kw
    kept_kw = np.maximum(power_kw, 0.0) * battery.charge_efficiency
    kept_kw = kept_kw - np.maximum(-power_kw, 0.0) / battery.discharge_efficiency
    stored: Array = battery.stored_kwh + np.concatenate(([0.0], np.cumsum(kept_kw * problem.horizon.hours)))
    return stored
