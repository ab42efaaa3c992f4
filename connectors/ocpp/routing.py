"""Every action of OCPP 1.6 and the security extension, and what answers it.

Handlers are lenient: what a charger says of itself, of its status, its meters and its transactions is always answered
with a CALLRESULT, since chargers repeat an unanswered transaction message for ever and everything behind it waits.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger, Stranger
from connectors.ocpp.frames import Payload
from connectors.ocpp.registers import Register
from twin_core.models.events import ChargerBooted, ConnectorMetered, TransactionStarted, TransactionStopped
from twin_core.models.ids import IdTag, TransactionId
from twin_core.models.quantities import MINIMUM_CURRENT_A, NOMINAL_VOLTAGE_V, Instant
from twin_core.ports import TransactionStart, TransactionStop

PAUSE_ENDS_WITHIN_S = 20.0
"""A transaction that ends by itself so soon after a limit of 0 A was ended by it."""


@dataclass(frozen=True, slots=True)
class Inline:
    """Answered at once, within the read loop."""

    handle: Callable[[Charger, Payload, Instant], Payload]


@dataclass(frozen=True, slots=True)
class Written:
    """The answer to a fact that is on disk.

    Attributes:
        then: what follows once the answer is on its way, or cannot be sent. A charger first learns the id of its
            transaction; only then may a profile for that transaction follow.
    """

    answer: Payload
    then: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Durable:
    """Answered when the fact is on disk; beside the read loop, in the order of arrival."""

    handle: Callable[[Charger, Payload, Instant], Awaitable[Written]]


def boot_notification(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """Accepted: whoever may not connect was refused at the handshake."""
    charger.own_clock.forget()
    identity = translate.identity(payload)
    model = " ".join(part for part in (identity.vendor, identity.model, identity.firmware) if part)
    if charger.memory.model and charger.memory.model != model:
        # Another charger, or another firmware: what was learned of the old one says nothing of it.
        charger.memory.forget()
    charger.memory.model = model
    charger.emit(ChargerBooted(at=at, charger_id=charger.spec.id, identity=identity))
    spread = zlib.crc32(charger.spec.id.encode()) % 201 / 1000 - 0.1
    interval = max(1, round(charger.settings.heartbeat_s * (1 + spread)))
    return {"status": "Accepted", "currentTime": utc_text(at), "interval": interval}


def heartbeat(_: Charger, __: Payload, at: Instant) -> Payload:
    """The time; what the charger thinks of it is not asked."""
    return {"currentTime": utc_text(at)}


def authorize(charger: Charger, payload: Payload, _: Instant) -> Payload:
    """Whether the tag may charge."""
    return {"idTagInfo": _tag_info(charger, translate.id_tag(payload.get("idTag")))}


def status_notification(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """The status of a connector; that of connector 0 is the charge point's and overwrites nobody's."""
    number = translate.integer(payload.get("connectorId"))
    if number == 0:
        return {}
    connector = None if number is None else charger.connectors.get(number)
    if connector is None:
        charger.refuse("unknown-connector", f"StatusNotification for {payload.get('connectorId')!r}")
        return {}
    event = translate.status_event(payload, connector, at)
    if event is None:
        charger.refuse("unknown-status", f"{payload.get('status')!r}")
    elif charger.own_clock.is_stale(event.reported_at, at):
        charger.refuse("stale-status", f"{event.status.value} of {event.reported_at}")
    else:
        if charger.status.get(connector.id.number, (None, 0.0))[0] is not event.status:
            charger.status[connector.id.number] = (event.status, at.monotonic_s)
        charger.emit(event)
    return {}


def meter_values(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """Samples of a connector's meter; those of connector 0 are the charge point's main meter and not used."""
    number = translate.integer(payload.get("connectorId"))
    connector = None if number is None else charger.connectors.get(number)
    if connector is None or number is None:
        if number != 0:
            charger.refuse("unknown-connector", f"MeterValues for {payload.get('connectorId')!r}")
        return {}
    running = charger.transactions.get(number)
    claimed = translate.integer(payload.get("transactionId"))
    if claimed is not None and claimed != running and claimed not in charger.stopped:
        charger.refuse("foreign-transaction", f"MeterValues for transaction {claimed}")
    events, causes = translate.meter_events(payload, connector, at, running if claimed == running else None)
    for cause in causes:
        charger.refuse(cause, f"connector {number}")
    for event in events:
        if charger.own_clock.is_stale(event.reported_at, at):
            charger.refuse("stale-sample", f"connector {number}")
        else:
            charger.emit(_completed(charger, number, _repaired(charger, number, event)))
    if claimed is not None and claimed > 0 and running is None and events:
        _note_stranger(charger, number, TransactionId(claimed), events[-1].reading.energy_kwh)
    return {}


def _note_stranger(charger: Charger, number: int, claimed: TransactionId, register_kwh: float | None) -> None:
    """Remember an unknown transaction that runs here, in case it is to be taken over."""
    stranger = charger.strangers.get(number)
    if stranger is None or stranger.transaction != claimed:
        charger.strangers[number] = Stranger(claimed, register_kwh)
    else:
        stranger.seen += 1


def _repaired(charger: Charger, number: int, event: ConnectorMetered) -> ConnectorMetered:
    """The same reading with its energy register put right."""
    reading = event.reading
    if reading.energy_kwh is None:
        return event
    power_kw = reading.power_kw
    if power_kw is None and reading.current_a is not None:
        power_kw = sum(reading.current_a) * NOMINAL_VOLTAGE_V / 1000.0
    register = charger.repairs.setdefault(number, Register())
    energy_kwh = register.repaired(reading.energy_kwh, power_kw, event.at.monotonic_s)
    if energy_kwh is None:
        charger.refuse("register-fell", f"connector {number}")
    return replace(event, reading=replace(reading, energy_kwh=energy_kwh))


def _completed(charger: Charger, number: int, event: ConnectorMetered) -> ConnectorMetered:
    """The same reading with power from the register where the charger reports no other, and its phases noted."""
    reading = event.reading
    if reading.current_a is not None:
        charger.note_phases(number, translate.phases_in_use(reading.current_a, charger.connectors[number].phases))
        if charger.own_clock.is_fresh(event.at.monotonic_s):
            charger.note_draw(number, max(reading.current_a), event.at.monotonic_s)
            charger.note_delay(number, max(reading.current_a), event.at.monotonic_s)
    if reading.offered_a is not None:
        charger.note_offer(number, reading.offered_a, event.at.monotonic_s)
    if reading.power_kw is not None or reading.current_a is not None or reading.energy_kwh is None:
        return event
    before = charger.registers.get(number)
    now = event.at.monotonic_s
    charger.registers[number] = (reading.energy_kwh, now)
    power = None if before is None else translate.power_from_energy(before[0], reading.energy_kwh, now - before[1])
    return event if power is None else replace(event, reading=replace(reading, power_kw=power))


async def start_transaction(charger: Charger, payload: Payload, at: Instant) -> Written:
    """A transaction begins; a repeated start is the same transaction.

    Raises:
        StorageError: it could not be made durable.
    """
    number = translate.integer(payload.get("connectorId"))
    tag = translate.id_tag(payload.get("idTag"))
    started_at = translate.timestamp(payload.get("timestamp"))
    meter_kwh = translate.energy_kwh(payload.get("meterStart"))
    if started_at is None or meter_kwh is None:
        charger.refuse("start-unreadable", f"timestamp {payload.get('timestamp')!r}, meterStart")
    if number is None or number < 1:
        charger.refuse("unknown-connector", f"StartTransaction on {payload.get('connectorId')!r}")
        return Written({"transactionId": 0, "idTagInfo": {"status": "Invalid"}})
    start = TransactionStart(charger.connector_id(number), tag, meter_kwh or 0.0, started_at or at.utc)
    transaction, new = await charger.around.ledger.start(start, at)
    if number not in charger.connectors:
        # It exists at the charger, so it has an id and its stop will be understood; but nobody may charge there.
        charger.refuse("unknown-connector", f"StartTransaction on {payload.get('connectorId')!r}")
        return Written({"transactionId": int(transaction), "idTagInfo": {"status": "Invalid"}})
    answer = {"transactionId": int(transaction), "idTagInfo": _tag_info(charger, tag)}
    if not new:
        # A repetition over a new link, of a start whose answer was lost with the old one: it may still run.
        running = await charger.around.ledger.open_transactions(charger.spec.id)
        if running.get(start.connector_id) == transaction:
            return Written(answer, lambda: charger.begin(number, transaction))
        return Written(answer)
    event = TransactionStarted(
        at=at,
        connector_id=start.connector_id,
        transaction_id=transaction,
        id_tag=tag,
        meter_start_kwh=start.meter_start_kwh,
        started_at=start.started_at,
    )

    def begin() -> None:
        charger.begin(number, transaction)
        charger.tags[number] = tag
        charger.repairs.setdefault(number, Register()).begin(start.meter_start_kwh)
        charger.emit(event)

    return Written(answer, begin)


async def stop_transaction(charger: Charger, payload: Payload, at: Instant) -> Written:
    """A transaction ends; one that is not this charger's is answered all the same and ends nobody's.

    Raises:
        StorageError: it could not be made durable.
    """
    tag = payload.get("idTag")
    answer = {} if tag is None else {"idTagInfo": _tag_info(charger, translate.id_tag(tag))}
    number = translate.integer(payload.get("transactionId"))
    if number is None or number <= 0:
        charger.refuse("foreign-transaction", f"StopTransaction of {payload.get('transactionId')!r}")
        return Written(answer)
    transaction = TransactionId(number)
    stop = TransactionStop(
        transaction_id=transaction,
        charger=charger.spec.id,
        meter_stop_kwh=translate.energy_kwh(payload.get("meterStop")),
        stopped_at=translate.timestamp(payload.get("timestamp")) or at.utc,
        reason=translate.text(payload.get("reason")) or "Local",
    )
    connector = await charger.around.ledger.stop(stop, at)
    if connector is None:
        if transaction not in charger.stopped:
            charger.refuse("foreign-transaction", f"StopTransaction of {number}")
        return Written(answer)
    charger.end(connector.number, transaction)
    _judge_pause(charger, connector.number, payload.get("reason"), at)
    charger.emit(
        TransactionStopped(
            at=at,
            connector_id=connector,
            transaction_id=transaction,
            meter_stop_kwh=stop.meter_stop_kwh,
            stopped_at=stop.stopped_at,
            reason=stop.reason,
        )
    )
    return Written(answer)


def _judge_pause(charger: Charger, number: int, reason: object, at: Instant) -> None:
    """A transaction that ends by itself right after a pause was ended by it: from now on there is no pause here."""
    limit_a, since_s = charger.in_force.pop(number, (math.inf, 0.0))
    soon = at.monotonic_s < since_s + PAUSE_ENDS_WITHIN_S
    tag = charger.tags.pop(number, None)
    if reason not in (None, "Other") or limit_a > 0.0 or not soon or charger.memory.lowest_a > 0.0:
        return
    charger.memory.lowest_a = MINIMUM_CURRENT_A
    charger.refuse("pause-ends-transaction", f"connector {number}")
    if tag:
        charger.restart[number] = tag
    charger.boot_answered.set()  # the boot order is run again, with the higher fallback


def data_transfer(_: Charger, __: Payload, ___: Instant) -> Payload:
    """No vendor's private messages are spoken here."""
    return {"status": "UnknownVendorId"}


def sign_certificate(_: Charger, __: Payload, ___: Instant) -> Payload:
    """No certificates are signed here."""
    return {"status": "Rejected"}


def noted(_: Charger, __: Payload, ___: Instant) -> Payload:
    """A notification whose answer is empty."""
    return {}


INCOMING: dict[str, Inline | Durable] = {
    "Authorize": Inline(authorize),
    "BootNotification": Inline(boot_notification),
    "DataTransfer": Inline(data_transfer),
    "DiagnosticsStatusNotification": Inline(noted),
    "FirmwareStatusNotification": Inline(noted),
    "Heartbeat": Inline(heartbeat),
    "LogStatusNotification": Inline(noted),
    "MeterValues": Inline(meter_values),
    "SecurityEventNotification": Inline(noted),
    "SignCertificate": Inline(sign_certificate),
    "SignedFirmwareStatusNotification": Inline(noted),
    "StartTransaction": Durable(start_transaction),
    "StatusNotification": Inline(status_notification),
    "StopTransaction": Durable(stop_transaction),
}

OUTGOING: frozenset[str] = frozenset(
    {
        # Core
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "DataTransfer",
        "GetConfiguration",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "Reset",
        "UnlockConnector",
        # Smart Charging
        "ClearChargingProfile",
        "GetCompositeSchedule",
        "SetChargingProfile",
        # Remote Trigger
        "TriggerMessage",
    }
)
"""What this central system asks of chargers. A charger that asks it of us gets NotSupported."""

OTHER_PROFILES: frozenset[str] = frozenset(
    {
        "CancelReservation",
        "CertificateSigned",
        "DeleteCertificate",
        "ExtendedTriggerMessage",
        "GetDiagnostics",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "InstallCertificate",
        "ReserveNow",
        "SendLocalList",
        "SignedUpdateFirmware",
        "UpdateFirmware",
    }
)
"""Actions of profiles that are not spoken yet: known, so NotSupported and not NotImplemented."""


def utc_text(at: Instant) -> str:
    """A moment as OCPP writes it."""
    return at.utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tag_info(charger: Charger, tag: IdTag) -> Payload:
    return {"status": "Accepted" if tag and charger.around.directory.authorise(tag) else "Invalid"}
