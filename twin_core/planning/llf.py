"""Least laxity first."""

from __future__ import annotations

import numpy as np

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.allocation import Scarcity, fill, in_order
from twin_core.planning.assessment import assess


class LeastLaxityFirst:
    """Who can least afford to wait gets all it can take.

    Laxity is the time a vehicle could stay idle and still leave full: time left minus energy wanted over its highest
    power. It is taken anew in every step, so two equal vehicles take turns.
    """

    name = "llf"

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        departure_h = np.array([s.departure_h for s in problem.sessions])
        max_kw = np.array([s.max_kw for s in problem.sessions])

        def laxity_h(step: Scarcity) -> Array:
            needed_h = np.divide(step.remaining_kwh, max_kw, out=np.zeros_like(max_kw), where=max_kw > 0)
            laxity: Array = departure_h - step.begins_h - needed_h
            return laxity

        return assess(problem, fill(problem, in_order(laxity_h)), self.name, PlanStatus.FEASIBLE)
