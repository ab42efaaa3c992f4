"""What earlier sessions tell: when each came and left, what its driver had announced, what it got."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from functools import partial

from connectors.store.database import Store
from connectors.store.schema import from_microseconds, microseconds
from twin_core.forecasting.foresight import PastSession
from twin_core.models.ids import IdTag

NO_DEPARTURE = ("DeAuthorized", "EmergencyStop", "HardReset", "PowerLoss", "Reboot", "SoftReset")
"""Reasons for which a transaction ends while the vehicle stays; they say nothing about drivers."""

MOST = 5_000
"""Sessions read at most, the newest ones."""


async def past_sessions(store: Store, now: datetime, days: float) -> tuple[PastSession, ...]:
    """Sessions that began in the last `days` and ended because the driver ended them, oldest first.

    Raises:
        StorageError: the disk refused.
    """
    since_us = microseconds(now - timedelta(days=days))
    return await store.transact(partial(_read, since_us=since_us))


def _read(connection: sqlite3.Connection, since_us: int) -> tuple[PastSession, ...]:
    unknown = ", ".join("?" for _ in NO_DEPARTURE)
    rows = connection.execute(
        "SELECT id_tag, started_us, stopped_us, meter_start_kwh, coalesce(meter_stop_kwh, register_kwh),"
        " departure_us, coalesce(firm, 0)"
        " FROM transactions LEFT JOIN announcements ON transaction_id = id"
        f" WHERE stopped_us > started_us AND started_us >= ? AND stop_reason NOT IN ({unknown})"
        " ORDER BY seq DESC LIMIT ?",
        (since_us, *NO_DEPARTURE, MOST),
    ).fetchall()
    return tuple(
        PastSession(
            id_tag=IdTag(id_tag),
            arrived=from_microseconds(started_us),
            left=from_microseconds(stopped_us),
            energy_kwh=0.0 if register_kwh is None else max(0.0, register_kwh - meter_start_kwh),
            announced=None if departure_us is None else from_microseconds(departure_us),
            firm=bool(firm),
        )
        for id_tag, started_us, stopped_us, meter_start_kwh, register_kwh, departure_us, firm in reversed(rows)
    )
