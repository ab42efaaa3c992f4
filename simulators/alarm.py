"""Wakes one sleeper at a moment that may be brought forward while it sleeps: one timer, no task and no exception."""

from __future__ import annotations

import asyncio
import math


class Alarm:
    """An alarm clock with one sleeper. What is set while nobody sleeps is for nothing: who is awake looks anyway."""

    __slots__ = ("_due_s", "_sleeper", "_timer")

    def __init__(self) -> None:
        self._due_s = -math.inf
        self._sleeper: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def sleep(self, at_most_s: float) -> None:
        """Sleep until woken, or for so many seconds."""
        loop = asyncio.get_running_loop()
        self._sleeper = loop.create_future()
        self._due_s = loop.time() + at_most_s
        self._timer = loop.call_at(self._due_s, self._ring)
        try:
            await self._sleeper
        finally:
            self._timer.cancel()
            self._sleeper, self._due_s = None, -math.inf

    def set(self) -> None:
        """Wake the sleeper now."""
        self._due_s = -math.inf
        self._ring()

    def within(self, delay_s: float) -> None:
        """Let the sleeper sleep no longer than so many seconds from now."""
        if self._timer is None or self._sleeper is None:
            return
        loop = self._sleeper.get_loop()
        due_s = loop.time() + delay_s
        if due_s < self._due_s:
            self._timer.cancel()
            self._due_s = due_s
            self._timer = loop.call_at(due_s, self._ring)

    def _ring(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)
