"""The rule that steps in when a planner is late, fails or answers nonsense."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, Cap, PlanningProblem, SessionNeed
from twin_core.planning.allocation import equally, fill
from twin_core.planning.assessment import assess
from twin_core.planning.imminent import offerable_plan

NAME = "equal_share"


def rescue(problem: PlanningProblem, reason: str) -> Plan:
    """A plan that keeps every limit, whatever happened to the planner and whatever is wrong with the problem.

    Equal share, because it needs neither prices nor departures to be right. What makes no sense in the problem is
    read in the safe direction: a session with a broken field gets nothing, a limit that is not a number is 0; when
    even that does not help, nobody charges.

    Args:
        problem: what the planner was asked.
        reason: why the planner's own plan could not be used.
    """
    try:
        return _equal_share(problem, reason)
    except PlanningError as error:
        reason = f"{reason}; {error}"
    try:
        return _equal_share(_mended(problem), reason)
    except PlanningError as error:
        return _nobody_charges(problem, f"{reason}; {error}")


def _equal_share(problem: PlanningProblem, reason: str) -> Plan:
    def ask(asked: PlanningProblem) -> Plan:
        return assess(asked, fill(asked, equally), NAME, PlanStatus.FALLBACK, reason=reason)

    return offerable_plan(problem, ask)


def _mended(problem: PlanningProblem) -> PlanningProblem:
    """The problem with everything that is not a number read in the safe direction; shapes stay as they are."""
    caps = tuple(Cap(c.name, c.load, np.where(np.isnan(c.limit), 0.0, c.limit)) for c in problem.caps)
    return replace(
        problem,
        sessions=tuple(_mended_session(s) for s in problem.sessions),
        price_eur_per_kwh=np.nan_to_num(problem.price_eur_per_kwh, posinf=0.0, neginf=0.0),
        caps=caps,
        # Neither decides who may charge: the base load is off the limits already.
        carbon_kg_per_kwh=None,
        carbon_eur_per_kg=0.0,
        site=None,
    )


def _mended_session(session: SessionNeed) -> SessionNeed:
    readings = (session.energy_kwh, session.arrival_h, session.max_kw, session.min_kw, session.step_kw, session.now_kw)
    if np.isfinite(readings).all() and session.max_kw >= 0 and session.departure_h > -np.inf:
        return replace(session, waited_h=0.0, idle_h=None, likely_departure_h=None, shortfall_eur_per_kwh=1.0)
    energy_kwh = session.energy_kwh if np.isfinite(session.energy_kwh) else 0.0
    return replace(
        session,
        energy_kwh=energy_kwh,
        arrival_h=0.0,
        departure_h=0.0,
        max_kw=0.0,
        min_kw=0.0,
        step_kw=0.0,
        now_kw=0.0,
        waited_h=0.0,
        idle_h=None,
        likely_departure_h=None,
        shortfall_eur_per_kwh=1.0,
    )


def _nobody_charges(problem: PlanningProblem, reason: str) -> Plan:
    power_kw: Array = np.zeros((len(problem.sessions), max(0, problem.horizon.n_steps)))
    wanted_kwh = np.array([s.energy_kwh for s in problem.sessions], dtype=float)
    return Plan(
        planner=NAME,
        status=PlanStatus.FALLBACK,
        horizon=problem.horizon,
        session_ids=tuple(s.session_id for s in problem.sessions),
        power_kw=power_kw,
        unserved_kwh=np.maximum(np.nan_to_num(wanted_kwh), 0.0),
        cost_eur=0.0,
        reason=reason,
    )
