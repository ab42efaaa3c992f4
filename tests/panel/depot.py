"""A made-up depot at one moment of a made-up day, as a control cycle would report it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from twin_core.estimation import BaseLoad
from twin_core.models.charger import (
    ChargerIdentity,
    ChargerSpec,
    ConnectorReading,
    ConnectorSpec,
    ConnectorStatus,
)
from twin_core.models.grant import Verdict
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId, SessionId, TransactionId
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Horizon
from twin_core.models.quantities import Instant, PhaseCurrents, add_currents, power_kw
from twin_core.models.session import ChargingRequest, Session, Vehicle
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.models.tariff import Tariff
from twin_core.snapshot import ChargerView, ConnectorView, NodeView, Snapshot, Tally

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KW_PER_A = power_kw(1.0, 3)


@dataclass(frozen=True)
class Allotment:
    wish_a: float
    limit_a: float
    worst_a: float
    bound_by: str = ""
    seq: int | None = 1


@dataclass(frozen=True)
class NodeMargin:
    limit_a: float | None
    limit_kw: float | None
    worst_a: PhaseCurrents
    base_a: PhaseCurrents
    margin_a: float | None
    margin_kw: float | None


@dataclass(frozen=True)
class Verification:
    connector_id: ConnectorId
    seq: int
    limit_a: float
    measured_a: float | None
    verdict: Verdict
    at: Instant


@dataclass(frozen=True)
class Decision:
    allotments: dict[ConnectorId, Allotment]
    margins: dict[NodeId, NodeMargin]
    shedding: bool = False
    grants: tuple[object, ...] = ()


@dataclass(frozen=True)
class Report:
    snapshot: Snapshot
    decision: Decision
    verdicts: dict[ConnectorId, Verification] = field(default_factory=dict)
    distrusted: frozenset[ConnectorId] = frozenset()
    counted_until: dict[SessionId, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Outlet:
    """One connector of the made-up depot: what it does and what it was given."""

    status: ConnectorStatus | None = ConnectorStatus.AVAILABLE
    current_a: float = 0.0
    limit_a: float = 0.0
    bound_by: str = ""
    verdict: Verdict = Verdict.OBEYED
    requested_kwh: float | None = None
    energy_kwh: float = 0.0
    soc: float | None = None
    leaves_h: float | None = None
    tag: str | None = None
    online: bool = True
    age_s: float = 3.0
    error: str = "NoError"
    distrusted: bool = False
    vendor: str = "Alfen"
    model: str = "Eve Double Pro"
    adopted: bool = False
    fallback_confirmed: bool = True
    imposed_a: float | None = None

    def at(self, number: int) -> ConnectorId:
        return ConnectorId(ChargerId(f"CP-{number:02d}"), 1)


CHARGING, EV, EVSE = ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE

AFTERNOON: tuple[Outlet, ...] = (
    Outlet(CHARGING, 31.8, 32, "hardware", requested_kwh=42, energy_kwh=27.4, soc=0.64, leaves_h=1.7, tag="VAN-07"),
    Outlet(CHARGING, 15.9, 16, "feeder-a L2", requested_kwh=30, energy_kwh=11.2, leaves_h=3.2, tag="VAN-12"),
    Outlet(CHARGING, 15.2, 24, "", Verdict.LIMITED_BY_CAR, 24, 20.1, 0.88, 2.4, "VAN-03"),
    Outlet(EVSE, 0, 0, "", Verdict.OBEYED, 18, 2.3, 0.41, 7.5, "BUS-2"),
    Outlet(CHARGING, 10.1, 10, "", Verdict.OBEYED, 35, 8.8, 0.37, 6.2, "VAN-15"),
    Outlet(),
    Outlet(CHARGING, 20.4, 10, "", Verdict.NOT_OBEYED, 28, 16.0, None, 4.1, "VISITOR-88", distrusted=True),
    Outlet(EV, 0, 16, "", Verdict.LIMITED_BY_CAR, 20, 20.0, 0.93, 5.0, "VAN-09"),
    Outlet(CHARGING, 8.0, 8, "grid L1", Verdict.PENDING, None, 3.4, None, None, "04:A2:19:7F"),
    Outlet(online=False, age_s=2400),
    Outlet(CHARGING, 12.0, 12, "grid kW", Verdict.UNMEASURED, 26, 9.9, 0.55, 5.8, "VAN-01", online=False, age_s=190),
    Outlet(ConnectorStatus.FAULTED, error="GroundFailure"),
    Outlet(EVSE, 0, 0, "minimum 6 A", Verdict.OBEYED, 22, 0.0, 0.30, 8.0, "VAN-11"),
    Outlet(adopted=True, vendor="Wallbe", model="Eco 2.0", fallback_confirmed=False),
    Outlet(ConnectorStatus.PREPARING),
    Outlet(CHARGING, 5.9, 6, "not verified", Verdict.PENDING, 40, 1.2, 0.22, 9.0, "BUS-5"),
)


def report(
    outlets: tuple[Outlet, ...] = AFTERNOON,
    *,
    now: Instant | None = None,
    base_a: PhaseCurrents = (24.0, 31.0, 27.0),
    limit_a: float = 250.0,
    plan: Plan | str | None = "made",
    shedding: bool = False,
) -> Report:
    """A control cycle of a depot with these outlets, one a charger, on two feeders."""
    now = now or Instant(1000.0, NOON + timedelta(hours=2, minutes=24))
    site = _site(outlets, limit_a)
    views = tuple(_connector(number, outlet, now) for number, outlet in enumerate(outlets, 1))
    allotments = {outlet.at(n): _allotment(outlet) for n, outlet in enumerate(outlets, 1)}
    snapshot = Snapshot(
        now=now,
        site=site,
        tariff=tariff(),
        chargers=tuple(_charger(n, outlet) for n, outlet in enumerate(outlets, 1)),
        connectors=views,
        nodes=_nodes(site, views, base_a),
        plan=_plan(views, now) if plan == "made" else plan if isinstance(plan, Plan) else None,
        plan_age_s=None if plan is None else 21.0,
        tally=Tally(41, 30, 702.4, 512.3, 3.1, 98.72, 4),
    )
    verdicts = {
        outlet.at(n): Verification(outlet.at(n), 1, outlet.limit_a, outlet.current_a, outlet.verdict, now)
        for n, outlet in enumerate(outlets, 1)
        if outlet.tag
    }
    distrusted = frozenset(outlet.at(n) for n, outlet in enumerate(outlets, 1) if outlet.distrusted)
    return Report(snapshot, Decision(allotments, _margins(site, allotments, base_a), shedding), verdicts, distrusted)


def tariff() -> Tariff:
    """Two days of prices that dip at noon and peak in the evening."""
    starts = tuple(NOON - timedelta(hours=12) + timedelta(hours=h) for h in range(48))
    shape = (0.24 + 0.07 * math.sin((s.hour - 13) / 24 * 4 * math.pi) + 0.03 * (17 <= s.hour <= 20) for s in starts)
    return Tariff(starts, tuple(round(price, 3) for price in shape))


def _site(outlets: tuple[Outlet, ...], limit_a: float) -> SiteTree:
    chargers = tuple(
        ChargerSpec(outlet.at(n).charger, (ConnectorSpec(outlet.at(n)),), adopted=outlet.adopted)
        for n, outlet in enumerate(outlets, 1)
    )
    feeders = (NodeId("feeder-a"), NodeId("feeder-b"))
    nodes = (
        Node(NodeId("grid"), NodeKind.GRID, limit_a=limit_a, limit_kw=160.0 * limit_a / 250.0, metered=True),
        Node(feeders[0], NodeKind.FEEDER, NodeId("grid"), limit_a=limit_a * 0.58),
        Node(feeders[1], NodeKind.FEEDER, NodeId("grid"), limit_a=limit_a * 0.34, base_load_worst_a=4.0),
        *(
            Node(NodeId(charger.id), NodeKind.CHARGER, feeders[index * 2 >= len(chargers)], limit_a=32.0)
            for index, charger in enumerate(chargers)
        ),
    )
    return SiteTree("Depot North", nodes, chargers)


def _connector(number: int, outlet: Outlet, now: Instant) -> ConnectorView:
    connector_id = outlet.at(number)
    a = outlet.current_a
    reading = ConnectorReading(power_kw=power_kw(a, 3), current_a=(a, a, a), energy_kwh=1000.0, soc=outlet.soc)
    session = None if outlet.tag is None else _session(connector_id, outlet, now)
    return ConnectorView(
        spec=ConnectorSpec(connector_id),
        online=outlet.online,
        status=outlet.status,
        error_code=outlet.error,
        reading=reading,
        reading_age_s=outlet.age_s,
        session=session,
        soc=outlet.soc,
        fallback_confirmed=outlet.fallback_confirmed,
        imposed_a=outlet.imposed_a,
    )


def _session(connector_id: ConnectorId, outlet: Outlet, now: Instant) -> Session:
    leaves = None if outlet.leaves_h is None else now.utc + timedelta(hours=outlet.leaves_h)
    return Session(
        id=SessionId(f"{connector_id}:7"),
        connector_id=connector_id,
        transaction_id=TransactionId(7),
        id_tag=IdTag(outlet.tag or ""),
        started=now.later(-7200),
        started_at=now.utc - timedelta(hours=2),
        meter_start_kwh=900.0,
        vehicle=Vehicle(IdTag(outlet.tag or ""), 60.0),
        request=ChargingRequest(outlet.requested_kwh, leaves),
        energy_kwh=outlet.energy_kwh,
        soc=outlet.soc,
    )


def _charger(number: int, outlet: Outlet) -> ChargerView:
    identity = ChargerIdentity(outlet.vendor, outlet.model, "6.1.0")
    return ChargerView(outlet.at(number).charger, outlet.online, outlet.adopted, True, identity)


def _allotment(outlet: Outlet) -> Allotment:
    worst_a = 32.0 if outlet.distrusted else outlet.limit_a
    return Allotment(min(32.0, outlet.limit_a + 4), outlet.limit_a, worst_a, outlet.bound_by)


def _nodes(site: SiteTree, views: tuple[ConnectorView, ...], base_a: PhaseCurrents) -> dict[NodeId, NodeView]:
    found: dict[NodeId, NodeView] = {}
    charging_a = sum(v.reading.peak_current_a or 0.0 for v in views if v.reading)
    through_a: PhaseCurrents = (base_a[0] + charging_a, base_a[1] + charging_a, base_a[2] + charging_a)
    for node in site.nodes:
        base = (
            BaseLoad(base_a, base_a, trusted=True)
            if node.metered
            else BaseLoad(*(((node.base_load_worst_a,) * 3,) * 2), True)
        )
        found[node.id] = NodeView(
            node,
            through_a if node.metered else None,
            power_kw(sum(through_a), 1) if node.metered else None,
            2.0 if node.metered else None,
            base,
        )
    return found


def _margins(
    site: SiteTree, allotments: dict[ConnectorId, Allotment], base_a: PhaseCurrents
) -> dict[NodeId, NodeMargin]:
    margins = {}
    for node in site.nodes:
        worst = sum(allotments[c.id].worst_a for charger in site.chargers_below[node.id] for c in charger.connectors)
        base = base_a if node.parent is None else (node.base_load_worst_a,) * 3
        total = add_currents((worst,) * 3, base)
        margins[node.id] = NodeMargin(
            node.limit_a,
            node.limit_kw,
            (worst, worst, worst),
            base,
            None if node.limit_a is None else node.limit_a - max(total),
            None if node.limit_kw is None else node.limit_kw - power_kw(sum(total), 1),
        )
    return margins


def _plan(views: tuple[ConnectorView, ...], now: Instant) -> Plan:
    sessions = [view.session for view in views if view.session is not None]
    horizon = Horizon(now.utc.replace(second=0, microsecond=0), 0.25, 48)
    power = np.zeros((len(sessions), horizon.n_steps))
    for row, session in enumerate(sessions):
        leaves = session.request.departure or now.utc + timedelta(hours=8)
        last = min(horizon.n_steps, max(1, int((leaves - horizon.start) / timedelta(hours=horizon.step_h))))
        missing = max(0.0, (session.request.energy_kwh or 30.0) - session.energy_kwh)
        first = last // 2 if session.id_tag in ("BUS-2", "VAN-11") else 0
        for step in range(first, last):
            power[row, step] = min(
                11.0, missing / 0.25, missing / (last - step) / 0.25 * (1.6 if step % 7 < 4 else 0.7)
            )
            missing -= power[row, step] * 0.25
    unserved = np.zeros(len(sessions))
    unserved[-1:] = 2.4
    return Plan(
        "power allocation", PlanStatus.PROVED, horizon, tuple(s.id for s in sessions), power, unserved, 31.2, 0.021
    )
