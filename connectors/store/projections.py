"""What an event changes in the tables a restart reads, beside its own row in the journal."""

from __future__ import annotations

import logging
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from connectors.store.codec import decode_event, encode_event
from connectors.store.schema import microseconds
from twin_core.errors import StorageError
from twin_core.models.events import (
    ChargerAdopted,
    ChargerLearned,
    ConnectorMetered,
    Event,
    FallbackConfirmed,
    FallbackRefused,
    GrantAnswered,
    InputRefused,
    LimitChanged,
    ModelLearned,
    NodeMetered,
    PlanAdopted,
    RequestAnnounced,
    TransactionStopped,
)
from twin_core.models.grant import GrantOutcome
from twin_core.models.upkeep import FirmwareStatusReported, LogStatusReported, SecurityEventReported

logger = logging.getLogger(__name__)

_PACK_ABOVE_BYTES = 2048
"""Longer rows (plans) are compressed; a plan shrinks to about a third."""

_EXPENDABLE = (InputRefused, ConnectorMetered, NodeMetered, PlanAdopted)
"""Newer ones of these make older ones worthless, so they go first when there is no room."""


_LATEST: Mapping[type[Event], tuple[str, Callable[[Any], str]]] = MappingProxyType(
    {
        LimitChanged: ("limit", lambda event: event.node_id),
        ChargerAdopted: ("adopted", lambda event: event.charger.id),
        ChargerLearned: ("learned", lambda event: event.charger_id),
        ModelLearned: ("model", lambda event: event.model),
        FirmwareStatusReported: ("firmware_status", lambda event: event.charger_id),
        LogStatusReported: ("log_status", lambda event: event.charger_id),
        SecurityEventReported: ("security_event", lambda event: event.charger_id),
    }
)
"""Events of which a restart needs the newest alone: their topic among the facts, and whose fact it is."""


def is_vital(event: Event) -> bool:
    """Whether an event may be lost only when nothing else is left to lose."""
    return not isinstance(event, _EXPENDABLE)


def write_events(connection: sqlite3.Connection, run: int, events: Sequence[Event]) -> None:
    """Append events to the journal and bring the tables for a restart up to date.

    An event that cannot be encoded is left out with an error in the log: it must not keep the others from the disk.
    """
    rows = []
    for event in events:
        try:
            body = encode_event(event)
        except StorageError as error:
            logger.error("event_not_written", extra={"kind": type(event).__name__, "cause": str(error)})
            continue
        packed = len(body) > _PACK_ABOVE_BYTES
        stored = zlib.compress(body, 1) if packed else body
        rows.append((run, microseconds(event.at.utc), type(event).__name__, int(packed), stored))
        _project(connection, event, body)
    connection.executemany("INSERT INTO events (run, utc_us, kind, packed, body) VALUES (?, ?, ?, ?, ?)", rows)


def _project(connection: sqlite3.Connection, event: Event, body: bytes) -> None:
    match event:
        case ConnectorMetered():
            _note_register(connection, event)
        case GrantAnswered():
            _note_answer(connection, event)
        case FallbackConfirmed():
            connection.execute(
                "INSERT OR REPLACE INTO fallbacks (charger, connector, fallback_a) VALUES (?, ?, ?)",
                (event.connector_id.charger, event.connector_id.number, event.fallback_a),
            )
        case FallbackRefused():
            connection.execute(
                "DELETE FROM fallbacks WHERE charger = ? AND connector = ?",
                (event.connector_id.charger, event.connector_id.number),
            )
        case ChargerLearned(learned=None) | ModelLearned(learned=None):
            _forget(connection, event)
        case RequestAnnounced():
            if event.connector_id is not None:
                _keep_latest(connection, "request", f"connector {event.connector_id}", event, body)
            elif event.id_tag is not None:
                _keep_latest(connection, "request", f"tag {event.id_tag}", event, body)
        case TransactionStopped():
            _close_request(connection, event)
        case _ if type(event) in _LATEST:
            topic, name = _LATEST[type(event)]
            _keep_latest(connection, topic, name(event), event, body)
        case _:
            pass


def _note_register(connection: sqlite3.Connection, event: ConnectorMetered) -> None:
    """Energy and state of charge of the session under way, for a restart to go on from."""
    if event.transaction_id is None or (event.reading.energy_kwh is None and event.reading.soc is None):
        return
    connection.execute(
        "UPDATE transactions SET register_kwh = coalesce(?, register_kwh), soc = coalesce(?, soc), metered_us = ?"
        " WHERE id = ? AND charger = ?",
        (
            event.reading.energy_kwh,
            event.reading.soc,
            microseconds(event.at.utc),
            event.transaction_id,
            event.connector_id.charger,
        ),
    )


def _note_answer(connection: sqlite3.Connection, event: GrantAnswered) -> None:
    """An accepted grant ends the older ones, a rejected one itself; one that never left was never in force."""
    key = (event.connector_id.charger, event.connector_id.number, event.seq)
    where = "WHERE live = 1 AND charger = ? AND connector = ?"
    match event.outcome:
        case GrantOutcome.ACCEPTED:
            connection.execute(
                f"UPDATE grants SET superseded_s = ? {where} AND (seq < ? OR restored = 1) AND superseded_s IS NULL",
                (event.at.monotonic_s, *key),
            )
        case GrantOutcome.REJECTED:
            connection.execute(
                f"UPDATE grants SET superseded_s = ? {where} AND seq = ? AND restored = 0",
                (event.at.monotonic_s, *key),
            )
        case GrantOutcome.UNSENT:
            connection.execute(f"UPDATE grants SET live = 0 {where} AND seq = ? AND restored = 0", key)
        case GrantOutcome.FAILED | GrantOutcome.TIMED_OUT | GrantOutcome.OFFLINE:
            pass  # it may be in force all the same


def _keep_latest(connection: sqlite3.Connection, topic: str, name: str, event: Event, body: bytes) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO facts (topic, name, utc_us, body) VALUES (?, ?, ?, ?)",
        (topic, name, microseconds(event.at.utc), body),
    )


def _forget(connection: sqlite3.Connection, event: Event) -> None:
    topic, name = _LATEST[type(event)]
    connection.execute("DELETE FROM facts WHERE topic = ? AND name = ?", (topic, name(event)))


def _close_request(connection: sqlite3.Connection, event: TransactionStopped) -> None:
    """A request ends with the session it was for; the departure it announced is kept to learn from."""
    row = connection.execute("SELECT id_tag FROM transactions WHERE id = ?", (event.transaction_id,)).fetchone()
    names = [f"connector {event.connector_id}"] + ([f"tag {row[0]}"] if row else [])
    requests = [
        (utc_us, name, body)
        for name in names
        for utc_us, body in connection.execute(
            "SELECT utc_us, body FROM facts WHERE topic = 'request' AND name = ?", (name,)
        )
    ]
    if row and requests:
        _keep_announcement(connection, event, max(requests)[2])
    connection.executemany("DELETE FROM facts WHERE topic = 'request' AND name = ?", [(name,) for name in names])


def _keep_announcement(connection: sqlite3.Connection, event: TransactionStopped, body: bytes) -> None:
    request = decode_event(body)
    if isinstance(request, RequestAnnounced) and request.request.departure is not None:
        connection.execute(
            "INSERT OR REPLACE INTO announcements (transaction_id, departure_us, firm) VALUES (?, ?, ?)",
            (event.transaction_id, microseconds(request.request.departure), int(request.request.firm)),
        )
