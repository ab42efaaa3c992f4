"""What one charger said that the upstream is to hear, in the order it was said.

What belongs to a transaction lies on disk and waits as long as it must; everything else only waits while there is a
link. Both are bounded, and what finds no room is counted. A question whose answer a charger waits for goes first.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from dataclasses import dataclass, field

from connectors.ocpp.frames import Payload
from connectors.ocpp.upstream.settings import UpstreamSettings
from twin_core.errors import StorageError
from twin_core.models.ids import ChargerId, TransactionId
from twin_core.ports import ForwardedMessage, UpstreamLedger

PAGE = 50
MAX_UNWRITTEN = 256
MAX_QUESTIONS = 8


@dataclass(slots=True)
class Said:
    """Something that is not kept.

    Attributes:
        after: place of the lasting message it was said after.
    """

    action: str
    payload: Payload
    after: int


@dataclass(slots=True)
class Question:
    """Something whose answer a charger waits for; None is no answer."""

    action: str
    payload: Payload
    answer: asyncio.Future[Payload | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class Woken:
    """Nothing to say, but something else to look at."""


Item = Said | Question | ForwardedMessage | Woken


@dataclass(slots=True)
class _Unwritten:
    message: ForwardedMessage
    written: asyncio.Future[int | None]


class Outbox:
    """The messages of one charger on their way up.

    Attributes:
        dropped: what was lost, by action and why.
    """

    def __init__(self, charger: ChargerId, settings: UpstreamSettings, ledger: UpstreamLedger, backlog: int) -> None:
        self.dropped: Counter[str] = Counter()
        self._charger = charger
        self._settings = settings
        self._ledger = ledger
        self._on_disk = backlog
        self._in_writing = 0
        self._unwritten: asyncio.Queue[_Unwritten] = asyncio.Queue(MAX_UNWRITTEN)
        self._said: deque[Said] = deque()
        self._questions: deque[Question] = deque()
        self._page: deque[ForwardedMessage] = deque()
        self._settled_seq = 0
        self._last_seq = 0
        self._changed = asyncio.Event()
        self._woken = False
        self._linked = False

    @property
    def backlog(self) -> int:
        """Lasting messages that wait: on disk, or on their way there."""
        return self._on_disk + self._in_writing

    # What comes in.

    def say(self, action: str, payload: Payload) -> None:
        """Something that is worth nothing later: it goes up soon or never."""
        if not self._linked:
            self._drop(action, "no link")
        elif len(self._said) >= self._settings.waiting:
            self._drop(action, "too many wait")
        else:
            self._said.append(Said(action, payload, self._last_seq))
            self._changed.set()

    def ask(self, action: str, payload: Payload) -> Question | None:
        """Something a charger waits for; None where nobody is there to answer."""
        if not self._linked or len(self._questions) >= MAX_QUESTIONS:
            self._drop(action, "too many wait" if self._linked else "no link")
            return None
        question = Question(action, payload)
        self._questions.append(question)
        self._changed.set()
        return question

    def wake(self) -> None:
        """Let whoever waits for the next thing to say look round."""
        self._woken = True
        self._changed.set()

    def keep(self, action: str, payload: Payload, transaction_id: TransactionId) -> asyncio.Future[int | None] | None:
        """Something of a transaction; None where it finds no room.

        Returns:
            Its place once it is on disk, None where it was there before; fails with StorageError.
        """
        room = self._settings.keep * (1 if action == "MeterValues" else 2)
        if self.backlog >= room or self._unwritten.full():
            self._drop(action, "too many wait")
            return None
        message = ForwardedMessage(self._charger, action, json.dumps(payload).encode(), transaction_id)
        written: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        # Nobody may wait for a meter value; its failure is counted where it is written.
        written.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._unwritten.put_nowait(_Unwritten(message, written))
        self._in_writing += 1
        return written

    async def write(self) -> None:
        """Put what is to last onto the disk, in order, until cancelled."""
        while True:
            batch = [await self._unwritten.get()]
            while not self._unwritten.empty():
                batch.append(self._unwritten.get_nowait())
            try:
                places = await self._ledger.keep([entry.message for entry in batch])
            except StorageError as refused:
                self._fail(batch, refused)
                continue
            except BaseException:
                self._fail(batch, StorageError("the upstream's outbox was closed"))
                raise
            self._in_writing -= len(batch)
            for entry, seq in zip(batch, places, strict=True):
                if seq is not None:
                    self._on_disk += 1
                    self._last_seq = seq
                if not entry.written.done():
                    entry.written.set_result(seq)
            self.wake()

    def _fail(self, batch: list[_Unwritten], why: StorageError) -> None:
        self._in_writing -= len(batch)
        self.wake()
        for entry in batch:
            self._drop(entry.message.action, "storage")
            if not entry.written.done():
                entry.written.set_exception(why)

    # What goes out.

    async def next(self) -> Item:
        """The next thing to say; what lasts stays first in line until it is settled.

        Raises:
            StorageError: the disk cannot be read.
        """
        while True:
            while self._questions:
                question = self._questions.popleft()
                if not question.answer.done():
                    return question
                self._drop(question.action, "too late")
            if not self._page and self._on_disk:
                self._page.extend(await self._ledger.waiting(self._charger, self._settled_seq, PAGE))
                if not self._page:
                    self._on_disk = 0
                else:
                    self._last_seq = max(self._last_seq, self._page[-1].seq)
            head = self._page[0] if self._page else None
            if self._said and (head is None or self._said[0].after < head.seq):
                return self._said.popleft()
            if head is not None:
                return head
            self._changed.clear()
            await self._changed.wait()
            if self._woken:
                self._woken = False
                return Woken()

    async def settle(self, message: ForwardedMessage, theirs: int | None = None, dropped: str = "") -> None:
        """A message waits no more: it was answered, or given up for a reason.

        Raises:
            StorageError: the disk refused; in this life of the gateway it is not said again all the same.
        """
        if dropped:
            self._drop(message.action, dropped)
        self._settled_seq = message.seq
        self._on_disk = max(0, self._on_disk - 1)
        if self._page and self._page[0].seq == message.seq:
            self._page.popleft()
        await self._ledger.settle(message, theirs)

    def link(self, linked: bool) -> None:
        """A link began or ended: what only waited for the one that ended is lost, and counted."""
        self._linked = linked
        for said in self._said:
            self._drop(said.action, "no link")
        self._said.clear()
        while self._questions:
            question = self._questions.popleft()
            if not question.answer.done():
                question.answer.set_result(None)

    def _drop(self, action: str, why: str) -> None:
        self.dropped[f"{action}: {why}"] += 1


def payload_of(message: ForwardedMessage) -> Payload:
    """What the charger said."""
    found: Payload = json.loads(message.payload)
    return found
