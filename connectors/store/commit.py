"""A batch on its way to the disk: what waits, what became of it, and the one transaction that carries it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from connectors.store.schema import roll_back
from twin_core.errors import StorageError

logger = logging.getLogger(__name__)

T = TypeVar("T")
F = TypeVar("F")

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
class Job:
    """Something a coroutine awaits: durable, or refused, before it goes on."""

    work: Work[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@dataclass(slots=True)
class Fact(Generic[F]):
    """Something to write that nobody awaits; a vital one is lost only when nothing else is left to lose."""

    value: F
    vital: bool


@dataclass(slots=True)
class Answer:
    """The result of a job, or why there is none."""

    job: Job
    result: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        """Wake whoever awaits it; to be called in its loop."""
        if self.job.future.done():  # whoever waited has gone
            return
        if self.error is None:
            self.job.future.set_result(self.result)
        else:
            self.job.future.set_exception(self.error)


class _JobBroke(Exception):  # noqa: N818 - it never leaves this module
    """A job raised something that is no refusal of the disk; only whoever asked for it is to hear of it."""


def _do(job: Job, connection: sqlite3.Connection) -> Any:
    try:
        return job.work(connection)
    except (sqlite3.Error, StorageError):
        raise
    except Exception as error:
        raise _JobBroke from error


@dataclass
class Committer(Generic[F]):
    """Writes one batch of items: all together, or else the jobs one by one.

    Attributes:
        refused: vital facts that the disk refused; they stand at the head of every later batch.
    """

    connection: sqlite3.Connection
    write_facts: Callable[[sqlite3.Connection, Sequence[F]], None]
    counters: WriterCounters = field(default_factory=WriterCounters)
    refused: list[Fact[F]] = field(default_factory=list)
    failing: bool = False

    def commit(self, batch: Sequence[Job | Fact[F]]) -> list[Answer]:
        """Write a batch and what was refused before it; returns the jobs' answers."""
        whole = [*self.refused, *batch]
        try:
            answers = self._transact(whole)
        except (sqlite3.Error, StorageError, _JobBroke) as error:
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

    def _transact(self, batch: Sequence[Job | Fact[F]]) -> list[Answer]:
        answers: list[Answer] = []
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            facts: list[F] = []
            for item in batch:
                if isinstance(item, Fact):
                    facts.append(item.value)
                    continue
                self._write(facts)
                answers.append(Answer(item, result=_do(item, self.connection)))
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

    def _salvage(self, whole: Sequence[Job | Fact[F]], cause: Exception) -> list[Answer]:
        """The disk refused a whole batch: awaited jobs get a try of their own, vital facts wait for the next one."""
        answers = [self._alone(item) for item in whole if isinstance(item, Job)]
        facts = [item for item in whole if isinstance(item, Fact)]
        vital = [fact for fact in facts if fact.vital]
        self.counters.dropped += len(facts) - len(vital)
        self.counters.dropped_vital += max(0, len(vital) - _REFUSED_KEPT)
        self.refused = vital[:_REFUSED_KEPT]
        if not self.failing and (facts or any(answer.error for answer in answers)):
            self.failing = True
            logger.error("storage_failing", extra={"cause": str(cause)})
        return answers

    def _alone(self, job: Job) -> Answer:
        try:
            return self._transact([job])[0]
        except (sqlite3.Error, StorageError) as error:
            self.counters.jobs_failed += 1
            refusal = StorageError(f"the disk refused a fact that must be durable: {error}")
            refusal.__cause__ = error
            return Answer(job, error=refusal)
        except _JobBroke as error:
            return Answer(job, error=error.__cause__)

    def _worked(self, facts: int) -> None:
        self.counters.facts += facts
        if self.failing and facts:
            self.failing = False
            logger.warning("storage_working_again")


class Queue(Generic[F]):
    """Items in order, with room for a number of facts; vital facts may use as much room again."""

    def __init__(self, capacity: int, counters: WriterCounters) -> None:
        self._capacity = capacity
        self._counters = counters
        self._facts = 0
        self._overflowing = False
        self.items: deque[Job | Fact[F]] = deque()

    def put(self, fact: Fact[F]) -> bool:
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

    def take(self) -> list[Job | Fact[F]]:
        """The next batch, oldest first."""
        batch = [self.items.popleft() for _ in range(min(len(self.items), _BATCH))]
        self._facts -= sum(isinstance(item, Fact) for item in batch)
        self._overflowing = self._overflowing and self._facts >= self._capacity // 2
        return batch
