"""The store: transactions, grants and events of one depot, durable in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from connectors.store import ledger, upkeep
from connectors.store.commit import Work, WriterCounters
from connectors.store.lock import GatewayLock
from connectors.store.projections import is_vital, write_events
from connectors.store.retention import Removed, RetentionPolicy, remove_old
from connectors.store.schema import JOURNAL_ID, JOURNAL_MIGRATIONS, connect, microseconds
from connectors.store.writer import DirectWriter, ThreadedWriter, Writer
from twin_core.errors import StorageError
from twin_core.models.events import CertificateRequested, Event, LocalListWritten, ReservationChanged
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import Instant
from twin_core.ports import Clock, TransactionStart, TransactionStop

T = TypeVar("T")


class Store:
    """Transaction ledger, charger upkeep and journal (see `twin_core.ports`) in one file; open it with `async with`.

    What is awaited is on the disk when it returns (WAL, synchronous=FULL); whoever waits at the same time shares one
    fsync. Events are queued and written with the next group. Each opening of the file is a *run* with its own clock.

    Args:
        path: the file; created when it is not there.
        threaded: False commits on the spot, for virtual time.
        capacity: events that may wait; those that may be lost are dropped and counted beyond it.
        retention: how much past is kept.
        draw_id: draws transaction ids; drawn again when one is taken.

    Raises:
        StorageError: on entering, when the file is not a journal of this or an older version, or another gateway
            has it open.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Clock,
        threaded: bool = True,
        capacity: int = 50_000,
        retention: RetentionPolicy | None = None,
        draw_id: Callable[[], int] = ledger.random_transaction_id,
    ) -> None:
        self.path = Path(path)
        self.run = 0
        self._clock = clock
        self._threaded = threaded
        self._capacity = capacity
        self._retention = retention or RetentionPolicy()
        self._draw_id = draw_id
        self._writer: Writer[Event] | None = None
        self._lock: GatewayLock | None = None
        self._closed_counters = WriterCounters()

    async def __aenter__(self) -> Store:
        self._lock = GatewayLock(self.path)
        try:
            connection = connect(self.path, JOURNAL_MIGRATIONS, JOURNAL_ID, synchronous="FULL")
        except StorageError:
            self._lock.release()
            raise
        make = ThreadedWriter if self._threaded else DirectWriter
        self._writer = make(connection, self._write_events, capacity=self._capacity)
        self.run = await self._writer.run(partial(_begin_run, now=self._clock.now()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await writer.close()
            self._closed_counters = writer.counters
        if self._lock is not None:
            self._lock.release()

    @property
    def counters(self) -> WriterCounters:
        """What was written, shared, dropped and refused since the file was opened."""
        return self._closed_counters if self._writer is None else self._writer.counters

    async def start(self, start: TransactionStart, now: Instant) -> tuple[TransactionId, bool]:
        """Write a start; see `TransactionLedger.start`."""
        return await self.transact(partial(ledger.start_transaction, start=start, now=now, draw_id=self._draw_id))

    async def stop(self, stop: TransactionStop, now: Instant) -> ConnectorId | None:
        """Write a stop; see `TransactionLedger.stop`. A repeated stop is answered alike and changes nothing."""
        return await self.transact(partial(ledger.stop_transaction, stop=stop, now=now))

    async def adopt(self, transaction: TransactionId, start: TransactionStart, now: Instant) -> bool:
        """Write a start that was made elsewhere; see `TransactionLedger.adopt`."""
        return await self.transact(partial(ledger.adopt_transaction, transaction=transaction, start=start, now=now))

    async def open_transactions(self, charger: ChargerId) -> dict[ConnectorId, TransactionId]:
        """The newest open transaction of each connector; see `TransactionLedger.open_transactions`."""
        return await self.transact(partial(ledger.open_transactions, charger=charger))

    async def open_before(self, transaction: TransactionId, tags: Collection[IdTag]) -> int:
        """Where else these tags charge; see `TransactionLedger.open_before`."""
        return await self.transact(partial(ledger.open_before, transaction=transaction, tags=tuple(tags)))

    async def keep(self, fact: LocalListWritten | ReservationChanged | CertificateRequested) -> None:
        """Write what a charger was told or asked; see `ChargerUpkeep.keep`."""
        await self.transact(partial(upkeep.keep, fact=fact))

    async def local_list(self, charger: ChargerId) -> LocalListWritten | None:
        """The list a charger took last; see `ChargerUpkeep.local_list`."""
        return await self.transact(partial(upkeep.local_list, charger=charger))

    async def reservations(self, charger: ChargerId) -> tuple[ReservationChanged, ...]:
        """Reservations that are not over; see `ChargerUpkeep.reservations`."""
        return await self.transact(partial(upkeep.reservations, charger=charger))

    async def certificate_request(self, charger: ChargerId) -> CertificateRequested | None:
        """The newest signing request; see `ChargerUpkeep.certificate_request`."""
        return await self.transact(partial(upkeep.certificate_request, charger=charger))

    def record(self, event: Event) -> None:
        """Queue an event; see `Journal.record`. Meter readings, refusals and plans are the first to be dropped."""
        if self._writer is not None:
            self._writer.put(event, vital=is_vital(event))
        elif is_vital(event):
            self._closed_counters.dropped_vital += 1
        else:
            self._closed_counters.dropped += 1

    async def reserve(self, grants: Sequence[Grant]) -> None:
        """Make grants durable; see `Journal.reserve`."""
        if grants:
            await self.transact(partial(_reserve, run=self.run, grants=tuple(grants)))

    async def retain(self) -> Removed:
        """Remove what the retention policy no longer keeps; to be called now and then, such as every hour.

        Raises:
            StorageError: the disk refused.
        """
        events = grants = 0
        while True:
            removed = await self.transact(partial(remove_old, policy=self._retention, now=self._clock.now().utc))
            events, grants = events + removed.events, grants + removed.grants
            if not removed.more:
                return Removed(events, grants)

    async def transact(self, work: Work[T]) -> T:
        """Run SQL in a transaction of the writer; for the other modules of this package.

        Raises:
            StorageError: the disk refused, or the store is closed.
        """
        return await self._open_writer().run(work)

    def _open_writer(self) -> Writer[Event]:
        if self._writer is None:
            raise StorageError("the store is not open")
        return self._writer

    def _write_events(self, connection: sqlite3.Connection, events: Sequence[Event]) -> None:
        write_events(connection, self.run, events)
        ledger.note_time(connection, self.run, max(event.at.monotonic_s for event in events))


def _begin_run(connection: sqlite3.Connection, now: Instant) -> int:
    cursor = connection.execute(
        "INSERT INTO runs (started_us, last_monotonic_s) VALUES (?, ?)", (microseconds(now.utc), now.monotonic_s)
    )
    if cursor.lastrowid is None:
        raise StorageError("the journal gave its new run no number")
    return cursor.lastrowid


def _reserve(connection: sqlite3.Connection, run: int, grants: Sequence[Grant]) -> None:
    ledger.reserve_grants(connection, run, grants)
    ledger.note_time(connection, run, max(grant.issued.monotonic_s for grant in grants))
