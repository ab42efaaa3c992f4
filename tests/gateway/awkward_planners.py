"""Planners that misbehave on demand, for the process that has to live with them."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.equal_share import EqualShare


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
