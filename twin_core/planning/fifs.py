"""First in, first served, in strict order of arrival."""

from __future__ import annotations

import numpy as np

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.allocation import fill, in_order
from twin_core.planning.assessment import assess


class FirstInFirstServed:
    """Who came first gets all it can take; the next gets what is left.

    This is the reading of the thesis' text; the formula it gives beside it divides equally, which is `equal_share`.
    """

    name = "fifs"

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        arrived_h = np.array([s.arrival_h - s.waited_h for s in problem.sessions])
        return assess(problem, fill(problem, in_order(lambda _: arrived_h)), self.name, PlanStatus.FEASIBLE)
