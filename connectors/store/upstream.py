"""What a second central system is still to hear, and its numbers of our transactions (`UpstreamLedger`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from connectors.store.database import Store
from connectors.store.schema import from_microseconds
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.ports import ForwardedMessage, TakenOver, TransactionStart, TransactionStop

MAPPED = 100_000
"""Transactions whose numbers are remembered; the oldest of those that are over leave first."""


class UpstreamOutbox:
    """The tables of the upstream in a gateway's journal; one commit for each call, shared with whatever else waits."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, messages: Sequence[ForwardedMessage]) -> tuple[int | None, ...]:
        """See `UpstreamLedger.keep`."""
        return await self._store.transact(partial(_keep, messages=tuple(messages)))

    async def waiting(self, charger: ChargerId, after: int, most: int) -> tuple[ForwardedMessage, ...]:
        """See `UpstreamLedger.waiting`."""
        return await self._store.transact(partial(_waiting, charger=charger, after=after, most=most))

    async def untold(self, charger: ChargerId) -> tuple[TakenOver | TransactionStop, ...]:
        """See `UpstreamLedger.untold`."""
        return await self._store.transact(partial(_untold, charger=charger))

    async def backlog(self) -> dict[ChargerId, int]:
        """See `UpstreamLedger.backlog`."""
        return await self._store.transact(_backlog)

    async def settle(self, message: ForwardedMessage, theirs: int | None = None) -> None:
        """See `UpstreamLedger.settle`."""
        await self._store.transact(partial(_settle, message=message, theirs=theirs))

    async def theirs(self, charger: ChargerId, transaction_id: TransactionId) -> int | None:
        """See `UpstreamLedger.theirs`."""
        return await self._store.transact(partial(_theirs, charger=charger, ours=transaction_id))

    async def ours(self, charger: ChargerId, theirs: int) -> TransactionId | None:
        """See `UpstreamLedger.ours`."""
        return await self._store.transact(partial(_ours, charger=charger, theirs=theirs))

    async def keep_profiles(self, charger: ChargerId, profiles: bytes) -> None:
        """See `UpstreamLedger.keep_profiles`."""
        await self._store.transact(partial(_keep_profiles, charger=charger, profiles=profiles))

    async def profiles(self) -> dict[ChargerId, bytes]:
        """See `UpstreamLedger.profiles`."""
        return await self._store.transact(_profiles)


def _keep(connection: sqlite3.Connection, messages: Sequence[ForwardedMessage]) -> tuple[int | None, ...]:
    return tuple(_keep_one(connection, message) if _is_new(connection, message) else None for message in messages)


def _is_new(connection: sqlite3.Connection, message: ForwardedMessage) -> bool:
    """Whether a start or stop is said for the first time; what else is said of a transaction is always new."""
    named = (message.charger, message.transaction_id)
    if message.action == "StartTransaction":
        work = "INSERT OR IGNORE INTO upstream_transactions (charger, ours) VALUES (?, ?)"
    elif message.action == "StopTransaction":
        work = (
            "INSERT INTO upstream_transactions (charger, ours, stopped) VALUES (?, ?, 1)"
            " ON CONFLICT DO UPDATE SET stopped = 1 WHERE stopped = 0"
        )
    else:
        return True
    return connection.execute(work, named).rowcount > 0


def _keep_one(connection: sqlite3.Connection, message: ForwardedMessage) -> int | None:
    return connection.execute(
        "INSERT INTO upstream_outbox (charger, action, transaction_id, payload) VALUES (?, ?, ?, ?)",
        (message.charger, message.action, message.transaction_id, message.payload),
    ).lastrowid


def _waiting(connection: sqlite3.Connection, charger: ChargerId, after: int, most: int) -> tuple[ForwardedMessage, ...]:
    rows = connection.execute(
        "SELECT action, payload, transaction_id, seq FROM upstream_outbox"
        " WHERE charger = ? AND seq > ? ORDER BY seq LIMIT ?",
        (charger, after, most),
    )
    return tuple(
        ForwardedMessage(charger, action, payload, TransactionId(transaction_id), seq)
        for action, payload, transaction_id, seq in rows
    )


def _untold(connection: sqlite3.Connection, charger: ChargerId) -> tuple[TakenOver | TransactionStop, ...]:
    started = connection.execute(
        "SELECT id, connector, meter_start_kwh, started_us FROM transactions AS t"
        " WHERE charger = ? AND stopped_us IS NULL AND id_tag = '' AND meter_start_kwh > 0 AND NOT EXISTS"
        " (SELECT 1 FROM upstream_transactions AS u WHERE u.charger = t.charger AND u.ours = t.id) ORDER BY seq",
        (charger,),
    )
    taken_over = [
        TakenOver(
            TransactionId(ours),
            TransactionStart(ConnectorId(charger, number), IdTag(""), register_kwh, from_microseconds(started_us)),
        )
        for ours, number, register_kwh, started_us in started
    ]
    stopped = connection.execute(
        "SELECT t.id, coalesce(t.meter_stop_kwh, t.register_kwh, t.meter_start_kwh), t.stopped_us, t.stop_reason"
        " FROM upstream_transactions AS u JOIN transactions AS t ON t.id = u.ours AND t.charger = u.charger"
        " WHERE u.charger = ? AND u.stopped = 0 AND t.stopped_us IS NOT NULL ORDER BY t.stopped_us",
        (charger,),
    )
    closed = [
        TransactionStop(TransactionId(ours), charger, register_kwh, from_microseconds(stopped_us), reason)
        for ours, register_kwh, stopped_us, reason in stopped
    ]
    return (*closed, *taken_over)


def _backlog(connection: sqlite3.Connection) -> dict[ChargerId, int]:
    rows = connection.execute("SELECT charger, count(*) FROM upstream_outbox GROUP BY charger")
    return {ChargerId(charger): count for charger, count in rows}


def _settle(connection: sqlite3.Connection, message: ForwardedMessage, theirs: int | None) -> None:
    connection.execute("DELETE FROM upstream_outbox WHERE seq = ?", (message.seq,))
    if theirs is not None:
        connection.execute(
            "UPDATE upstream_transactions SET theirs = ? WHERE charger = ? AND ours = ?",
            (theirs, message.charger, message.transaction_id),
        )
    if message.action == "StopTransaction":
        connection.execute(
            "DELETE FROM upstream_transactions WHERE stopped = 1"
            " AND seq <= (SELECT max(seq) FROM upstream_transactions) - ?",
            (MAPPED,),
        )


def _theirs(connection: sqlite3.Connection, charger: ChargerId, ours: TransactionId) -> int | None:
    row = connection.execute(
        "SELECT theirs FROM upstream_transactions WHERE charger = ? AND ours = ?", (charger, ours)
    ).fetchone()
    return None if row is None else row[0]


def _ours(connection: sqlite3.Connection, charger: ChargerId, theirs: int) -> TransactionId | None:
    row = connection.execute(
        "SELECT ours FROM upstream_transactions WHERE charger = ? AND theirs = ? ORDER BY seq DESC LIMIT 1",
        (charger, theirs),
    ).fetchone()
    return None if row is None else TransactionId(row[0])


def _keep_profiles(connection: sqlite3.Connection, charger: ChargerId, profiles: bytes) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO upstream_profiles (charger, body) VALUES (?, ?)",
        (charger, profiles),
    )


def _profiles(connection: sqlite3.Connection) -> dict[ChargerId, bytes]:
    return {ChargerId(charger): body for charger, body in connection.execute("SELECT * FROM upstream_profiles")}
