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
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from connectors.store.schema import roll_back
from twin_core.errors import StorageError

logger = logging.getLogger(__name__)

T = TypeVar("T")
F = TypeVar("F")
F_contra = TypeVar("F_contra", contravariant=True)

Work = Callable[[sqlite3.Connection], T]
"""Something to do inside a transaction; its result is the answer."""

_BATCH = 5000
"""Items in one transaction at most, so that an awaited job never stands behind a long one."""

_REFUSED_KEPT = 10_000
"""Facts kept for another try while the disk refuses; more would make every try slow."""


@dataclass(slots=True)
class WriterCounters:
    """What a writer did.

    Attributes:
        commits: transactions, each one fsync.
        jobs: awaited jobs done.
        jobs_failed: awaited jobs refused by the disk.
        facts: facts written.
        dropped: facts that may be lost and were, because the queue was full or the disk refused them.
        dropped_vital: facts that should never be lost and were, because the queue was full to its last place.
    """

    commits: int = 0
    jobs: int = 0
    jobs_failed: int = 0
    facts: int = 0
    dropped: int = 0
    dropped_vital: int = 0


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@dataclass(slots=True)
class _Fact(Generic[F]):
    value: F
    vital: bool


@dataclass(slots=True)
class _Answer:
    """The result of a job, or why there is none."""

    job: _Job
    result: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        if self.job.future.done():  # whoever waited has gone
            return
        if self.error is None:
            self.job.future.set_result(self.result)
        else:
            self.job.future.set_exception(self.error)


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


@dataclass
class _Committer(Generic[F]):
    """Writes one batch of items: all together, or else the jobs one by one.

    Attributes:
        refused: vital facts that the disk refused; they stand at the head of every later batch.
    """

    connection: sqlite3.Connection
    write_facts: Callable[[sqlite3.Connection, Sequence[F]], None]
    counters: WriterCounters = field(default_factory=WriterCounters)
    refused: list[_Fact[F]] = field(default_factory=list)
    failing: bool = False

    def commit(self, batch: Sequence[_Job | _Fact[F]]) -> list[_Answer]:
        """Write a batch and what was refused before it; returns the jobs' answers."""
        whole = [*self.refused, *batch]
        try:
            answers = self._transact(whole)
        except (sqlite3.Error, StorageError) as error:
            return self._salvage(whole, error)
        self.refused = []
        self._worked(len(whole) - len(answers))
        return answers

    def close(self) -> None:
        """Try once more what was refused, say what is lost, close the file."""
        if self.refused:
            self.commit([])
        if self.refused:
            self.counters.dropped_vital += len(self.refused)
            logger.error("storage_facts_lost", extra={"facts": len(self.refused)})
        self.connection.close()

    def _transact(self, batch: Sequence[_Job | _Fact[F]]) -> list[_Answer]:
        answers: list[_Answer] = []
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            facts: list[F] = []
            for item in batch:
                if isinstance(item, _Fact):
                    facts.append(item.value)
                    continue
                self._write(facts)
                answers.append(_Answer(item, result=item.work(self.connection)))
            self._write(facts)
            self.connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
                roll_back(self.connection)
            raise
        self.counters.commits += 1
        self.counters.jobs += len(answers)
        return answers

    def _write(self, facts: list[F]) -> None:
        if facts:
            self.write_facts(self.connection, facts)
            facts.clear()

    def _salvage(self, whole: Sequence[_Job | _Fact[F]], cause: Exception) -> list[_Answer]:
        """The disk refused a whole batch: awaited jobs get a try of their own, vital facts wait for the next one."""
        answers = [self._alone(item) for item in whole if isinstance(item, _Job)]
        facts = [item for item in whole if isinstance(item, _Fact)]
        vital = [fact for fact in facts if fact.vital]
        self.counters.dropped += len(facts) - len(vital)
        self.counters.dropped_vital += max(0, len(vital) - _REFUSED_KEPT)
        self.refused = vital[:_REFUSED_KEPT]
        if not self.failing and (facts or any(answer.error for answer in answers)):
            self.failing = True
            logger.error("storage_failing", extra={"cause": str(cause)})
        return answers

    def _alone(self, job: _Job) -> _Answer:
        try:
            return self._transact([job])[0]
        except (sqlite3.Error, StorageError) as error:
            self.counters.jobs_failed += 1
            refusal = StorageError(f"the disk refused a fact that must be durable: {error}")
            refusal.__cause__ = error
            return _Answer(job, error=refusal)

    def _worked(self, facts: int) -> None:
        self.counters.facts += facts
        if self.failing and facts:
            self.failing = False
            logger.warning("storage_working_again")


class _Queue(Generic[F]):
    """Items in order, with room for a number of facts; vital facts may use as much room again."""

    def __init__(self, capacity: int, counters: WriterCounters) -> None:
        self._capacity = capacity
        self._counters = counters
        self._facts = 0
        self._overflowing = False
        self.items: deque[_Job | _Fact[F]] = deque()

    def put(self, fact: _Fact[F]) -> bool:
        """Queue a fact; False when there is no room."""
        if self._facts < self._capacity * (2 if fact.vital else 1):
            self.items.append(fact)
            self._facts += 1
            return True
        if fact.vital:
            self._counters.dropped_vital += 1
        else:
            self._counters.dropped += 1
        if not self._overflowing:
            self._overflowing = True
            logger.error("storage_queue_full", extra={"facts": self._facts, "vital": fact.vital})
        return False

    def take(self) -> list[_Job | _Fact[F]]:
        """The next batch, oldest first."""
        batch = [self.items.popleft() for _ in range(min(len(self.items), _BATCH))]
        self._facts -= sum(isinstance(item, _Fact) for item in batch)
        self._overflowing = self._overflowing and self._facts >= self._capacity // 2
        return batch


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
        self._committer = _Committer(connection, write_facts)
        self.counters = self._committer.counters
        self._linger_s = linger_s
        self._queue: _Queue[F] = _Queue(capacity, self.counters)
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
            self._queue.items.append(_Job(work, future, loop))
            self._urgent = True
            self._wake.notify()
        return await future

    def put(self, fact: F, *, vital: bool) -> None:
        """See `Writer.put`."""
        with self._wake:
            if self._closing or self._broken:
                self._queue_lost(vital)
            elif self._queue.put(_Fact(fact, vital)) and (vital or len(self._queue.items) == 1):
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
        try:
            while (batch := self._next_batch()) is not None:
                self._deliver(self._committer.commit(batch))
            self._committer.close()
        except Exception as error:  # the thread's supervisor: nobody else would tell those who wait
            logger.critical("storage_writer_died", exc_info=error)
            self._fail_everything(f"the store's writer died: {error}")

    def _next_batch(self) -> list[_Job | _Fact[F]] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._queue.items or self._closing)
            # Unless somebody waits for the disk, let company gather.
            self._wake.wait_for(lambda: self._urgent or self._closing, timeout=self._linger_s)
            self._urgent = False
            return self._queue.take() or None

    def _deliver(self, answers: Sequence[_Answer]) -> None:
        """Wake those who wait, with one call into each loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
        for answer in answers:
            by_loop.setdefault(answer.job.loop, []).append(answer)
        for loop, group in by_loop.items():
            with contextlib.suppress(RuntimeError):  # a loop that is closed has nobody waiting in it
                loop.call_soon_threadsafe(_deliver_all, group)

    def _fail_everything(self, reason: str) -> None:
        with self._wake:
            self._broken = reason
            waiting = list(self._queue.items)
            self._queue.items.clear()
        self._deliver([_Answer(item, error=StorageError(reason)) for item in waiting if isinstance(item, _Job)])


def _deliver_all(answers: Sequence[_Answer]) -> None:
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
        self._committer = _Committer(connection, write_facts)
        self.counters = self._committer.counters
        self._gather = gather
        self._queue: _Queue[F] = _Queue(capacity, self.counters)
        self._closed = False

    async def run(self, work: Work[T]) -> T:
        """See `Writer.run`."""
        if self._closed:
            raise StorageError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.items.append(_Job(work, future, loop))
        self._flush()
        return await future

    def put(self, fact: F, *, vital: bool) -> None:
        """See `Writer.put`."""
        if self._queue.put(_Fact(fact, vital)) and len(self._queue.items) % self._gather == 0:
            self._flush()

    async def close(self) -> None:
        """See `Writer.close`."""
        self._flush()
        self._closed = True
        self._committer.close()

    def _flush(self) -> None:
        while batch := self._queue.take():
            _deliver_all(self._committer.commit(batch))
