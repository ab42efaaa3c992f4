"""What a charge point has to say, in order: transaction messages wait for the link, others are dropped without one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.wire import CallError, Link, LinkLostError, Payload

logger = logging.getLogger(__name__)

_MAX_SAMPLES = 2_000
"""Meter samples kept while there is no link; of more, the oldest goes and is counted. Starts and stops always stay."""
_CALL_DEADLINE_S = 20.0
_MAX_SILENCES = 3
"""Unanswered requests in a row after which the link counts as dead."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """One request to send.

    Attributes:
        payload: made when it is sent, so that a transaction id learned meanwhile is in it.
        durable: a transaction message: kept while there is no link, and repeated until it was answered.
        sample: a meter sample: the first to go when too many wait, and not repeated, for a newer one is on its way.
        on_answer: called with the answer.
        answer: resolved with the answer, for one who waits for it.
    """

    action: str
    payload: Callable[[], Payload]
    durable: bool = False
    sample: bool = False
    on_answer: Callable[[Payload], None] | None = None
    answer: asyncio.Future[Payload] | None = None
    attempts: int = 0


@dataclass(slots=True)
class OutboxCounts:
    """What became of requests."""

    answered: int = 0
    repeated: int = 0
    abandoned: int = 0
    dropped_samples: int = 0
    dropped_offline: int = 0


@dataclass(slots=True)
class RetryRule:
    """How often and after how long a transaction message is tried again when the central system refuses it."""

    attempts: int = 3
    interval_s: float = 10.0


@dataclass(slots=True)
class Outbox:
    """The queue of one charge point; survives its links."""

    counts: OutboxCounts = field(default_factory=OutboxCounts)
    retry: RetryRule = field(default_factory=RetryRule)
    online: bool = False
    _waiting: deque[Outgoing] = field(default_factory=deque)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, message: Outgoing) -> None:
        """Add a request at the end; without a link only a durable one is kept."""
        if not self.online and not message.durable:
            self._drop(message)
            return
        if message.sample and sum(m.sample for m in self._waiting) >= _MAX_SAMPLES:
            self._waiting.remove(next(m for m in self._waiting if m.sample))
            self.counts.dropped_samples += 1
        self._waiting.append(message)
        self._more.set()

    def lost_link(self) -> None:
        """Keep only what must not be lost."""
        self.online = False
        for message in [m for m in self._waiting if not m.durable]:
            self._waiting.remove(message)
            self._drop(message)

    async def send_all(self, link: Link) -> None:
        """Send requests one after another until the link is lost or counts as dead."""
        silences = 0
        while silences < _MAX_SILENCES:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            message = self._waiting[0]
            try:
                answer = await link.call(message.action, message.payload(), _CALL_DEADLINE_S)
            except CallError as error:
                silences = 0
                await self._refused(message, error)
            except TimeoutError:
                silences += 1
                self._unanswered(message)
            except LinkLostError:
                return
            else:
                silences = 0
                self._settle(message, answer)
        logger.warning("link counts as dead", extra={"unanswered": silences})
        link.abort()

    def _settle(self, message: Outgoing, answer: Payload) -> None:
        self._remove(message)
        self.counts.answered += 1
        if message.on_answer is not None:
            message.on_answer(answer)
        if message.answer is not None and not message.answer.done():
            message.answer.set_result(answer)

    async def _refused(self, message: Outgoing, error: CallError) -> None:
        message.attempts += 1
        if message.durable and not message.sample and message.attempts < self.retry.attempts:
            self.counts.repeated += 1
            await asyncio.sleep(self.retry.interval_s * message.attempts)
            return
        logger.warning("refused", extra={"what": message.action, "code": error.code, "detail": error.description})
        self._abandon(message, error)

    def _unanswered(self, message: Outgoing) -> None:
        if message.durable and not message.sample:
            self.counts.repeated += 1
        else:
            self._abandon(message, TimeoutError(f"no answer to {message.action}"))

    def _abandon(self, message: Outgoing, error: Exception) -> None:
        self._remove(message)
        self.counts.abandoned += 1
        if message.answer is not None and not message.answer.done():
            message.answer.set_exception(error)

    def _drop(self, message: Outgoing) -> None:
        self.counts.dropped_offline += 1
        if message.answer is not None and not message.answer.done():
            message.answer.set_exception(LinkLostError("no link"))

    def _remove(self, message: Outgoing) -> None:
        if message in self._waiting:
            self._waiting.remove(message)
