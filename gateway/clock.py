"""Clocks: the loop's time on both faces, and a loop whose time runs faster than the wall."""

from __future__ import annotations

import asyncio
import selectors
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from twin_core.models.quantities import Instant


class LoopClock:
    """The running loop's time, with UTC counted from an anchor. For demos, tests and replays in any tempo.

    Args:
        utc: UTC at the moment of construction.
    """

    def __init__(self, utc: datetime) -> None:
        self._loop = asyncio.get_running_loop()
        self._anchor_s = self._loop.time()
        self._utc = utc

    def now(self) -> Instant:
        """This moment on both clocks."""
        now_s = self._loop.time()
        return Instant(now_s, self._utc + timedelta(seconds=now_s - self._anchor_s))


class WallClock:
    """The loop's time beside the machine's UTC. For live control: a set of the wall clock moves only the UTC face."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Instant:
        """This moment on both clocks."""
        return Instant(self._loop.time(), datetime.now(UTC))


def wall_utc() -> datetime:
    """UTC by the machine's clock, for what has no loop: certificates are judged by it."""
    return datetime.now(UTC)


class _PatientSelector(selectors.DefaultSelector):
    """A selector that waits shorter by a factor, so that scaled seconds pass in time."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout if timeout is None or timeout <= 0 else timeout / self._speed)


class ScaledEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs `speed` times faster than the wall; sockets are the real ones.

    Every timeout and sleep in the process shrinks alike, so the same code is exercised; only computing time does not
    scale and therefore looks `speed` times longer to the code than it is.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._begun_s = time.monotonic()
        super().__init__(_PatientSelector(speed))

    def time(self) -> float:
        """Loop seconds: wall seconds since the start, times the speed."""
        return self._begun_s + (time.monotonic() - self._begun_s) * self.speed


def new_loop(speed: float) -> asyncio.AbstractEventLoop:
    """The loop for a tempo: an ordinary one (uvloop where installed) at 1, a scaled one otherwise."""
    if speed != 1.0:
        return ScaledEventLoop(speed)
    try:
        import uvloop  # noqa: PLC0415 -- optional extra `speed`
    except ImportError:
        return asyncio.SelectorEventLoop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
