"""A bad network between charge points and a gateway: a WebSocket proxy that spoils frames, the same way for a seed.

Each direction of each link has a random stream of its own, so what happens to one charge point does not depend on how
busy another is. Frames of a direction never overtake each other by delay; only a swap, which is counted, turns two
around, and it waits a bounded time for the second.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from simulators.wire import LINK_ERRORS

logger = logging.getLogger(__name__)

_QUEUE = 64
"""Frames on their way in one direction of a link; beyond, the proxy stops reading, as a full pipe does."""
_MAX_FRAME = 1 << 20
_TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class DirectionFaults:
    """What happens to frames in one direction; shares are probabilities per frame.

    Attributes:
        loss: the frame vanishes.
        delay_mean_s: mean of an exponential delay.
        delay_max_s: no delay is longer.
        duplicate: the frame comes twice, the copy at once after it.
        reorder: the frame changes places with the next one, if that comes within `reorder_wait_s`.
    """

    loss: float = 0.0
    delay_mean_s: float = 0.0
    delay_max_s: float = 5.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_wait_s: float = 1.0


@dataclass(frozen=True, slots=True)
class ChaosFaults:
    """What happens on a link.

    Attributes:
        to_gateway: what charge points say.
        to_charger: what the gateway says.
        cut_every_s: mean time after which a link is cut without a close; None never.
        refuse_for_s: shortest and longest time for which a charge point is refused after a cut.
    """

    to_gateway: DirectionFaults = DirectionFaults()
    to_charger: DirectionFaults = DirectionFaults()
    cut_every_s: float | None = None
    refuse_for_s: tuple[float, float] = (0.0, 30.0)


@dataclass(slots=True)
class ChaosCounts:
    """What the proxy did, both directions together."""

    links: int = 0
    forwarded: int = 0
    lost: int = 0
    delayed: int = 0
    duplicated: int = 0
    reordered: int = 0
    cut: int = 0
    refused: int = 0
    unreachable: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    data: str | bytes
    due_s: float
    twice: bool
    swap: bool


_Socket = ClientConnection | ServerConnection


class _Direction:
    """Frames from one socket to another."""

    def __init__(
        self,
        source: _Socket,
        target: _Socket,
        faults: DirectionFaults,
        rng: random.Random,
        counts: ChaosCounts,
    ) -> None:
        self._source = source
        self._target = target
        self._faults = faults
        self._rng = rng
        self._counts = counts
        self._on_the_way: asyncio.Queue[_Frame] = asyncio.Queue(_QUEUE)

    async def take(self) -> None:
        """Read frames until the source closes, and decide what becomes of each."""
        async for data in self._source:
            frame = self._fate(data)
            if frame is not None:
                await self._on_the_way.put(frame)

    def _fate(self, data: str | bytes) -> _Frame | None:
        faults, draw = self._faults, self._rng.random
        # Every frame uses the same number of draws, so that one setting does not shift the luck of the others.
        lost, twice, swap, delay = draw(), draw(), draw(), self._rng.expovariate(1.0)
        if lost < faults.loss:
            self._counts.lost += 1
            return None
        delay_s = min(faults.delay_max_s, delay * faults.delay_mean_s)
        if delay_s > 0:
            self._counts.delayed += 1
        due_s = asyncio.get_running_loop().time() + delay_s
        return _Frame(data, due_s, twice < faults.duplicate, swap < faults.reorder)

    async def deliver(self) -> None:
        """Send frames on when they are due, until the target closes."""
        while True:
            frame = await self._on_the_way.get()
            if frame.swap:
                second = await self._next()
                if second is not None:
                    await self._send(second)
                    self._counts.reordered += 1
            await self._send(frame)

    async def _next(self) -> _Frame | None:
        try:
            async with asyncio.timeout(self._faults.reorder_wait_s):
                return await self._on_the_way.get()
        except TimeoutError:
            return None

    async def _send(self, frame: _Frame) -> None:
        await asyncio.sleep(max(0.0, frame.due_s - asyncio.get_running_loop().time()))
        await self._target.send(frame.data)
        self._counts.forwarded += 1
        if frame.twice:
            await self._target.send(frame.data)
            self._counts.duplicated += 1


class ChaosProxy:
    """The proxy; use it with `async with`, and point charge points at `url`.

    Attributes:
        counts: what it did so far.
    """

    def __init__(
        self, listen_port: int, upstream_url: str, seed: int, faults: ChaosFaults, *, host: str = "127.0.0.1"
    ) -> None:
        """Prepare it.

        Args:
            listen_port: where charge points connect.
            upstream_url: of the gateway; the path of each connection is kept.
            seed: same seed, same luck.
            faults: what happens.
            host: where to listen.
        """
        parts = urlsplit(upstream_url)
        self._upstream = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/")
        self._host = host
        self._port = listen_port
        self._seed = seed
        self._faults = faults
        self._server: Server | None = None
        self._link_number: dict[str, int] = {}
        self._refused_until_s: dict[str, float] = {}
        self._carried: dict[ServerConnection, ClientConnection] = {}
        self.counts = ChaosCounts()

    @property
    def url(self) -> str:
        """What charge points are to be given in place of the gateway's URL."""
        return f"ws://{self._host}:{self._port}{self._path}"

    async def __aenter__(self) -> ChaosProxy:
        self._server = await serve(
            self._link,
            self._host,
            self._port,
            process_request=self._admit,
            select_subprotocol=_first,
            compression=None,
            ping_interval=None,
            open_timeout=60,
            close_timeout=1,
            max_size=_MAX_FRAME,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def cut_all(self) -> None:
        """Cut every link at once without a close, as when the gateway's machine loses its power."""
        for charger, gateway in self._carried.items():
            self.counts.cut += 1
            charger.transport.abort()
            gateway.transport.abort()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if asyncio.get_running_loop().time() < self._refused_until_s.get(request.path, 0.0):
            self.counts.refused += 1
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "the link is cut\n")
        return None

    async def _link(self, charger: ServerConnection) -> None:
        request = charger.request
        path = request.path if request is not None else "/"
        try:
            gateway = await self._open_upstream(charger, path)
        except LINK_ERRORS as error:
            self.counts.unreachable += 1
            logger.warning("no gateway behind the proxy", extra={"path": path, "reason": str(error)[:120]})
            await charger.close(_TRY_AGAIN_LATER)
            return
        self.counts.links += 1
        number = self._link_number[path] = self._link_number.get(path, 0) + 1
        self._carried[charger] = gateway
        try:
            await self._carry(charger, gateway, path, f"{self._seed}:{path}:{number}")
        finally:
            del self._carried[charger]

    async def _open_upstream(self, charger: ServerConnection, path: str) -> ClientConnection:
        headers = charger.request.headers if charger.request is not None else {}
        authorization = headers.get("Authorization")
        offered = [Subprotocol(name.strip()) for name in headers.get("Sec-WebSocket-Protocol", "").split(",") if name]
        return await connect(
            self._upstream + path,
            subprotocols=offered or None,
            additional_headers={} if authorization is None else {"Authorization": authorization},
            compression=None,
            proxy=None,
            open_timeout=60,
            ping_interval=None,
            close_timeout=1,
            max_size=_MAX_FRAME,
        )

    async def _carry(self, charger: ServerConnection, gateway: ClientConnection, path: str, luck: str) -> None:
        """Carry frames both ways until either side closes or the link is cut."""
        up = _Direction(charger, gateway, self._faults.to_gateway, random.Random(f"{luck}:up"), self.counts)
        down = _Direction(gateway, charger, self._faults.to_charger, random.Random(f"{luck}:down"), self.counts)
        cut = asyncio.create_task(self._cut(random.Random(f"{luck}:cut"), path), name=f"cut-{path}")
        pumps = [asyncio.create_task(step()) for way in (up, down) for step in (way.take, way.deliver)]
        done, _ = await asyncio.wait([cut, *pumps], return_when=asyncio.FIRST_COMPLETED)
        for task in (cut, *pumps):
            task.cancel()
        outcomes = await asyncio.gather(cut, *pumps, return_exceptions=True)
        if cut in done:
            charger.transport.abort()
            gateway.transport.abort()
        else:
            await asyncio.gather(charger.close(), gateway.close())
        for outcome in outcomes:
            expected = (ConnectionClosed, asyncio.CancelledError)
            if isinstance(outcome, BaseException) and not isinstance(outcome, expected):
                raise outcome

    async def _cut(self, rng: random.Random, path: str) -> None:
        """Return when the link's time is over; its charge point is refused for a while after."""
        if self._faults.cut_every_s is None:
            await asyncio.Event().wait()
            return
        await asyncio.sleep(rng.expovariate(1 / self._faults.cut_every_s))
        self.counts.cut += 1
        self._refused_until_s[path] = asyncio.get_running_loop().time() + rng.uniform(*self._faults.refuse_for_s)


def _first(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The gateway chooses; towards the charge point the proxy agrees to its first wish."""
    return next(iter(offered), None)
