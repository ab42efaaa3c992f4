"""Earliest deadline first."""

from __future__ import annotations

import numpy as np

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.allocation import fill, in_order
from twin_core.planning.assessment import assess


class EarliestDeadlineFirst:
    """Who leaves first gets all it can take, however much or little it still wants."""

    name = "edf"

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        departure_h = np.array([s.departure_h for s in problem.sessions])
        return assess(problem, fill(problem, in_order(lambda _: departure_h)), self.name, PlanStatus.FEASIBLE)
