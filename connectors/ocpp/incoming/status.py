"""What a charger says of itself: that it is there, how it is, what it measures.

Handlers are lenient: all of this is always answered with a CALLRESULT, whatever it says; what makes no sense is refused
and counted.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from twin_core.models.events import ChargerBooted, ConnectorMetered
from twin_core.models.quantities import Instant


def boot_notification(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """Accepted: whoever may not connect was refused at the handshake."""
    charger.emit(ChargerBooted(at=at, charger_id=charger.spec.id, identity=translate.identity(payload)))
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
    else:
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
        charger.emit(_completed(charger, number, event))
    return {}


def _completed(charger: Charger, number: int, event: ConnectorMetered) -> ConnectorMetered:
    """The same reading with power from the register where the charger reports no other, and its phases noted."""
    reading = event.reading
    if reading.current_a is not None:
        charger.note_phases(number, translate.phases_in_use(reading.current_a, charger.connectors[number].phases))
    if reading.power_kw is not None or reading.current_a is not None or reading.energy_kwh is None:
        return event
    before = charger.registers.get(number)
    now = event.at.monotonic_s
    charger.registers[number] = (reading.energy_kwh, now)
    power = None if before is None else translate.power_from_energy(before[0], reading.energy_kwh, now - before[1])
    return event if power is None else replace(event, reading=replace(reading, power_kw=power))


def utc_text(at: Instant) -> str:
    """A moment as OCPP writes it."""
    return at.utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
