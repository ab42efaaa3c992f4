"""Power Allocation: the cheapest way to serve everybody, as a linear programme (thesis, model 3.1)."""

from __future__ import annotations

from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.optimum import charge_only, earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench


class PowerAllocation:
    """min Σ price·δ·Y + Σ γ·e  subject to  δ·ΣY + e = L,  caps,  0 ≤ Y ≤ upper,  e ≥ 0.

    Demand is soft: a shortfall e is paid at the session's price γ, so the model is feasible whatever the limits, and
    the equality keeps negative prices from overcharging. No γ is left below the price of energy, where the model would
    charge nothing at all. No vehicle is asked to give anything back: that is `v2g`.
    """

    name = "power_allocation"

    def __init__(self, solver: str | None = None) -> None:
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; PROVED when the solver found the optimum and the plan keeps every limit."""
        return optimal_plan(self.name, problem, self._bench, charge_only, served_first, earlier_first)
