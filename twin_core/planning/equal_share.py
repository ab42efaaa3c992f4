"""Equal share of what the site can give."""

from __future__ import annotations

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.allocation import equally, fill
from twin_core.planning.assessment import assess


class EqualShare:
    """Everybody gets the same power, and what some cannot take goes to the others (max-min fairness in every step)."""

    name = "equal_share"

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        return assess(problem, fill(problem, equally), self.name, PlanStatus.FEASIBLE)
