"""Short ways to say what happened at a small site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from tests.fakes import EPOCH, instant
from tests.sites import connector_id
from twin_core.models import events as ev
from twin_core.models.charger import ChargerAbilities, ConnectorReading
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId, IdTag, SessionId, TransactionId
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Horizon
from twin_core.models.session import ChargingRequest


def ready(name: str, at: float = 0.0, fallback_a: float = 0.0) -> list[ev.Event]:
    """A charger is here, and its fallback is read back."""
    return [
        ev.ChargerConnected(at=instant(at), charger_id=ChargerId(name)),
        ev.ChargerCommissioned(at=instant(at), charger_id=ChargerId(name), abilities=ChargerAbilities()),
        ev.FallbackConfirmed(at=instant(at), connector_id=connector_id(name), fallback_a=fallback_a),
    ]


def plugged_in(
    name: str, at: float = 0.0, *, transaction: int = 1, energy_kwh: float | None = 10.0, stay_h: float | None = 2.0
) -> list[ev.Event]:
    """A car begins a transaction at a charger, and says what it wants."""
    tag = IdTag(f"EV-{name}")
    leaves = None if stay_h is None else EPOCH + timedelta(seconds=at, hours=stay_h)
    return [
        ev.RequestAnnounced(at=instant(at), request=ChargingRequest(energy_kwh, leaves), id_tag=tag),
        ev.TransactionStarted(
            at=instant(at),
            connector_id=connector_id(name),
            transaction_id=TransactionId(transaction),
            id_tag=tag,
            meter_start_kwh=0.0,
            started_at=instant(at).utc,
        ),
    ]


def unplugged(name: str, at: float, transaction: int = 1) -> ev.TransactionStopped:
    return ev.TransactionStopped(
        at=instant(at),
        connector_id=connector_id(name),
        transaction_id=TransactionId(transaction),
        meter_stop_kwh=None,
        stopped_at=instant(at).utc,
    )


def session_id(name: str, transaction: int = 1) -> SessionId:
    return SessionId(f"{connector_id(name)}:{transaction}")


def draws(name: str, current_a: float, at: float, transaction: int = 1) -> ev.ConnectorMetered:
    return ev.ConnectorMetered(
        at=instant(at),
        connector_id=connector_id(name),
        reading=ConnectorReading(power_kw=current_a * 0.69, current_a=(current_a,) * 3),
        transaction_id=TransactionId(transaction),
    )


def taken(grant: Grant, at: float) -> list[ev.Event]:
    """A grant was sent and accepted."""
    return [
        ev.GrantSent(at=instant(at), connector_id=grant.connector_id, seq=grant.seq),
        ev.GrantAnswered(at=instant(at), connector_id=grant.connector_id, seq=grant.seq, outcome=GrantOutcome.ACCEPTED),
    ]


def plan_of(powers_kw: dict[str, Sequence[float]], at: float = 0.0, step_h: float = 5 / 60) -> ev.PlanAdopted:
    """A plan that gives each charger's session these powers, step by step."""
    power = np.array([list(row) for row in powers_kw.values()], dtype=float)
    plan = Plan(
        planner="written",
        status=PlanStatus.FEASIBLE,
        horizon=Horizon(instant(at).utc, step_h, power.shape[1]),
        session_ids=tuple(session_id(name) for name in powers_kw),
        power_kw=power,
        unserved_kwh=np.zeros(len(power)),
        cost_eur=0.0,
    )
    return ev.PlanAdopted(at=instant(at), plan=plan)
