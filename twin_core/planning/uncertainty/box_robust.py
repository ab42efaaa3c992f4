"""Box-robust prices: the lowest cost when every price moves against the plan at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.optimum import earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, plan_at, series
from twin_core.planning.uncertainty.told import Told

SAME_SCHEDULE = (
    "The same deviation in every step makes every kWh dearer alike: the schedule is that of the nominal prices, "
    "only the worst case costs more."
)
VARYING = "Only the differences between the deviations of the steps can move energy; their common part cannot."
BOTH_WAYS = "Energy given back loses where energy taken gains: the deviation counts against both, and trades shrink."


class BoxRobust:
    """min max_{|δ_k| ≤ d_k} (π+δ)ᵀE + γᵀe = min πᵀE + dᵀ|E| + γᵀe.

    Where nothing is given back, E ≥ 0 and this is the problem at prices π + d, solved by any solver.

    Args:
        deviation_eur_per_kwh: how far each price may be off, shape (n_steps,) or one for all, >= 0.
        solver: the name of the one to use; None takes the first that covers the problem.
    """

    name = "box_robust"

    def __init__(self, deviation_eur_per_kwh: Told[Array] | float, solver: str | None = None) -> None:
        self._deviation = deviation_eur_per_kwh
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its cost is that at the problem's prices, its objective that of the worst case."""
        require_sound(problem)
        deviation = series("deviation_eur_per_kwh", self._deviation, problem)
        if problem.site is None and any(s.discharge_max_kw > 0 for s in problem.sessions):
            return noted(self._both_ways(problem, deviation), BOTH_WAYS)

        # Who is served comes before what it costs, so that what all kWh get dearer by has no say in either. With flows
        # of the site it has: it is saved where the sun stands in for the grid.
        common = float(deviation.min()) if problem.site is None and deviation.size else 0.0

        def at_worst(seen: PlanningProblem) -> PlanningProblem:
            return replace(seen, price_eur_per_kwh=seen.price_eur_per_kwh + (deviation - common))

        plan = optimal_plan(self.name, problem, self._bench, at_worst, served_first, earlier_first)
        if problem.site is not None:
            return plan
        common_eur = common * float(plan.power_kw.sum(axis=0) @ problem.horizon.hours)
        plan = replace(
            plan,
            objective_eur=plan.objective_eur + common_eur,
            bound_eur=None if plan.bound_eur is None else plan.bound_eur + common_eur,
        )
        return noted(plan, VARYING if (deviation > common).any() else SAME_SCHEDULE)

    def _both_ways(self, problem: PlanningProblem, deviation: Array) -> Plan:
        return plan_at(self.name, problem, problem.import_eur_per_kwh() + deviation, _Box(deviation))


class _Box:
    """See `PriceRisk`."""

    def __init__(self, deviation: Array) -> None:
        self._deviation = deviation

    def programme(self, energy_kwh: Any, price: Array) -> tuple[Any, list[Any]]:
        return price @ energy_kwh + self._deviation @ cp.abs(energy_kwh), []

    def cost_eur(self, energy_kwh: Array, price: Array) -> float:
        return float(price @ energy_kwh + self._deviation @ np.abs(energy_kwh))

    def worst_price(self, energy_kwh: Array, price: Array) -> Array:
        worst: Array = price + self._deviation * np.sign(energy_kwh)
        return worst
