"""What a limit costs, exactly: the same problem planned again without it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.planner import Planner


@dataclass(frozen=True, slots=True)
class Lifted:
    """What would change without some limits.

    Attributes:
        names: the limits that were taken away together, such as the three phases of one fuse.
        saves_eur: money saved; negative where more energy is delivered and costs more.
        delivers_kwh: energy delivered beside.
        plan: the plan without them.
    """

    names: tuple[str, ...]
    saves_eur: float
    delivers_kwh: float
    plan: Plan


def lift(problem: PlanningProblem, plan: Plan, planner: Planner, names: Collection[str]) -> Lifted:
    """What the same planner does without the limits of these names. As slow as planning is: never on a tick.

    Money and energy stay apart, because how a kWh not delivered is priced decides how they would add up.

    Raises:
        PlanningError: the planner finds no plan without them.
    """
    caps = tuple(cap for cap in problem.caps if cap.name not in names)
    free = planner.plan(replace(problem, caps=caps))
    delivers_kwh = float(plan.unserved_kwh.sum() - free.unserved_kwh.sum())
    return Lifted(tuple(names), plan.cost_eur - free.cost_eur, delivers_kwh, free)
