"""One immutable picture of the twin at one moment: what every decision and every view is made from."""

from __future__ import annotations

from dataclasses import dataclass

from twin_core.estimation import BaseLoad, EstimationSettings, base_loads, estimated_soc
from twin_core.models.charger import ChargerIdentity, ConnectorReading, ConnectorSpec, ConnectorStatus
from twin_core.models.ids import ChargerId, NodeId
from twin_core.models.plan import Plan
from twin_core.models.quantities import Instant, PhaseCurrents
from twin_core.models.session import Session
from twin_core.models.site import Node, SiteTree
from twin_core.models.tariff import SiteTerms, Tariff
from twin_core.state import TwinState


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """A connector as last known; ages in seconds, None where nothing was ever heard.

    Attributes:
        soc: told by the vehicle or estimated from delivered energy.
        imposed_a: what another central system allows it per phase; None where none limits it.
    """

    spec: ConnectorSpec
    online: bool
    status: ConnectorStatus | None
    error_code: str
    reading: ConnectorReading | None
    reading_age_s: float | None
    session: Session | None
    soc: float | None
    fallback_confirmed: bool
    imposed_a: float | None = None


@dataclass(frozen=True, slots=True)
class ChargerView:
    """A charger as last known."""

    id: ChargerId
    online: bool
    adopted: bool
    commissioned: bool
    identity: ChargerIdentity | None


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node of the site as last known.

    Attributes:
        metered_a: current through it; None without a meter.
        base: load on it and below that is no charger.
    """

    node: Node
    metered_a: PhaseCurrents | None
    metered_kw: float | None
    metered_age_s: float | None
    base: BaseLoad


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums since the gateway started."""

    sessions_started: int
    sessions_completed: int
    requested_kwh: float
    delivered_kwh: float
    unserved_kwh: float
    cost_eur: float
    refused: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The twin at one moment.

    Attributes:
        terms: what counts at the site's meter beside the price of import.
        peak_so_far_kw: highest import of the billing period; 0 where nobody measured.
    """

    now: Instant
    site: SiteTree
    tariff: Tariff
    chargers: tuple[ChargerView, ...]
    connectors: tuple[ConnectorView, ...]
    nodes: dict[NodeId, NodeView]
    plan: Plan | None
    plan_age_s: float | None
    tally: Tally
    terms: SiteTerms = SiteTerms()
    peak_so_far_kw: float = 0.0

    def sessions(self) -> list[tuple[Session, ConnectorView]]:
        """Sessions in progress with their connectors, in the order of the site."""
        return [(view.session, view) for view in self.connectors if view.session is not None]


def take_snapshot(state: TwinState, now: Instant, settings: EstimationSettings) -> Snapshot:
    """The twin as it is now. Shares only immutable values with the state."""
    loads = base_loads(state, now, settings)
    return Snapshot(
        now=now,
        site=state.site,
        tariff=state.tariff,
        chargers=tuple(
            ChargerView(c.spec.id, c.online, c.spec.adopted, c.abilities is not None, c.identity)
            for c in state.chargers.values()
        ),
        connectors=tuple(
            ConnectorView(
                spec=c.spec,
                online=state.chargers[c.spec.id.charger].online,
                status=c.status,
                error_code=c.error_code,
                reading=c.reading,
                reading_age_s=_age(c.reading_at, now),
                session=c.session,
                soc=estimated_soc(c.session, settings) if c.session else None,
                fallback_confirmed=c.fallback_confirmed,
                imposed_a=c.imposed_a,
            )
            for c in state.connectors.values()
        ),
        nodes={
            node.id: NodeView(
                node,
                state.nodes[node.id].metered_a,
                state.nodes[node.id].metered_kw,
                _age(state.nodes[node.id].metered_at, now),
                loads[node.id],
            )
            for node in state.site.nodes
        },
        plan=state.plan,
        plan_age_s=_age(state.plan_at, now),
        tally=_tally(state),
        terms=state.terms,
        peak_so_far_kw=state.peak_so_far_kw,
    )


def _tally(state: TwinState) -> Tally:
    totals = state.totals
    open_requests = [s.request.energy_kwh or 0.0 for s in state.sessions()]
    return Tally(
        sessions_started=totals.sessions_started,
        sessions_completed=totals.sessions_completed,
        requested_kwh=totals.requested_kwh + sum(open_requests),
        delivered_kwh=totals.delivered_kwh,
        unserved_kwh=totals.unserved_kwh,
        cost_eur=totals.cost_eur,
        refused=sum(totals.refused.values()) + sum(totals.late_events.values()),
    )


def _age(at: Instant | None, now: Instant) -> float | None:
    return None if at is None else now.monotonic_s - at.monotonic_s
