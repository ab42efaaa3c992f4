"""What every planner is."""

from __future__ import annotations

from typing import Protocol

from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem


class Planner(Protocol):
    """Decides who charges when.

    Power in a plan is the mean over a step. Values between 0 and a session's `min_kw` are allowed: a car that shall
    get 2 kW on average may get 4 kW half of the time, and dispatch turns the imminent step into something a charger
    can offer.
    """

    name: str

    def plan(self, problem: PlanningProblem) -> Plan:
        """A checked plan.

        Raises:
            PlanningError: the problem makes no sense, or no plan for it may be used.
        """
