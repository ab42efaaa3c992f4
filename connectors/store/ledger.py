"""Transactions and grants as rows: the SQL behind what must be durable before it is answered or sent."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Collection, Sequence

from connectors.store.schema import microseconds
from twin_core.errors import StorageError
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import Instant
from twin_core.ports import TransactionStart, TransactionStop

SETTLE_S = 30.0
"""A superseded grant counts this long after its end was told: the longest ramp a site may state, skew, a guard."""

_DRAWS = 100


def random_transaction_id() -> int:
    """A number in [1, 2³¹) that nobody can guess, so that no charger can stop another's transaction by counting."""
    return secrets.randbelow(2**31 - 1) + 1


def start_transaction(
    connection: sqlite3.Connection, start: TransactionStart, now: Instant, draw_id: Callable[[], int]
) -> tuple[TransactionId, bool]:
    """Write a start, or find the equal one written before.

    Raises:
        StorageError: no unused id was found.
        sqlite3.Error: the disk refused.
    """
    statement = (
        start.connector_id.charger,
        start.connector_id.number,
        start.id_tag,
        microseconds(start.started_at),
        start.meter_start_kwh,
    )
    known = connection.execute(
        "SELECT id FROM transactions"
        " WHERE charger = ? AND connector = ? AND id_tag = ? AND started_us = ? AND meter_start_kwh = ?",
        statement,
    ).fetchone()
    if known is not None:
        return TransactionId(known[0]), False
    transaction = _unused_id(connection, draw_id)
    connection.execute(
        "INSERT INTO transactions (charger, connector, id_tag, started_us, meter_start_kwh, id, learned_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*statement, transaction, microseconds(now.utc)),
    )
    return transaction, True


def adopt_transaction(
    connection: sqlite3.Connection, transaction: TransactionId, start: TransactionStart, now: Instant
) -> bool:
    """Write a start with an id from elsewhere; False where the id is another's, or that transaction is over.

    Raises:
        sqlite3.Error: the disk refused.
    """
    charger, number = start.connector_id.charger, start.connector_id.number
    known = connection.execute(
        "SELECT charger = ? AND connector = ? AND stopped_us IS NULL FROM transactions WHERE id = ?",
        (charger, number, transaction),
    ).fetchone()
    if known is not None:
        return bool(known[0])
    connection.execute(
        "INSERT INTO transactions (charger, connector, id_tag, started_us, meter_start_kwh, id, learned_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            charger,
            number,
            start.id_tag,
            microseconds(start.started_at),
            start.meter_start_kwh,
            transaction,
            microseconds(now.utc),
        ),
    )
    return True


def _unused_id(connection: sqlite3.Connection, draw_id: Callable[[], int]) -> TransactionId:
    for _ in range(_DRAWS):
        transaction = draw_id()
        if connection.execute("SELECT 1 FROM transactions WHERE id = ?", (transaction,)).fetchone() is None:
            return TransactionId(transaction)
    raise StorageError(f"no unused transaction id among {_DRAWS} drawn")


def stop_transaction(connection: sqlite3.Connection, stop: TransactionStop, now: Instant) -> ConnectorId | None:
    """Write a stop; the first one stated stays. None when the charger never had the transaction."""
    row = connection.execute(
        "SELECT connector FROM transactions WHERE id = ? AND charger = ?", (stop.transaction_id, stop.charger)
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "UPDATE transactions SET meter_stop_kwh = ?, stopped_us = ?, stop_learned_us = ?, stop_reason = ?"
        " WHERE id = ? AND stopped_us IS NULL",
        (
            stop.meter_stop_kwh,
            microseconds(stop.stopped_at),
            microseconds(now.utc),
            stop.reason,
            stop.transaction_id,
        ),
    )
    return ConnectorId(ChargerId(stop.charger), row[0])


def open_transactions(connection: sqlite3.Connection, charger: ChargerId) -> dict[ConnectorId, TransactionId]:
    """The newest open transaction of each connector of a charger."""
    rows = connection.execute(
        "SELECT connector, id FROM transactions WHERE charger = ? AND stopped_us IS NULL ORDER BY seq", (charger,)
    )
    return {ConnectorId(charger, number): TransactionId(transaction) for number, transaction in rows}


def open_before(connection: sqlite3.Connection, transaction: TransactionId, tags: Collection[IdTag]) -> int:
    """Other connectors whose newest transaction is open, of one of these tags, and was written before this one.

    An open one behind a newer one was left behind by a charger that lost it.
    """
    marks = ", ".join("?" * len(tags))
    row = connection.execute(
        "SELECT count(*) FROM transactions AS mine JOIN transactions AS other"
        " ON other.seq < mine.seq AND (other.charger, other.connector) <> (mine.charger, mine.connector)"
        f" WHERE mine.id = ? AND other.stopped_us IS NULL AND other.id_tag IN ({marks})"
        " AND NOT EXISTS (SELECT 1 FROM transactions AS newer WHERE newer.charger = other.charger"
        " AND newer.connector = other.connector AND newer.seq > other.seq)",
        (transaction, *tags),
    ).fetchone()
    return int(row[0])


def reserve_grants(connection: sqlite3.Connection, run: int, grants: Sequence[Grant]) -> None:
    """Write grants that are about to be sent, and close those of the same connectors that have surely ended."""
    connection.executemany(
        "UPDATE grants SET live = 0 WHERE live = 1 AND charger = ? AND connector = ? AND run = ?"
        " AND (issued_s + lease_s + ? < ? OR superseded_s + ? < ?)",
        [
            (
                grant.connector_id.charger,
                grant.connector_id.number,
                run,
                SETTLE_S,
                grant.issued.monotonic_s,
                SETTLE_S,
                grant.issued.monotonic_s,
            )
            for grant in grants
        ],
    )
    connection.executemany(
        "INSERT INTO grants (run, charger, connector, seq, limit_a, issued_s, issued_us, lease_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                run,
                grant.connector_id.charger,
                grant.connector_id.number,
                grant.seq,
                grant.limit_a,
                grant.issued.monotonic_s,
                microseconds(grant.issued.utc),
                grant.lease_s,
            )
            for grant in grants
        ],
    )


def note_time(connection: sqlite3.Connection, run: int, monotonic_s: float) -> None:
    """Remember how far a run came on its own clock; what had expired by then has surely expired."""
    connection.execute("UPDATE runs SET last_monotonic_s = max(last_monotonic_s, ?) WHERE id = ?", (monotonic_s, run))
