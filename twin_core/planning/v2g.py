"""V2G arbitrage: vehicles that allow it buy cheap and sell dear, and leave with what they want."""

from __future__ import annotations

from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.optimum import earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench


class VehicleToGrid:
    """Power Allocation in which power may be negative: min Σ price·δ·Y + wear + Σ γ·e, every battery kept.

    The only planner that takes energy out of vehicles; all others charge only. What a vehicle gives back counts
    against the energy it wants, losses included, so it is put back before departure or reported as unserved.

    Args:
        solver: the name of the one to use; None takes the fastest that covers a problem.
    """

    name = "v2g"

    def __init__(self, solver: str | None = None) -> None:
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        return optimal_plan(self.name, problem, self._bench, served_first, earlier_first)
