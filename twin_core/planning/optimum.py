"""From a problem to its checked optimal plan: what all optimising planners share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.accounting import bill
from twin_core.planning.assessment import assess
from twin_core.planning.reasons import explain
from twin_core.planning.solvers.certificate import PROVED_GAP
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound

TIE_BREAK_EUR_PER_KWH = 1e-7
"""The last step looks dearer than the first by this much, so that of equal prices the earlier one is taken.

A plan costs at most this much more per kWh delivered than the cheapest one: 0.1 € in a million kWh.
"""

SHORTFALL_OVER_PRICE = 4.0
"""A kWh left undelivered costs at least this many times the dearest step.

The model charges nothing at all once energy costs more than its absence. One time would do on a single limit; across
phases, a single-phase car can push aside three times its energy in three-phase cars, all of it to dearer steps.
"""


def served_first(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which no price of energy is worth a shortfall.

    Where some session's own price is below `SHORTFALL_OVER_PRICE` times the dearest step, all are raised by the same
    amount, so that their order holds.
    """
    raised = shortfall_prices(problem)
    if all(s.shortfall_eur_per_kwh == price for s, price in zip(problem.sessions, raised, strict=True)):
        return problem
    sessions = tuple(
        replace(session, shortfall_eur_per_kwh=float(price))
        for session, price in zip(problem.sessions, raised, strict=True)
    )
    return replace(problem, sessions=sessions)


def shortfall_prices(problem: PlanningProblem) -> Array:
    """Price of a kWh not delivered to each session in €/kWh, shape (n_sessions,), above any price of energy."""
    own = np.array([s.shortfall_eur_per_kwh for s in problem.sessions])
    floor = SHORTFALL_OVER_PRICE * _dearest_eur_per_kwh(problem)
    if not own.size or own.min() >= max(floor, 2 * TIE_BREAK_EUR_PER_KWH):
        return own
    raised: Array = own + floor + TIE_BREAK_EUR_PER_KWH * 2
    return raised


def _dearest_eur_per_kwh(problem: PlanningProblem) -> float:
    """What a kWh can cost at most: imported, taken from what could be sold, or on top of the peak in a short step."""
    dearest = max(0.0, float(problem.import_eur_per_kwh().max(initial=0.0)))
    if problem.site is None:
        return dearest
    dearest = max(dearest, float(problem.site.export_eur_per_kwh.max(initial=0.0)))
    shortest_h = float(problem.horizon.hours.min(initial=np.inf))
    return dearest + problem.site.demand_charge_eur_per_kw / shortest_h


def charge_only(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which no vehicle gives anything back; none is asked to hold more than fits into it."""
    sessions = tuple(_charged_only(session) for session in problem.sessions)
    stored = problem.site is not None and problem.site.battery is not None
    caps = tuple(
        # Nothing but the site's battery could still reach a floor below zero.
        replace(cap, floor=None)
        if cap.floor is not None
        and not (stored and cap.battery_load)
        and (cap.floor <= 0).all()
        and (cap.limit >= 0).all()
        else cap
        for cap in problem.caps
    )
    return replace(problem, sessions=sessions, caps=caps)


def _charged_only(session: SessionNeed) -> SessionNeed:
    battery = session.battery
    if battery is None or not battery.discharge_max_kw:
        return session
    room_kwh = (battery.capacity_kwh - battery.stored_kwh) / battery.charge_efficiency
    return replace(session, battery=None, energy_kwh=min(session.energy_kwh, room_kwh))


def earlier_first(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which of equal prices the earlier is a hair cheaper."""
    n_steps = problem.horizon.n_steps
    tie_break = TIE_BREAK_EUR_PER_KWH * np.arange(n_steps) / max(1, n_steps)
    return replace(problem, price_eur_per_kwh=problem.price_eur_per_kwh + tie_break)


Lens = Callable[[PlanningProblem], PlanningProblem]
"""A planner's way to look at a problem: other prices or more limits, the same sessions and steps."""


def optimal_plan(
    name: str, problem: PlanningProblem, bench: SolverBench, *lenses: Lens, deadline_s: float | None = None
) -> Plan:
    """The cheapest plan for the problem as it looks through the lenses, one after the other.

    Cost and what stays unserved are those of the problem as asked; objective and bound those of the problem as seen.
    Its status is PROVED when the solver says it is optimal and our own bound, where there is one, agrees.

    Raises:
        PlanningError: the problem makes no sense, or the solver found no plan that keeps the limits.
    """
    require_sound(problem)
    if not (problem.sessions or problem.site) or problem.horizon.n_steps == 0:
        nothing = np.zeros((len(problem.sessions), problem.horizon.n_steps))
        return assess(problem, nothing, name, PlanStatus.PROVED)
    seen = problem
    for lens in lenses:
        seen = lens(seen)
    taken = bench.solver_for(seen)
    found = taken.solve(seen, deadline_s=deadline_s)
    gives_back = any(session.discharge_max_kw for session in seen.sessions)
    plan = assess(
        problem,
        found.power_kw if gives_back else np.maximum(found.power_kw, 0.0),
        name,
        PlanStatus.PROVED if found.proved else PlanStatus.FEASIBLE,
        battery_kw=found.battery_kw,
        grid_kw=found.grid_kw,
        bound_eur=found.bound_eur,
        solver=taken.name,
    )
    minimised = bill(seen, plan.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw)
    plan = replace(plan, objective_eur=minimised.objective_eur, reasons=explain(seen, plan, found.duals, asked=problem))
    if plan.gap is not None and not plan.gap <= PROVED_GAP:
        return replace(plan, status=PlanStatus.FEASIBLE)
    return plan
