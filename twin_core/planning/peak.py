"""Peak shaving: the cheapest plan where the highest import costs money."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem, SiteFlows
from twin_core.planning.optimum import charge_only, earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench

DEMAND_CHARGE_EUR_PER_KW = 1.0
"""Price of the peak where the problem has none: above what a day's price differences earn, so that it is shaved."""


class Peak:
    """min Σ price·δ·import + D·max(0, peak − peak so far) + Σ γ·e.

    Where the site's own flows are not given, the peak is that of the sessions together.

    Args:
        demand_charge_eur_per_kw: D where the problem has no demand charge of its own.
        solver: the name of the one to use; None takes the fastest that covers a problem.
    """

    name = "peak"

    def __init__(self, demand_charge_eur_per_kw: float = DEMAND_CHARGE_EUR_PER_KW, solver: str | None = None) -> None:
        self._demand_charge = demand_charge_eur_per_kw
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; a demand charge that only the planner knows is in the objective, not in the cost."""
        return optimal_plan(
            self.name, problem, self._bench, charge_only, self._charged_for_its_peak, served_first, earlier_first
        )

    def _charged_for_its_peak(self, problem: PlanningProblem) -> PlanningProblem:
        site = metered(problem)
        return replace(
            problem,
            site=replace(site, demand_charge_eur_per_kw=site.demand_charge_eur_per_kw or self._demand_charge),
        )


def metered(problem: PlanningProblem) -> SiteFlows:
    """The site's flows; where they are not given, those of a meter that sees the sessions and nothing else."""
    if problem.site is not None:
        return problem.site
    nothing = np.zeros(problem.horizon.n_steps)
    # Paid for no more than it costs, nothing is exported on paper that is imported at the same time.
    return SiteFlows(nothing, nothing, np.minimum(problem.import_eur_per_kwh(), 0.0))
