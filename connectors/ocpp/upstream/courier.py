"""Carries what one charger said to the upstream, over one link after the other."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any

from connectors.ocpp import translate
from connectors.ocpp.calls import Answered, Errored, LinkLost, TimedOut
from connectors.ocpp.frames import Payload
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.schemas import check_call, check_result
from connectors.ocpp.upstream.conflicts import ConflictKind, Conflicts
from connectors.ocpp.upstream.link import LINK_ERRORS, UpstreamLink, open_link
from connectors.ocpp.upstream.outbox import Outbox, Question, Said, Woken, payload_of
from connectors.ocpp.upstream.settings import UpstreamSettings
from connectors.ocpp.upstream.snapshot import LinkState
from connectors.ocpp.upstream.verdicts import ACCEPTED
from twin_core.errors import ProtocolError, StorageError
from twin_core.models.ids import ChargerId
from twin_core.ports import Clock, ForwardedMessage, UpstreamLedger

logger = logging.getLogger(__name__)

LEAST_HEARTBEAT_S = 10.0
BOOT_RETRY_S = 30.0
LONGEST_BOOT_RETRY_S = 3600.0
STORAGE_RETRY_S = 5.0
BOOT_WAIT_S = 30.0
"""A charger that has not booted by then, though it was asked to, is forwarded without."""


class Courier:
    """One link at a time, while it is wanted.

    Attributes:
        accepted: the upstream has accepted the charger over the present link.
        stalled: it missed a deadline and has answered nothing since.
        delivered: messages of transactions that it answered.
        since: when the present link opened or the last one ended; None before the first.
        trouble: why the last attempt failed or link ended; empty once the upstream has accepted the charger.
        statuses: the charger's last StatusNotification of each connector.
        awaited: by place, who waits for the answer to a start.
        late: told of the answer to a start that nobody waited for any more.
    """

    def __init__(
        self,
        charger: ChargerId,
        settings: UpstreamSettings,
        outbox: Outbox,
        *,
        ledger: UpstreamLedger,
        conflicts: Conflicts,
        counters: LinkCounters,
        clock: Clock,
        rng: random.Random,
        serve: Callable[[UpstreamLink], Coroutine[Any, Any, None]],
        late: Callable[[ForwardedMessage, Payload], Awaitable[None]],
    ) -> None:
        self.accepted = False
        self.stalled = False
        self.delivered = 0
        self.since: datetime | None = None
        self.trouble = ""
        self.statuses: dict[int, Payload] = {}
        self.awaited: dict[int, asyncio.Future[Payload | None]] = {}
        self._charger = charger
        self._settings = settings
        self._outbox = outbox
        self._ledger = ledger
        self._conflicts = conflicts
        self._counters = counters
        self._clock = clock
        self._rng = rng
        self._serve = serve
        self._late = late
        self._link: UpstreamLink | None = None
        self._boot_payload: Payload | None = None
        self._boot_is_news = True
        self._interval_s = 60.0
        self._wanted = asyncio.Event()
        self._unwanted = asyncio.Event()
        self._booted = asyncio.Event()
        self._charger_is_there = False

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        if self._link is None:
            return LinkState.AWAY if self._wanted.is_set() else LinkState.IDLE
        if not self.accepted:
            return LinkState.OPENING
        return LinkState.LATE if self.stalled else LinkState.UP

    def want(self) -> None:
        """Be linked: something waits."""
        self._wanted.set()
        self._unwanted.clear()

    def charger_came(self) -> None:
        """The charger is connected, and so are we from now on."""
        self._charger_is_there = True
        self.want()

    def charger_left(self) -> None:
        """The charger's link ended; ours ends once nothing waits."""
        self._charger_is_there = False
        self._leave_when_done()

    def _leave_when_done(self) -> None:
        if not self._charger_is_there and not self._outbox.backlog:
            self._wanted.clear()
            self._unwanted.set()

    def boot(self, payload: Payload) -> None:
        """The charger has booted; the upstream is to know it before anything else."""
        self._boot_payload, self._boot_is_news = payload, True
        self._booted.set()
        self._outbox.wake()

    def boot_again(self) -> bool:
        """Say the last BootNotification once more; False where there was none."""
        self._boot_is_news = self._boot_payload is not None
        self._outbox.wake()
        return self._boot_is_news

    async def run(self) -> None:
        """Be linked while that is wanted; until cancelled."""
        failures = 0
        while True:
            await self._wanted.wait()
            try:
                link = await open_link(self._charger, self._settings, self._counters)
            except LINK_ERRORS as error:
                self.trouble = _words(error)
                if failures == 0:
                    fields = {"charger": self._charger, "reason": self.trouble}
                    logger.warning("upstream not reached", extra=fields)
                failures += 1
            else:
                self.accepted = False
                await self._live(link)
                failures = 0 if self.accepted else failures + 1
                self.accepted = False
            await asyncio.sleep(self._backoff_s(failures))

    def _backoff_s(self, failures: int) -> float:
        longest = min(self._settings.backoff_max_s, self._settings.backoff_min_s * 2.0 ** min(failures, 10))
        return longest * self._rng.uniform(0.5, 1.0)

    async def _live(self, link: UpstreamLink) -> None:
        """Use a link until it ends, the upstream falls silent, or it is no longer wanted."""
        self._link, self.stalled = link, False
        self.since = self._clock.now().utc
        self._counters.connections += 1
        logger.info("upstream linked", extra={"charger": self._charger})
        works = (link.read(), self._talk(link), self._serve(link), self._beat(link), self._unwanted.wait())
        tasks = [asyncio.create_task(work, name=f"upstream {self._charger}") for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._link, self.since = None, self._clock.now().utc
            self._outbox.link(False)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await link.close()
        logger.info("upstream link ended", extra={"charger": self._charger})
        for task in done:
            try:
                task.result()
            except LINK_ERRORS as error:
                self.trouble = _words(error)
            except StorageError as refused:
                self.trouble = str(refused)
                logger.error("upstream outbox on no disk", extra={"charger": self._charger, "detail": str(refused)})
                await asyncio.sleep(STORAGE_RETRY_S)

    async def _talk(self, link: UpstreamLink) -> None:
        """Boot where that is news, state every connector's status, then say what there is to say."""
        while self._boot_is_news and "BootNotification" in self._settings.messages:
            await self._boot(link)
        self.accepted, self.trouble = True, ""
        self._outbox.link(True)
        if "StatusNotification" in self._settings.messages:
            for status in [self.statuses[number] for number in sorted(self.statuses)]:
                await self._tell(link, "StatusNotification", status)
        while True:
            if self._boot_is_news and "BootNotification" in self._settings.messages:
                await self._boot(link)
                continue
            match item := await self._outbox.next():
                case Question():
                    await self._ask(link, item)
                case Said():
                    await self._tell(link, item.action, item.payload)
                case ForwardedMessage():
                    await self._deliver(link, item)
                case Woken():
                    pass
            self._leave_when_done()

    async def _boot(self, link: UpstreamLink) -> None:
        """Say the charger's BootNotification until the upstream accepts it."""
        if self._boot_payload is None:
            if not self._charger_is_there:
                self._boot_is_news = False  # only what waited from before is delivered
                return
            self._booted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(BOOT_WAIT_S):
                    await self._booted.wait()
            self._boot_is_news = self._boot_payload is not None
            return
        self._boot_is_news = False
        answer = await self._tell(link, "BootNotification", self._boot_payload)
        status = None if answer is None else answer.get("status")
        interval = None if answer is None else translate.integer(answer.get("interval"))
        wait_s = max(LEAST_HEARTBEAT_S, float(interval)) if interval else BOOT_RETRY_S
        if status == ACCEPTED:
            self._interval_s = wait_s
            return
        self._boot_is_news = True
        await asyncio.sleep(min(wait_s, LONGEST_BOOT_RETRY_S))

    async def _beat(self, link: UpstreamLink) -> None:
        """Keep the heartbeat the upstream asked for, where nothing else was said."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = link.sent_s + self._interval_s - loop.time()
            if due_s <= 0.0 and self.accepted and "Heartbeat" in self._settings.messages:
                self._outbox.say("Heartbeat", {})
            await asyncio.sleep(max(1.0, due_s) if due_s > 0.0 else self._interval_s)

    async def _ask(self, link: UpstreamLink, question: Question) -> None:
        """Put a charger's question; an answer that breaks the schema is none."""
        answer = await self._tell(link, question.action, question.payload)
        try:
            if answer is not None:
                check_result(question.action, answer)
        except ProtocolError as broken:
            self._refuse("upstream-answer-unreadable", f"{question.action}: {broken}")
            answer = None
        self._answered(question.answer, answer)

    async def _tell(self, link: UpstreamLink, action: str, payload: Payload) -> Payload | None:
        """Say something once; None where it was not answered with a result.

        Raises:
            ConnectionError: the upstream did not answer at all; the link is of no more use.
        """
        try:
            outcome = await link.call(action, payload)
        except ProtocolError as broken:
            self._refuse("upstream-not-forwardable", f"{action}: {broken}")
            return None
        match outcome:
            case Answered(answer):
                self.stalled = False
                return answer
            case Errored(code, description):
                self.stalled = False
                self._refuse("upstream-error", f"{action}: {code} {description}")
                return None
            case TimedOut():
                self._refuse("upstream-silent", action)
                raise ConnectionError("the upstream does not answer")
            case LinkLost():
                raise ConnectionError("the link ended")

    async def _deliver(self, link: UpstreamLink, message: ForwardedMessage) -> None:
        """Say something of a transaction until it is answered, and settle it.

        Raises:
            ConnectionError: the link ended first; it waits for the next one.
            StorageError: the disk refused.
        """
        payload = await self._translated(message)
        if payload is None:
            await self._outbox.settle(message, dropped="the upstream has no such transaction")
            return
        try:
            check_call(message.action, payload)
        except ProtocolError as broken:
            self._refuse("upstream-not-forwardable", f"{message.action}: {broken}")
            await self._outbox.settle(message, dropped="not by the standard")
            return
        for attempt in range(1, self._settings.attempts + 1):
            answer = await self._tell(link, message.action, payload)
            if answer is not None:
                await self._settle(message, answer)
                return
            if attempt < self._settings.attempts:
                await asyncio.sleep(self._settings.retry_s * attempt)
        self._conflicts.note(ConflictKind.TRANSACTION, f"the upstream does not take {message.action}")
        self._answered(self.awaited.get(message.seq), None)
        await self._outbox.settle(message, dropped="refused by the upstream")

    async def _translated(self, message: ForwardedMessage) -> Payload | None:
        """A message under the upstream's number of the transaction; None where it has none."""
        payload = {key: value for key, value in payload_of(message).items() if value is not None}
        if message.action == "StartTransaction":
            return payload
        theirs = await self._ledger.theirs(self._charger, message.transaction_id)
        return None if theirs is None else {**payload, "transactionId": theirs}

    async def _settle(self, message: ForwardedMessage, answer: Payload) -> None:
        self.delivered += 1
        theirs = translate.integer(answer.get("transactionId")) if message.action == "StartTransaction" else None
        if message.action == "StartTransaction" and theirs is None:
            self._refuse("upstream-answer-unreadable", "StartTransaction: no transactionId")
        waiting = self.awaited.get(message.seq)
        in_time = waiting is not None and not waiting.done()
        await self._outbox.settle(message, theirs)
        self._answered(waiting, answer)
        if message.action == "StartTransaction" and not in_time:
            await self._late(message, answer)

    @staticmethod
    def _answered(waiting: asyncio.Future[Payload | None] | None, answer: Payload | None) -> None:
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _refuse(self, cause: str, detail: str) -> None:
        """Count what is wrong with the upstream; the first of a kind is logged."""
        self._counters.refused[cause] += 1
        if self._counters.refused[cause] == 1:
            safe = detail.encode("unicode_escape").decode("ascii")[:200]
            logger.warning("refused", extra={"source": f"upstream of {self._charger}", "cause": cause, "detail": safe})


def _words(error: BaseException) -> str:
    """Why there is no link, in words."""
    return ascii(str(error) or type(error).__name__)[1:-1][:120]
