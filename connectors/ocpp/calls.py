"""Our CALLs to one charger and their answers: one outstanding at a time, found by unique id. A grant goes first.

An answer that comes after the wait was given up still reaches whoever asked; one that nobody asked for is dropped and
counted. A CALLERROR is an outcome of its own and never success.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count

from websockets.exceptions import ConnectionClosed

from connectors.ocpp.frames import Payload, encode_call
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.schemas import check_call, note_flaws
from connectors.ocpp.turns import Turns

MAX_LATE = 32
"""Unanswered calls whose late answers are still known; older ones count as unsolicited."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The charger sent a CALLRESULT; its payload has not been checked."""

    payload: Payload


@dataclass(frozen=True, slots=True)
class Errored:
    """The charger sent a CALLERROR, or an answer that cannot be read."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer in time: the charger may or may not have acted."""


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link ended first, or there was none: the charger may or may not have acted."""


CallOutcome = Answered | Errored | TimedOut | LinkLost

LateHandler = Callable[[CallOutcome], None]


class CallTable:
    """The CALLs of one link."""

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        counters: LinkCounters,
        *,
        timeout_s: float,
        yields_after_s: float = math.inf,
        turns: Turns | None = None,
        on_silence: Callable[[int], None],
    ) -> None:
        """Start with nothing outstanding.

        Args:
            send: puts a frame onto the wire.
            counters: where calls and timeouts are counted.
            timeout_s: how long to wait for an answer, sending included.
            yields_after_s: how long a grant waits at most for the answer to something else.
            turns: shared with other links, so that what they all ask at once is spread; grants do not wait for it.
            on_silence: told how many calls in a row went unanswered, after each that did.
        """
        self._send = send
        self._counters = counters
        self._timeout_s = timeout_s
        self._yields_after_s = yields_after_s
        self._turns = turns or Turns()
        self._others = asyncio.Lock()
        self._under_way: tuple[asyncio.Event, float] | None = None
        self._grant_over: asyncio.Event | None = None
        self._on_silence = on_silence
        self._ids = count(1)
        self._waiting: dict[str, asyncio.Future[CallOutcome]] = {}
        self._late: dict[str, LateHandler] = {}
        self._silent = 0
        self._lost = False

    async def call(self, action: str, payload: Payload, timeout_s: float = 0.0) -> CallOutcome:
        """Ask once everything asked before is answered and no grant is under way; see `ask`.

        Raises:
            ProtocolError: the payload breaks the official schema; nothing was sent.
        """
        async with self._others:
            await self._turns.mine()
            while (over := self._grant_over) is not None:
                await over.wait()
            answered = asyncio.Event()
            self._under_way = (answered, asyncio.get_running_loop().time())
            try:
                return await self.ask(action, payload, timeout_s=timeout_s)
            finally:
                self._under_way = None
                answered.set()

    @asynccontextmanager
    async def grant_line(self) -> AsyncIterator[None]:
        """The line for a grant, which waits for no more than the one question under way, and for that not long.

        What that question is answered later still reaches whoever asked. Taken by one task only; decide within what to
        `ask`.
        """
        over = self._grant_over = asyncio.Event()
        try:
            if self._under_way is not None:
                answered, since_s = self._under_way
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(since_s + self._yields_after_s):
                        await answered.wait()
            yield
        finally:
            self._grant_over = None
            over.set()

    async def ask(
        self, action: str, payload: Payload, on_late: LateHandler | None = None, *, timeout_s: float = 0.0
    ) -> CallOutcome:
        """Ask now; the caller holds the line.

        Args:
            action: name of the CALL.
            payload: what it carries, by the official schema.
            on_late: told of an answer that comes after TimedOut was returned.
            timeout_s: how long this answer may take, where that is longer than for any other.

        Raises:
            ProtocolError: the payload breaks the official schema; nothing was sent.
        """
        check_call(action, payload)
        if self._lost:
            return LinkLost()
        unique_id = f"d{next(self._ids)}"
        answer: asyncio.Future[CallOutcome] = asyncio.get_running_loop().create_future()
        self._waiting[unique_id] = answer
        self._counters.calls += 1
        try:
            async with asyncio.timeout(max(self._timeout_s, timeout_s)):
                await self._send(encode_call(unique_id, action, payload))
                outcome = await answer
        except TimeoutError:
            self._expect_late(unique_id, on_late)
            return TimedOut()
        except ConnectionClosed:
            return LinkLost()
        finally:
            del self._waiting[unique_id]
        if isinstance(outcome, Answered):
            note_flaws(f"{action}Response", outcome.payload, self._counters.flawed)
        return outcome

    def _expect_late(self, unique_id: str, on_late: LateHandler | None) -> None:
        self._counters.timeouts += 1
        self._late[unique_id] = on_late or (lambda _: None)
        if len(self._late) > MAX_LATE:
            del self._late[next(iter(self._late))]
        self._silent += 1
        self._on_silence(self._silent)

    def settle(self, unique_id: str, outcome: CallOutcome) -> bool:
        """Hand an answer to whoever waits or waited for it; False when nobody does."""
        answer = self._waiting.get(unique_id)
        if answer is not None and not answer.done():
            self._silent = 0
            answer.set_result(outcome)
            return True
        on_late = self._late.pop(unique_id, None)
        if on_late is not None:
            self._silent = 0
            self._counters.late_answers += 1
            on_late(outcome)
            return True
        self._counters.unknown_answers += 1
        return False

    def lose(self) -> None:
        """The link has ended: whoever waits learns it now, and later calls at once."""
        self._lost = True
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(LinkLost())
