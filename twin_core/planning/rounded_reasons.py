"""Reasons of a plan whose imminent steps were rounded: true of the plan that is returned, not of the one before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_core.models.plan import Plan, ReasonCode, Reasons, SessionReason
from twin_core.models.problem import PlanningProblem, SessionNeed
from twin_core.planning.check import TOLERANCE
from twin_core.planning.reasons import explain
from twin_core.planning.solvers.solver import Duals

NOTE = (
    "The imminent steps were rounded to what chargers can offer: marginal prices and what limits cost are those of the "
    "plan before that."
)

_SETTLED = frozenset(
    {ReasonCode.SHORT, ReasonCode.STAY_TOO_SHORT, ReasonCode.DONE, ReasonCode.NOT_HERE_YET, ReasonCode.ROUNDED}
)
"""What rounding now does not explain any better."""


def explain_rounded(problem: PlanningProblem, plan: Plan, before: Plan) -> Reasons | None:
    """Reasons of the plan returned; None where the one before rounding had none.

    What is full, who goes short and why each session gets what it gets now are read from the plan itself. Prices cannot
    be: whole numbers have no duals. They stay those of the plan before, and a note says so.

    Args:
        problem: as it was asked.
        plan: what is returned, its imminent steps rounded.
        before: what the planner had planned with any power allowed, for the same sessions and steps.
    """
    known = before.reasons
    if known is None:
        return None
    found = explain(problem, plan, _prices(problem, known) if before.solver else None)
    marginals = {reason.session_id: reason.marginal_eur_per_kwh for reason in known.sessions}
    costs = {limit.name: limit.cost_eur for limit in known.limits}
    sessions = tuple(
        replace(
            _rounded(problem, reason, plan, before, row),
            marginal_eur_per_kwh=marginals.get(reason.session_id, reason.marginal_eur_per_kwh),
        )
        for row, reason in enumerate(found.sessions)
    )
    limits = tuple(replace(limit, cost_eur=costs.get(limit.name, 0.0)) for limit in found.limits)
    return replace(found, sessions=sessions, limits=limits, notes=(*known.notes, NOTE))


def _prices(problem: PlanningProblem, known: Reasons) -> Duals:
    """The duals that a plan's reasons kept, by cap."""
    by_name = {limit.name: limit.price for limit in known.limits}
    shape = (len(problem.caps), problem.horizon.n_steps)
    cap = np.array([by_name.get(cap.name, np.zeros(shape[1])) for cap in problem.caps]).reshape(shape)
    return Duals(cap, np.zeros(shape))


def _rounded(problem: PlanningProblem, reason: SessionReason, plan: Plan, before: Plan, row: int) -> SessionReason:
    """The reason of a session, or that its charger cannot offer what it was to get now."""
    if not problem.horizon.n_steps or reason.code in _SETTLED:
        return reason
    now_kw, meant_kw = float(plan.power_kw[row, 0]), float(before.power_kw[row, 0])
    if not abs(now_kw - meant_kw) > TOLERANCE:
        return reason
    way = "down" if now_kw < meant_kw else "up"
    carried_kwh = (meant_kw - now_kw) * float(problem.horizon.hours[0])
    verb = "is carried over" if carried_kwh > 0 else "is taken off later"
    text = f"{now_kw:.2f} kW, rounded {way} from {meant_kw:.2f}{_rungs(problem.sessions[row])}: "
    return replace(reason, code=ReasonCode.ROUNDED, text=f"{text}{abs(carried_kwh):.2f} kWh {verb}")


def _rungs(session: SessionNeed) -> str:
    """What its charger can offer."""
    steps = f" in steps of {session.step_kw:.2f}" if session.step_kw > 0 else ""
    return f" to what can be offered (0 or from {session.min_kw:.2f} kW{steps})"
