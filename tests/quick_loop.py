"""The virtual-time loop of async-solipsism, told which sockets have something to read: for millions of turns."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

import async_solipsism
from async_solipsism.exceptions import SleepForeverError
from async_solipsism.selector import Selector
from async_solipsism.socket import Queue

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_FOR_EVER_S = asyncio.base_events.MAXIMUM_SELECT_TIMEOUT


class QuickVirtualLoop(async_solipsism.EventLoop):
    """Does what its parent does; with hundreds of sockets the parent spends most of a run looking at each of them."""

    def __init__(self) -> None:
        super().__init__()
        self._selector.__class__ = _ToldSelector
        self._selector.begin()


class _ToldQueue(Queue):
    """What waits for one socket; tells the selector when something comes."""

    fd: Any
    stirred: dict[Any, None]

    def write(self, data: Any) -> Any:
        self.stirred[self.fd] = None
        return super().write(data)

    def write_eof(self) -> None:
        self.stirred[self.fd] = None
        super().write_eof()


class _ToldSelector(Selector):  # type: ignore[misc]
    """Looks only at sockets to which something was written, at those that wait to write, and at those that listen."""

    def begin(self) -> None:
        self._stirred: dict[Any, None] = {}
        self._others: dict[Any, selectors.SelectorKey] = {}
        for key in self._fd_to_key.values():
            self._note(key)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key: selectors.SelectorKey = super().register(fileobj, events, data)
        self._note(key)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key: selectors.SelectorKey = super().unregister(fileobj)
        self._others.pop(key.fd, None)
        return key

    def _note(self, key: selectors.SelectorKey) -> None:
        queue = getattr(key.fd.socket, "_read_queue", None)
        if queue is None or key.events & _WRITE:
            self._others[key.fd] = key
        elif not isinstance(queue, _ToldQueue):
            queue.__class__ = _ToldQueue
            queue.fd, queue.stirred = key.fd, self._stirred
        self._stirred[key.fd] = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = []
        for fd in [*self._stirred]:
            key = self._fd_to_key.get(fd)
            if key is None or fd in self._others or not fd.socket.read_ready():
                del self._stirred[fd]
            elif key.events & _READ:
                ready.append((key, _READ))
        for key in self._others.values():
            socket = key.fd.socket
            events = _READ if key.events & _READ and socket.read_ready() else 0
            events |= _WRITE if key.events & _WRITE and socket.write_ready() else 0
            if events:
                ready.append((key, events))
        if not ready:
            if timeout is None or timeout >= _FOR_EVER_S:
                raise SleepForeverError("select with no timeout and no ready events")
            if timeout > 0:
                self.clock.advance(timeout)
        return ready
