"""A charge point's WebSocket with its quirks in between: each may change, drop or add what passes, either way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from simulators.quirks.behaviour import Behaviour, Payload, Reply

if TYPE_CHECKING:
    from simulators.controller import Controller

_KEPT = 256
"""Requests whose answers are still told apart."""


class OddSocket:
    """Stands where the connection stood; a `Line` for the quirks."""

    def __init__(self, socket: ClientConnection, behaviours: Sequence[Behaviour], controller: Controller) -> None:
        self.controller = controller
        self._socket = socket
        self._behaviours = tuple(behaviours)
        self._asked: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._beside: set[str] = set()
        self._ids = count(1)
        self._inserted: asyncio.Queue[str] = asyncio.Queue(_KEPT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._left = False
        for behaviour in self._behaviours:
            behaviour.opened(self)

    @property
    def transport(self) -> asyncio.Transport:
        """Of the connection."""
        return self._socket.transport

    async def ping(self) -> Awaitable[float]:
        """Send a ping; what is returned waits for its pong."""
        return await self._socket.ping()

    async def close(self) -> None:
        """End the link."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        if not self._left:
            await self._socket.close()

    # Outwards --------------------------------------------------------------------------------------------------------

    async def send(self, text: str) -> None:
        """Send what the charge point says, as its quirks leave it."""
        changed = self._outgoing(json.loads(text))
        if changed is not None:
            await self._put(json.dumps(changed, separators=(",", ":")))

    def _outgoing(self, message: list[Any]) -> list[Any] | None:
        unique_id = str(message[1])
        if message[0] == 2:
            _remember(self._told, unique_id, message[2])
            return self._said(unique_id, message[2], message[3])
        if unique_id in self._beside:
            self._beside.discard(unique_id)
            return None
        if message[0] != 3:
            return message
        return self._answered(unique_id, self._asked.get(unique_id, ""), message[2])

    def _said(self, unique_id: str, action: str, payload: Payload | None) -> list[Any] | None:
        for behaviour in self._behaviours:
            payload = None if payload is None else behaviour.tell(action, payload, unique_id, self)
        return None if payload is None else [2, unique_id, action, payload]

    def _answered(self, unique_id: str, action: str, payload: Payload | None) -> list[Any] | None:
        for behaviour in self._behaviours:
            payload = None if payload is None else behaviour.answer(action, payload, self)
        return None if payload is None else [3, unique_id, payload]

    async def _put(self, text: str) -> None:
        frames: list[str | list[str]] = [text]
        for behaviour in self._behaviours:
            whole = [frame for frame in frames if isinstance(frame, str)]
            frames = [frame for frame in frames if not isinstance(frame, str)]
            frames += [changed for frame in whole for changed in behaviour.frames(frame, self)]
        for frame in frames:
            await self._socket.send(frame)

    # Inwards ---------------------------------------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[str]:
        """Frames as the charge point gets them, until the link ends."""
        reading = asyncio.ensure_future(self._socket.recv())
        inserted = asyncio.ensure_future(self._inserted.get())
        try:
            while True:
                await asyncio.wait((reading, inserted), return_when=asyncio.FIRST_COMPLETED)
                if self._left:
                    return
                if inserted.done():
                    yield inserted.result()
                    inserted = asyncio.ensure_future(self._inserted.get())
                if reading.done():
                    changed = await self._incoming(json.loads(reading.result()))
                    reading = asyncio.ensure_future(self._socket.recv())
                    if changed is not None:
                        yield json.dumps(changed)
        finally:
            for waiting in (reading, inserted):
                waiting.cancel()
            await asyncio.gather(reading, inserted, return_exceptions=True)

    async def _incoming(self, message: list[Any]) -> list[Any] | None:
        unique_id = str(message[1])
        if message[0] == 2:
            return await self._requested(unique_id, message[2], message[3])
        if message[0] != 3 or unique_id not in self._told:
            return None if unique_id.startswith("beside-") else message
        payload: Payload | None = message[2]
        for behaviour in self._behaviours:
            payload = None if payload is None else behaviour.told(self._told[unique_id], payload, self)
        return None if payload is None else [3, unique_id, payload]

    async def _requested(self, unique_id: str, action: str, payload: Payload) -> list[Any] | None:
        _remember(self._asked, unique_id, action)
        for behaviour in self._behaviours:
            made = behaviour.request(action, payload, self)
            if made is None:
                return None
            if isinstance(made, Reply):
                answered = self._answered(unique_id, action, made.payload)
                if answered is not None:
                    await self._put(json.dumps(answered, separators=(",", ":")))
                return None
            payload = made
        return [2, unique_id, action, payload]

    # What a quirk may do ---------------------------------------------------------------------------------------------

    def emit(self, frame: str) -> None:
        """Send a frame as it is, soon."""
        task = asyncio.create_task(self._emit(frame), name="quirk says")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _emit(self, frame: str) -> None:
        try:
            await self._socket.send(frame)
        except ConnectionClosed:
            return

    def say(self, action: str, payload: Payload) -> None:
        """Send a request beside those of the charge point; its answer is dropped."""
        self.emit(json.dumps([2, f"beside-{next(self._ids)}", action, payload]))

    def take(self, action: str, payload: Payload) -> None:
        """Let the charge point have a request of the central system; its answer is dropped."""
        unique_id = f"inserted-{next(self._ids)}"
        self._beside.add(unique_id)
        self._inserted.put_nowait(json.dumps([2, unique_id, action, payload]))

    def settle(self, unique_id: str, payload: Payload) -> None:
        """Let the charge point have an answer to one of its own requests."""
        self._inserted.put_nowait(json.dumps([3, unique_id, payload]))

    def cut(self) -> None:
        """End the link without a word."""
        self._socket.transport.abort()

    def stop_pongs(self) -> None:
        """Answer no ping of this link any more."""
        send_frame = self._socket.protocol.send_frame

        def without_pongs(frame: Frame) -> None:
            if frame.opcode is not Opcode.PONG:
                send_frame(frame)

        setattr(self._socket.protocol, "send_frame", without_pongs)  # noqa: B010 - the library has no switch for it

    def freeze(self) -> None:
        """Neither read nor answer anything more, as when the network between is gone."""
        self._socket.transport.pause_reading()

    def leave(self) -> None:
        """Let the charge point take the link for lost, while its socket stays as it is."""
        self._left = True
        self._inserted.put_nowait("")

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something after a while, if the link is then still up."""
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, act))


def dressed(controller: Controller) -> Callable[[ClientConnection], OddSocket] | None:
    """What puts a charge point's quirks between a socket and the link; None where it has none."""
    behaviours = controller.quirks.behaviours
    return (lambda socket: OddSocket(socket, behaviours, controller)) if behaviours else None


def _remember(table: dict[str, str], unique_id: str, action: str) -> None:
    table[unique_id] = action
    if len(table) > _KEPT:
        del table[next(iter(table))]
