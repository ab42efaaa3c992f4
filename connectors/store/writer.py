"""One connection, one writer, group commit: whatever waits is written together and shares one fsync.

Two kinds of items go in, in one order: jobs, which somebody awaits and which are durable before they are answered, and
facts, which nobody awaits. `ThreadedWriter` serves the live gateway. `DirectWriter` commits on the spot: on a virtual
clock a thread could never wake the loop at the right moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from connectors.store.commit import Answer, Committer, Fact, Job, Queue, Work, WriterCounters
from twin_core.errors import StorageError

logger = logging.getLogger(__name__)

T = TypeVar("T")
F = TypeVar("F")
F_contra = TypeVar("F_contra", contravariant=True)


class Writer(Protocol[F_contra]):
    """The only way to the disk."""

    @property
    def counters(self) -> WriterCounters:
        """What it did so far."""

    async def run(self, work: Work[T]) -> T:
        """Do something in a transaction; returns when it is durable.

        Raises:
            StorageError: the disk refused; nothing of it was written.
        """

    def put(self, fact: F_contra, *, vital: bool) -> None:
        """Queue a fact. Never blocks; what finds no room is counted."""

    async def close(self) -> None:
        """Write what waits and close the file."""


class ThreadedWriter(Generic[F]):
    """A thread of its own writes; the event loop never touches the disk.

    Args:
        linger_s: facts that may be lost wait this long for company, on the wall clock; jobs and vital facts go at once.
        capacity: facts that may wait.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        write_facts: Callable[[sqlite3.Connection, Sequence[F]], None],
        *,
        capacity: int = 50_000,
        linger_s: float = 0.2,
    ) -> None:
        self._committer = Committer(connection, write_facts)
        self.counters = self._committer.counters
        self._linger_s = linger_s
        self._queue: Queue[F] = Queue(capacity, self.counters)
        self._wake = threading.Condition()
        self._urgent = False
        self._closing = False
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._live, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """See `Writer.run`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._wake:
            if self._closing or self._broken:
                raise StorageError(self._broken or "the store is closed")
            self._queue.items.append(Job(work, future, loop))
            self._urgent = True
            self._wake.notify()
        return await future

    def put(self, fact: F, *, vital: bool) -> None:
        """See `Writer.put`."""
        with self._wake:
            if self._closing or self._broken:
                self._queue_lost(vital)
            elif self._queue.put(Fact(fact, vital)) and (vital or len(self._queue.items) == 1):
                self._urgent |= vital
                self._wake.notify()

    def _queue_lost(self, vital: bool) -> None:
        if vital:
            self.counters.dropped_vital += 1
        else:
            self.counters.dropped += 1

    async def close(self) -> None:
        """See `Writer.close`."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _live(self) -> None:
        batch: list[Job | Fact[F]] | None = []
        try:
            while (batch := self._next_batch()) is not None:
                self._deliver(self._committer.commit(batch))
            self._committer.close()
        except Exception as error:  # the thread's supervisor: nobody else would tell those who wait
            logger.critical("storage_writer_died", exc_info=error)
            self._fail_everything(batch or [], f"the store's writer died: {error}")

    def _next_batch(self) -> list[Job | Fact[F]] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._queue.items or self._closing)
            # Unless somebody waits for the disk, let company gather.
            self._wake.wait_for(lambda: self._urgent or self._closing, timeout=self._linger_s)
            self._urgent = False
            return self._queue.take() or None

    def _deliver(self, answers: Sequence[Answer]) -> None:
        """Wake those who wait, with one call into each loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
        for answer in answers:
            by_loop.setdefault(answer.job.loop, []).append(answer)
        for loop, group in by_loop.items():
            with contextlib.suppress(RuntimeError):  # a loop that is closed has nobody waiting in it
                loop.call_soon_threadsafe(_deliver_all, group)

    def _fail_everything(self, in_hand: list[Job | Fact[F]], reason: str) -> None:
        with self._wake:
            self._broken = reason
            waiting = [*in_hand, *self._queue.items]
            self._queue.items.clear()
        self._deliver([Answer(item, error=StorageError(reason)) for item in waiting if isinstance(item, Job)])


def _deliver_all(answers: Sequence[Answer]) -> None:
    for answer in answers:
        answer.deliver()


class DirectWriter(Generic[F]):
    """Writes on the spot, in the caller's thread: for virtual time, where a thread could not wake the loop.

    Facts are written with the next job, or when enough of them wait.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        write_facts: Callable[[sqlite3.Connection, Sequence[F]], None],
        *,
        capacity: int = 50_000,
        gather: int = 256,
    ) -> None:
        self._committer = Committer(connection, write_facts)
        self.counters = self._committer.counters
        self._gather = gather
        self._queue: Queue[F] = Queue(capacity, self.counters)
        self._closed = False

    async def run(self, work: Work[T]) -> T:
        """See `Writer.run`."""
        if self._closed:
            raise StorageError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.items.append(Job(work, future, loop))
        self._flush()
        return await future

    def put(self, fact: F, *, vital: bool) -> None:
        """See `Writer.put`."""
        if self._queue.put(Fact(fact, vital)) and len(self._queue.items) % self._gather == 0:
            self._flush()

    async def close(self) -> None:
        """See `Writer.close`."""
        self._flush()
        self._closed = True
        self._committer.close()

    def _flush(self) -> None:
        while batch := self._queue.take():
            _deliver_all(self._committer.commit(batch))
