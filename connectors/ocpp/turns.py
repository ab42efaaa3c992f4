"""Work that arrives in crowds, spread over turns of the event loop.

An answer to a setpoint passes through about six turns before the twin has it. Where a thousand chargers come back at
once and each turn serves whatever came, turns take up to a tenth of a second, and each setpoint of everybody else takes
several of them. Nothing here waits for a charger: only for the loop to look at everybody else in between.
"""

from __future__ import annotations

import asyncio
from collections import deque

AT_ONCE = 16
"""Pieces of such work in one turn: a handshake takes about half a millisecond, a step of setting up a quarter."""


class Turns:
    """Who begins a piece of work now and who a turn later, in the order of asking. To be used in one event loop.

    At most one handshake, one question and one farewell of each link wait here.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._left = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def mine(self) -> None:
        """Return when it is one's turn: at once, unless others had this turn of the loop already."""
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn, loop)
        if self._left > 0 and not self._waiting:
            self._left -= 1
            return
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = self._at_once
        while self._waiting and self._left > 0:
            waiting = self._waiting.popleft()
            if not waiting.done():  # whoever waited may be gone
                waiting.set_result(None)
                self._left -= 1
        self._turning = self._left < self._at_once
        if self._turning:
            loop.call_soon(self._turn, loop)
