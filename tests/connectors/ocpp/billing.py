"""A second central system, of which a test decides what it answers, and whether it is there at all."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.upstream.controller import Upstream
from connectors.ocpp.upstream.settings import UpstreamSettings
from connectors.ocpp.vendors import VendorHandler
from connectors.store.database import Store
from connectors.store.upstream import UpstreamOutbox
from tests.connectors.ocpp.peer import FAST, SILENT, Depot, charger_spec
from tests.fakes import EventList, ListedChargers, LoopClock
from twin_core.models.authorisation import TagStanding, TagStatus
from twin_core.models.charger import ChargerSpec
from twin_core.models.events import Event
from twin_core.models.ids import ChargerId
from twin_core.ports import UpstreamLedger

__all__ = ["SILENT", "Billing", "Forwarding", "billing", "forwarding"]


@dataclass
class Billing:
    """The upstream.

    Attributes:
        answers: by action: a payload, SILENT, or a function of the payload; a list is the rest of a frame.
        heard: what every charger said: identity, action, payload.
        logins: path, subprotocol and Authorization header of each link.
        first_number: of the transactions it counts itself.
    """

    port: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    heard: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    logins: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    links: dict[str, ServerConnection] = field(default_factory=dict)
    waiting: dict[str, asyncio.Future[list[Any]]] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=lambda: count(700001))
    ids: count[int] = field(default_factory=lambda: count(1))
    server: Server | None = None
    away: bool = False
    tls: ssl.SSLContext | None = None

    async def open(self) -> None:
        self.server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            ssl=self.tls,
            subprotocols=["ocpp1.6"],  # type: ignore[list-item]
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=1,
        )
        self.port = int(next(iter(self.server.sockets)).getsockname()[1])

    async def shut(self) -> None:
        """Be away: links are cut, and attempts to connect are refused."""
        self.away = True
        for link in self.links.values():
            link.transport.abort()

    def back(self) -> None:
        self.away = False

    def _admit(self, link: ServerConnection, _: Request) -> Response | None:
        return link.respond(HTTPStatus.SERVICE_UNAVAILABLE, "away\n") if self.away else None

    async def _serve(self, link: ServerConnection) -> None:
        assert link.request is not None
        name = link.request.path.rsplit("/", 1)[1]
        self.logins.append((link.request.path, link.subprotocol, link.request.headers.get("Authorization")))
        self.links[name] = link
        try:
            async for text in link:
                await self._take(name, link, json.loads(text))
        except ConnectionClosed:
            pass

    async def _take(self, name: str, link: ServerConnection, frame: list[Any]) -> None:
        if frame[0] != 2:
            self.waiting.pop(frame[1]).set_result(frame)
            return
        _, unique_id, action, payload = frame
        self.heard.append((name, action, payload))
        answer = self.answers.get(action, self._usual(action))
        answer = answer(payload) if callable(answer) else answer
        if isinstance(answer, bytes):
            await link.send(answer, text=True)
        elif isinstance(answer, list):
            await link.send(json.dumps([answer[0], unique_id, *answer[1:]]))
        elif answer is not SILENT:
            await link.send(json.dumps([3, unique_id, answer]))

    def _usual(self, action: str) -> dict[str, Any]:
        accepted = {"idTagInfo": {"status": "Accepted"}}
        now = "2026-06-01T12:00:00Z"
        if action == "StartTransaction":
            return {"transactionId": next(self.numbers), **accepted}
        usual: dict[str, dict[str, Any]] = {
            "Authorize": accepted,
            "BootNotification": {"status": "Accepted", "currentTime": now, "interval": 600},
            "Heartbeat": {"currentTime": now},
            "DataTransfer": {"status": "Accepted"},
        }
        return usual.get(action, {})

    async def ask(self, name: str, action: str, payload: dict[str, Any]) -> list[Any]:
        """Ask a charger something; the whole frame it was answered with."""
        unique_id = f"b{next(self.ids)}"
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.waiting[unique_id] = future
        await self.links[name].send(json.dumps([2, unique_id, action, payload]))
        async with asyncio.timeout(60):
            return await future

    def said(self, action: str, name: str = "CP1") -> list[dict[str, Any]]:
        return [payload for who, what, payload in self.heard if (who, what) == (name, action)]

    def order(self, name: str = "CP1") -> list[str]:
        return [action for who, action, _ in self.heard if who == name]


@asynccontextmanager
async def billing(tls: ssl.SSLContext | None = None, **answers: Any) -> AsyncIterator[Billing]:
    system = Billing(answers=answers, tls=tls)
    await system.open()
    try:
        yield system
    finally:
        assert system.server is not None
        system.server.close()
        await system.server.wait_closed()


@dataclass
class Journalled(EventList):
    """Events, also on disk as in a gateway."""

    store: Store | None = None

    def put(self, event: Event) -> None:
        super().put(event)
        if self.store is not None:
            self.store.record(event)


@dataclass
class Forwarding(Depot):
    """A central system that forwards."""

    upstream: Upstream
    store: Store


@asynccontextmanager
async def forwarding(
    path: Path,
    port: int,
    *specs: ChargerSpec,
    threaded: bool = False,
    clock: LoopClock | None = None,
    authorise: Callable[[str], bool] | None = None,
    vendors: dict[str, VendorHandler] | None = None,
    beforehand: bool = True,
    ledger: Callable[[Store], UpstreamLedger] = UpstreamOutbox,
    **changes: Any,
) -> AsyncIterator[Forwarding]:
    chargers = specs or (charger_spec("CP1"),)
    clock, sink = clock or LoopClock(), Journalled()
    directory = ListedChargers({ChargerId(spec.id): spec for spec in chargers})
    if authorise is not None:
        directory.authorise = lambda tag, _: TagStanding(TagStatus.ACCEPTED if authorise(tag) else TagStatus.INVALID)  # type: ignore[method-assign]
    scheme = "ws" if changes.get("tls") is None else "wss"
    settings = UpstreamSettings(f"{scheme}://127.0.0.1:{port}/billing", **changes)
    async with (
        Store(path / "journal.db", clock=clock, threaded=threaded) as store,
        Upstream(settings, chargers if beforehand else (), clock=clock, sink=sink, ledger=ledger(store)) as upstream,
        CentralSystem(
            FAST, clock=clock, sink=sink, ledger=store, directory=directory, vendors=vendors, upstream=upstream
        ) as system,
    ):
        sink.store = store
        yield Forwarding(system, sink, store, directory, upstream, store)  # type: ignore[arg-type]
