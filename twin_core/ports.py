"""What the core needs from outside, each in one or two methods. Fakes stand in `tests/fakes.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from twin_core.models.authorisation import ConcurrencyLimit, TagStanding
from twin_core.models.charger import ChargerSpec
from twin_core.models.events import CertificateRequested, Event, LocalListWritten, ReservationChanged
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.models.quantities import Instant


class Clock(Protocol):
    """The only source of time above the core."""

    def now(self) -> Instant:
        """This moment on both clocks."""


class EventSink(Protocol):
    """Where connectors put facts. Never blocks: newest reading wins, other events are kept, drops are counted."""

    def put(self, event: Event) -> None:
        """Hand over one fact."""


class ChargerPort(Protocol):
    """The way to the chargers."""

    def offer(self, grant: Grant) -> None:
        """Send a grant as soon as the charger can take it, in place of any older one still waiting.

        What became of it comes back as GrantSent and GrantAnswered events. Never blocks.
        """


@dataclass(frozen=True, slots=True)
class TransactionStart:
    """StartTransaction as the charger stated it; equal statements are one transaction."""

    connector_id: ConnectorId
    id_tag: IdTag
    meter_start_kwh: float
    started_at: datetime


@dataclass(frozen=True, slots=True)
class TransactionStop:
    """StopTransaction as the charger stated it."""

    transaction_id: TransactionId
    charger: str
    meter_stop_kwh: float | None
    stopped_at: datetime
    reason: str


class TransactionLedger(Protocol):
    """Transactions, durable before they are answered."""

    async def start(self, start: TransactionStart, now: Instant) -> tuple[TransactionId, bool]:
        """Write a start and return its id, and whether it is new.

        A repeated start returns the id of the first. Ids are random in [1, 2³¹) and never used twice.

        Raises:
            StorageError: it could not be made durable; the charger must get no CALLRESULT.
        """

    async def stop(self, stop: TransactionStop, now: Instant) -> ConnectorId | None:
        """Write a stop and return its connector; None when the charger never had such a transaction open.

        Raises:
            StorageError: as above.
        """

    async def adopt(self, transaction: TransactionId, start: TransactionStart, now: Instant) -> bool:
        """Write a transaction that the charger has from elsewhere; False where its id is another's or it is over.

        Raises:
            StorageError: as above.
        """

    async def open_transactions(self, charger: ChargerId) -> dict[ConnectorId, TransactionId]:
        """Transactions of a charger that started and did not stop, for a charger that comes back."""

    async def open_before(self, transaction: TransactionId, tags: Collection[IdTag]) -> int:
        """On how many other connectors one of these tags is in a transaction that was written before this one.

        Raises:
            StorageError: the disk refused.
        """


@dataclass(frozen=True, slots=True)
class ForwardedMessage:
    """Something a charger said of a transaction, for a second central system.

    Attributes:
        payload: JSON as the charger said it, under our number of the transaction.
        seq: its place in the order of everything kept; 0 before it was.
    """

    charger: ChargerId
    action: str
    payload: bytes
    transaction_id: TransactionId
    seq: int = 0


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A transaction that was taken over from a charger: nobody here saw its start, and its tag is not known."""

    transaction_id: TransactionId
    start: TransactionStart


class UpstreamLedger(Protocol):
    """What must reach a second central system, and what it calls our transactions; durable.

    Every method raises StorageError where the disk refuses.
    """

    async def keep(self, messages: Sequence[ForwardedMessage]) -> tuple[int | None, ...]:
        """Write messages in their order; the place of each, None for a start or stop that was kept before."""

    async def waiting(self, charger: ChargerId, after: int, most: int) -> tuple[ForwardedMessage, ...]:
        """The oldest messages of a charger behind a place."""

    async def untold(self, charger: ChargerId) -> tuple[TakenOver | TransactionStop, ...]:
        """What the depot wrote of transactions by itself and never kept here, oldest first.

        Open transactions that were taken over with a known register, and the stops of those closed here; the stop of
        one whose register nobody stated has the last that was measured.
        """

    async def backlog(self) -> dict[ChargerId, int]:
        """How many messages of each charger wait."""

    async def settle(self, message: ForwardedMessage, theirs: int | None = None) -> None:
        """A message waits no more; `theirs` is the other system's number for the transaction it began."""

    async def theirs(self, charger: ChargerId, transaction_id: TransactionId) -> int | None:
        """The other system's number of our transaction; None while it has given none."""

    async def ours(self, charger: ChargerId, theirs: int) -> TransactionId | None:
        """Our number of the other system's newest transaction of that number; None where it has none."""

    async def keep_profiles(self, charger: ChargerId, profiles: bytes) -> None:
        """Write the charging profiles the other system has set, in place of those before."""

    async def profiles(self) -> dict[ChargerId, bytes]:
        """The profiles of every charger that has any."""


class ChargerDirectory(Protocol):
    """Which charge points may connect, and what is installed there."""

    def find(self, charger: ChargerId) -> ChargerSpec | None:
        """The charger as installed; a new conservative one where unknown chargers are adopted; None to refuse it."""

    def password(self, charger: ChargerId) -> str | None:
        """The password it must show (OCPP security profile 1); None when none is asked for."""

    def authorise(self, id_tag: IdTag, at: datetime) -> TagStanding:
        """What is known of a tag at a moment, and so whether it may charge."""

    def concurrency(self, id_tag: IdTag) -> tuple[ConcurrencyLimit, ...]:
        """How many transactions may run at once of the tag, and of its group; nothing where any number may."""


class ChargerUpkeep(Protocol):
    """What chargers were told or asked that outlives the gateway, durable."""

    async def keep(self, fact: LocalListWritten | ReservationChanged | CertificateRequested) -> None:
        """Write a fact; it takes the place of an older one of the same list, reservation or certificate.

        Raises:
            StorageError: it could not be made durable.
        """

    async def local_list(self, charger: ChargerId) -> LocalListWritten | None:
        """The list the charger took last; None when none is known.

        Raises:
            StorageError: the disk refused.
        """

    async def reservations(self, charger: ChargerId) -> tuple[ReservationChanged, ...]:
        """Reservations that were asked for or accepted and neither used nor cancelled, expired ones included.

        Raises:
            StorageError: the disk refused.
        """

    async def certificate_request(self, charger: ChargerId) -> CertificateRequested | None:
        """The newest certificate signing request of the charger; None where none waits.

        Raises:
            StorageError: the disk refused.
        """


class Journal(Protocol):
    """Facts and grants on disk, in order."""

    def record(self, event: Event) -> None:
        """Queue an event for the next group commit. Never blocks."""

    async def reserve(self, grants: Sequence[Grant]) -> None:
        """Make grants durable; returns when they are, and only then may they be sent.

        Raises:
            StorageError: the disk refused; no increase may be sent.
        """


@dataclass(frozen=True, slots=True)
class Point:
    """One row of telemetry; units stand in the field names.

    Attributes:
        tags: small, bounded sets of values only (site, node, charger, connector, phase, planner).
    """

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float | int | bool | str]
    utc: datetime


@dataclass(slots=True)
class SinkCounters:
    """What became of what was handed to a sink; `backlog` of it still waits."""

    accepted: int = 0
    dropped: int = 0
    refused: int = 0
    written: int = 0
    backlog: int = 0
    extra: dict[str, int] = field(default_factory=dict)


class TelemetrySink(Protocol):
    """Where telemetry goes."""

    def write(self, points: Sequence[Point]) -> None:
        """Hand over rows. Never blocks; what cannot be kept is counted."""


class PlanSolver(Protocol):
    """A planner behind a deadline, perhaps in another process."""

    async def solve(self, problem: PlanningProblem) -> Plan:
        """The plan, or the rule that stepped in for it. Never raises and never outlives its deadline."""
