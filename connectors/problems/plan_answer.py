"""A plan as other programmes read it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict

from twin_core.models.plan import Plan, ReasonCode, Reasons
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.lifting import Lifted


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SessionAnswer(_Part):
    """One session: its power in every step, and why."""

    id: str
    power_kw: tuple[float, ...]
    delivered_kwh: float
    unserved_kwh: float
    reason: ReasonCode | None
    why: str
    limit: str
    next_kwh_eur: float | None
    """What its next kWh would cost; None where it can take no more."""


class LimitAnswer(_Part):
    """A limit that binds, and its price by step."""

    name: str
    bound_h: float
    cost_at_most_eur: float
    price_eur_per_unit_h: tuple[float, ...]


class OverloadAnswer(_Part):
    """A limit that even the best plan does not keep, and by how much in every step, in kW or A as its name says."""

    name: str
    over: tuple[float, ...]


class LiftedAnswer(_Part):
    """What the same planner does without some limits: money saved (below 0: spent) and energy delivered beside."""

    names: tuple[str, ...]
    saves_eur: float
    delivers_kwh: float


class PlanAnswer(_Part):
    """The whole plan."""

    planner: str
    solver: str
    status: str
    reason: str
    cost_eur: float
    carbon_kg: float
    objective_eur: float
    bound_eur: float | None
    gap: float | None
    solve_s: float
    starts: tuple[datetime, ...]
    hours: tuple[float, ...]
    sessions: tuple[SessionAnswer, ...]
    battery_kw: tuple[float, ...] | None
    limits: tuple[LimitAnswer, ...]
    without: tuple[LiftedAnswer, ...]
    overloads: tuple[OverloadAnswer, ...]
    unmet: tuple[str, ...]
    notes: tuple[str, ...]


def plan_answer(plan: Plan, lifted: Sequence[Lifted] = ()) -> PlanAnswer:
    """A plan in the schema of answers; powers to the watt, energies to the watt-hour.

    Args:
        lifted: limits that were taken away for comparison.
    """
    reasons = plan.reasons or Reasons()
    return PlanAnswer(
        planner=plan.planner,
        solver=plan.solver,
        status=plan.status.value,
        reason=plan.reason,
        cost_eur=plan.cost_eur,
        carbon_kg=plan.carbon_kg,
        objective_eur=plan.objective_eur,
        bound_eur=plan.bound_eur,
        gap=plan.gap,
        solve_s=plan.solve_s,
        starts=plan.horizon.times(),
        hours=tuple(plan.horizon.hours.tolist()),
        sessions=_sessions(plan, reasons),
        battery_kw=None if plan.battery_kw is None else _rounded(plan.battery_kw),
        limits=tuple(
            LimitAnswer(
                name=limit.name,
                bound_h=round(limit.bound_h, 6),
                cost_at_most_eur=limit.cost_eur,
                price_eur_per_unit_h=_rounded(limit.price, 9),
            )
            for limit in reasons.limits
        ),
        without=tuple(
            LiftedAnswer(names=found.names, saves_eur=found.saves_eur, delivers_kwh=round(found.delivers_kwh, 3))
            for found in lifted
        ),
        overloads=tuple(OverloadAnswer(name=over.name, over=_rounded(over.over)) for over in reasons.overloads),
        unmet=reasons.unmet,
        notes=reasons.notes,
    )


def plan_json(plan: Plan, lifted: Sequence[Lifted] = ()) -> str:
    """A plan as JSON, indented, each list of numbers on a line of its own."""
    answer = plan_answer(plan, lifted).model_dump(mode="json")
    lines = [f"  {json.dumps(key)}: {_block(value)}" for key, value in answer.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def plan_csv(problem: PlanningProblem, plan: Plan) -> str:
    """Powers in kW, a row a step and a column a session, with price and sum beside: what a spreadsheet wants."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    battery = () if plan.battery_kw is None else ("site battery",)
    rows.writerow(("start", "hours", "price_eur_per_kwh", *plan.session_ids, *battery, "sessions together"))
    stored = [] if plan.battery_kw is None else [plan.battery_kw]
    columns = np.round(np.vstack([plan.power_kw, *stored, plan.power_kw.sum(axis=0)]), 3) + 0.0
    hours, prices = plan.horizon.hours.tolist(), problem.price_eur_per_kwh.tolist()
    for when, step_h, price, powers in zip(plan.horizon.times(), hours, prices, columns.T.tolist(), strict=True):
        rows.writerow((when.isoformat(), f"{step_h:g}", f"{price:g}", *powers))
    return text.getvalue()


def _block(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n  ]"
    return json.dumps(value, ensure_ascii=False)


def _sessions(plan: Plan, reasons: Reasons) -> tuple[SessionAnswer, ...]:
    why = {reason.session_id: reason for reason in reasons.sessions}
    delivered_kwh = plan.power_kw @ plan.horizon.hours
    answers = []
    for row, session_id in enumerate(plan.session_ids):
        reason = why.get(session_id)
        next_eur = (
            None if reason is None or not np.isfinite(reason.marginal_eur_per_kwh) else reason.marginal_eur_per_kwh
        )
        answers.append(
            SessionAnswer(
                id=session_id,
                power_kw=_rounded(plan.power_kw[row]),
                delivered_kwh=round(float(delivered_kwh[row]), 3),
                unserved_kwh=round(float(plan.unserved_kwh[row]), 3),
                reason=None if reason is None else reason.code,
                why="" if reason is None else reason.text,
                limit="" if reason is None else reason.limit,
                next_kwh_eur=next_eur,
            )
        )
    return tuple(answers)


def _rounded(values: Array, digits: int = 3) -> tuple[float, ...]:
    return tuple((np.round(values, digits) + 0.0).tolist())
