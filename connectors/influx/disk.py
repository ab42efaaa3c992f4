"""Disk work off the event loop, in order, in one thread; or on the loop, for runs in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class DiskThread:
    """Runs one job after the other.

    Args:
        threaded: False runs each job on the spot, so that time stands still meanwhile.
    """

    def __init__(self, name: str, *, threaded: bool) -> None:
        self._executor = ThreadPoolExecutor(1, name) if threaded else None

    async def run(self, job: Callable[[*Ts], T], *args: *Ts) -> T:
        """The job's result. A job that was begun is finished even if nobody waits for it any more."""
        if self._executor is None:
            return job(*args)
        return await asyncio.get_running_loop().run_in_executor(self._executor, job, *args)

    def close(self) -> None:
        """Take no more jobs; those already given are still done."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
