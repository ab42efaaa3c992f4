"""What a connector is doing and why it gets no more, in the words of whoever runs the depot. Pure."""

from __future__ import annotations

import math
import re
from datetime import datetime

import numpy as np

from panel.shapes import ConnectorState
from twin_core.models.charger import ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.plan import Plan, ReasonCode, SessionReason
from twin_core.models.session import Session
from twin_core.safety.decision import Allotment
from twin_core.safety.monitor import Verification
from twin_core.snapshot import ConnectorView

NEAR_A = 0.5
"""Currents this close are the same to an operator."""

NEAR_KWH = 0.05
"""Energies this close are the same to a driver."""

_STATES = {
    ConnectorStatus.AVAILABLE: ConnectorState.FREE,
    ConnectorStatus.PREPARING: ConnectorState.PLUGGED_IN,
    ConnectorStatus.CHARGING: ConnectorState.CHARGING,
    ConnectorStatus.SUSPENDED_EVSE: ConnectorState.HELD_BACK,
    ConnectorStatus.SUSPENDED_EV: ConnectorState.PAUSED_BY_CAR,
    ConnectorStatus.FINISHING: ConnectorState.FINISHING,
    ConnectorStatus.RESERVED: ConnectorState.RESERVED,
    ConnectorStatus.UNAVAILABLE: ConnectorState.OUT_OF_SERVICE,
    ConnectorStatus.FAULTED: ConnectorState.FAULTED,
}

_BOUND_BY_PHASE = re.compile(r"(?P<node>.+) (?P<phase>L[123])")
_BOUND_BY_POWER = re.compile(r"(?P<node>.+) kW")

_BOUND_BY_RULE = {
    "hardware": "this is all the connector can give",
    "minimum 6 A": "too little room for the 6 A a car needs at least",
    "not verified": "its fallback was not confirmed, or it did not obey: counted at its maximum",
    "restart": "waits a moment after the gateway restarted",
}


def state_of(connector: ConnectorView) -> ConnectorState:
    """What a connector is doing; a charger nobody can hear is offline, whatever it said last."""
    if not connector.online:
        return ConnectorState.OFFLINE
    if connector.status is None:
        return ConnectorState.UNKNOWN
    return _STATES[connector.status]


def why_limited(
    connector: ConnectorView,
    allotted: Allotment | None,
    verified: Verification | None,
    plan: Plan | None,
    now: datetime,
    *,
    distrusted: bool,
) -> str:
    """What keeps a connector from more power; empty where no vehicle waits and nothing is wrong."""
    trouble = _trouble(connector, allotted, verified, distrusted=distrusted)
    if trouble or connector.session is None:
        return trouble
    if allotted is None:
        return "waits for its first limit"
    served = connector.session.request.energy_kwh
    if served is not None and connector.session.energy_kwh >= served - NEAR_KWH:
        return "has what it asked for"
    if verified is not None and verified.verdict is Verdict.LIMITED_BY_CAR:
        return _car_limit(connector)
    if allotted.bound_by:
        return _bound(allotted.bound_by)
    if connector.imposed_a is not None and allotted.limit_a >= connector.imposed_a - NEAR_A:
        return f"the upstream allows {_amps(connector.imposed_a)}"
    return _by_plan(connector, connector.session, allotted, plan, now)


def _trouble(
    connector: ConnectorView, allotted: Allotment | None, verified: Verification | None, *, distrusted: bool
) -> str:
    if not connector.online:
        counted_a = connector.spec.hardware_max_a if allotted is None else allotted.worst_a
        return f"no link: {_amps(counted_a)} kept free for it"
    if connector.status is ConnectorStatus.FAULTED:
        return f"reports a fault: {connector.error_code}"
    if verified is not None and verified.verdict is Verdict.NOT_OBEYED:
        drawn = "more" if verified.measured_a is None else _amps(verified.measured_a)
        return f"draws {drawn} where {_amps(verified.limit_a)} are allowed: others are held back for it"
    if distrusted:
        return f"did not obey before: {_amps(connector.spec.hardware_max_a)} kept free for it"
    return ""


def _car_limit(connector: ConnectorView) -> str:
    session = connector.session
    if session is not None and connector.soc is not None and connector.soc >= session.vehicle.taper_soc:
        return "the car takes no more: its battery is nearly full"
    return "the car takes no more"


def _bound(bound_by: str) -> str:
    """An envelope's reason ("grid L1", "feeder-a kW", a rule) as a sentence."""
    if bound_by in _BOUND_BY_RULE:
        return _BOUND_BY_RULE[bound_by]
    if phase := _BOUND_BY_PHASE.fullmatch(bound_by):
        return f"{phase['node']} has no more room on {phase['phase']}"
    if power := _BOUND_BY_POWER.fullmatch(bound_by):
        return f"{power['node']} is at its power limit"
    return f"limited by {bound_by}"


def _by_plan(connector: ConnectorView, session: Session, allotted: Allotment, plan: Plan | None, now: datetime) -> str:
    """The envelope gave all that was wished; so the plan, the ratings or the car set it."""
    if allotted.limit_a >= connector.spec.hardware_max_a - NEAR_A:
        return "full power"
    if allotted.limit_a >= session.vehicle.max_current_a - NEAR_A:
        return f"full power for this car: it takes {_amps(session.vehicle.max_current_a)}"
    if plan is None or plan.power_at(session.id, now) is None:
        return "waits for the next plan"
    reason = _reason(plan, session)
    told = "" if reason is None else _in_words(reason, plan, session, now, charges=allotted.limit_a > 0)
    if told:
        return told
    if allotted.limit_a > 0:
        return "the plan charges it gently: there is time"
    if planned_from(plan, session, now) is None:
        return "the plan gives it nothing: no room before it leaves"
    return "the plan charges it later"


def _reason(plan: Plan, session: Session) -> SessionReason | None:
    row = plan.index.get(session.id)
    if plan.reasons is None or row is None or not row < len(plan.reasons.sessions):
        return None
    reason = plan.reasons.sessions[row]
    return reason if reason.session_id == session.id else None


def _in_words(reason: SessionReason, plan: Plan, session: Session, now: datetime, *, charges: bool) -> str:
    """The plan's reason, as far as it still holds; empty where the plain words say as much.

    What a plan says of "now" is about its first step, and was said before its powers became currents that can be
    offered. So it counts in that step only, and where it agrees with what is offered.
    """
    missing_kwh = float(plan.unserved_kwh[plan.index[session.id]])
    match reason.code:
        case ReasonCode.SHORT if missing_kwh > NEAR_KWH:
            cause = f": {_full(reason.limit)}" if reason.limit else ", others come first"
            return f"will leave {missing_kwh:.1f} kWh short{cause}"
        case ReasonCode.STAY_TOO_SHORT if missing_kwh > NEAR_KWH:
            return f"will leave {missing_kwh:.1f} kWh short: its stay is too short"
        case ReasonCode.LIMITED if plan.horizon.step_at(now) == 0:
            return f"the plan {'charges it gently' if charges else 'charges it later'}: {_full(reason.limit)}"
        case ReasonCode.CHEAPER_LATER if plan.horizon.step_at(now) == 0:
            price = f" ({reason.marginal_eur_per_kwh:.2f} €/kWh)" if reason.marginal_eur_per_kwh < math.inf else ""
            return f"the plan charges {'the rest' if charges else 'it'} later, where energy costs no more{price}"
        case _:
            return ""


def _full(limit: str) -> str:
    """A limit of the plan ("grid L1", "feeder-a kW") that is used up, as a sentence."""
    return _bound(limit).replace("has no more room", "is full")


def planned_from(plan: Plan | None, session: Session, now: datetime) -> datetime | None:
    """When the plan starts to give a session power; None when it already does or never will."""
    row = None if plan is None else plan.index.get(session.id)
    if plan is None or row is None:
        return None
    current = plan.horizon.step_at(now)
    if current is None and now >= plan.horizon.start:
        return None
    ahead = np.flatnonzero(plan.power_kw[row, current or 0 :] > 0) + (current or 0)
    if not ahead.size or ahead[0] == current:
        return None
    return plan.horizon.times()[int(ahead[0])]


def _amps(current_a: float) -> str:
    return f"{current_a:.1f}".removesuffix(".0") + " A"
