"""What a charger says of itself: that it is there and how it is.

Handlers are lenient: all of this is always answered with a CALLRESULT, whatever it says; what makes no sense is refused
and counted.
"""

from __future__ import annotations

import zlib

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from twin_core.models.events import ChargerBooted
from twin_core.models.quantities import Instant


def boot_notification(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """Accepted: whoever may not connect was refused at the handshake."""
    charger.own_clock.forget()
    identity = translate.identity(payload)
    model = " ".join(part for part in (identity.vendor, identity.model, identity.firmware) if part)
    if charger.memory.model != model:
        if charger.memory.model:
            # Another charger, or another firmware: what was learned of the old one says nothing of it.
            charger.memory.forget()
        charger.memory.model = model
        if (known := charger.around.models.of(model)) is not None:
            charger.memory.begin_with(known)
    charger.emit(ChargerBooted(at=at, charger_id=charger.spec.id, identity=identity))
    spread = zlib.crc32(charger.spec.id.encode()) % 201 / 1000 - 0.1
    interval = max(1, round(charger.settings.heartbeat_s * (1 + spread)))
    return {"status": "Accepted", "currentTime": utc_text(at), "interval": interval}


def heartbeat(_: Charger, __: Payload, at: Instant) -> Payload:
    """The time; what the charger thinks of it is not asked."""
    return {"currentTime": utc_text(at)}


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


def utc_text(at: Instant) -> str:
    """A moment as OCPP writes it."""
    return at.utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
