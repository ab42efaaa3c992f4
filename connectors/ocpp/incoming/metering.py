"""What a charger measures: samples of long ago left out, registers put right, power worked out where none is reported.

Lenient as `status` is: always answered with a CALLRESULT; what makes no sense is refused and counted.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger, Stranger
from connectors.ocpp.frames import Payload
from connectors.ocpp.registers import Register
from twin_core.models.events import ConnectorMetered
from twin_core.models.ids import TransactionId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, Instant


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
        _note_stranger(charger, number, TransactionId(claimed), events[-1])
    return {}


def _note_stranger(charger: Charger, number: int, claimed: TransactionId, event: ConnectorMetered) -> None:
    """Remember an unknown transaction that runs here, in case it is to be taken over."""
    stranger = charger.strangers.get(number)
    if stranger is None or stranger.transaction != claimed:
        charger.strangers[number] = Stranger(claimed, event.reading.energy_kwh, event.at.utc)
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
    if energy_kwh == reading.energy_kwh:
        return event  # as nearly always; copies are what this path spends most on
    if energy_kwh is None:
        charger.refuse("register-fell", f"connector {number}")
    return replace(event, reading=replace(reading, energy_kwh=energy_kwh))


def _completed(charger: Charger, number: int, event: ConnectorMetered) -> ConnectorMetered:
    """The same reading with power from the register where the charger reports no other, and what it shows noted."""
    event = _powered(charger, number, event)
    reading, now_s = event.reading, event.at.monotonic_s
    if reading.current_a is not None:
        charger.note_phases(number, translate.phases_in_use(reading.current_a, charger.connectors[number].phases))
    if reading.offered_a is not None:
        charger.note_offer(number, reading.offered_a, now_s)
    fresh = charger.own_clock.is_fresh(now_s)
    if reading.current_a is not None:
        current_a = max(reading.current_a)
    elif reading.power_kw is not None:
        current_a = charger.memory.proof.current_a(
            number, reading.power_kw, charger.in_force.get(number, (0.0, 0.0))[0]
        )
    else:
        return event
    charger.drawn_a[number] = current_a
    if fresh and reading.current_a is not None:
        charger.note_draw(number, current_a, now_s)
    if fresh:
        charger.note_delay(number, current_a, now_s)
    charger.note_proof(number, current_a, now_s, fresh=fresh, exact=reading.current_a is not None)
    return event


def _powered(charger: Charger, number: int, event: ConnectorMetered) -> ConnectorMetered:
    """The same reading with power from the register where the charger reports nothing else."""
    reading = event.reading
    if reading.power_kw is not None or reading.current_a is not None or reading.energy_kwh is None:
        return event
    before = charger.registers.get(number)
    now = event.at.monotonic_s
    charger.registers[number] = (reading.energy_kwh, now)
    power = None if before is None else translate.power_from_energy(before[0], reading.energy_kwh, now - before[1])
    return event if power is None else replace(event, reading=replace(reading, power_kw=power))
