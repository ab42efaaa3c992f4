"""Emission CO₂: Power Allocation where a kilogram of carbon has a price (thesis, model 3.2)."""

from __future__ import annotations

from dataclasses import replace

from twin_core.models.plan import Plan, Reasons
from twin_core.models.problem import PlanningProblem
from twin_core.planning.optimum import charge_only, earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench

CARBON_EUR_PER_KG = 0.064
"""C₀: the thesis' 64 € a tonne, where the problem names no price of its own."""

_UNKNOWN = "the carbon of energy is not known: planned by price alone"


class Carbon:
    """min Σ (price + λ·C₀·carbon)·δ·Y + Σ γ·e, demand soft as in Power Allocation.

    Args:
        weight: λ; 1 counts carbon at its price, 0 is Power Allocation, 9 is the thesis' second study.
        solver: the name of the one to use; None takes the fastest that covers a problem.
    """

    name = "carbon"

    def __init__(self, weight: float = 1.0, solver: str | None = None) -> None:
        self._weight = weight
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; the plan's cost is money alone, its objective counts the carbon at λ·C₀."""
        plan = optimal_plan(self.name, problem, self._bench, charge_only, self._weighed, served_first, earlier_first)
        if problem.carbon_kg_per_kwh is None:
            return replace(plan, reasons=replace(plan.reasons or Reasons(), notes=(_UNKNOWN,)))
        return plan

    def _weighed(self, problem: PlanningProblem) -> PlanningProblem:
        return replace(problem, carbon_eur_per_kg=self._weight * (problem.carbon_eur_per_kg or CARBON_EUR_PER_KG))
