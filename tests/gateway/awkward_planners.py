"""Planners that misbehave on demand, for the process that has to live with them."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.equal_share import EqualShare
from twin_core.planning.optimum import optimal_plan
from twin_core.planning.solvers.solver import Solution, Solver
from twin_core.planning.solvers.table import SolverBench, solver


class Awkward:
    """Plans like `equal_share`, but first does what the first session is called."""

    name = "awkward"

    def plan(self, problem: PlanningProblem) -> Plan:
        plan = replace(EqualShare().plan(problem), planner=self.name, status=PlanStatus.PROVED)
        deed = getattr(self, problem.sessions[0].session_id.replace(" ", "_").replace("-", "_"))
        answer: Plan = deed(plan)
        return answer

    def warm_up(self, plan: Plan) -> Plan:
        return plan

    behave = warm_up

    def sleep(self, plan: Plan) -> Plan:
        time.sleep(60)
        return plan

    def doze(self, plan: Plan) -> Plan:
        time.sleep(0.2)
        return plan

    def die(self, plan: Plan) -> Plan:
        os._exit(3)

    def raise_an_error(self, plan: Plan) -> Plan:
        raise ZeroDivisionError("no reason")

    def refuse(self, plan: Plan) -> Plan:
        raise PlanningError("the solver found no plan: infeasible")

    def answer_NaN(self, plan: Plan) -> Plan:  # noqa: N802
        return replace(plan, power_kw=plan.power_kw * np.nan)

    def break_a_limit(self, plan: Plan) -> Plan:
        return replace(plan, power_kw=plan.power_kw * 1.01)

    def answer_words(self, plan: Plan) -> Plan:
        return replace(plan, power_kw=np.array([["much"]]))

    def answer_something_else(self, plan: Plan) -> Any:
        return {"power": 3}

    def lie_about_money(self, plan: Plan) -> Plan:
        return replace(plan, cost_eur=-1e9, unserved_kwh=plan.unserved_kwh * 0, session_ids=())

    def chatter(self, plan: Plan) -> Plan:
        print("noise" * 1000)
        sys.stdout.flush()
        os.write(1, b"\x00\x00\x00\x04more")
        assert sys.stdin.read() == ""
        return plan


class NeverStarts(Awkward):
    """Cannot be made in the child."""

    def __init__(self) -> None:
        raise PlanningError("no licence for the solver")


class WithAwkwardSolver(SolverBench):
    """A sound planner with a solver that first does what the first session is called."""

    name = "with_awkward_solver"

    def plan(self, problem: PlanningProblem) -> Plan:
        return optimal_plan(self.name, problem, self)

    def solver_for(self, problem: PlanningProblem) -> Solver:
        return AwkwardSolver()


class AwkwardSolver:
    """Solves like the kernel otherwise."""

    name = "awkward"

    def covers(self, problem: PlanningProblem) -> bool:
        return True

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        found = solver("kernel").solve(problem)
        deed = getattr(self, problem.sessions[0].session_id.replace(" ", "_"), None)
        answer: Solution = found if deed is None else deed(problem, found)
        return answer

    def never_end(self, problem: PlanningProblem, found: Solution) -> Solution:
        while True:
            pass

    def answer_NaN(self, problem: PlanningProblem, found: Solution) -> Solution:  # noqa: N802
        return replace(found, power_kw=found.power_kw * np.nan)

    def answer_the_wrong_shape(self, problem: PlanningProblem, found: Solution) -> Solution:
        return replace(found, power_kw=found.power_kw[:, 1:])

    def answer_nothing(self, problem: PlanningProblem, found: Solution) -> Any:
        return None

    def break_a_limit(self, problem: PlanningProblem, found: Solution) -> Solution:
        return replace(found, power_kw=found.power_kw * 1.01)

    def raise_an_error(self, problem: PlanningProblem, found: Solution) -> Solution:
        raise MemoryError("101 GiB")

    def crash(self, problem: PlanningProblem, found: Solution) -> Solution:
        os.kill(os.getpid(), signal.SIGSEGV)
        return found

    def stop_with_zeros(self, problem: PlanningProblem, found: Solution) -> Solution:
        """What HiGHS has after a search for whole numbers without time: a point of zeros."""
        from twin_core.planning.solvers.highs import Highs

        stopped = Highs()
        stopped._engine._highs = _OutOfTime(stopped._engine._highs)
        in_steps = tuple(replace(session, min_kw=4.0, step_kw=1.5) for session in problem.sessions)
        return stopped.solve(replace(problem, sessions=in_steps, offerable_steps=1))


class _OutOfTime:
    """HiGHS that has no time for whole numbers, and answers zeros."""

    def __init__(self, highs: Any) -> None:
        self._highs, self._whole = highs, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._highs, name)

    def passModel(self, model: Any) -> Any:  # noqa: N802 -- as HiGHS calls it
        self._whole = bool(model.integrality_)
        return self._highs.passModel(model)

    def getModelStatus(self) -> Any:  # noqa: N802 -- as HiGHS calls it
        import highspy

        return highspy.HighsModelStatus.kTimeLimit if self._whole else self._highs.getModelStatus()

    def getSolution(self) -> Any:  # noqa: N802 -- as HiGHS calls it
        solution = self._highs.getSolution()
        if self._whole:
            solution.col_value = [0.0] * len(solution.col_value)
        return solution
