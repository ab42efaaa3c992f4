"""Delivery: batches in order, each until the server has it or has refused it for good."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from connectors.influx.line_protocol import timestamp
from connectors.influx.settings import InfluxSettings
from connectors.influx.transport import Denied, LineWriter, Malformed, TooLarge, Unavailable, Written
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

DeadLetter = Callable[[Sequence[bytes], str], Awaitable[None]]
"""Puts lines away that the server will never take, with its reason."""


@dataclass(slots=True)
class Tally:
    """What a sender did so far.

    Attributes:
        posts: requests sent.
        failures: requests that the server did not take for lack of a server, access or capacity.
    """

    written: int = 0
    dead_lettered: int = 0
    posts: int = 0
    failures: int = 0


class Sender:
    """Sends batches to a write endpoint.

    A server that is away is tried for ever, with growing waits. A server that denies access is tried slowly. A refused
    batch is cut in halves until the bad lines stand alone; they are put away and the rest is delivered. Before any line
    is given up, a line of our own that is certainly valid is sent: when that is refused too, the fault lies with the
    server's settings or with something in between, and everything waits instead.
    """

    def __init__(
        self, writer: LineWriter, dead_letter: DeadLetter, settings: InfluxSettings, clock: Clock, rng: random.Random
    ) -> None:
        self._writer = writer
        self._dead_letter = dead_letter
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._most_lines = settings.batch_points
        self._trouble = ""
        self.tally = Tally()

    async def deliver(self, lines: Sequence[bytes]) -> None:
        """Send lines; returns when each is written or put away."""
        waiting = list(_chunks(lines, self._most_lines))[::-1]
        lines_known_bad = False
        while waiting:
            chunk = waiting.pop()
            match await self._send(chunk):
                case Written():
                    self.tally.written += len(chunk)
                case TooLarge():
                    if len(chunk) == 1:
                        await self._put_away(chunk, "413 one line is larger than the server takes")
                    else:
                        self._most_lines = min(self._most_lines, (len(chunk) + 1) // 2)
                        waiting += _halves(chunk)
                case Malformed(detail):
                    if not lines_known_bad:
                        await self._until_probe_is_taken()
                        lines_known_bad = True
                    if len(chunk) == 1:
                        await self._put_away(chunk, detail)
                    else:
                        waiting += _halves(chunk)

    async def _send(self, chunk: Sequence[bytes]) -> Written | TooLarge | Malformed:
        """Send one request until the server says something about its lines."""
        attempt = 0
        while True:
            self.tally.posts += 1
            outcome = await self._writer.write(b"\n".join(chunk))
            match outcome:
                case Written():
                    self._recovered()
                    return outcome
                case TooLarge() | Malformed():
                    return outcome
                case Unavailable(detail, retry_after_s):
                    self._failed(logging.WARNING, "telemetry_unavailable", detail)
                    await self._sleep(self._back_off_s(attempt, retry_after_s))
                    attempt += 1
                case Denied(detail):
                    self._failed(logging.ERROR, "telemetry_denied", detail)
                    await self._sleep(self._settings.hold_s)
                case _:
                    assert_never(outcome)

    async def _until_probe_is_taken(self) -> None:
        """Make sure that it is the lines which are bad, not everything."""
        while True:
            utc = timestamp(self._clock.now().utc, self._settings.precision)
            outcome = await self._send([f"telemetry_probe valid=true {utc}".encode()])
            if not isinstance(outcome, Malformed):
                return
            self._failed(logging.ERROR, "telemetry_refuses_everything", outcome.detail)
            await self._sleep(self._settings.hold_s)

    async def _put_away(self, lines: Sequence[bytes], reason: str) -> None:
        self.tally.dead_lettered += len(lines)
        logger.warning(
            "telemetry_line_refused", extra={"reason": reason, "line": lines[0][:200].decode(errors="replace")}
        )
        await self._dead_letter(lines, reason)

    def _back_off_s(self, attempt: int, retry_after_s: float | None) -> float:
        """Seconds on the wall: half to all of a doubling time, and no less than the server asked for."""
        settings = self._settings
        doubled = min(settings.retry_most_s, settings.retry_first_s * 2.0 ** min(attempt, 30))
        asked = min(retry_after_s or 0.0, settings.retry_after_most_s)
        return max(doubled * self._rng.uniform(0.5, 1.0), asked)

    async def _sleep(self, wall_s: float) -> None:
        await asyncio.sleep(self._settings.loop_s(wall_s))

    # The log tells of changes: once when deliveries stop or stop for another reason, once when they go on.

    def _failed(self, level: int, event: str, detail: str) -> None:
        self.tally.failures += 1
        if self._trouble != event:
            self._trouble = event
            logger.log(level, event, extra={"url": self._settings.url, "detail": detail})

    def _recovered(self) -> None:
        if self._trouble:
            logger.info("telemetry_back", extra={"url": self._settings.url, "after": self._trouble})
            self._trouble = ""


def _chunks(lines: Sequence[bytes], most: int) -> Iterator[Sequence[bytes]]:
    return (lines[i : i + most] for i in range(0, len(lines), most))


def _halves(chunk: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Both halves, the later one first, as a stack wants them."""
    middle = len(chunk) // 2
    return [chunk[middle:], chunk[:middle]]
