"""The plan ahead as the panel shows it: what it gives, which limits it fills, who goes short. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from panel.shapes import LimitView, PlanView
from twin_core.models.plan import LimitReason, Plan
from twin_core.models.problem import Array
from twin_core.snapshot import Snapshot

LIMITS_SHOWN = 3
"""More limits than these are told as a number."""

SHORT_KWH = 0.05
"""Less missing than this is no shortfall to a driver."""


def plan_view(plan: Plan, snapshot: Snapshot) -> PlanView:
    """The plan in force."""
    planned_kw, step_h = _equal_steps(plan), plan.horizon.step_h
    limits = () if plan.reasons is None else plan.reasons.limits
    times = [plan.horizon.start + timedelta(hours=step * step_h) for step in range(len(planned_kw))]
    return PlanView(
        planner=plan.planner,
        status=plan.status,
        reason=plan.reason,
        made_at=moment(snapshot.now.utc, snapshot.plan_age_s),
        solve_s=round(plan.solve_s, 4),
        start=plan.horizon.start,
        step_s=step_h * 3600.0,
        planned_kw=tuple(np.round(planned_kw, 2).tolist()),
        price_eur_per_kwh=tuple(round(snapshot.tariff.price_at(when), 5) for when in times),
        unserved_kwh=round(float(np.sum(plan.unserved_kwh)), 2),
        cost_eur=round(plan.cost_eur, 2),
        limits=tuple(_limit(limit, plan) for limit in limits[:LIMITS_SHOWN]),
        more_limits=max(0, len(limits) - LIMITS_SHOWN),
        short=int(np.count_nonzero(np.asarray(plan.unserved_kwh) > SHORT_KWH)),
        fairness=_fairness(plan),
    )


def _equal_steps(plan: Plan) -> Array:
    """All sessions together in steps as long as the first; steps that grow are told as several."""
    total_kw: Array = np.asarray(plan.power_kw).reshape(-1, plan.horizon.n_steps).sum(axis=0)
    if not plan.horizon.lengths_h:
        return total_kw
    times = np.maximum(1, np.rint(plan.horizon.hours / plan.horizon.step_h)).astype(int)
    return np.repeat(total_kw, times)


def _limit(limit: LimitReason, plan: Plan) -> LimitView:
    """Where a rule planned, no limit has a price, and it is told from the start."""
    bound = np.flatnonzero(limit.price > 0)
    begins_h = float(plan.horizon.edges_h[bound[0]]) if bound.size else 0.0
    highest_eur = float(np.max(limit.price, initial=0.0))
    return LimitView(
        name=limit.name,
        bound_h=round(limit.bound_h, 2),
        starts=plan.horizon.start + timedelta(hours=begins_h),
        price_eur=round(highest_eur, 3) if math.isfinite(highest_eur) else 0.0,
        unit="kW" if limit.name.endswith(" kW") else "A",
    )


def _fairness(plan: Plan) -> float | None:
    """Jain's index of the parts of what they want that the vehicles get."""
    delivered_kwh = np.asarray(plan.power_kw).reshape(-1, plan.horizon.n_steps) @ plan.horizon.hours
    wanted_kwh = delivered_kwh + plan.unserved_kwh
    wants = wanted_kwh > SHORT_KWH
    if np.count_nonzero(wants) < 2:
        return None
    part = delivered_kwh[wants] / wanted_kwh[wants]
    squares = float(part @ part)
    return None if not squares > 0 else round(float(part.sum()) ** 2 / (part.size * squares), 3)


def moment(now: datetime, age_s: float | None) -> datetime | None:
    """When something happened, to the tenth of a second, so that it reads the same every cycle."""
    if age_s is None or not math.isfinite(age_s):
        return None
    happened = now - timedelta(seconds=age_s)
    return happened.replace(microsecond=happened.microsecond // 100_000 * 100_000)
