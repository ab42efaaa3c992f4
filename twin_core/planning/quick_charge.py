"""Quick charge: the most energy, as early as the limits allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.optimum import charge_only, optimal_plan
from twin_core.planning.solvers.table import SolverBench

_LATER_EUR_PER_KWH = 1e-3
"""What waiting to the end of the horizon counts, beside 1 for a kWh left out: energy first, then time."""


class QuickCharge:
    """Whatever energy costs, deliver all that can be delivered, each kWh as early as possible.

    The usual yardstick of adaptive charging (ACN's quick-charge objective): it plans ahead, so no deadline is missed
    that need not be, and it never waits.
    """

    name = "quick_charge"

    def __init__(self, solver: str | None = None) -> None:
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        return optimal_plan(self.name, problem, self._bench, charge_only, energy_only, sooner_first)


def energy_only(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which energy, peaks and carbon cost nothing and every kWh left out counts the same."""
    sessions = tuple(replace(session, shortfall_eur_per_kwh=1.0) for session in problem.sessions)
    free = np.zeros(problem.horizon.n_steps)
    site = problem.site
    if site is not None:
        site = replace(site, export_eur_per_kwh=free, demand_charge_eur_per_kw=0.0)
    return replace(problem, sessions=sessions, price_eur_per_kwh=free, carbon_kg_per_kwh=None, site=site)


def sooner_first(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which later energy is dearer, more than a tie-break and far less than a kWh left out."""
    waiting = problem.horizon.edges_h[:-1] / max(float(problem.horizon.edges_h[-1]), 1e-9)
    return replace(problem, price_eur_per_kwh=problem.price_eur_per_kwh + _LATER_EUR_PER_KWH * waiting)
