"""Who may charge, and the transactions themselves: durable before they are answered."""

from __future__ import annotations

import math
from dataclasses import replace

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.incoming.answering import Written
from connectors.ocpp.registers import Register
from connectors.ocpp.requests import tag_info
from twin_core.models.authorisation import ReservationState, TagStanding, TagStatus
from twin_core.models.charger import Aspect
from twin_core.models.events import TransactionStarted, TransactionStopped
from twin_core.models.ids import IdTag, TransactionId
from twin_core.models.quantities import MINIMUM_CURRENT_A, Instant
from twin_core.ports import TransactionStart, TransactionStop

PAUSE_ENDS_WITHIN_S = 20.0
"""A transaction that ends by itself so soon after a limit of 0 A was ended by it."""

_INVALID = TagStanding(TagStatus.INVALID)


def authorize(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """What the central list says of the tag: accepted, blocked, expired or invalid, until when, and of which group."""
    return {"idTagInfo": tag_info(standing(charger, translate.id_tag(payload.get("idTag")), at))}


async def start_transaction(charger: Charger, payload: Payload, at: Instant) -> Written:
    """A transaction begins, and uses up its reservation; a repeated start is the same transaction.

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
    await _redeem(charger, payload, at)
    said = await _standing_at_start(charger, tag, transaction, at)
    answer = {"transactionId": int(transaction), "idTagInfo": tag_info(said)}
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


async def _standing_at_start(charger: Charger, tag: IdTag, transaction: TransactionId, at: Instant) -> TagStanding:
    """What is said of a tag that starts a transaction: ConcurrentTx where it, or its group, has enough of them."""
    known = standing(charger, tag, at)
    if known.status is not TagStatus.ACCEPTED:
        return known
    for limit in charger.around.directory.concurrency(tag):
        if await charger.around.ledger.open_before(transaction, limit.tags) >= limit.most:
            charger.refuse("concurrent-transaction", f"transaction {transaction}, of {limit.most} at once")
            return replace(known, status=TagStatus.CONCURRENT_TX)
    return known


async def _redeem(charger: Charger, payload: Payload, at: Instant) -> None:
    """A start that names a reservation uses it up."""
    number = translate.integer(payload.get("reservationId"))
    if number is None:
        return
    for kept in await charger.around.upkeep.reservations(charger.spec.id):
        if kept.reservation_id == number:
            used = replace(kept, at=at, state=ReservationState.USED)
            await charger.around.upkeep.keep(used)
            charger.emit(used)
            return
    charger.refuse("unknown-reservation", f"StartTransaction with reservation {number}")


async def stop_transaction(charger: Charger, payload: Payload, at: Instant) -> Written:
    """A transaction ends; one that is not this charger's is answered all the same and ends nobody's.

    Raises:
        StorageError: it could not be made durable.
    """
    tag = payload.get("idTag")
    answer = {} if tag is None else {"idTagInfo": tag_info(standing(charger, translate.id_tag(tag), at))}
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
    charger.note(Aspect.PAUSE, f"ended a transaction within {PAUSE_ENDS_WITHIN_S:.0f} s of a limit of 0 A")
    charger.refuse("pause-ends-transaction", f"connector {number}")
    if tag:
        charger.restart[number] = tag
    charger.boot_answered.set()  # the boot order is run again, with the higher fallback


def standing(charger: Charger, tag: IdTag, at: Instant) -> TagStanding:
    """What the central list says of a tag; no tag at all is never accepted."""
    return charger.around.directory.authorise(tag, at.utc) if tag else _INVALID
