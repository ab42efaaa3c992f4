"""Uncontrolled charging: everybody at full power on arrival."""

from __future__ import annotations

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.allocation import fill, in_proportion
from twin_core.planning.assessment import assess


class Uncontrolled:
    """What happens when nobody plans: full power from arrival until the battery is full.

    Where a limit of the site would be exceeded all below it are cut to the same part of what they want, since a plan
    beyond the limits could not be carried out. How far the limits would have been exceeded is what the same problem
    without caps shows.
    """

    name = "uncontrolled"

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        return assess(problem, fill(problem, in_proportion), self.name, PlanStatus.FEASIBLE)
