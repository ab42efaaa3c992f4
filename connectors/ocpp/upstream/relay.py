"""One charger as the upstream sees it: under its own identity, over a link of its own.

The charger never waits for the upstream, except for its word on a tag, and for that no longer than `answer_s`; an
upstream that missed that once is not waited for again until it has answered something.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.ocpp import translate
from connectors.ocpp.calls import Answered, CallOutcome, Errored, LinkLost, TimedOut
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.schemas import check_call
from connectors.ocpp.upstream.conflicts import Conflict, ConflictKind, Conflicts
from connectors.ocpp.upstream.limits import Allowance, KeptLimits
from connectors.ocpp.upstream.link import LINK_ERRORS, UpstreamLink, open_link
from connectors.ocpp.upstream.outbox import Outbox, Question, Said, Woken, payload_of
from connectors.ocpp.upstream.requests import Answer, Refusal, Requests
from connectors.ocpp.upstream.settings import UpstreamSettings
from connectors.ocpp.upstream.verdicts import ACCEPTED, tag_info
from twin_core.errors import ProtocolError, StorageError
from twin_core.models.charger import ChargerSpec
from twin_core.models.ids import TransactionId
from twin_core.ports import Clock, EventSink, ForwardedMessage, UpstreamLedger

logger = logging.getLogger(__name__)

CallCharger = Callable[[str, Payload], Awaitable[CallOutcome]]

LEAST_HEARTBEAT_S = 10.0
BOOT_RETRY_S = 30.0
STORAGE_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """How one charger stands with the upstream.

    Attributes:
        waiting: messages on disk that it has not answered yet.
        dropped: what it never heard, by action and why.
        refused: what of its own was not believed or not allowed, by cause.
        conflicts: all so far by kind; the newest in words.
    """

    linked: bool
    accepted: bool
    links: int
    waiting: int
    delivered: int
    dropped: dict[str, int]
    refused: dict[str, int]
    conflicts: dict[str, int]
    latest: tuple[Conflict, ...]
    allowances: tuple[Allowance, ...]


class Relay:
    """Carries one charger's words up, and keeps what may come back.

    Attributes:
        limits: the upstream's charging profiles.
        conflicts: what the two central systems did not agree on.
        counters: what passed over its links.
        call_charger: the way to the charger; None while it is not connected.
        boot: the charger's last BootNotification.
        statuses: its last StatusNotification of each connector.
    """

    def __init__(
        self,
        spec: ChargerSpec,
        settings: UpstreamSettings,
        *,
        clock: Clock,
        sink: EventSink,
        ledger: UpstreamLedger,
        backlog: int,
        rng: random.Random,
    ) -> None:
        self.spec = spec
        self.settings = settings
        self.clock = clock
        self.ledger = ledger
        self.conflicts = Conflicts(spec.id, clock)
        self.limits = KeptLimits(spec, clock, sink, self.conflicts)
        self.counters = LinkCounters()
        self.outbox = Outbox(spec.id, settings, ledger, backlog)
        self.call_charger: CallCharger | None = None
        self.boot: Payload | None = None
        self.statuses: dict[int, Payload] = {}
        self._rng = rng
        self._charger: Charger | None = None
        self._requests = Requests(
            spec.id,
            settings,
            limits=self.limits,
            conflicts=self.conflicts,
            ledger=ledger,
            ask=self._ask_charger,
            repeat=self._repeat,
        )
        self._link: UpstreamLink | None = None
        self._accepted = False
        self._boot_is_news = True
        self._stalled = False
        self._interval_s = 60.0
        self._delivered = 0
        self._started: dict[int, asyncio.Future[Payload | None]] = {}
        self._wanted = asyncio.Event()
        self._unwanted = asyncio.Event()
        self._booted = asyncio.Event()
        if backlog:
            self._want_link()

    # What the charger says.

    def attach(self, charger: Charger, call: CallCharger) -> None:
        """The charger is connected."""
        self._charger, self.call_charger = charger, call
        self._want_link()

    def detach(self) -> None:
        """The charger's link ended. The upstream is left once nothing waits for it."""
        self.call_charger = None
        self._leave_when_done()

    def say(self, action: str, payload: Payload) -> None:
        """Pass on something the charger was already answered."""
        if action == "BootNotification":
            self.boot, self._boot_is_news = {k: v for k, v in payload.items() if v is not None}, True
            self._booted.set()
            self.outbox.wake()
            return
        if action == "StatusNotification" and (number := translate.integer(payload.get("connectorId"))) is not None:
            stated = {"timestamp": self._utc_text(), **{k: v for k, v in payload.items() if v is not None}}
            if number == 0 or number <= len(self.spec.connectors):
                self.statuses[number] = stated
            payload = stated
        if action in self.settings.messages:
            self.outbox.say(action, payload)

    async def ask(self, action: str, payload: Payload) -> Payload | None:
        """The upstream's answer to something the charger waits for; None where it gives none in time."""
        if action not in self.settings.messages or self._stalled or not self._accepted:
            return None
        question = self.outbox.ask(action, payload)
        return None if question is None else await self._in_time(question.answer)

    def meter(self, payload: Payload, transaction_id: int | None) -> None:
        """Pass on samples; those of a transaction are kept until they were."""
        if "MeterValues" not in self.settings.messages:
            return
        if transaction_id is None:
            self.outbox.say("MeterValues", payload)
        elif self._runs(transaction_id):
            self.outbox.keep("MeterValues", payload, TransactionId(transaction_id))
            self._want_link()
        else:
            self.outbox.dropped["MeterValues: no such transaction"] += 1

    def _runs(self, transaction_id: int) -> bool:
        if transaction_id not in self.limits.transactions.values():
            self._recall()
        return transaction_id in self.limits.transactions.values()

    def _recall(self) -> None:
        """Learn of transactions that ran before this gateway did."""
        if self._charger is not None:
            self.limits.recall(self._charger.transactions)

    async def keep(self, action: str, payload: Payload, transaction_id: TransactionId) -> Payload | None:
        """Keep a start or stop; for a start, the upstream's answer where it gives one in time.

        Raises:
            StorageError: it could not be made durable.
        """
        if action not in self.settings.messages:
            return None
        written = self.outbox.keep(action, payload, transaction_id)
        self._want_link()
        if written is None:
            return None
        waits = action == "StartTransaction" and self._accepted and not self._stalled
        seq = await written
        if seq is None or not waits or self.outbox.backlog > 1:
            return None
        answer: asyncio.Future[Payload | None] = asyncio.get_running_loop().create_future()
        self._started[seq] = answer
        try:
            return await self._in_time(answer)
        finally:
            del self._started[seq]

    async def _in_time(self, answer: asyncio.Future[Payload | None]) -> Payload | None:
        try:
            async with asyncio.timeout(self.settings.answer_s):
                return await answer
        except TimeoutError:
            self._stalled = True
            self.counters.refused["upstream-late"] += 1
            return None

    # The link.

    async def run(self) -> None:
        """Be linked while the charger is, or something waits; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.outbox.write(), name=f"upstream {self.spec.id} write")
            tasks.create_task(self.limits.run(), name=f"upstream {self.spec.id} limits")
            tasks.create_task(self._stay_linked(), name=f"upstream {self.spec.id} link")

    async def _stay_linked(self) -> None:
        failures = 0
        while True:
            await self._wanted.wait()
            try:
                link = await open_link(self.spec.id, self.settings, self.counters)
            except LINK_ERRORS as error:
                if failures == 0:
                    fields = {"charger": self.spec.id, "reason": ascii(str(error))[:120]}
                    logger.warning("upstream not reached", extra=fields)
                failures += 1
            else:
                self._accepted = False
                await self._live(link)
                failures = 0 if self._accepted else failures + 1
                self._accepted = False
            await asyncio.sleep(self._backoff_s(failures))

    def _backoff_s(self, failures: int) -> float:
        longest = min(self.settings.backoff_max_s, self.settings.backoff_min_s * 2.0 ** min(failures, 10))
        return longest * self._rng.uniform(0.5, 1.0)

    async def _live(self, link: UpstreamLink) -> None:
        """Use a link until it ends, the upstream falls silent, or it is no longer wanted."""
        self._link, self._stalled = link, False
        self.counters.connections += 1
        logger.info("upstream linked", extra={"charger": self.spec.id})
        works = (link.read(), self._talk(link), self._answer_requests(link), self._beat(link), self._unwanted.wait())
        tasks = [asyncio.create_task(work, name=f"upstream {self.spec.id}") for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._link = None
            self.outbox.link(False)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await link.close()
        logger.info("upstream link ended", extra={"charger": self.spec.id})
        for task in done:
            try:
                task.result()
            except LINK_ERRORS:
                continue
            except StorageError as refused:
                logger.error("upstream outbox cannot be read", extra={"charger": self.spec.id, "detail": str(refused)})
                await asyncio.sleep(STORAGE_RETRY_S)

    def _want_link(self) -> None:
        self._wanted.set()
        self._unwanted.clear()

    def _leave_when_done(self) -> None:
        if self.call_charger is None and not self.outbox.backlog:
            self._wanted.clear()
            self._unwanted.set()

    async def _talk(self, link: UpstreamLink) -> None:
        """Boot where that is news, state every connector's status, then say what there is to say."""
        while self._boot_is_news and "BootNotification" in self.settings.messages:
            await self._boot(link)
        self._accepted = True
        self.outbox.link(True)
        if "StatusNotification" in self.settings.messages:
            for status in [self.statuses[number] for number in sorted(self.statuses)]:
                await self._tell(link, "StatusNotification", status)
        while True:
            if self._boot_is_news and "BootNotification" in self.settings.messages:
                await self._boot(link)
                continue
            match item := await self.outbox.next():
                case Question():
                    self._answered(item.answer, await self._tell(link, item.action, item.payload))
                case Said():
                    await self._tell(link, item.action, item.payload)
                case ForwardedMessage():
                    await self._deliver(link, item)
                case Woken():
                    continue
            self._leave_when_done()

    async def _boot(self, link: UpstreamLink) -> None:
        """Say the charger's BootNotification until the upstream accepts it."""
        if self.boot is None:
            if self.call_charger is None:
                self._boot_is_news = False  # only what waited from before is delivered
                return
            self._booted.clear()
            await self._booted.wait()
            return
        self._boot_is_news = False
        answer = await self._tell(link, "BootNotification", self.boot)
        status = None if answer is None else answer.get("status")
        interval = None if answer is None else translate.integer(answer.get("interval"))
        wait_s = max(LEAST_HEARTBEAT_S, float(interval)) if interval else BOOT_RETRY_S
        if status == ACCEPTED:
            self._interval_s = wait_s
            return
        self._boot_is_news = True
        await asyncio.sleep(min(wait_s, self.settings.backoff_max_s))

    async def _beat(self, link: UpstreamLink) -> None:
        """Keep the heartbeat the upstream asked for, where nothing else was said."""
        loop = asyncio.get_running_loop()
        while "Heartbeat" in self.settings.messages:
            due_s = link.sent_s + self._interval_s - loop.time()
            if due_s > 0.0 or not self._accepted:
                await asyncio.sleep(max(due_s, 1.0))
            else:
                self.outbox.say("Heartbeat", {})
                await asyncio.sleep(self._interval_s)

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
                self._stalled = False
                return answer
            case Errored(code, description):
                self._stalled = False
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
            await self.outbox.settle(message, dropped="the upstream has no such transaction")
            return
        try:
            check_call(message.action, payload)
        except ProtocolError as broken:
            self._refuse("upstream-not-forwardable", f"{message.action}: {broken}")
            await self.outbox.settle(message, dropped="not by the standard")
            return
        for attempt in range(1, self.settings.attempts + 1):
            answer = await self._tell(link, message.action, payload)
            if answer is not None:
                await self._delivered_one(message, answer)
                return
            if attempt < self.settings.attempts:
                await asyncio.sleep(self.settings.retry_s * attempt)
        self.conflicts.note(ConflictKind.TRANSACTION, f"the upstream does not take {message.action}")
        self._answered(self._started.get(message.seq), None)
        await self.outbox.settle(message, dropped="refused by the upstream")

    async def _translated(self, message: ForwardedMessage) -> Payload | None:
        """A message under the upstream's number of the transaction; None where it has none."""
        payload = {key: value for key, value in payload_of(message).items() if value is not None}
        if message.action == "StartTransaction":
            return payload
        theirs = await self.ledger.theirs(self.spec.id, message.transaction_id)
        return None if theirs is None else {**payload, "transactionId": theirs}

    async def _delivered_one(self, message: ForwardedMessage, answer: Payload) -> None:
        self._delivered += 1
        theirs = translate.integer(answer.get("transactionId")) if message.action == "StartTransaction" else None
        waiting = self._started.get(message.seq)
        in_time = waiting is not None and not waiting.done()
        await self.outbox.settle(message, theirs)
        self._answered(waiting, answer)
        if message.action == "StartTransaction" and not in_time:
            await self._late_verdict(message, answer)

    async def _late_verdict(self, message: ForwardedMessage, answer: Payload) -> None:
        """The charger was told that the tag may charge before the upstream said that it may not."""
        status = (tag_info(answer) or {}).get("status", ACCEPTED)
        running = self.limits.transactions.values()
        if status == ACCEPTED or message.transaction_id not in running:
            return
        self.conflicts.note(
            ConflictKind.LATE_TAG, f"the upstream says {status} of a running transaction; it is stopped"
        )
        if self.call_charger is not None:
            await self.call_charger("RemoteStopTransaction", {"transactionId": int(message.transaction_id)})

    @staticmethod
    def _answered(waiting: asyncio.Future[Payload | None] | None, answer: Payload | None) -> None:
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def _answer_requests(self, link: UpstreamLink) -> None:
        """Answer what the upstream asks, one request after the other."""
        while True:
            request = await link.requests.get()
            self._recall()
            match await self._requests.answer(request):
                case Answer(payload):
                    await link.answer(request, payload)
                case Refusal(code, description):
                    await link.error(request, code, description)

    async def _ask_charger(self, action: str, payload: Payload) -> CallOutcome:
        return LinkLost() if self.call_charger is None else await self.call_charger(action, payload)

    def _repeat(self, action: str, number: int | None) -> bool:
        """Say again what the charger said last."""
        if action == "BootNotification":
            self._boot_is_news = self.boot is not None
            self.outbox.wake()
            return self._boot_is_news
        if action == "Heartbeat":
            self.outbox.say(action, {})
            return True
        again = [self.statuses[n] for n in sorted(self.statuses) if number in (None, n)]
        for payload in again:
            self.outbox.say(action, payload)
        return bool(again)

    def _refuse(self, cause: str, detail: str) -> None:
        """Count what is wrong with the upstream; the first of a kind is logged."""
        self.counters.refused[cause] += 1
        if self.counters.refused[cause] == 1:
            safe = detail.encode("unicode_escape").decode("ascii")[:200]
            logger.warning("refused", extra={"source": f"upstream of {self.spec.id}", "cause": cause, "detail": safe})

    def _utc_text(self) -> str:
        return self.clock.now().utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def status(self) -> RelayStatus:
        """How things stand."""
        return RelayStatus(
            linked=self._link is not None,
            accepted=self._accepted,
            links=self.counters.connections,
            waiting=self.outbox.backlog,
            delivered=self._delivered,
            dropped=dict(self.outbox.dropped),
            refused=dict(self.counters.refused),
            conflicts={kind.value: count for kind, count in self.conflicts.counts.items()},
            latest=tuple(self.conflicts.latest),
            allowances=self.limits.allowances(),
        )
