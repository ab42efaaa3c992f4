"""What leaves the journal: old events and closed grants. Transactions stay, open or not."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.store.schema import microseconds

_CHUNK = 5000
"""Rows removed at once, so that an awaited job never stands behind a long removal."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How much past is kept.

    Attributes:
        days: age from which events and closed grants are removed.
        max_bytes: size of the pages in use from which the oldest events go, whatever their age.
    """

    days: float = 30.0
    max_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Removed:
    """What one pass of retention removed.

    Attributes:
        more: True when the pass stopped at its chunk and another one would remove more.
    """

    events: int = 0
    grants: int = 0
    more: bool = False


def remove_old(connection: sqlite3.Connection, policy: RetentionPolicy, now: datetime) -> Removed:
    """One pass: at most one chunk of events and one of grants."""
    cutoff_us = microseconds(now - timedelta(days=policy.days))
    grants = connection.execute(
        "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE live = 0 AND issued_us < ? ORDER BY id LIMIT ?)",
        (cutoff_us, _CHUNK),
    ).rowcount
    oldest = connection.execute("SELECT seq, utc_us FROM events ORDER BY seq LIMIT 1").fetchone()
    if oldest is None:
        return Removed(grants=grants)
    first, oldest_us = oldest
    if bytes_in_use(connection) > policy.max_bytes:
        events = connection.execute("DELETE FROM events WHERE seq < ?", (first + _CHUNK,)).rowcount
    elif oldest_us < cutoff_us:
        events = connection.execute(
            "DELETE FROM events WHERE seq < ? AND utc_us < ?", (first + _CHUNK, cutoff_us)
        ).rowcount
    else:
        events = 0
    return Removed(events, grants, more=events > 0)


def bytes_in_use(connection: sqlite3.Connection) -> int:
    """Size of the pages that hold something; pages freed by removals are used again before the file grows."""
    size, pages, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return size * (pages - free)
