"""Chargers that something is to be done for, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from twin_core.models.ids import ChargerId


class OneByOne:
    """Looks after each charger that is wanted, so that a depot that boots at once is not asked at once.

    Args:
        look_after: what is done for a charger; the next one waits until it ends.
    """

    def __init__(self, look_after: Callable[[ChargerId], Awaitable[None]]) -> None:
        self._look_after = look_after
        self._due: dict[ChargerId, None] = {}
        self._filled = asyncio.Event()

    def want(self, charger: ChargerId) -> None:
        """Look after this charger soon; never blocks, and one that waits already waits once."""
        self._due[charger] = None
        self._filled.set()

    async def run(self) -> None:
        """Look after chargers until cancelled."""
        while True:
            await self._filled.wait()
            while self._due:
                charger = next(iter(self._due))
                del self._due[charger]
                await self._look_after(charger)
            self._filled.clear()
