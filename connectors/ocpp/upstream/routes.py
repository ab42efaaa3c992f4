"""The routing table with the upstream as a listener: every answer is ours, save where the standard needs both words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, assert_never

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.incoming.answering import Durable, Inline, Written
from connectors.ocpp.upstream.conflicts import ConflictKind
from connectors.ocpp.upstream.relay import Relay
from connectors.ocpp.upstream.statements import is_sound, stated_start
from connectors.ocpp.upstream.verdicts import ACCEPTED, joined, tag_info
from twin_core.models.ids import ChargerId, TransactionId
from twin_core.models.quantities import Instant

Route = Inline | Durable

SILENT = frozenset({"LogStatusNotification", "SignCertificate", "SignedFirmwareStatusNotification"})
"""Between a charger and the depot alone."""


class Relays(Protocol):
    """Where a charger's relay is found."""

    def of(self, charger: ChargerId) -> Relay | None:
        """The relay of a connected charger; None where it has none."""


def with_upstream(routes: Mapping[str, Route], relays: Relays) -> dict[str, Route]:
    """The same routes, with the upstream told of what passes."""
    return {action: _heard(action, route, relays) for action, route in routes.items()}


def _heard(action: str, route: Route, relays: Relays) -> Route:
    if action in SILENT:
        return route
    match route:
        case Inline():
            if action == "Authorize":
                return _authorised(route, relays)
            if action == "DataTransfer":
                return _passed_on(route, relays)
            if action == "MeterValues":
                return _metered(route, relays)
            return _told(action, route, relays)
        case Durable():
            if action == "StartTransaction":
                return _started(route, relays)
            if action == "StopTransaction":
                return _stopped(route, relays)
            return route
        case _:
            assert_never(route)


def _told(action: str, route: Inline, relays: Relays) -> Inline:
    """Answered by us, then passed on."""

    def handle(charger: Charger, payload: Payload, at: Instant) -> Payload:
        answer = route.handle(charger, payload, at)
        if (relay := relays.of(charger.spec.id)) is not None:
            relay.say(action, payload)
        return answer

    return Inline(handle)


def _authorised(route: Inline, relays: Relays) -> Durable:
    """Both are asked, beside the read loop; the upstream only where we do not refuse already."""

    async def handle(charger: Charger, payload: Payload, at: Instant) -> Written:
        ours, relay = route.handle(charger, payload, at), relays.of(charger.spec.id)
        if relay is None or (tag_info(ours) or {}).get("status") != ACCEPTED:
            return Written(ours)
        return Written(_joined(relay, ours, await relay.ask("Authorize", payload)))

    return Durable(handle)


def _passed_on(route: Inline, relays: Relays) -> Durable:
    """A vendor's message that somebody here understands stays here; others are the upstream's, if it knows them."""

    async def handle(charger: Charger, payload: Payload, at: Instant) -> Written:
        relay = relays.of(charger.spec.id)
        if relay is None or translate.text(payload.get("vendorId"), 255) in charger.around.vendors:
            return Written(route.handle(charger, payload, at))
        theirs = await relay.ask("DataTransfer", payload)
        if theirs is None or theirs.get("status") == "UnknownVendorId":
            return Written(route.handle(charger, payload, at))
        return Written(theirs)

    return Durable(handle)


def _joined(relay: Relay, ours: Payload, theirs: Payload | None) -> Payload:
    info = tag_info(ours)
    if info is None:
        return ours
    both = joined(info, None if theirs is None else tag_info(theirs))
    if both.differed:
        relay.conflicts.note(ConflictKind.TAG, both.differed)
    return {**ours, "idTagInfo": both.info}


def _metered(route: Inline, relays: Relays) -> Inline:
    """Samples of a transaction are kept until they were passed on; others are worth nothing later."""

    def handle(charger: Charger, payload: Payload, at: Instant) -> Payload:
        answer = route.handle(charger, payload, at)
        if (relay := relays.of(charger.spec.id)) is not None:
            relay.meter(payload, translate.integer(payload.get("transactionId")))
        return answer

    return Inline(handle)


def _started(route: Durable, relays: Relays) -> Durable:
    async def handle(charger: Charger, payload: Payload, at: Instant) -> Written:
        written, relay = await route.handle(charger, payload, at), relays.of(charger.spec.id)
        ours = translate.integer(written.answer.get("transactionId"))
        if relay is None or not ours:
            return written
        transaction_id = TransactionId(ours)
        number = translate.integer(payload.get("connectorId"))
        if number is not None and number not in charger.transactions:
            relay.limits.begin(number, transaction_id)  # its profile may come before the charger has its answer
        theirs = await relay.keep("StartTransaction", stated_start(payload, charger.spec.id, at), transaction_id)

        def then() -> None:
            written.then()
            relay.limits.follow(charger.transactions)

        return Written(_joined(relay, written.answer, theirs), then)

    return Durable(handle)


def _stopped(route: Durable, relays: Relays) -> Durable:
    async def handle(charger: Charger, payload: Payload, at: Instant) -> Written:
        written, relay = await route.handle(charger, payload, at), relays.of(charger.spec.id)
        ours = translate.integer(payload.get("transactionId"))
        if relay is not None and ours is not None and ours > 0:
            relay.limits.end(TransactionId(ours))
            if is_sound("StopTransaction", payload):
                await relay.keep("StopTransaction", payload, TransactionId(ours))
            else:
                await relay.tell_written()  # as it was understood here
        return written

    return Durable(handle)
