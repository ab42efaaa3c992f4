"""From a control cycle's report to what the panel shows. Pure: the same report always makes the same view."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from panel.alarms import alarms_of
from panel.plan import moment, plan_view
from panel.shapes import (
    AlarmView,
    ConnectorState,
    ConnectorView,
    NodeView,
    PanelView,
    PlanView,
    PricesView,
    SiteView,
    TallyView,
    UpstreamView,
)
from panel.words import planned_from, state_of, why_limited
from twin_core import snapshot as twin
from twin_core.cycle import CycleReport
from twin_core.models.charger import ChargerIdentity
from twin_core.models.ids import ConnectorId, NodeId
from twin_core.models.quantities import NO_CURRENT, NOMINAL_VOLTAGE_V, PhaseCurrents, add_currents, power_kw
from twin_core.models.site import Node, NodeKind
from twin_core.models.tariff import Tariff
from twin_core.safety.decision import NodeMargin

__all__ = [
    "AlarmView",
    "ConnectorView",
    "NodeView",
    "PanelView",
    "PlanView",
    "PricesView",
    "SiteView",
    "TallyView",
    "ViewSettings",
    "view",
]


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """What counts as old, and how far ahead to show.

    Attributes:
        stale_after_s: age from which a session's last sample is no longer shown as current.
        prices_ahead_h: how far ahead known prices are listed.
    """

    stale_after_s: float = 60.0
    prices_ahead_h: float = 24.0


def view(report: CycleReport, settings: ViewSettings | None = None, upstream: UpstreamView | None = None) -> PanelView:
    """What the panel shows of one control cycle, and of the upstream where there is one."""
    settings = settings or ViewSettings()
    snapshot = report.snapshot
    adopted = {charger.id: charger for charger in snapshot.chargers}
    connectors = tuple(
        _connector(report, seen, adopted[seen.spec.id.charger], settings) for seen in snapshot.connectors
    )
    nodes = _nodes(report)
    plan = None if snapshot.plan is None else plan_view(snapshot.plan, snapshot)
    site = _site(report, connectors)
    return PanelView(
        site=site,
        nodes=nodes,
        connectors=connectors,
        plan=plan,
        prices=_prices(snapshot.tariff, snapshot.now.utc, settings.prices_ahead_h),
        alarms=alarms_of(site, nodes, connectors, plan, upstream),
        tally=_tally(snapshot.tally),
        upstream=upstream,
    )


def _connector(
    report: CycleReport, seen: twin.ConnectorView, charger: twin.ChargerView, settings: ViewSettings
) -> ConnectorView:
    snapshot, connector_id = report.snapshot, seen.spec.id
    now = snapshot.now.utc
    session, reading = seen.session, seen.reading
    allotted = report.decision.allotments.get(connector_id)
    verified = report.verdicts.get(connector_id)
    distrusted = connector_id in report.distrusted
    planned = None if snapshot.plan is None or session is None else snapshot.plan.power_at(session.id, now)
    return ConnectorView(
        id=str(connector_id),
        charger=connector_id.charger,
        node=_feeding_node(snapshot, connector_id),
        maker=_maker(charger.identity),
        online=seen.online,
        adopted=charger.adopted,
        commissioned=charger.commissioned,
        fallback_confirmed=seen.fallback_confirmed,
        status=seen.status,
        error_code=seen.error_code,
        state=state_of(seen),
        hardware_max_a=seen.spec.hardware_max_a,
        power_kw=None if reading is None else _rounded(reading.power_kw, 2),
        current_a=None if reading is None else _phases_or_none(reading.current_a),
        limit_a=None if allotted is None else _rounded(allotted.limit_a, 2),
        worst_a=None if allotted is None else _rounded(allotted.worst_a, 2),
        why=why_limited(seen, allotted, verified, snapshot.plan, now, distrusted=distrusted),
        id_tag=None if session is None else session.id_tag,
        started_at=None if session is None else session.started.utc,
        soc=_rounded(seen.soc, 3),
        energy_kwh=None if session is None else _rounded(session.energy_kwh, 2),
        requested_kwh=None if session is None else _rounded(session.request.energy_kwh, 2),
        departure=None if session is None else session.request.departure,
        counted_until=None if session is None else report.counted_until.get(session.id),
        planned_kw=_rounded(planned, 2),
        planned_from=None if session is None else planned_from(snapshot.plan, session, now),
        verdict=None if verified is None or session is None else verified.verdict,
        measured_at=moment(now, seen.reading_age_s),
        stale=session is not None and not _fresh(seen.reading_age_s, settings.stale_after_s),
        distrusted=distrusted,
    )


def _feeding_node(snapshot: twin.Snapshot, connector_id: ConnectorId) -> str | None:
    path = snapshot.site.path_by_charger[connector_id.charger]
    return path[1].id if len(path) > 1 else None


def _maker(identity: ChargerIdentity | None) -> str:
    return "" if identity is None else f"{identity.vendor} {identity.model}".strip()


def _nodes(report: CycleReport) -> tuple[NodeView, ...]:
    """Nodes above the chargers; a charger's own node is told by its connectors."""
    charger_a = _charger_currents(report.snapshot)
    return tuple(
        _node(seen, report.decision.margins.get(seen.node.id), charger_a[seen.node.id], report.snapshot.now.utc)
        for seen in report.snapshot.nodes.values()
        if seen.node.kind is not NodeKind.CHARGER
    )


def _node(seen: twin.NodeView, margin: NodeMargin | None, charger_a: PhaseCurrents, now: datetime) -> NodeView:
    node = seen.node
    metered_a = _phases_or_none(seen.metered_a) if seen.base.trusted else None
    present_a = _phases(add_currents(charger_a, seen.base.estimate_a)) if metered_a is None else metered_a
    metered_kw = _rounded(seen.metered_kw, 2) if metered_a is not None else None
    return NodeView(
        id=node.id,
        kind=node.kind,
        parent=node.parent,
        limit_a=_rounded(node.limit_a, 1),
        limit_kw=_rounded(node.limit_kw, 1),
        present_a=present_a,
        present_kw=round(power_kw(sum(present_a), 1), 2) if metered_kw is None else metered_kw,
        metered=metered_a is not None,
        metered_at=moment(now, seen.metered_age_s),
        base_a=_phases(seen.base.bound_a),
        base_trusted=seen.base.trusted,
        worst_a=None if margin is None else _phases_or_none(add_currents(margin.worst_a, margin.base_a)),
        margin_a=None if margin is None else _rounded(margin.margin_a, 1),
        margin_kw=None if margin is None else _rounded(margin.margin_kw, 1),
    )


def _charger_currents(snapshot: twin.Snapshot) -> dict[NodeId, PhaseCurrents]:
    """Current that the chargers below each node last reported."""
    total = dict.fromkeys(snapshot.nodes, NO_CURRENT)
    for seen in snapshot.connectors:
        current_a = None if seen.reading is None else _phases_or_none(seen.reading.current_a)
        if current_a is None or not any(current_a):
            continue
        for node in snapshot.site.path_by_charger[seen.spec.id.charger]:
            total[node.id] = add_currents(total[node.id], current_a)
    return total


def _site(report: CycleReport, connectors: tuple[ConnectorView, ...]) -> SiteView:
    snapshot = report.snapshot
    root = snapshot.nodes[snapshot.site.root.id]
    base_kw = power_kw(sum(root.base.estimate_a), 1)
    charging_kw = sum(connector.power_kw or 0.0 for connector in connectors)
    metered_kw = _rounded(root.metered_kw, 2) if root.base.trusted else None
    limit_kw = _effective_limit_kw(root.node)
    headroom_kw = _headroom_kw(report.decision.margins.get(root.node.id))
    return SiteView(
        name=snapshot.site.name,
        time=snapshot.now.utc,
        price_eur_per_kwh=round(snapshot.tariff.price_at(snapshot.now.utc), 5),
        power_kw=round(base_kw + charging_kw, 2) if metered_kw is None else metered_kw,
        metered=metered_kw is not None,
        base_kw=round(base_kw, 2),
        charging_kw=round(charging_kw, 2),
        limit_kw=_rounded(limit_kw, 1),
        limit_a=_rounded(root.node.limit_a, 1),
        worst_kw=None if limit_kw is None or headroom_kw is None else round(limit_kw - headroom_kw, 2),
        headroom_kw=_rounded(headroom_kw, 2),
        worst_node=_tightest(report.decision.margins.items()),
        shedding=report.decision.shedding,
        connectors=len(connectors),
        online=sum(connector.online for connector in connectors),
        charging=sum(connector.state is ConnectorState.CHARGING for connector in connectors),
        sessions=sum(connector.id_tag is not None for connector in connectors),
    )


def _balanced_kw(current_a: float) -> float:
    """Power of the same current on all three phases."""
    return power_kw(current_a, 3, NOMINAL_VOLTAGE_V)


def _effective_limit_kw(node: Node) -> float | None:
    limits = [node.limit_kw, None if node.limit_a is None else _balanced_kw(node.limit_a)]
    return min((limit for limit in limits if limit is not None), default=None)


def _headroom_kw(margin: NodeMargin | None) -> float | None:
    """Balanced power that may still be handed out: the fullest phase decides."""
    if margin is None:
        return None
    rooms = [margin.margin_kw, None if margin.margin_a is None else _balanced_kw(margin.margin_a)]
    return min((room for room in rooms if room is not None), default=None)


def _tightest(margins: Iterable[tuple[NodeId, NodeMargin]]) -> str:
    """The node with the least room relative to its limit, the first of equals."""
    best, best_room = "", math.inf
    for node_id, margin in margins:
        for room, limit in ((margin.margin_a, margin.limit_a), (margin.margin_kw, margin.limit_kw)):
            if room is not None and limit and room / limit < best_room:
                best, best_room = node_id, room / limit
    return best


def _prices(tariff: Tariff, now: datetime, ahead_h: float) -> PricesView:
    """The price in force, and each later change up to `ahead_h`."""
    until = now + timedelta(hours=ahead_h)
    pairs = list(zip(tariff.starts, tariff.price_eur_per_kwh, strict=True))
    current = max(0, sum(start <= now for start, _ in pairs) - 1)
    shown = [pair for pair in pairs[current:] if pair[0] <= until] or pairs[current : current + 1]
    return PricesView(
        starts=tuple(start for start, _ in shown), price_eur_per_kwh=tuple(round(price, 5) for _, price in shown)
    )


def _tally(tally: twin.Tally) -> TallyView:
    return TallyView(
        sessions_started=tally.sessions_started,
        sessions_completed=tally.sessions_completed,
        requested_kwh=round(tally.requested_kwh, 2),
        delivered_kwh=round(tally.delivered_kwh, 2),
        unserved_kwh=round(tally.unserved_kwh, 2),
        cost_eur=round(tally.cost_eur, 2),
        refused=tally.refused,
    )


def _fresh(age_s: float | None, limit_s: float) -> bool:
    return age_s is not None and age_s <= limit_s


def _rounded(value: float | None, digits: int) -> float | None:
    """A number fit to show; what is not finite is not known."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def _phases(current_a: PhaseCurrents) -> PhaseCurrents:
    return (round(current_a[0], 1), round(current_a[1], 1), round(current_a[2], 1))


def _phases_or_none(current_a: PhaseCurrents | None) -> PhaseCurrents | None:
    return None if current_a is None or not all(map(math.isfinite, current_a)) else _phases(current_a)
