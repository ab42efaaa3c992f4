"""Departures nobody knows: every kWh counts as far as its vehicle is likely to be there still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.assessment import assess
from twin_core.planning.optimum import earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import is_empty, noted, nothing
from twin_core.planning.uncertainty.model import ChargingModel, require_only_charging, solved
from twin_core.planning.uncertainty.told import Told, told

LEAST_LIKELY = 1e-3
"""However long others stayed, one in so many is there to the announced end: what no past stay reached is still used."""


class DepartureRisk:
    """min Σ_ik s_ik·h_k·π_k·p_ik + Σ_i γ_i·(L_i − Σ_k s_ik·h_k·p_ik), with s_ik the part of step k that i is there for.

    One set of powers for whatever comes, each flowing until its vehicle leaves: the expected bill and the expected
    shortfall are then linear, and only how likely each vehicle is still there matters, not who leaves with whom. An
    hour is waited for when it saves more than the chance of losing it costs: π_k − π_{k+1} against the share of those
    there that leave, times γ − π. Planned anew in every step, it answers to who has left; it reserves for later what
    those who may have left by then would need, and so waits rather too little than too long.

    Args:
        left_h: for each session its equally likely hours from now until it ends, or what makes them for a problem; see
            `forecasting.departures.hours_left`.
        solver: the name of the one for the plan it compares itself with; None takes the first that covers the problem.
    """

    name = "departure_risk"

    def __init__(self, left_h: Told[Sequence[Array]], solver: str | None = None) -> None:
        self._left_h = left_h
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its objective is the expected one, its notes compare it with the plan as announced."""
        require_sound(problem)
        if is_empty(problem):
            return nothing(self.name, problem)
        require_only_charging(self.name, problem)
        seen = earlier_first(served_first(problem))
        value_eur = _value_eur_per_kw(seen, still_there(problem, told(self._left_h, problem)))
        model = ChargingModel(seen)
        wanted_eur = sum(s.shortfall_eur_per_kwh * max(0.0, s.energy_kwh) for s in seen.sessions)
        solved(-value_eur[model.cells.session, model.cells.step] @ model.flow_kw, model.rows)
        plan = assess(problem, model.power_kw(), self.name, PlanStatus.FEASIBLE, solver="cvxpy highs")
        announced = optimal_plan(self.name, problem, self._bench, served_first, earlier_first)
        mine_eur, theirs_eur = (wanted_eur - float((value_eur * p.power_kw).sum()) for p in (plan, announced))
        return noted(replace(plan, objective_eur=mine_eur), _comparison(mine_eur, theirs_eur))


def still_there(problem: PlanningProblem, left_h: Sequence[Array]) -> Array:
    """Part of each step that each session is expected to be there for, shape (n_sessions, n_steps), in [0, 1].

    Args:
        left_h: for each session its equally likely hours left; nobody is reckoned with beyond the announced departure.

    Raises:
        PlanningError: a session has none, or one is not a number.
    """
    if len(left_h) != len(problem.sessions):
        raise PlanningError(
            f"left_h has {len(left_h)} entries, must be one for each of {len(problem.sessions)} sessions"
        )
    edges_h = problem.horizon.edges_h
    there = np.zeros((len(problem.sessions), problem.horizon.n_steps))
    for row, (session, given) in enumerate(zip(problem.sessions, left_h, strict=True)):
        left = np.asarray(given, dtype=float).reshape(-1, 1)
        if not left.size or np.isnan(left).any():
            raise PlanningError(f"left_h of session {session.session_id!r}: must be numbers, at least one")
        ends_h = np.minimum(edges_h[1:], np.minimum(left, session.departure_h))
        there[row] = np.maximum(ends_h - np.maximum(edges_h[:-1], session.arrival_h), 0.0).mean(axis=0)
    expected: Array = np.minimum(there / problem.horizon.hours, 1.0)
    return expected


def _value_eur_per_kw(problem: PlanningProblem, there: Array) -> Array:
    """What a kW planned in each cell is expected to be worth in €, shape (n_sessions, n_steps)."""
    meant = problem.availability()
    part = np.divide(there, meant, out=np.zeros_like(meant), where=meant > 0)
    gained = np.array([s.shortfall_eur_per_kwh for s in problem.sessions]).reshape(-1, 1) - problem.import_eur_per_kwh()
    value: Array = np.clip(part, LEAST_LIKELY, 1.0) * problem.horizon.hours * gained
    return value


def _comparison(expected_eur: float, announced_eur: float) -> str:
    if announced_eur - expected_eur <= 1e-6 * max(1.0, abs(announced_eur)):
        return f"Departures cannot change this schedule: expected objective {expected_eur:.2f} €."
    figures = f"expected objective {expected_eur:.2f} € against {announced_eur:.2f} €"
    return f"Hedged: {figures} for the plan that believes what was announced."
