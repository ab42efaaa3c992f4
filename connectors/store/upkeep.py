"""What chargers were told that outlives the gateway: local lists, reservations and certificate requests, as facts."""

from __future__ import annotations

import sqlite3

from connectors.store.codec import decode_event, encode_event
from connectors.store.schema import microseconds
from twin_core.models.authorisation import ReservationState
from twin_core.models.events import CertificateRequested, Event, LocalListWritten, ReservationChanged
from twin_core.models.ids import ChargerId

_OPEN = (ReservationState.ASKED, ReservationState.ACCEPTED)


def keep(connection: sqlite3.Connection, fact: LocalListWritten | ReservationChanged | CertificateRequested) -> None:
    """Write a fact in place of the one before it; a reservation that is over leaves nothing."""
    match fact:
        case LocalListWritten():
            _write(connection, "local_list", fact.charger_id, fact)
        case CertificateRequested():
            _write(connection, "certificate_request", fact.charger_id, fact)
        case ReservationChanged():
            name = f"{fact.connector_id.charger}/{fact.reservation_id}"
            if fact.state in _OPEN:
                _write(connection, "reservation", name, fact)
            else:
                connection.execute("DELETE FROM facts WHERE topic = 'reservation' AND name = ?", (name,))


def local_list(connection: sqlite3.Connection, charger: ChargerId) -> LocalListWritten | None:
    """The list the charger took last."""
    found = _read(connection, "local_list", charger)
    return found if isinstance(found, LocalListWritten) else None


def certificate_request(connection: sqlite3.Connection, charger: ChargerId) -> CertificateRequested | None:
    """The newest certificate signing request of the charger, where it waits."""
    found = _read(connection, "certificate_request", charger)
    return found if isinstance(found, CertificateRequested) and found.csr else None


def reservations(connection: sqlite3.Connection, charger: ChargerId) -> tuple[ReservationChanged, ...]:
    """Reservations of the charger that are not over, oldest first."""
    rows = connection.execute("SELECT body FROM facts WHERE topic = 'reservation' ORDER BY utc_us, name")
    events = [decode_event(body) for (body,) in rows]
    return tuple(e for e in events if isinstance(e, ReservationChanged) and e.connector_id.charger == charger)


def _write(connection: sqlite3.Connection, topic: str, name: str, fact: Event) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO facts (topic, name, utc_us, body) VALUES (?, ?, ?, ?)",
        (topic, name, microseconds(fact.at.utc), encode_event(fact)),
    )


def _read(connection: sqlite3.Connection, topic: str, name: str) -> Event | None:
    row = connection.execute("SELECT body FROM facts WHERE topic = ? AND name = ?", (topic, name)).fetchone()
    return None if row is None else decode_event(row[0])
