"""A charge point that says exactly what a test tells it to, right or wrong, and a central system to say it to."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from connectors.ocpp.central_system import CentralSystem, CentralSystemSettings
from connectors.ocpp.tls import ListeningTls
from tests.fakes import EventList, ListedChargers, LoopClock, MemoryLedger
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId

SILENT = object()
"""An answer that is never given."""

Answer = Callable[[dict[str, Any]], Any]

ACCEPTED = {"status": "Accepted"}

FAST = CentralSystemSettings(port=0)


@dataclass
class Depot:
    """A central system with everything around it."""

    system: CentralSystem
    sink: EventList
    ledger: MemoryLedger
    directory: ListedChargers

    def refused(self, source: str, cause: str) -> int:
        return self.system.counters[source].refused[cause] if source in self.system.counters else 0


def charger_spec(name: str, connectors: int = 1, **options: Any) -> ChargerSpec:
    identity = ChargerId(name)
    numbers = range(1, connectors + 1)
    return ChargerSpec(identity, tuple(ConnectorSpec(ConnectorId(identity, n), **options) for n in numbers))


@asynccontextmanager
async def depot(
    *specs: ChargerSpec,
    settings: CentralSystemSettings = FAST,
    ledger: Any = None,
    passwords: dict[str, str] | None = None,
    clock: LoopClock | None = None,
    upkeep: Any = None,
    vendors: Any = None,
    tls: ListeningTls | None = None,
    **changes: Any,
) -> AsyncIterator[Depot]:
    sink, ledger = EventList(), ledger or MemoryLedger()
    chargers = {spec.id: spec for spec in specs or (charger_spec("CP1"),)}
    directory = ListedChargers(chargers, {ChargerId(k): v for k, v in (passwords or {}).items()})
    settings = replace(settings, **changes)
    async with CentralSystem(
        settings,
        clock=clock or LoopClock(),
        sink=sink,
        ledger=ledger,
        directory=directory,
        upkeep=upkeep,
        vendors=vendors,
        tls=tls,
    ) as system:
        yield Depot(system, sink, ledger, directory)


@dataclass
class Peer:
    """One charge point's end of a link.

    Attributes:
        answers: what it answers to each action; a dict, SILENT, or a function of the payload. An answer that is a
            list is sent as the rest of a frame, e.g. [4, "NotSupported", "", {}].
        asked: the CALLs it received.
        unanswered: unique ids of those it met with silence.
        stray: answers to nothing it waits for.
        heard: every frame in order, as the action of a CALL or "answer".
    """

    link: ClientConnection
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    ids: count[int] = field(default_factory=lambda: count(1))
    waiting: dict[str, asyncio.Future[list[Any]]] = field(default_factory=dict)
    stray: list[list[Any]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    async def read(self) -> None:
        try:
            async for text in self.link:
                await self.on_frame(json.loads(text))
        except ConnectionClosed:
            pass
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("link closed"))

    async def on_frame(self, frame: list[Any]) -> None:
        self.heard.append("answer" if frame[0] != 2 else frame[2])
        if frame[0] != 2:
            future = self.waiting.pop(str(frame[1]), None)
            if future is None:
                self.stray.append(frame)
            else:
                future.set_result(frame)
            return
        _, unique_id, action, payload = frame
        self.asked.append((action, payload))
        answer = self.answers.get(action, ACCEPTED if action != "GetConfiguration" else {})
        answer = answer(payload) if callable(answer) else answer
        if answer is SILENT:
            self.unanswered.append(unique_id)
        elif isinstance(answer, list):
            await self.raw([answer[0], unique_id, *answer[1:]])
        else:
            await self.raw([3, unique_id, answer])

    async def raw(self, frame: Any) -> None:
        await self.link.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def call(self, action: str, payload: dict[str, Any] | None = None, unique_id: str | None = None) -> list[Any]:
        unique_id = unique_id or f"c{next(self.ids)}"
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.waiting[unique_id] = future
        await self.raw([2, unique_id, action, payload or {}])
        async with asyncio.timeout(60):
            return await future

    async def boot(self) -> dict[str, Any]:
        answer = await self.call("BootNotification", {"chargePointVendor": "Test", "chargePointModel": "Peer"})
        return dict(answer[2])

    async def start(self, connector: int = 1, tag: str = "TAG", at: str = "2026-06-01T12:00:00Z") -> int:
        payload = {"connectorId": connector, "idTag": tag, "meterStart": 1000, "timestamp": at}
        return int((await self.call("StartTransaction", payload))[2]["transactionId"])

    def profiles(self) -> list[dict[str, Any]]:
        return [payload["csChargingProfiles"] for action, payload in self.asked if action == "SetChargingProfile"]


@asynccontextmanager
async def peer(
    port: int,
    name: str = "CP1",
    *,
    password: str | None = None,
    user: str | None = None,
    subprotocols: Any = ("ocpp1.6",),
    host: str = "127.0.0.1",
    answers: dict[str, Any] | None = None,
    path: str | None = None,
) -> AsyncIterator[Peer]:
    headers = {}
    if password is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user or name}:{password}".encode()).decode()
    async with connect(
        f"ws://{host}:{port}{path or '/ocpp/' + name}",
        subprotocols=subprotocols,
        additional_headers=headers,
        compression=None,
        proxy=None,
        ping_interval=None,
        close_timeout=1,
    ) as link:
        found = Peer(link, answers or {})
        reader = asyncio.create_task(found.read())
        try:
            yield found
        finally:
            await link.close()
            await reader


def grant(
    limit_a: float = 16.0,
    seq: int = 1,
    lease_s: float = 60.0,
    name: str = "CP1",
    connector: int = 1,
    clock: LoopClock | None = None,
) -> Grant:
    return Grant(ConnectorId(ChargerId(name), connector), seq, limit_a, (clock or LoopClock()).now(), lease_s)


def wall_clock() -> LoopClock:
    """The loop's time with today's date, for peers that live by the machine's clock."""
    return LoopClock(datetime.now(UTC) - timedelta(seconds=asyncio.get_running_loop().time()))


async def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Let time pass until something holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - any condition, so there is no event to wait for
            await asyncio.sleep(0.01)
