"""A central system as small as it can be, for tests of charge points: it records, answers, and can call."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.fakes import LoopClock

Payload = dict[str, Any]
HOST, PORT = "central", 80
URL = f"ws://{HOST}:{PORT}/ocpp"


@dataclass
class Heard:
    """One request of a charge point."""

    at_s: float
    charger: str
    action: str
    payload: Payload


@dataclass
class FakeCentral:
    """Answers every request with acceptance unless `answers` says otherwise.

    Attributes:
        answers: by action, makes the answer; one that returns None stays silent.
    """

    answers: dict[str, Callable[[str, Payload], Payload | None]] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    sockets: dict[str, ServerConnection] = field(default_factory=dict)
    connections: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    clock: LoopClock = field(default_factory=LoopClock)
    raw_answers: dict[str, Any] = field(default_factory=dict)
    _transactions: count[int] = field(default_factory=lambda: count(501))
    _ids: count[int] = field(default_factory=count)
    _open: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _server: Server | None = None
    host: str = HOST
    port: int = PORT
    tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> FakeCentral:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def listen(self) -> None:
        self._server = await serve(
            self._serve,
            self.host,
            self.port,
            ssl=self.tls,
            subprotocols=["ocpp1.6"],
            compression=None,
            ping_interval=None,
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def drop(self, charger: str) -> None:
        """Cut a charge point's link without a close."""
        self.sockets[charger].transport.abort()

    def of(self, action: str, charger: str | None = None) -> list[Payload]:
        """Payloads of one action, in order."""
        return [h.payload for h in self.heard if h.action == action and charger in (None, h.charger)]

    async def call(self, charger: str, action: str, payload: Payload) -> Any:
        """Send a request; the payload of the answer, or (code, description) of a CALLERROR."""
        unique_id = f"c{next(self._ids)}"
        answer = self._open[unique_id] = asyncio.get_running_loop().create_future()
        await self.sockets[charger].send(json.dumps([2, unique_id, action, payload]))
        async with asyncio.timeout(60):
            return await answer

    async def say(self, charger: str, frame: str | bytes) -> None:
        """Send any frame."""
        await self.sockets[charger].send(frame)

    async def _serve(self, socket: ServerConnection) -> None:
        request = socket.request
        assert request is not None
        charger = request.path.rsplit("/", 1)[-1]
        self.sockets[charger] = socket
        self.connections.append(charger)
        self.authorizations.append(request.headers.get("Authorization"))
        try:
            async for frame in socket:
                await self._hear(charger, socket, json.loads(frame))
        except ConnectionClosed:
            return

    async def _hear(self, charger: str, socket: ServerConnection, message: list[Any]) -> None:
        if message[0] == 2:
            _, unique_id, action, payload = message
            self.heard.append(Heard(asyncio.get_running_loop().time(), charger, action, payload))
            if action in self.raw_answers:
                await socket.send(json.dumps([4, unique_id, *self.raw_answers[action]]))
                return
            make = self.answers.get(action)
            answer = self._default(action) if make is None else make(charger, payload)
            if answer is not None:
                await socket.send(json.dumps([3, unique_id, answer]))
        elif message[0] == 3:
            self._open.pop(message[1]).set_result(message[2])
        else:
            self._open.pop(message[1]).set_result((message[2], message[3]))

    def _default(self, action: str) -> Payload:
        now = self.clock.now().utc.isoformat()
        accepted = {"status": "Accepted"}
        defaults: dict[str, Payload] = {
            "BootNotification": {**accepted, "interval": 300, "currentTime": now},
            "Heartbeat": {"currentTime": now},
            "Authorize": {"idTagInfo": accepted},
            "StopTransaction": {"idTagInfo": accepted},
            "DataTransfer": accepted,
        }
        if action == "StartTransaction":
            return {"transactionId": next(self._transactions), "idTagInfo": accepted}
        return defaults.get(action, {})


async def settle(seconds: float = 1.0) -> None:
    """Let things happen."""
    await asyncio.sleep(seconds)


def by_charger(heard: list[Heard]) -> dict[str, list[Heard]]:
    grouped: dict[str, list[Heard]] = defaultdict(list)
    for one in heard:
        grouped[one.charger].append(one)
    return grouped
