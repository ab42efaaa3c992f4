"""What a charge point has to say, in order.

Two lanes. Transaction messages stay through outages and go out strictly in order, repeated as the configuration says.
All others go ahead of transaction messages that had to wait, so that a long queue keeps no driver and no alarm waiting
(OCPP 1.6 §3.7); between equals the older goes first.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from itertools import count

from simulators.forms import check_answer
from simulators.wire import CallError, Link, LinkLostError, Payload

logger = logging.getLogger(__name__)

_MAX_SAMPLES = 2_000
"""Meter samples kept while there is no link; of more, the oldest goes and is counted. Starts and stops always stay."""
_MAX_KEPT = 100
"""Notifications kept while there is no link; of more, the oldest goes and is counted."""
_CALL_DEADLINE_S = 20.0
_MAX_SILENCES = 3
"""Unanswered requests in a row after which the link counts as dead."""
_RESOLUTION_S = 1e-3
_MUST_BE_WHOLE = frozenset({"StartTransaction"})
"""Requests after which nothing can follow without what their answer holds: one that cannot be used is a refusal."""
_POINTLESS = frozenset({"NotImplemented", "NotSupported"})
"""Error codes by which a meter sample is not repeated: the central system will never know it."""


class Gate(Enum):
    """What may leave now."""

    CLOSED = "nothing"
    ASKED = "only what the central system asked for, and BootNotification"
    OPEN = "everything"


@dataclass(slots=True, eq=False)
class Outgoing:
    """One request to send.

    Attributes:
        payload: made when it is sent, so that a transaction id learned meanwhile is in it.
        durable: a transaction message: kept while there is no link, and repeated until it was answered.
        sample: a meter sample: the first to go when too many wait.
        kept: no transaction message, but waits for the link all the same, such as a security event.
        on_answer: called with the answer.
        on_failure: called when there will be none.
        answer: resolved with the answer, for one who waits for it.
        attempts: how often the central system refused it.
        asked: it may leave while the registration is pending.
        waited: it has seen an outage or a refusal.
    """

    action: str
    payload: Callable[[], Payload]
    durable: bool = False
    sample: bool = False
    kept: bool = False
    on_answer: Callable[[Payload], None] | None = None
    on_failure: Callable[[], None] | None = None
    answer: asyncio.Future[Payload] | None = None
    attempts: int = 0
    asked: bool = False
    waited: bool = False
    number: int = 0


@dataclass(slots=True)
class OutboxCounts:
    """What became of requests.

    Attributes:
        flawed: answers that held not what they must, by the request.
    """

    answered: int = 0
    repeated: int = 0
    abandoned: int = 0
    dropped_samples: int = 0
    dropped_kept: int = 0
    dropped_offline: int = 0
    flawed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often and after how long a transaction message is tried again when the central system refuses it."""

    attempts: int = 3
    interval_s: float = 10.0


class Outbox:
    """The queue of one charge point; survives its links.

    Attributes:
        asking: set while a request is answered by messages: what is put then counts as asked for.
    """

    __slots__ = ("_gate", "_more", "_numbers", "_others", "_retry_at_s", "_rule", "_transactions", "asking", "counts")

    def __init__(self, rule: Callable[[], RetryRule] = RetryRule) -> None:
        self.counts = OutboxCounts()
        self.asking = False
        self._rule = rule
        self._gate = Gate.CLOSED
        self._transactions: list[Outgoing] = []
        self._others: list[Outgoing] = []
        self._retry_at_s = 0.0
        self._numbers = count()
        self._more = asyncio.Event()

    @property
    def online(self) -> bool:
        """Whether the central system has accepted this charge point on the present link."""
        return self._gate is Gate.OPEN

    @property
    def waiting_transactions(self) -> int:
        """Transaction messages that are not answered yet."""
        return len(self._transactions)

    def set_gate(self, gate: Gate) -> None:
        """Say what may leave from now on; what may not and need not wait is dropped."""
        self._gate = gate
        if gate is Gate.CLOSED:
            for message in self._transactions:
                message.waited = True
            for message in [m for m in self._others if not m.kept]:
                self._drop(message)
        self._more.set()

    def put(self, message: Outgoing) -> None:
        """Add a request at the end of its lane; what cannot leave now is kept only where it must not be lost."""
        message.number = next(self._numbers)
        message.asked = message.asked or self.asking
        message.waited = not self.online
        lane = self._transactions if message.durable else self._others
        lane.append(message)
        if message.durable and message.sample and len(lane) > _MAX_SAMPLES:
            lane.remove(next(m for m in lane if m.sample))
            self.counts.dropped_samples += 1
        if message.kept and sum(m.kept for m in lane) > _MAX_KEPT:
            lane.remove(next(m for m in lane if m.kept))
            self.counts.dropped_kept += 1
        if not (self.online or message.durable or message.kept or (message.asked and self._gate is Gate.ASKED)):
            self._drop(message)
        self._more.set()

    async def send_all(self, link: Link) -> None:
        """Send requests one after another until the link is lost or counts as dead."""
        silences = 0
        while silences < _MAX_SILENCES:
            message = await self._take()
            try:
                answer = await link.call(message.action, message.payload(), _CALL_DEADLINE_S)
            except CallError as error:
                silences = 0
                self._refused(message, error)
            except TimeoutError:
                silences += 1
                self._unanswered(message)
            except LinkLostError:
                return
            else:
                silences = 0
                self._answered(message, answer)
        logger.warning("link counts as dead", extra={"unanswered": silences})
        link.abort()

    async def _take(self) -> Outgoing:
        loop = asyncio.get_running_loop()
        while True:
            message = self._next(loop.time())
            if message is not None:
                return message
            self._more.clear()
            until_s = self._retry_at_s if self._transactions and self._gate is Gate.OPEN else None
            try:
                async with asyncio.timeout_at(until_s):
                    await self._more.wait()
            except TimeoutError:
                continue

    def _next(self, now_s: float) -> Outgoing | None:
        if self._gate is Gate.CLOSED:
            return None
        if self._gate is Gate.ASKED:
            return next((message for message in self._others if message.asked), None)
        other = self._others[0] if self._others else None
        due = self._transactions[0] if self._transactions and now_s + _RESOLUTION_S >= self._retry_at_s else None
        if due is None or other is None:
            return due or other
        return due if not due.waited and due.number < other.number else other

    def _answered(self, message: Outgoing, answer: Payload) -> None:
        """Count an answer that holds not what it must; in the end whoever asked makes of it what can be made."""
        try:
            check_answer(message.action, answer)
        except CallError as error:
            self.counts.flawed[message.action] += 1
            if message.action in _MUST_BE_WHOLE and message.attempts + 1 < self._rule().attempts:
                self._refused(message, error)
                return
        self._settle(message, answer)

    def _settle(self, message: Outgoing, answer: Payload) -> None:
        self._remove(message)
        self.counts.answered += 1
        if message.on_answer is not None:
            message.on_answer(answer)
        if message.answer is not None and not message.answer.done():
            message.answer.set_result(answer)

    def _refused(self, message: Outgoing, error: CallError) -> None:
        """The central system failed to process it: a transaction message waits longer before each repetition."""
        message.attempts += 1
        rule = self._rule()
        pointless = message.sample and error.code in _POINTLESS
        if message.durable and not pointless and message.attempts < rule.attempts:
            self.counts.repeated += 1
            message.waited = True
            self._retry_at_s = asyncio.get_running_loop().time() + rule.interval_s * message.attempts
            return
        logger.warning("refused", extra={"what": message.action, "code": error.code, "detail": error.description[:120]})
        self._abandon(message, error)

    def _unanswered(self, message: Outgoing) -> None:
        if message.durable or message.kept:
            self.counts.repeated += 1
        else:
            self._abandon(message, TimeoutError(f"no answer to {message.action}"))

    def _abandon(self, message: Outgoing, error: Exception) -> None:
        self.counts.abandoned += 1
        self._give_up(message, error)

    def _drop(self, message: Outgoing) -> None:
        self.counts.dropped_offline += 1
        self._give_up(message, LinkLostError("no link"))

    def _give_up(self, message: Outgoing, error: Exception) -> None:
        self._remove(message)
        if message.on_failure is not None:
            message.on_failure()
        if message.answer is not None and not message.answer.done():
            message.answer.set_exception(error)

    def _remove(self, message: Outgoing) -> None:
        lane = self._transactions if message.durable else self._others
        if message in lane:
            lane.remove(message)
