"""The journal's file: its tables, how they came to be, and how it is opened."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from twin_core.errors import StorageError

JOURNAL_ID = 0x44545754
"""Written in the file's header (`PRAGMA application_id`), so that no other database is taken for a journal."""

_BUSY_TIMEOUT_MS = 5000

JOURNAL_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            started_us INTEGER NOT NULL,
            last_monotonic_s REAL NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs (id),
            utc_us INTEGER NOT NULL,
            kind TEXT NOT NULL,
            packed INTEGER NOT NULL,
            body BLOB NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE transactions (
            seq INTEGER PRIMARY KEY,
            id INTEGER NOT NULL UNIQUE CHECK (id BETWEEN 1 AND 2147483647),
            charger TEXT NOT NULL,
            connector INTEGER NOT NULL,
            id_tag TEXT NOT NULL,
            meter_start_kwh REAL NOT NULL,
            started_us INTEGER NOT NULL,
            learned_us INTEGER NOT NULL,
            register_kwh REAL,
            soc REAL,
            metered_us INTEGER,
            meter_stop_kwh REAL,
            stopped_us INTEGER,
            stop_learned_us INTEGER,
            stop_reason TEXT,
            UNIQUE (charger, connector, id_tag, started_us, meter_start_kwh)
        ) STRICT
        """,
        "CREATE INDEX transactions_open ON transactions (charger, connector) WHERE stopped_us IS NULL",
        """
        CREATE TABLE grants (
            id INTEGER PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs (id),
            charger TEXT NOT NULL,
            connector INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            limit_a REAL NOT NULL,
            issued_s REAL NOT NULL,
            issued_us INTEGER NOT NULL,
            lease_s REAL NOT NULL,
            superseded_s REAL,
            restored INTEGER NOT NULL DEFAULT 0,
            live INTEGER NOT NULL DEFAULT 1
        ) STRICT
        """,
        "CREATE INDEX grants_live ON grants (charger, connector, seq) WHERE live = 1",
        """
        CREATE TABLE fallbacks (
            charger TEXT NOT NULL,
            connector INTEGER NOT NULL,
            fallback_a REAL NOT NULL,
            PRIMARY KEY (charger, connector)
        ) STRICT
        """,
        """
        CREATE TABLE facts (
            topic TEXT NOT NULL,
            name TEXT NOT NULL,
            utc_us INTEGER NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (topic, name)
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE announcements (
            transaction_id INTEGER PRIMARY KEY REFERENCES transactions (id),
            departure_us INTEGER NOT NULL,
            firm INTEGER NOT NULL
        ) STRICT
        """,
    ),
    (
        """
        CREATE TABLE upstream_outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            charger TEXT NOT NULL,
            action TEXT NOT NULL,
            transaction_id INTEGER NOT NULL,
            payload BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX upstream_outbox_order ON upstream_outbox (charger, seq)",
        """
        CREATE TABLE upstream_transactions (
            seq INTEGER PRIMARY KEY,
            charger TEXT NOT NULL,
            ours INTEGER NOT NULL,
            theirs INTEGER,
            stopped INTEGER NOT NULL DEFAULT 0,
            UNIQUE (charger, ours)
        ) STRICT
        """,
        "CREATE INDEX upstream_transactions_theirs ON upstream_transactions (charger, theirs)",
        """
        CREATE TABLE upstream_profiles (
            charger TEXT PRIMARY KEY,
            body BLOB NOT NULL
        ) STRICT
        """,
    ),
    # States that chargers reported before these were kept, from the journal of events.
    tuple(
        f"""
        INSERT OR REPLACE INTO facts (topic, name, utc_us, body)
        SELECT '{topic}', json_extract(CAST(body AS TEXT), '$.charger_id'), utc_us, body FROM events
        WHERE kind = '{kind}' AND packed = 0 AND CASE WHEN json_valid(CAST(body AS TEXT))
        THEN json_type(CAST(body AS TEXT), '$.charger_id') = 'text' END ORDER BY seq
        """
        for topic, kind in (
            ("firmware_status", "FirmwareStatusReported"),
            ("log_status", "LogStatusReported"),
            ("security_event", "SecurityEventReported"),
        )
    ),
)
"""Each entry lifts a file by one version; an entry never changes once it was released."""


def connect(
    path: Path, migrations: tuple[tuple[str, ...], ...], application_id: int, *, synchronous: str
) -> sqlite3.Connection:
    """Open a database for writing, create it or lift it to the newest version.

    The connection may be handed to one other thread and is in autocommit mode; transactions are begun by hand.

    Raises:
        StorageError: the file is something else, is damaged, or was written by a newer version.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be opened: {error}") from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        check_file(connection, path, application_id, len(migrations), fresh_allowed=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, migrations, application_id)
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"{path} cannot be used: {error}") from error
    except StorageError:
        connection.close()
        raise
    return connection


def check_file(
    connection: sqlite3.Connection, path: Path, application_id: int, newest: int, *, fresh_allowed: bool
) -> None:
    """Make sure that a file is ours, whole enough to open, and not newer than this program.

    Raises:
        StorageError: it is not.
        sqlite3.Error: it is no database at all.
    """
    found = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if tables == 0 and found == 0 and fresh_allowed:
        return
    if found != application_id:
        raise StorageError(f"{path} is a database of another program; name a new file")
    if version > newest:
        raise StorageError(f"{path} was written by a newer version (format {version}, this program reads {newest})")


def _migrate(connection: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...], application_id: int) -> None:
    for version in range(_pragma(connection, "user_version"), len(migrations)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in migrations[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {application_id}")
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            roll_back(connection)
            raise


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo the transaction under way, if SQLite has not done so by itself (it does when the disk is full)."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(when: datetime) -> int:
    """An aware moment as whole microseconds since 1970, exact.

    Raises:
        StorageError: the moment has no zone, so it could be any of many.
    """
    if when.tzinfo is None:
        raise StorageError(f"the time {when.isoformat()} has no zone")
    return (when - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + timedelta(microseconds=value)
