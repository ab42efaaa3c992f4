"""One charger as the upstream sees it: under its own identity, over a link of its own.

The charger never waits for the upstream, except for its word on a tag, and for that no longer than `answer_s`; an
upstream that missed that once is not waited for again until it has answered something.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import assert_never

from connectors.ocpp import translate
from connectors.ocpp.calls import CallOutcome, LinkLost
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.upstream.conflicts import ConflictKind, Conflicts
from connectors.ocpp.upstream.courier import Courier
from connectors.ocpp.upstream.limits import KeptLimits
from connectors.ocpp.upstream.link import UpstreamLink
from connectors.ocpp.upstream.outbox import Outbox, payload_of
from connectors.ocpp.upstream.requests import Answer, Refusal, Requests
from connectors.ocpp.upstream.settings import UpstreamSettings
from connectors.ocpp.upstream.snapshot import RelayStatus
from connectors.ocpp.upstream.statements import own_start, own_stop, stated_boot
from connectors.ocpp.upstream.verdicts import ACCEPTED, tag_info
from twin_core.models.charger import ChargerSpec
from twin_core.models.ids import TransactionId
from twin_core.ports import Clock, EventSink, ForwardedMessage, TakenOver, TransactionStop, UpstreamLedger

logger = logging.getLogger(__name__)

RESTART_S = 10.0
"""Pause after a part failed of itself, before it is run again."""

CallCharger = Callable[[str, Payload], Awaitable[CallOutcome]]


class Relay:
    """Carries one charger's words up, and keeps what may come back.

    Attributes:
        limits: the upstream's charging profiles.
        conflicts: what the two central systems did not agree on.
        counters: what passed over its links.
        call_charger: the way to the charger; None while it is not connected.
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
        self.conflicts = Conflicts(spec.id, clock, sink)
        self.limits = KeptLimits(spec, clock, sink, self.conflicts)
        self.counters = LinkCounters()
        self.outbox = Outbox(spec.id, settings, ledger, backlog)
        self.call_charger: CallCharger | None = None
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
        self._courier = Courier(
            spec.id,
            settings,
            self.outbox,
            ledger=ledger,
            conflicts=self.conflicts,
            counters=self.counters,
            clock=clock,
            rng=rng,
            serve=self._answer_requests,
            late=self._late_verdict,
        )
        if backlog:
            self._courier.want()

    # What the charger says.

    def attach(self, charger: Charger, call: CallCharger) -> None:
        """The charger is connected."""
        self._charger, self.call_charger = charger, call
        self._courier.charger_came()

    def detach(self) -> None:
        """The charger's link ended. The upstream is left once nothing waits for it."""
        self.call_charger = None
        self._courier.charger_left()

    def say(self, action: str, payload: Payload) -> None:
        """Pass on something the charger was already answered."""
        if action == "BootNotification":
            self._courier.boot(stated_boot({k: v for k, v in payload.items() if v is not None}))
            return
        if action == "StatusNotification" and (number := translate.integer(payload.get("connectorId"))) is not None:
            stated = {"timestamp": self._utc_text(), **{k: v for k, v in payload.items() if v is not None}}
            if 0 <= number <= len(self.spec.connectors):
                self._courier.statuses[number] = stated
            payload = stated
        if action in self.settings.messages:
            self.outbox.say(action, payload)

    async def ask(self, action: str, payload: Payload) -> Payload | None:
        """The upstream's answer to something the charger waits for; None where it gives none in time."""
        if action not in self.settings.messages or self._courier.stalled or not self._courier.accepted:
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
            self._courier.want()
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
        self._courier.want()
        if written is None:
            return None
        waits = action == "StartTransaction" and self._courier.accepted and not self._courier.stalled
        seq = await written
        if seq is None or not waits or self.outbox.backlog > 1:
            return None
        answer: asyncio.Future[Payload | None] = asyncio.get_running_loop().create_future()
        self._courier.awaited[seq] = answer
        try:
            return await self._in_time(answer)
        finally:
            del self._courier.awaited[seq]

    async def tell_written(self) -> None:
        """Keep what the depot wrote of transactions by itself; what was kept before is not kept again.

        Raises:
            StorageError: it could not be made durable.
        """
        self._recall()
        for fact in await self.ledger.untold(self.spec.id):
            match fact:
                case TakenOver(transaction_id, start):
                    self.limits.begin(start.connector_id.number, transaction_id)
                    await self._keep_own(
                        "StartTransaction", own_start(start, self.settings.adopted_tag), transaction_id
                    )
                case TransactionStop():
                    self.limits.end(fact.transaction_id)
                    await self._keep_own("StopTransaction", own_stop(fact), fact.transaction_id)
                case _:
                    assert_never(fact)

    async def _keep_own(self, action: str, payload: Payload, transaction_id: TransactionId) -> None:
        written = self.outbox.keep(action, payload, transaction_id) if action in self.settings.messages else None
        if written is not None:
            self._courier.want()
            await written

    async def _in_time(self, answer: asyncio.Future[Payload | None]) -> Payload | None:
        try:
            async with asyncio.timeout(self.settings.answer_s):
                return await answer
        except TimeoutError:
            self._courier.stalled = True
            self.counters.refused["upstream-late"] += 1
            return None

    # The link.

    async def run(self) -> None:
        """Be linked while the charger is, or something waits; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work in (self.outbox.write, self.limits.run, self._courier.run):
                tasks.create_task(self._supervise(work), name=f"upstream {self.spec.id} {work.__qualname__}")

    async def _supervise(self, work: Callable[[], Awaitable[None]]) -> None:
        """Keep one part running: whatever the upstream made it stumble over, the charger's own link never notices."""
        while True:
            try:
                await work()
            except Exception:
                logger.exception("upstream relay failed", extra={"charger": self.spec.id})
                self.counters.refused["relay-failed"] += 1
            await asyncio.sleep(RESTART_S)

    async def _late_verdict(self, message: ForwardedMessage, answer: Payload) -> None:
        """The charger was told that the tag may charge before the upstream said that it may not."""
        status = (tag_info(answer) or {}).get("status", ACCEPTED)
        running = self.limits.transactions.values()
        if status == ACCEPTED or message.transaction_id not in running:
            return
        if payload_of(message).get("idTag") == self.settings.adopted_tag:
            words = f"the upstream says {status} of a transaction that was taken over without its tag; it goes on"
            self.conflicts.note(ConflictKind.TAG, words)
            return
        self.conflicts.note(
            ConflictKind.LATE_TAG, f"the upstream says {status} of a running transaction; it is stopped"
        )
        if self.call_charger is not None:
            await self.call_charger("RemoteStopTransaction", {"transactionId": int(message.transaction_id)})

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
            return self._courier.boot_again()
        if action == "Heartbeat":
            self.outbox.say(action, {})
            return True
        again = [self._courier.statuses[n] for n in sorted(self._courier.statuses) if number in (None, n)]
        for payload in again:
            self.outbox.say(action, payload)
        return bool(again)

    def _utc_text(self) -> str:
        return self.clock.now().utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def status(self) -> RelayStatus:
        """How things stand."""
        return RelayStatus(
            state=self._courier.state,
            since=self._courier.since,
            trouble=self._courier.trouble,
            links=self.counters.connections,
            waiting=self.outbox.backlog,
            delivered=self._courier.delivered,
            dropped=dict(self.outbox.dropped),
            refused=dict(self.counters.refused),
            conflicts={kind.value: count for kind, count in self.conflicts.counts.items()},
            latest=tuple(self.conflicts.latest),
            allowances=self.limits.allowances(),
        )
