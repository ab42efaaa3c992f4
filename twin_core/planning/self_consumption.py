"""PV self-consumption: the own sun before the grid, money second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_core.models.plan import Plan, Reasons
from twin_core.models.problem import PlanningProblem
from twin_core.planning.optimum import charge_only, earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench

IMPORT_PREMIUM = 10.0
"""An imported kWh looks dearer by this many times the highest price there is: no price difference is worth one.

Above what two passes through a battery lose, and low enough that the cent in the last place still counts.
"""

_NO_SUN = "no sun behind the meter: planned by price alone"


class SelfConsumption:
    """min Σ (price + premium)·δ·import − Σ export price·δ·export + … + Σ γ·e: least import first, then least money.

    Args:
        solver: the name of the one to use; None takes the fastest that covers a problem.
    """

    name = "self_consumption"

    def __init__(self, solver: str | None = None) -> None:
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; cost is at the problem's own prices, the premium is in the objective only."""
        plan = optimal_plan(self.name, problem, self._bench, charge_only, sun_first, served_first, earlier_first)
        if problem.site is None or not problem.site.pv_kw.any():
            return replace(plan, reasons=replace(plan.reasons or Reasons(), notes=(_NO_SUN,)))
        return plan


def sun_first(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which no price is worth importing what the sun could give at another time."""
    if problem.site is None:
        return problem
    prices = np.abs(np.concatenate([problem.import_eur_per_kwh(), problem.site.export_eur_per_kwh]))
    premium = IMPORT_PREMIUM * float(prices.max(initial=0.0))
    return replace(problem, price_eur_per_kwh=problem.price_eur_per_kwh + premium)
