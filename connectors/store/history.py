"""Local history: means of one minute, for the panel of a depot that has no InfluxDB."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType

from connectors.store.schema import connect, from_microseconds, microseconds
from connectors.store.writer import DirectWriter, ThreadedWriter, Writer
from twin_core.errors import StorageError
from twin_core.ports import Point, SinkCounters

logger = logging.getLogger(__name__)

HISTORY_ID = 0x44545748
"""`PRAGMA application_id` of a history file."""

BUCKET_S = 60
"""Length of one mean."""

_BUCKET_US = BUCKET_S * 1_000_000
_TRIM_CHUNK_BUCKETS = 60

HISTORY_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
        """
        CREATE TABLE means (
            series INTEGER NOT NULL REFERENCES series (id),
            bucket INTEGER NOT NULL,
            samples INTEGER NOT NULL,
            total REAL NOT NULL,
            PRIMARY KEY (series, bucket)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX means_bucket ON means (bucket)",
    ),
)


_Key = tuple[str, tuple[tuple[str, str], ...]]
"""Measurement and tags."""


@dataclass(slots=True)
class _Mean:
    """The newest minute of one series, as far as it went."""

    series: str
    bucket: int
    samples: int = 0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class _Row:
    series: str
    bucket: int
    samples: int
    total: float


class HistorySink:
    """A telemetry sink that keeps means of one minute in a SQLite file of its own; open it with `async with`.

    A row that comes late is added to its minute, so means are right whatever the order. A kill loses the open minute.

    Args:
        keep_days: age from which means are removed.
        max_rows: means kept at most (about 40 bytes each); the oldest go first.
        max_series: series taken at most; rows of further ones are refused and counted.
        measurements: names of the measurements to keep; None keeps all. Text and yes/no fields are not kept.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        threaded: bool = True,
        keep_days: float = 31.0,
        max_rows: int = 20_000_000,
        max_series: int = 20_000,
        measurements: frozenset[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.counters = SinkCounters()
        self._threaded = threaded
        self._keep_days = keep_days
        self._max_rows = max_rows
        self._max_series = max_series
        self._measurements = measurements
        self._means: dict[_Key, dict[str, _Mean]] = {}
        self._n_series = 0
        self._newest_bucket = 0
        self._writer: Writer[_Row] | None = None

    async def __aenter__(self) -> HistorySink:
        connection = connect(self.path, HISTORY_MIGRATIONS, HISTORY_ID, synchronous="NORMAL")
        make = ThreadedWriter if self._threaded else DirectWriter
        self._writer = make(connection, _write_rows, capacity=200_000)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._flush_open()
            writer, self._writer = self._writer, None
            await writer.close()
            self._settle(writer)

    def write(self, points: Sequence[Point]) -> None:
        """Take rows into the minutes they belong to; see `TelemetrySink.write`."""
        for point in points:
            if self._measurements is not None and point.measurement not in self._measurements:
                continue
            bucket = microseconds(point.utc) // _BUCKET_US
            self._newest_bucket = max(self._newest_bucket, bucket)
            key = (point.measurement, tuple(point.tags.items()))
            means = self._means.get(key, {})
            for field, value in point.fields.items():
                if isinstance(value, (bool, str)):
                    continue
                if not math.isfinite(value):
                    self.counters.refused += 1
                    continue
                mean = means.get(field) or self._new_mean(key, field, bucket)
                if mean is not None:
                    self._add(mean, value, bucket)

    def _new_mean(self, key: _Key, field: str, bucket: int) -> _Mean | None:
        """The place of a series that was not written before; None when there are too many."""
        if self._n_series >= self._max_series:
            self._refuse_series(key[0])
            return None
        self._n_series += 1
        mean = _Mean(series_name(key[0], dict(key[1]), field), bucket)
        self._means.setdefault(key, {})[field] = mean
        return mean

    def _add(self, mean: _Mean, value: float, bucket: int) -> None:
        if mean.bucket != bucket:
            self._put(mean)
            mean.bucket = bucket
        mean.samples += 1
        mean.total += value
        self.counters.accepted += 1

    def _refuse_series(self, measurement: str) -> None:
        if "series_refused" not in self.counters.extra:
            logger.warning("history_series_limit", extra={"measurement": measurement, "limit": self._max_series})
        self.counters.extra["series_refused"] = self.counters.extra.get("series_refused", 0) + 1
        self.counters.refused += 1

    def _put(self, mean: _Mean) -> None:
        """Hand over what a minute has; from then on it has nothing."""
        if not mean.samples:
            return
        if self._writer is None:
            self.counters.dropped += 1
        else:
            self._writer.put(_Row(mean.series, mean.bucket, mean.samples, mean.total), vital=False)
        mean.samples, mean.total = 0, 0.0

    def _flush_open(self) -> None:
        for means in self._means.values():
            for mean in means.values():
                self._put(mean)

    def _settle(self, writer: Writer[_Row]) -> None:
        self.counters.written = writer.counters.facts
        self.counters.dropped = writer.counters.dropped

    async def series(
        self,
        measurement: str,
        tags: Mapping[str, str],
        field: str,
        since: datetime,
        until: datetime,
        step_s: float = BUCKET_S,
    ) -> list[tuple[datetime, float]]:
        """Means over steps of `step_s` (whole minutes, at least one) in [since, until), the open minute included.

        `tags` are exactly those the series was written with.

        Returns:
            Start of each step that has a value, and its mean; in order.

        Raises:
            StorageError: the file cannot be read, or is not open.
        """
        writer = self._opened()
        step = max(1, round(step_s / BUCKET_S))
        first, last = microseconds(since) // _BUCKET_US, -(-microseconds(until) // _BUCKET_US)
        self._flush_open()
        name = series_name(measurement, tags, field)
        rows = await writer.run(partial(_read_means, name=name, first=first, last=last, step=step))
        self._settle(writer)
        return [(from_microseconds(bucket * _BUCKET_US), mean) for bucket, mean in rows]

    async def series_like(self, measurement: str, field: str) -> list[dict[str, str]]:
        """Tags of every series of one field, such as every connector that has a power.

        Raises:
            StorageError: the file cannot be read, or is not open.
        """
        self._flush_open()
        names = await self._opened().run(_read_names)
        keys = [json.loads(name) for name in names]
        return [dict(tags) for kept, kept_field, tags in keys if kept == measurement and kept_field == field]

    async def retain(self) -> int:
        """Remove means beyond age and quota; returns how many. To be called now and then, such as every hour.

        Raises:
            StorageError: the disk refused, or the file is not open.
        """
        cutoff = self._newest_bucket - math.ceil(timedelta(days=self._keep_days).total_seconds() / BUCKET_S)
        removed = 0
        while chunk := await self._opened().run(partial(_remove_oldest, cutoff=cutoff, max_rows=self._max_rows)):
            removed += chunk
        return removed

    def _opened(self) -> Writer[_Row]:
        if self._writer is None:
            raise StorageError("the history is not open")
        return self._writer


def series_name(measurement: str, tags: Mapping[str, str], field: str) -> str:
    """One text for one series, whatever the order of its tags."""
    return json.dumps([measurement, field, sorted(tags.items())], separators=(",", ":"))


def _write_rows(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    connection.executemany(
        "INSERT INTO series (name) VALUES (?) ON CONFLICT DO NOTHING", dict.fromkeys((row.series,) for row in rows)
    )
    connection.executemany(
        "INSERT INTO means (series, bucket, samples, total)"
        " VALUES ((SELECT id FROM series WHERE name = ?), ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET samples = samples + excluded.samples, total = total + excluded.total",
        [(row.series, row.bucket, row.samples, row.total) for row in rows],
    )


def _read_means(connection: sqlite3.Connection, name: str, first: int, last: int, step: int) -> list[tuple[int, float]]:
    rows = connection.execute(
        "SELECT bucket / ? * ? AS step, sum(total) / sum(samples) FROM means"
        " WHERE series = (SELECT id FROM series WHERE name = ?) AND bucket >= ? AND bucket < ?"
        " GROUP BY step ORDER BY step",
        (step, step, name, first, last),
    )
    return [(int(bucket), float(mean)) for bucket, mean in rows]


def _read_names(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM series ORDER BY id")]


def _remove_oldest(connection: sqlite3.Connection, cutoff: int, max_rows: int) -> int:
    oldest = connection.execute("SELECT min(bucket) FROM means").fetchone()[0]
    if oldest is None:
        return 0
    too_many = connection.execute("SELECT count(*) FROM means").fetchone()[0] > max_rows
    if not too_many and oldest >= cutoff:
        return 0
    end = oldest + _TRIM_CHUNK_BUCKETS if too_many else min(cutoff, oldest + _TRIM_CHUNK_BUCKETS)
    return connection.execute("DELETE FROM means WHERE bucket < ?", (end,)).rowcount
