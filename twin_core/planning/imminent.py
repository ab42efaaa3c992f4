"""A stage around any planner: what it plans for the imminent steps becomes something a control pilot can offer.

A plan speaks of mean powers. A car that shall get 2 kW on average could get 4 kW half of the time, but now it gets 0
or at least its minimum. So the planner is asked without that condition, its imminent powers are rounded under all
limits (see `offers`), and what the rounding gave or took is carried over: the planner is asked again for the steps that
follow, with what is left of the problem. That costs one more question for each step that rounding changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.assessment import assess
from twin_core.planning.check import TOLERANCE
from twin_core.planning.offers import offers
from twin_core.planning.planner import Planner
from twin_core.planning.residual import after_first_step
from twin_core.planning.rounded_reasons import explain_rounded
from twin_core.planning.soundness import require_sound

Ask = Callable[[PlanningProblem], Plan]


class Offerable:
    """A planner whose plans can be offered as they are in the first `offerable_steps`; otherwise the planner itself."""

    def __init__(self, inner: Planner) -> None:
        self.name = inner.name
        self._inner = inner

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; a plan that had to be rounded is FEASIBLE, not PROVED."""
        return offerable_plan(problem, self._inner.plan)


def offerable_plan(problem: PlanningProblem, ask: Ask) -> Plan:
    """What `ask` plans, its imminent steps rounded to what can be offered and the rest planned anew.

    Raises:
        PlanningError: the problem makes no sense, or `ask` has no plan for it.
    """
    if not problem.offerable_steps and not any(s.single_phase for s in problem.sessions):
        return ask(problem)
    require_sound(problem)
    first = _asked(relaxed(problem), ask)
    tail_kw, tail_battery_kw = first.power_kw, first.battery_kw
    rest, changed = problem, False
    done_kw: list[Array] = []
    done_battery_kw: list[float] = []
    for _ in range(min(problem.offerable_steps, problem.horizon.n_steps)):
        battery_kw = 0.0 if tail_battery_kw is None else float(tail_battery_kw[0])
        now_kw = offers(rest, tail_kw[:, 0], battery_kw)
        carries = bool((np.abs(now_kw - tail_kw[:, 0]) > TOLERANCE).any())
        done_kw.append(now_kw)
        done_battery_kw.append(battery_kw)
        if carries or len(done_kw) < problem.offerable_steps:
            rest = after_first_step(rest, now_kw, battery_kw)
        tail_kw = tail_kw[:, 1:]
        tail_battery_kw = None if tail_battery_kw is None else tail_battery_kw[1:]
        if carries and rest.horizon.n_steps:
            again = _asked(relaxed(rest), ask)
            tail_kw, tail_battery_kw = again.power_kw, again.battery_kw
        changed = changed or carries
    power_kw = np.column_stack([*done_kw, tail_kw])
    stored_kw = None if tail_battery_kw is None else np.concatenate([done_battery_kw, tail_battery_kw])
    plan = assess(problem, power_kw, first.planner, first.status, first.reason, battery_kw=stored_kw)
    if not changed:
        return replace(first, power_kw=plan.power_kw, unserved_kwh=plan.unserved_kwh)
    # The bound is one on what the planner minimised, which only the planner knows how to count for other powers.
    status = PlanStatus.FEASIBLE if first.status is PlanStatus.PROVED else first.status
    return replace(plan, status=status, solver=first.solver, reasons=explain_rounded(problem, plan, first))


def relaxed(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which any power can be set: nothing in it but mean powers on all phases."""
    if any(s.single_phase for s in problem.sessions):
        sessions = tuple(replace(s, single_phase=None) for s in problem.sessions)
        caps = tuple(replace(c, single_phase_load=None) for c in problem.caps)
        problem = replace(problem, sessions=sessions, caps=caps)
    return replace(problem, offerable_steps=0)


def _asked(problem: PlanningProblem, ask: Ask) -> Plan:
    plan: object = ask(problem)
    if not isinstance(plan, Plan):
        raise PlanningError(f"the planner returned {type(plan).__name__}, not a plan")
    shape = (len(problem.sessions), problem.horizon.n_steps)
    if np.shape(plan.power_kw) != shape:
        raise PlanningError(f"the planner returned powers of shape {np.shape(plan.power_kw)}, must be {shape}")
    return plan
