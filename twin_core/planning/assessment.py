"""From powers to a plan: nothing becomes one that breaks a limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus, Reasons
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations


def assess(
    problem: PlanningProblem,
    power_kw: Array,
    planner: str,
    status: PlanStatus,
    reason: str = "",
    *,
    battery_kw: Array | None = None,
    grid_kw: Array | None = None,
    bound_eur: float | None = None,
    solver: str = "",
    reasons: Reasons | None = None,
) -> Plan:
    """The plan these powers make, with what they leave unserved and what the energy costs.

    Args:
        problem: what was asked.
        power_kw: shape (n_sessions, n_steps).
        planner: who answers.
        status: how the planner came by the powers; not questioned here.
        reason: why a fallback stepped in.
        battery_kw: shape (n_steps,), power into the site's battery.
        grid_kw: shape (n_steps,), exchange at the meter; the cheapest one that follows from the rest if None.
        bound_eur: no plan has a lower objective, proved by our own check.
        solver: what solved it.
        reasons: why it is as it is.

    Raises:
        PlanningError: the powers break a limit.
    """
    broken = violations(problem, power_kw, battery_kw=battery_kw, grid_kw=grid_kw)
    if broken:
        raise PlanningError(f"{planner} broke {len(broken)} kinds of limits: " + "; ".join(broken[:3]))
    if not any(session.discharge_max_kw for session in problem.sessions):
        power_kw = np.maximum(power_kw, 0.0)
    owed = bill(problem, power_kw, battery_kw=battery_kw, grid_kw=grid_kw)
    return Plan(
        planner=planner,
        status=status,
        horizon=problem.horizon,
        session_ids=tuple(s.session_id for s in problem.sessions),
        power_kw=power_kw,
        unserved_kwh=owed.unserved_kwh,
        cost_eur=owed.cost_eur,
        reason=reason,
        carbon_kg=owed.carbon_kg,
        objective_eur=owed.objective_eur,
        bound_eur=bound_eur,
        battery_kw=battery_kw,
        solver=solver,
        reasons=reasons,
    )


def reassessed(problem: PlanningProblem, plan: Plan) -> Plan:
    """A plan that came from elsewhere, checked against the problem, its cost and what it leaves unserved taken anew.

    What was minimised stays as the planner says: it may have weighed the problem differently.

    Raises:
        PlanningError: the powers break a limit.
    """
    mine = assess(problem, plan.power_kw, plan.planner, plan.status, plan.reason, battery_kw=plan.battery_kw)
    return replace(
        plan,
        horizon=mine.horizon,
        session_ids=mine.session_ids,
        power_kw=mine.power_kw,
        unserved_kwh=mine.unserved_kwh,
        cost_eur=mine.cost_eur,
        carbon_kg=mine.carbon_kg,
    )
