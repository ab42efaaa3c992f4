"""A journal read back in order, without a writer: for `depot replay` and for looking at what happened."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.store.codec import decode_event
from connectors.store.schema import JOURNAL_ID, JOURNAL_MIGRATIONS, check_file, from_microseconds
from twin_core.errors import StorageError
from twin_core.models.events import Event
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId
from twin_core.models.quantities import Instant


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a gateway in a journal; its events share one monotonic clock.

    Attributes:
        events: how many of its events the journal still holds.
    """

    number: int
    started: datetime
    events: int


def read_events(path: Path | str, *, run: int | None = None) -> Iterator[Event]:
    """Every event in the order it was written, or those of one run; a gateway may be writing meanwhile.

    Raises:
        StorageError: the file is missing, no journal, damaged, or of a newer version; a damaged row is named by number.
    """
    with closing(_open(Path(path))) as connection:
        where = "" if run is None else " WHERE run = ?"
        try:
            rows = connection.execute(
                f"SELECT seq, packed, body FROM events{where} ORDER BY seq", () if run is None else (run,)
            )
            for seq, packed, body in rows:
                yield _decode(Path(path), seq, packed, body)
        except sqlite3.Error as error:
            raise StorageError(f"{path} is damaged: {error}") from error


def read_grants(path: Path | str, *, run: int) -> Iterator[Grant]:
    """Every grant that one run made, in the order it was made; those restored from an earlier run left out.

    Raises:
        StorageError: as `read_events`.
    """
    with closing(_open(Path(path))) as connection:
        try:
            rows = connection.execute(
                "SELECT charger, connector, seq, limit_a, issued_s, issued_us, lease_s FROM grants"
                " WHERE run = ? AND restored = 0 ORDER BY id",
                (run,),
            )
            for charger, number, seq, limit_a, issued_s, issued_us, lease_s in rows:
                connector_id = ConnectorId(ChargerId(charger), number)
                yield Grant(connector_id, seq, limit_a, Instant(issued_s, from_microseconds(issued_us)), lease_s)
        except sqlite3.Error as error:
            raise StorageError(f"{path} is damaged: {error}") from error


def list_runs(path: Path | str) -> tuple[Run, ...]:
    """The runs of a journal, oldest first.

    Raises:
        StorageError: as `read_events`.
    """
    with closing(_open(Path(path))) as connection:
        try:
            rows = connection.execute(
                "SELECT runs.id, started_us, count(events.seq) FROM runs LEFT JOIN events ON events.run = runs.id"
                " GROUP BY runs.id ORDER BY runs.id"
            ).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"{path} is damaged: {error}") from error
    return tuple(Run(number, from_microseconds(started_us), events) for number, started_us, events in rows)


def journal_digest(path: Path | str) -> str:
    """SHA-256 over everything a journal holds, in order: equal for two runs in which the same things happened.

    Raises:
        StorageError: as `read_events`.
    """
    digest = hashlib.sha256()
    with closing(_open(Path(path))) as connection:
        try:
            for table, key in (("events", "seq"), ("grants", "id"), ("transactions", "seq")):
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}"):
                    digest.update(repr(row).encode())
        except sqlite3.Error as error:
            raise StorageError(f"{path} is damaged: {error}") from error
    return digest.hexdigest()


def _decode(path: Path, seq: int, packed: int, body: bytes) -> Event:
    try:
        return decode_event(zlib.decompress(body) if packed else body)
    except (StorageError, zlib.error) as error:
        raise StorageError(f"{path}, row {seq}: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StorageError(f"{path} is not there")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be opened: {error}") from error
    try:
        check_file(connection, path, JOURNAL_ID, len(JOURNAL_MIGRATIONS), fresh_allowed=False)
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"{path} is no journal: {error}") from error
    except StorageError:
        connection.close()
        raise
    return connection
