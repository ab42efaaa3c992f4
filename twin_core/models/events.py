"""Facts from outside. The twin changes through these and through nothing else.

Every event says when the gateway learned of it (`at`); what a charger claims about time is kept apart (`*_at`) and
never used for control.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from twin_core.models.authorisation import ListedTag, ReservationState
from twin_core.models.charger import (
    ChargerAbilities,
    ChargerIdentity,
    ChargerSpec,
    ConnectorReading,
    ConnectorStatus,
    Learned,
)
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId, TransactionId
from twin_core.models.plan import Plan
from twin_core.models.quantities import Instant, PhaseCurrents
from twin_core.models.session import ChargingRequest
from twin_core.models.tariff import SiteTerms, Tariff
from twin_core.models.upkeep import FirmwareStatusReported, LogStatusReported, SecurityEventReported


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerConnected:
    """A charge point opened its WebSocket."""

    at: Instant
    charger_id: ChargerId
    remote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerAdopted:
    """A charge point that no site file names was taken in on conservative defaults."""

    at: Instant
    charger: ChargerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerDisconnected:
    """A charge point's WebSocket ended; its grants stay in force until their leases end."""

    at: Instant
    charger_id: ChargerId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerBooted:
    """BootNotification was accepted."""

    at: Instant
    charger_id: ChargerId
    identity: ChargerIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerCommissioned:
    """The boot order is through: abilities probed, fallback written."""

    at: Instant
    charger_id: ChargerId
    abilities: ChargerAbilities


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerLearned:
    """What is known of a charger's ways has changed; None where somebody had it forgotten."""

    at: Instant
    charger_id: ChargerId
    learned: Learned | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleExpected:
    """A driver may charge at a charger that was never seen to keep a limit; a vehicle is there, or comes soon."""

    at: Instant
    charger_id: ChargerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLearned:
    """What chargers of a model taught of it has changed; None where somebody had it forgotten.

    Attributes:
        model: vendor, model and firmware.
    """

    at: Instant
    model: str
    learned: Learned | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackConfirmed:
    """The charger read back the fallback limit it keeps for a connector."""

    at: Instant
    connector_id: ConnectorId
    fallback_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackRefused:
    """The charger took no fallback limit, or read back another: the connector counts at its hardware maximum."""

    at: Instant
    connector_id: ConnectorId
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorStatusReported:
    """StatusNotification."""

    at: Instant
    connector_id: ConnectorId
    status: ConnectorStatus
    error_code: str = "NoError"
    reported_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStarted:
    """StartTransaction, already durable."""

    at: Instant
    connector_id: ConnectorId
    transaction_id: TransactionId
    id_tag: IdTag
    meter_start_kwh: float
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStopped:
    """StopTransaction, already durable."""

    at: Instant
    connector_id: ConnectorId
    transaction_id: TransactionId
    meter_stop_kwh: float | None
    stopped_at: datetime
    reason: str = "Local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorMetered:
    """A sample of a connector's meter."""

    at: Instant
    connector_id: ConnectorId
    reading: ConnectorReading
    transaction_id: TransactionId | None = None
    reported_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMetered:
    """A sample of the whole current through a node, import positive.

    Attributes:
        current_a: per grid phase; derived from power at nominal voltage when the meter gives no current.
    """

    at: Instant
    node_id: NodeId
    current_a: PhaseCurrents
    power_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnnounced:
    """What a driver or a fleet schedule wants, for a connector's session or for whoever shows the tag next."""

    at: Instant
    request: ChargingRequest
    connector_id: ConnectorId | None = None
    id_tag: IdTag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged:
    """The grid operator or the operator on duty imposes limits on a node, in place of any imposed before.

    They can only lower what the installation allows; None lifts.

    Attributes:
        until: when they end by themselves; None where only another such event ends them.
    """

    at: Instant
    node_id: NodeId
    limit_a: float | None
    limit_kw: float | None
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorLimited:
    """Another central system limits what a connector may be offered, in place of its earlier limit; None lifts.

    A wish above it is cut to it. It protects no cable: it is no part of the envelope's limits.

    Attributes:
        limit_a: per phase.
        source: who limits, and by what.
    """

    at: Instant
    connector_id: ConnectorId
    limit_a: float | None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffChanged:
    """New prices."""

    at: Instant
    tariff: Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsChanged:
    """What counts at the site's meter beside the price of import was laid out anew."""

    at: Instant
    terms: SiteTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakMeasured:
    """The highest import of the billing period so far, as the site's meter showed it."""

    at: Instant
    peak_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSent:
    """A grant went onto the wire."""

    at: Instant
    connector_id: ConnectorId
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantAnswered:
    """What became of a grant. A late answer after TIMED_OUT comes as a second event."""

    at: Instant
    connector_id: ConnectorId
    seq: int
    outcome: GrantOutcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAdopted:
    """A plan was taken up."""

    at: Instant
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequested:
    """SignCertificate, already durable: the charger wants a certificate for the key it made.

    Attributes:
        csr: the request in PEM; empty takes an older one back, once its certificate was handed over.
    """

    at: Instant
    charger_id: ChargerId
    csr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalListWritten:
    """A charger took a new version of the list it keeps itself; the whole of it, also where only changes were sent."""

    at: Instant
    charger_id: ChargerId
    version: int
    entries: tuple[ListedTag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationChanged:
    """A connector is kept free for somebody until `expires`, or no more; connector 0 is any of the charger's."""

    at: Instant
    connector_id: ConnectorId
    reservation_id: int
    id_tag: IdTag
    expires: datetime
    state: ReservationState


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRefused:
    """Something from outside was not believed; counted by source and cause, and one log line."""

    at: Instant
    source: str
    cause: str
    detail: str = ""
    context: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRestarted:
    """What was durable before a restart: grants that may still be in force and fallbacks once read back.

    Sessions come back as TransactionStarted events of their own.
    """

    at: Instant
    grants: tuple[Grant, ...]
    confirmed_fallbacks: dict[ConnectorId, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """The control cycle ran; in the journal so that a replay runs it at the same moments."""

    at: Instant


Event = (
    ChargerConnected
    | ChargerAdopted
    | ChargerDisconnected
    | ChargerBooted
    | ChargerCommissioned
    | ChargerLearned
    | VehicleExpected
    | ModelLearned
    | FallbackConfirmed
    | FallbackRefused
    | ConnectorStatusReported
    | TransactionStarted
    | TransactionStopped
    | ConnectorMetered
    | NodeMetered
    | RequestAnnounced
    | LimitChanged
    | ConnectorLimited
    | TariffChanged
    | TermsChanged
    | PeakMeasured
    | GrantSent
    | GrantAnswered
    | PlanAdopted
    | FirmwareStatusReported
    | LogStatusReported
    | SecurityEventReported
    | CertificateRequested
    | LocalListWritten
    | ReservationChanged
    | InputRefused
    | GatewayRestarted
    | Ticked
)
