"""Grants on their way to a charger: one at a time, the newest only, with an honest outcome for each."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from dataclasses import replace

from connectors.ocpp.answers import Refused, Taken, Unclear, holds_on, judge
from connectors.ocpp.calls import Answered, CallOutcome, CallTable, LinkLost, TimedOut
from connectors.ocpp.charger import Charger
from connectors.ocpp.mailbox import Mailbox
from connectors.ocpp.profiles import ProfileStyle, lease_profile, rate
from twin_core.models.charger import Aspect, ProfilePurpose, RateUnit
from twin_core.models.events import ChargerCommissioned, GrantAnswered, GrantSent
from twin_core.models.grant import Grant, GrantOutcome

logger = logging.getLogger(__name__)

REJECTIONS_BEFORE_ENDLESS = 3
"""Grants rejected in a row, with a transaction running, after which a charger is taken to refuse profiles that end."""

AFTER_THE_END_S = 120
"""How far beyond a lease a charger is asked what holds."""

SETTLED_S = 20.0
"""A limit in force for so long shows in a composite schedule."""

RESUMED_S = 10.0
"""After a pause a grant is sent once more, this long after it was accepted."""


class Actuation:
    """Takes grants for one link and sees each through to its outcome."""

    def __init__(self, charger: Charger, calls: CallTable) -> None:
        self._charger = charger
        self._calls = calls
        self._mailbox = Mailbox()
        self._outstanding: Grant | None = None
        self._unripe: dict[tuple[int, int], Grant] = {}
        self._lasting: tuple[Grant, ProfileStyle] | None = None
        self._newest: dict[int, int] = {}
        self._ended = False

    def offer(self, grant: Grant) -> None:
        """Send this grant when the line is free, in place of an older one for the same connector."""
        if self._ended or grant.connector_id.number not in self._charger.connectors:
            self._answer(grant, GrantOutcome.UNSENT, "no link" if self._ended else "no such connector")
            return
        self._newest[grant.connector_id.number] = grant.seq
        replaced = self._mailbox.put(grant)
        if replaced is not None:
            self._answer(replaced, GrantOutcome.UNSENT, "a newer one took its place")

    async def run(self) -> None:
        """Send grants one after the other, for as long as the link lives."""
        while True:
            await self._charger.commissioned.wait()
            await self._mailbox.wait()
            async with self._calls.grant_line():
                # Only now is it decided what to send: while the line was busy a newer grant may have come.
                if self._charger.commissioned.is_set() and (grant := self._mailbox.take()) is not None:
                    await self._deliver(grant)

    def end(self) -> None:
        """The link has ended: what may have left is uncertain, what waits never leaves."""
        if self._ended:
            return
        self._ended = True
        if self._outstanding is not None:
            self._answer(self._outstanding, GrantOutcome.OFFLINE, "the link broke")
            self._outstanding = None
        for grant in self._unripe.values():
            self._answer(grant, GrantOutcome.OFFLINE, "the link broke before it could act")
        self._unripe.clear()
        for grant in self._mailbox.empty():
            self._answer(grant, GrantOutcome.UNSENT, "no link")

    async def _deliver(self, grant: Grant) -> None:
        now = self._charger.around.clock.now()
        if not now.monotonic_s < grant.issued.monotonic_s + grant.lease_s:
            self._answer(grant, GrantOutcome.UNSENT, "its lease is over")
            return
        if math.isfinite(grant.lease_s) and not self._charger.memory.abilities().leases:
            # Sent without its end it would hold for ever, while the twin believes that it ends.
            self._answer(grant, GrantOutcome.UNSENT, "this charger's profiles do not end by themselves")
            return
        styles = list(self._styles(grant))
        if not styles:
            self._answer(grant, GrantOutcome.UNSENT, "no transaction")
            return
        self._outstanding = grant
        self._charger.emit(GrantSent(at=now, connector_id=grant.connector_id, seq=grant.seq))
        number = grant.connector_id.number
        self._charger.memory.proof.told(number, grant.limit_a, self._charger.drawn_a.get(number, 0.0), now.monotonic_s)
        outcome, detail, style = await self._climb(grant, styles)
        self._outstanding = None
        if outcome is GrantOutcome.REJECTED:
            self._charger.memory.proof.refused(number)
        if self._ended:
            return
        if outcome is GrantOutcome.ACCEPTED and self._charger.memory.delay_s > 0.0:
            # What it replaces stays in force until it acts, so until then nobody may count it as gone.
            self._unripe[grant.connector_id.number, grant.seq] = grant
            asyncio.get_running_loop().call_later(self._charger.memory.delay_s, self._ripen, grant)
        else:
            self._answer(grant, outcome, detail)
        self._learn(grant, outcome, style)
        if outcome is GrantOutcome.ACCEPTED:
            await self._follow_up(grant, style)

    async def check_end(self) -> None:
        """Ask once what holds after the end of a lease: some chargers take an end and keep the limit for ever."""
        memory = self._charger.memory
        if self._lasting is None or memory.ends_checked or memory.fragile("GetCompositeSchedule"):
            return
        grant, style = self._lasting
        number, lease_s = grant.connector_id.number, round(grant.lease_s)
        limit_a, since_s = self._charger.in_force.get(number, (0.0, 0.0))
        now = self._charger.around.clock.now()
        fallback_a = self._charger.fallback_a(self._charger.connectors[number])
        if limit_a <= fallback_a + 1.0 or now.monotonic_s < since_s + SETTLED_S:
            return
        memory.ends_checked = True
        divisor = self._charger.divisor(number)
        ask = {"connectorId": number, "duration": lease_s + AFTER_THE_END_S, "chargingRateUnit": style.unit.value}
        answer = await self._calls.call("GetCompositeSchedule", ask)
        told = rate(self._told(grant).limit_a, style, divisor)
        if not isinstance(answer, Answered) or not holds_on(answer.payload, told, lease_s + AFTER_THE_END_S // 2):
            return
        memory.leases = False
        self._charger.note(Aspect.LEASES, "its composite schedule keeps a limit beyond the end of its lease")
        self._charger.refuse("lease-without-end", f"connector {number}")
        abilities = memory.abilities()
        self._charger.emit(ChargerCommissioned(at=now, charger_id=self._charger.spec.id, abilities=abilities))

    async def _follow_up(self, grant: Grant, style: ProfileStyle) -> None:
        """Note what is in force; after a pause say it again, at once and a while later.

        Some chargers resume at all they can and heed only the profile after.
        """
        number, now_s = grant.connector_id.number, self._charger.around.clock.now().monotonic_s
        if math.isfinite(grant.lease_s) and number in self._charger.transactions:
            self._lasting = (grant, style)
        before_a, since_s = self._charger.in_force.get(number, (grant.limit_a, now_s))
        unchanged = before_a == grant.limit_a
        if grant.limit_a < before_a:
            self._charger.lowered.setdefault(number, (grant.limit_a, now_s))
        elif grant.limit_a > before_a:
            self._charger.lowered.pop(number, None)
        self._charger.in_force[number] = (grant.limit_a, since_s if unchanged else now_s)
        if grant.limit_a == 0.0 and (transaction := self._charger.transactions.get(number)) is not None:
            self._charger.paused[number] = (transaction, 0)
        if before_a == 0.0 and grant.limit_a > 0.0:
            await self._climb(grant, [style])
            asyncio.get_running_loop().call_later(RESUMED_S, self._repeat, grant)

    def _ripen(self, grant: Grant) -> None:
        """A charger that applies limits late has had its time."""
        if self._unripe.pop((grant.connector_id.number, grant.seq), None) is not None:
            self._answer(grant, GrantOutcome.ACCEPTED, "acts late")

    def _repeat(self, grant: Grant) -> None:
        if not self._ended and self._newest.get(grant.connector_id.number) == grant.seq:
            self._mailbox.put(grant)

    async def _climb(self, grant: Grant, styles: list[ProfileStyle]) -> tuple[GrantOutcome, str, ProfileStyle]:
        """Try one way after the other until the charger takes one or the outcome is open.

        Every way carries the same limit and the same end, so that a way whose outcome is not clear harms nothing.
        """
        outcome, detail = GrantOutcome.REJECTED, ""
        for style in styles:
            answer = await self._ask(grant, style)
            if isinstance(answer, LinkLost):
                return GrantOutcome.OFFLINE, "the link broke", style
            if isinstance(answer, TimedOut):
                return GrantOutcome.TIMED_OUT, "", style
            verdict, words = _outcome(answer)
            if verdict is GrantOutcome.ACCEPTED:
                return verdict, words, style
            outcome = GrantOutcome.FAILED if GrantOutcome.FAILED in (verdict, outcome) else verdict
            detail = f"{detail}; {words}" if detail else words
            if verdict is GrantOutcome.FAILED:
                self._charger.refuse("grant-failed", words)
        return outcome, detail, styles[-1]

    async def _ask(self, grant: Grant, style: ProfileStyle) -> CallOutcome:
        number = grant.connector_id.number
        transaction = self._charger.transactions.get(number)
        divisor = self._charger.divisor(number)
        payload = lease_profile(self._told(grant), style, transaction_id=transaction, n_phases=divisor)
        before = self._charger.tx_profile_in.get(number)
        if style.purpose is ProfilePurpose.TX and transaction is not None:
            self._charger.tx_profile_in[number] = transaction
        answer = await self._calls.ask("SetChargingProfile", payload, lambda late: self._late(grant, late))
        if style.unit is RateUnit.WATT and isinstance(judge(answer), Taken):
            watts = payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
            before_w, since_s = self._charger.told_w.get(number, (0.0, 0.0))
            now_s = self._charger.around.clock.now().monotonic_s
            self._charger.told_w[number] = (watts, since_s if watts == before_w else now_s)
        if style.purpose is ProfilePurpose.TX and before != transaction and isinstance(judge(answer), Refused):
            del self._charger.tx_profile_in[number]
        return answer

    def _told(self, grant: Grant) -> Grant:
        """The grant as this charger is to hear it, on its own clock.

        One that cannot be paused hears the limit it falls back to, which counts all the time; one that draws more than
        it is told hears less.
        """
        connector = self._charger.connectors[grant.connector_id.number]
        if connector.id.number in self._charger.waking:
            self._charger.waking.discard(connector.id.number)
            return replace(grant, limit_a=0.0)
        limit_a = grant.limit_a / max(1.0, self._charger.memory.gain)
        if self._charger.memory.lowest_a > 0.0:
            limit_a = max(limit_a, self._charger.fallback_a(connector))
        issued = replace(grant.issued, utc=self._charger.on_its_clock(grant.issued.utc))
        return replace(grant, limit_a=limit_a, issued=issued)

    def _styles(self, grant: Grant) -> Iterator[ProfileStyle]:
        """Ways of sending a grant, best first; none where the best needs a transaction and none runs."""
        memory, number = self._charger.memory, grant.connector_id.number
        transaction = self._charger.transactions.get(number)
        if memory.purposes[0] is ProfilePurpose.TX and transaction is None:
            return
        outranked = transaction is not None and self._charger.tx_profile_in.get(number) == transaction
        for purpose in memory.purposes:
            if purpose is ProfilePurpose.TX and transaction is None:
                continue
            if purpose is ProfilePurpose.TX_DEFAULT and outranked:
                continue
            style = memory.style(purpose)
            yield style
            if style.step_a < 1.0 and not float(grant.limit_a).is_integer():
                yield replace(style, step_a=1.0)

    def _learn(self, grant: Grant, outcome: GrantOutcome, style: ProfileStyle) -> None:
        """Remember what worked, and tell the twin when that is news."""
        memory = self._charger.memory
        before = memory.abilities()
        if outcome is GrantOutcome.ACCEPTED:
            memory.rejections = 0
            if style == memory.suggestion:
                self._prefer(style)
            elif style == memory.style(memory.purposes[0]):
                self._charger.note(Aspect.GRANTS, f"took a grant as {style.purpose}", news=False)
            # Once may be chance: a charger also rejects a profile that comes a moment too early for its transaction.
            memory.suggestion = None if style == memory.style(memory.purposes[0]) else style
        elif outcome is GrantOutcome.REJECTED and grant.connector_id.number in self._charger.transactions:
            memory.rejections += 1
            if memory.rejections >= REJECTIONS_BEFORE_ENDLESS:
                memory.leases = False
                seen = f"refused {REJECTIONS_BEFORE_ENDLESS} grants in a row that ended by themselves"
                self._charger.note(Aspect.LEASES, seen)
        abilities = memory.abilities()
        if abilities != before:
            now = self._charger.around.clock.now()
            charger = self._charger.spec.id
            self._charger.emit(ChargerCommissioned(at=now, charger_id=charger, abilities=abilities))
            fields = {"charger": charger, "purpose": abilities.purposes[0].value, "step_a": abilities.step_a}
            logger.info("abilities learned", extra=fields)

    def _prefer(self, style: ProfileStyle) -> None:
        """A way that worked twice where the best did not is the best from now on."""
        memory = self._charger.memory
        if style.step_a != memory.step_a:
            self._charger.note(Aspect.STEP, "refused a limit with a fraction and took the whole ampere below, twice")
        if style.purpose is not memory.purposes[0]:
            seen = f"refused {memory.purposes[0]} and took {style.purpose}, twice"
            self._charger.note(Aspect.GRANTS, seen)
        memory.step_a = style.step_a
        memory.purposes = (style.purpose, *(p for p in memory.purposes if p is not style.purpose))

    def _late(self, grant: Grant, answer: CallOutcome) -> None:
        outcome, words = _outcome(answer)
        self._answer(grant, outcome, f"late; {words}" if words else "late")

    def _answer(self, grant: Grant, outcome: GrantOutcome, detail: str) -> None:
        now = self._charger.around.clock.now()
        event = GrantAnswered(at=now, connector_id=grant.connector_id, seq=grant.seq, outcome=outcome, detail=detail)
        self._charger.emit(event)


def _outcome(answer: CallOutcome) -> tuple[GrantOutcome, str]:
    """What an answer that came says of a grant."""
    match judge(answer):
        case Taken():
            return GrantOutcome.ACCEPTED, ""
        case Refused(detail):
            return GrantOutcome.REJECTED, detail
        case Unclear(detail):
            return GrantOutcome.FAILED, detail
