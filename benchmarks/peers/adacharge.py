"""adacharge's formulation, restated in cvxpy as it builds it: a dense variable, written and compiled for every solve.

From its public description: rates of every vehicle in every period, bounds of rates, an energy constraint per vehicle,
one linear infrastructure limit per period, an objective of energy cost and of energy delivered, cvxpy's own choice of
solver (CLARABEL today). Not its code; its rounding and post-processing are left out, to its advantage.
"""

from __future__ import annotations

import cvxpy as cp
import numpy as np

from twin_core.models.problem import PlanningProblem


def objective_eur(problem: PlanningProblem) -> float:
    """The optimum in the terms of `accounting.bill`, in €."""
    hours, inside = problem.horizon.hours, problem.availability()
    sessions = problem.sessions
    rates_kw = cp.Variable((len(sessions), problem.horizon.n_steps))
    wanted_kwh = np.array([s.energy_kwh for s in sessions])
    value = np.array([s.shortfall_eur_per_kwh for s in sessions])
    most_kw = np.array([s.max_kw for s in sessions]).reshape(-1, 1) * inside
    delivered_kwh = rates_kw @ hours
    rows = [rates_kw >= 0, rates_kw <= most_kw, delivered_kwh <= wanted_kwh]
    rows += [cap.load @ rates_kw <= cap.limit for cap in problem.caps]
    cost = (problem.price_eur_per_kwh * hours) @ cp.sum(rates_kw, axis=0)
    asked = cp.Problem(cp.Maximize(value @ delivered_kwh - cost), rows)
    gained = float(asked.solve())  # type: ignore[no-untyped-call]
    return float(value @ wanted_kwh) - gained
