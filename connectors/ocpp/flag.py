"""An event that is light enough for every charger to have several.

An `asyncio.Event` keeps a queue of 0.7 KiB for those who wait; with ten thousand chargers, those queues alone are as
large as everything else the gateway is made of.
"""

from __future__ import annotations

import asyncio


class Flag:
    """Up or down; whoever waits goes on once it is up. To be used in one event loop."""

    __slots__ = ("_up", "_waiting")

    def __init__(self) -> None:
        self._up = False
        self._waiting: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        """Whether it is up."""
        return self._up

    def set(self) -> None:
        """Raise it."""
        self._up = True
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def clear(self) -> None:
        """Lower it; those it was raised for go on all the same."""
        self._up = False

    async def wait(self) -> None:
        """Return once it is up, or was."""
        if self._up:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = (*self._waiting, waiting)
        try:
            await waiting
        finally:
            self._waiting = tuple(other for other in self._waiting if other is not waiting)
