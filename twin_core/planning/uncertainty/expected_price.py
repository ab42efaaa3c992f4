"""Sample average approximation over prices: the lowest expected cost."""

from __future__ import annotations

from dataclasses import replace

from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.optimum import earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, price_scenarios
from twin_core.planning.uncertainty.told import Told

NOTE = (
    "The cost is linear in the price: the lowest expected cost is the lowest cost at the mean price of each step, "
    "whatever the spread of the scenarios. A risk-neutral plan uses nothing else of them."
)


class ExpectedPrice:
    """min mean_s π_sᵀE + γᵀe, which is min π̄ᵀE + γᵀe: solved as that, by any solver, for any problem.

    Args:
        prices_eur_per_kwh: shape (n_scenarios, n_steps), equally likely; they take the place of the problem's.
        solver: the name of the one to use; None takes the first that covers the problem.
    """

    name = "saa_price"

    def __init__(self, prices_eur_per_kwh: Told[Array], solver: str | None = None) -> None:
        self._prices = prices_eur_per_kwh
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its cost is the expected one."""
        require_sound(problem)
        expected = replace(problem, price_eur_per_kwh=price_scenarios(self._prices, problem).mean(axis=0))
        return noted(optimal_plan(self.name, expected, self._bench, served_first, earlier_first), NOTE)
