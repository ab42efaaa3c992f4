"""The virtual-time loop of async-solipsism with a quicker look at its sockets, for runs of millions of turns."""

from __future__ import annotations

import asyncio
import selectors
from functools import partial
from typing import Any

import async_solipsism
from async_solipsism.exceptions import SleepForeverError

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_LISTENING = object()
_FOR_EVER_S = asyncio.base_events.MAXIMUM_SELECT_TIMEOUT


class QuickVirtualLoop(async_solipsism.EventLoop):
    """Does what its parent does; with two dozen sockets the parent spends a third of a run in `Selector.select`."""

    def __init__(self) -> None:
        super().__init__()
        self._selector.select = partial(_select, self._selector, self._selector._fd_to_key)


def _select(selector: Any, registered: dict[Any, selectors.SelectorKey], timeout: float | None = None) -> list[Any]:
    ready = []
    for key in registered.values():
        watched, socket = key.events, key.fd.socket
        events = 0
        if watched & _READ:
            arrived = getattr(socket, "_read_queue", _LISTENING)
            # A socket without a word waiting, as nearly all of them are nearly always, is passed over at once.
            if arrived is _LISTENING or arrived is None:
                events = _READ if socket.read_ready() else 0
            elif arrived._buffer or arrived._eof:
                events = _READ
        if watched & _WRITE and socket.write_ready():
            events |= _WRITE
        if events:
            ready.append((key, events))
    if not ready:
        if timeout is None or timeout >= _FOR_EVER_S:
            raise SleepForeverError("select with no timeout and no ready events")
        if timeout > 0:
            selector.clock.advance(timeout)
    return ready
