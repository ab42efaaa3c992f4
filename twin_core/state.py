"""The twin's state and its only writer: `apply(state, event)`.

What is missing stays None with no age; nothing is ever filled in with zero.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from twin_core.base_load import SETTLE_S, BaseLoadTracker, CurrentTrace
from twin_core.models import events as ev
from twin_core.models.charger import (
    ChargerAbilities,
    ChargerIdentity,
    ChargerSpec,
    ConnectorReading,
    ConnectorSpec,
    ConnectorStatus,
)
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId, SessionId
from twin_core.models.plan import Plan
from twin_core.models.quantities import Instant, PhaseCurrents
from twin_core.models.session import ChargingRequest, Session, Vehicle
from twin_core.models.site import SiteTree
from twin_core.models.tariff import SiteTerms, Tariff
from twin_core.observation import observed

REQUESTS_KEPT = 10_000
SESSIONS_KEPT = 1_000
STUCK_SAMPLES = 12
STUCK_CHANGE_A = 3.0


@dataclass(slots=True)
class ConnectorState:
    """What is known of one connector."""

    spec: ConnectorSpec
    status: ConnectorStatus | None = None
    status_at: Instant | None = None
    error_code: str = "NoError"
    reading: ConnectorReading | None = None
    reading_at: Instant | None = None
    trace: CurrentTrace = field(default_factory=CurrentTrace)
    session: Session | None = None
    fallback_confirmed: bool = False
    imposed_a: float | None = None


@dataclass(slots=True)
class ChargerState:
    """What is known of one charger."""

    spec: ChargerSpec
    online: bool = False
    changed_at: Instant | None = None
    identity: ChargerIdentity | None = None
    abilities: ChargerAbilities | None = None


@dataclass(slots=True)
class NodeState:
    """What is known of one node of the site: its meter, and the load on it that is no charger."""

    metered_a: PhaseCurrents | None = None
    metered_kw: float | None = None
    metered_at: Instant | None = None
    base: BaseLoadTracker = field(default_factory=BaseLoadTracker)
    unchanged: int = 0
    changed_s: float = float("-inf")
    drawn_a: float = 0.0
    stuck: bool = False


@dataclass(slots=True)
class Totals:
    """Sums over the life of the twin."""

    sessions_started: int = 0
    sessions_completed: int = 0
    requested_kwh: float = 0.0
    delivered_kwh: float = 0.0
    unserved_kwh: float = 0.0
    cost_eur: float = 0.0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    late_events: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class TwinState:
    """The twin. Read it through a snapshot; change it through `apply`."""

    site: SiteTree
    tariff: Tariff
    fleet: Mapping[IdTag, Vehicle] = field(default_factory=dict)
    chargers: dict[ChargerId, ChargerState] = field(default_factory=dict)
    connectors: dict[ConnectorId, ConnectorState] = field(default_factory=dict)
    nodes: dict[NodeId, NodeState] = field(default_factory=dict)
    imposed_until: dict[NodeId, datetime] = field(default_factory=dict)
    requests: OrderedDict[IdTag, ChargingRequest] = field(default_factory=OrderedDict)
    finished: deque[Session] = field(default_factory=lambda: deque(maxlen=SESSIONS_KEPT))
    terms: SiteTerms = SiteTerms()
    peak_so_far_kw: float = 0.0
    plan: Plan | None = None
    plan_at: Instant | None = None
    totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        for charger in self.site.chargers:
            self._install(charger)
        for node in self.site.nodes:
            self.nodes.setdefault(node.id, NodeState())

    def _install(self, charger: ChargerSpec) -> None:
        self.chargers.setdefault(charger.id, ChargerState(charger))
        for connector in charger.connectors:
            self.connectors.setdefault(connector.id, ConnectorState(connector))

    def install(self, charger: ChargerSpec) -> None:
        """Take in a charger that the site did not know."""
        if charger.id in self.chargers or NodeId(charger.id) in self.nodes:
            return
        self.site = self.site.with_charger(charger)
        self.nodes[NodeId(charger.id)] = NodeState()
        self._install(charger)

    def sessions(self) -> list[Session]:
        """Sessions in progress, in the order of the site."""
        return [c.session for c in self.connectors.values() if c.session is not None]


def apply(state: TwinState, event: ev.Event) -> None:
    """Take in one fact. The only writer of the state.

    A fact about a charger, connector or node that the twin does not know is counted in `totals.late_events`.
    """
    reducer = _REDUCERS.get(type(event))
    if reducer is None:
        return
    try:
        reducer(state, event)
    except _UnknownThingError as unknown:
        state.totals.late_events[f"{type(event).__name__}: {unknown}"] += 1


class _UnknownThingError(Exception):
    """The event speaks of something that is not in the site."""


def _charger(state: TwinState, charger_id: ChargerId) -> ChargerState:
    found = state.chargers.get(charger_id)
    if found is None:
        raise _UnknownThingError(charger_id)
    return found


def _connector(state: TwinState, connector_id: ConnectorId) -> ConnectorState:
    found = state.connectors.get(connector_id)
    if found is None:
        raise _UnknownThingError(str(connector_id))
    return found


def _adopted(state: TwinState, event: ev.ChargerAdopted) -> None:
    state.install(event.charger)


def _connected(state: TwinState, event: ev.ChargerConnected) -> None:
    charger = _charger(state, event.charger_id)
    charger.online, charger.changed_at = True, event.at


def _disconnected(state: TwinState, event: ev.ChargerDisconnected) -> None:
    charger = _charger(state, event.charger_id)
    charger.online, charger.changed_at = False, event.at


def _booted(state: TwinState, event: ev.ChargerBooted) -> None:
    _charger(state, event.charger_id).identity = event.identity


def _commissioned(state: TwinState, event: ev.ChargerCommissioned) -> None:
    _charger(state, event.charger_id).abilities = event.abilities


def _fallback_confirmed(state: TwinState, event: ev.FallbackConfirmed) -> None:
    _connector(state, event.connector_id).fallback_confirmed = True


def _fallback_refused(state: TwinState, event: ev.FallbackRefused) -> None:
    _connector(state, event.connector_id).fallback_confirmed = False


def _status(state: TwinState, event: ev.ConnectorStatusReported) -> None:
    connector = _connector(state, event.connector_id)
    connector.status, connector.status_at, connector.error_code = event.status, event.at, event.error_code


def _transaction_started(state: TwinState, event: ev.TransactionStarted) -> None:
    connector = _connector(state, event.connector_id)
    session_id = SessionId(f"{event.connector_id}:{event.transaction_id}")
    if connector.session is not None:
        if connector.session.id == session_id:
            return
        _finish(state, connector, event.at, "replaced by a new transaction")
    vehicle = state.fleet.get(event.id_tag, Vehicle(event.id_tag))
    request = state.requests.pop(event.id_tag, ChargingRequest())
    connector.session = Session(
        id=session_id,
        connector_id=event.connector_id,
        transaction_id=event.transaction_id,
        id_tag=event.id_tag,
        started=event.at,
        started_at=event.started_at,
        meter_start_kwh=event.meter_start_kwh,
        vehicle=vehicle,
        request=request,
        soc=request.soc_at_arrival,
    )
    state.totals.sessions_started += 1


def _transaction_stopped(state: TwinState, event: ev.TransactionStopped) -> None:
    connector = _connector(state, event.connector_id)
    session = connector.session
    if session is None or session.transaction_id != event.transaction_id:
        state.totals.late_events["TransactionStopped: not in progress"] += 1
        return
    if event.meter_stop_kwh is not None:
        _deliver(state, connector, event.meter_stop_kwh - session.meter_start_kwh, event.at)
    _finish(state, connector, event.at, event.reason)


def _finish(state: TwinState, connector: ConnectorState, at: Instant, reason: str) -> None:
    session = connector.session
    assert session is not None
    wanted = session.request.energy_kwh
    state.finished.append(replace(session, stopped=at, stop_reason=reason))
    connector.session = None
    state.totals.sessions_completed += 1
    if wanted is not None:
        state.totals.requested_kwh += wanted
        state.totals.unserved_kwh += max(0.0, wanted - session.energy_kwh)


def _deliver(state: TwinState, connector: ConnectorState, energy_kwh: float, at: Instant) -> None:
    """Raise a session's energy to a new total; a register that runs backwards changes nothing."""
    session = connector.session
    assert session is not None
    gained = energy_kwh - session.energy_kwh
    if not gained > 0:
        return
    state.totals.delivered_kwh += gained
    state.totals.cost_eur += gained * state.tariff.price_at(at.utc)
    connector.session = replace(session, energy_kwh=energy_kwh)


def _connector_metered(state: TwinState, event: ev.ConnectorMetered) -> None:
    connector = _connector(state, event.connector_id)
    reading, before = event.reading, connector.reading_at
    if reading.current_a is not None:
        claimed = event.reported_at
        way_s = None if claimed is None else (event.at.utc - claimed).total_seconds()
        connector.trace.add(event.at.monotonic_s, reading.current_a, way_s)
    previous, connector.reading, connector.reading_at = connector.reading, reading, event.at
    session = connector.session
    if session is None:
        return
    if reading.energy_kwh is not None:
        _deliver(state, connector, reading.energy_kwh - session.meter_start_kwh, event.at)
    elif reading.power_kw is not None and before is not None and previous is not None:
        hours = (event.at.monotonic_s - before.monotonic_s) / 3600.0
        _deliver(state, connector, session.energy_kwh + reading.power_kw * hours, event.at)
    assert connector.session is not None
    connector.session = observed(connector.session, reading, event.at)


def _node_metered(state: TwinState, event: ev.NodeMetered) -> None:
    node = state.nodes.get(event.node_id)
    if node is None:
        raise _UnknownThingError(event.node_id)
    now_s = event.at.monotonic_s
    below = state.site.chargers_below[event.node_id]
    traces = [state.connectors[connector.id].trace for charger in below for connector in charger.connectors]
    drawn_a = sum(max(trace.latest(now_s)) for trace in traces)
    _watch_for_stuck_meter(node, event, drawn_a)
    node.metered_a, node.metered_kw, node.metered_at = event.current_a, event.power_kw, event.at
    node.base.metered(now_s, event.current_a, traces)


def _watch_for_stuck_meter(node: NodeState, event: ev.NodeMetered, drawn_a: float) -> None:
    """A meter that repeats itself to the last digit while the chargers' draw moved is stuck.

    The chargers' reports are given time to catch up with the meter's last change first.
    """
    now_s = event.at.monotonic_s
    if event.current_a != node.metered_a:
        node.unchanged, node.changed_s, node.stuck = 0, now_s, False
    node.unchanged += 1
    if now_s - node.changed_s <= SETTLE_S:
        node.drawn_a = drawn_a
    moved = abs(drawn_a - node.drawn_a) > STUCK_CHANGE_A
    node.stuck = node.stuck or (node.unchanged > STUCK_SAMPLES and moved)


def _request(state: TwinState, event: ev.RequestAnnounced) -> None:
    for connector in state.connectors.values():
        session = connector.session
        if session is None:
            continue
        here = event.connector_id is None or event.connector_id == connector.spec.id
        if here and (event.id_tag is None or event.id_tag == session.id_tag):
            soc = session.soc if session.soc is not None else event.request.soc_at_arrival
            connector.session = replace(session, request=event.request, soc=soc)
            return
    if event.id_tag is None:
        raise _UnknownThingError(f"no session at {event.connector_id}")
    state.requests[event.id_tag] = event.request
    while len(state.requests) > REQUESTS_KEPT:
        state.requests.popitem(last=False)
        state.totals.late_events["RequestAnnounced: oldest dropped"] += 1


def _limit_changed(state: TwinState, event: ev.LimitChanged) -> None:
    if event.node_id not in state.nodes:
        raise _UnknownThingError(event.node_id)
    state.site = state.site.with_limit(event.node_id, event.limit_a, event.limit_kw)
    state.imposed_until.pop(event.node_id, None)
    if event.until is not None:
        state.imposed_until[event.node_id] = event.until


def expired_limits(state: TwinState, now: Instant) -> list[NodeId]:
    """Nodes whose imposed limits have reached their end."""
    return [node_id for node_id, until in state.imposed_until.items() if now.utc >= until]


def _connector_limited(state: TwinState, event: ev.ConnectorLimited) -> None:
    _connector(state, event.connector_id).imposed_a = event.limit_a


def _tariff_changed(state: TwinState, event: ev.TariffChanged) -> None:
    state.tariff = event.tariff


def _terms_changed(state: TwinState, event: ev.TermsChanged) -> None:
    state.terms = event.terms


def _peak_measured(state: TwinState, event: ev.PeakMeasured) -> None:
    state.peak_so_far_kw = event.peak_kw


def _plan_adopted(state: TwinState, event: ev.PlanAdopted) -> None:
    state.plan, state.plan_at = event.plan, event.at


def _refused(state: TwinState, event: ev.InputRefused) -> None:
    state.totals.refused[(event.source, event.cause)] += 1


def _restarted(state: TwinState, event: ev.GatewayRestarted) -> None:
    for connector_id in event.confirmed_fallbacks:
        known = state.connectors.get(connector_id)  # the site may have lost a charger since
        if known is not None:
            known.fallback_confirmed = True


_REDUCERS: dict[type, Callable[[TwinState, Any], None]] = {
    ev.ChargerAdopted: _adopted,
    ev.ChargerConnected: _connected,
    ev.ChargerDisconnected: _disconnected,
    ev.ChargerBooted: _booted,
    ev.ChargerCommissioned: _commissioned,
    ev.FallbackConfirmed: _fallback_confirmed,
    ev.FallbackRefused: _fallback_refused,
    ev.ConnectorStatusReported: _status,
    ev.TransactionStarted: _transaction_started,
    ev.TransactionStopped: _transaction_stopped,
    ev.ConnectorMetered: _connector_metered,
    ev.NodeMetered: _node_metered,
    ev.RequestAnnounced: _request,
    ev.LimitChanged: _limit_changed,
    ev.ConnectorLimited: _connector_limited,
    ev.TariffChanged: _tariff_changed,
    ev.TermsChanged: _terms_changed,
    ev.PeakMeasured: _peak_measured,
    ev.PlanAdopted: _plan_adopted,
    ev.InputRefused: _refused,
    ev.GatewayRestarted: _restarted,
}
