"""From a plan to wishes: what current each connector shall have now, the most urgent first.

A plan speaks of mean power over a step; a control pilot knows 0 or at least 6 A. Planned power below that minimum is
pooled and given, in order of urgency, to as many vehicles as it can feed at the minimum; the plan's total is never
exceeded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twin_core.estimation import EstimationSettings, departure, remaining_kwh, usable_current_a
from twin_core.models.ids import ConnectorId
from twin_core.models.plan import Plan
from twin_core.models.quantities import MINIMUM_CURRENT_A, power_kw
from twin_core.models.session import Session
from twin_core.safety.envelope import Wish
from twin_core.snapshot import ConnectorView, Snapshot

CAR_ROOM_A = 2.0
"""Offered above what a car was seen to take, so that one that takes more is noticed."""


@dataclass(frozen=True, slots=True)
class _Target:
    connector_id: ConnectorId
    planned_kw: float
    kw_per_a: float
    laxity_h: float
    ceiling_a: float


def wishes(
    snapshot: Snapshot, car_limits_a: Mapping[ConnectorId, float], estimation: EstimationSettings
) -> tuple[Wish, ...]:
    """One wish for every connector with a session, least laxity first.

    Args:
        car_limits_a: current per phase that cars were last seen to be content with below their grant.
    """
    targets = [_target(s, view, snapshot, car_limits_a, estimation) for s, view in snapshot.sessions() if view.online]
    targets.sort(key=lambda target: (target.laxity_h, target.connector_id))
    pool_kw, found = 0.0, []
    for target in targets:
        wanted_a = target.planned_kw / target.kw_per_a
        minimum_kw = MINIMUM_CURRENT_A * target.kw_per_a
        if 0 < wanted_a < MINIMUM_CURRENT_A - 1e-6:
            pool_kw += target.planned_kw
            given = pool_kw >= minimum_kw - 1e-6
            pool_kw -= minimum_kw if given else 0.0
            wanted_a, reason = (MINIMUM_CURRENT_A, "minimum current") if given else (0.0, "waits for its turn")
        else:
            reason = "plan"
        if wanted_a > max(target.ceiling_a, MINIMUM_CURRENT_A):
            wanted_a, reason = max(target.ceiling_a, MINIMUM_CURRENT_A), "car limit"
        found.append(Wish(target.connector_id, wanted_a, reason))
    return tuple(found)


def _target(
    session: Session,
    view: ConnectorView,
    snapshot: Snapshot,
    car_limits_a: Mapping[ConnectorId, float],
    estimation: EstimationSettings,
) -> _Target:
    kw_per_a = power_kw(1.0, len(session.likely_phases) if session.phases else session.vehicle.n_phases)
    usable_a = usable_current_a(session, view.spec, estimation)
    ends = departure(session, snapshot.now, estimation)
    stay_h = (ends - snapshot.now.utc).total_seconds() / 3600.0
    laxity_h = stay_h - remaining_kwh(session, estimation) / (usable_a * kw_per_a)
    content_a = car_limits_a.get(view.spec.id)
    ceiling_a = view.spec.hardware_max_a if content_a is None else content_a + CAR_ROOM_A
    planned = _rate_now(snapshot.plan, session, snapshot, stay_h)
    return _Target(view.spec.id, planned, kw_per_a, laxity_h, min(ceiling_a, view.spec.hardware_max_a))


def _rate_now(plan: Plan | None, session: Session, snapshot: Snapshot, stay_h: float) -> float:
    """Planned power now; in the step of its departure, the step's mean is spread over the part it is here."""
    if plan is None:
        return 0.0
    mean_kw = plan.power_at(session.id, snapshot.now.utc)
    if mean_kw is None:
        return 0.0
    since_start_h = (snapshot.now.utc - plan.horizon.start).total_seconds() / 3600.0
    step_begins_h = since_start_h - since_start_h % plan.horizon.step_h
    leaves_h = since_start_h + stay_h
    present = min(1.0, max(0.05, (leaves_h - step_begins_h) / plan.horizon.step_h))
    return mean_kw / present
