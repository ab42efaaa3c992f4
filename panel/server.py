"""The panel over HTTP: pages, the current view, history, and the socket that keeps a page up to date."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Collection, Generator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import uvicorn
from fastapi import FastAPI, HTTPException, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.staticfiles import StaticFiles
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from panel.cards import ChargerDetail
from panel.feed import PanelFeed, Watcher
from panel.guard import LOOPBACK_HOSTS, Guard
from panel.history import SITE_FIELDS, History, HistoryPort, history_of
from panel.operator_door import add_operator_door
from panel.orders import OperatorDesk
from twin_core.errors import ConfigurationError, StorageError

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
HISTORY_HOURS = 4.0
HISTORY_ROWS = 1500
NOT_YET = "the depot has not finished its first cycle yet"
CLOCK_FACTOR = 600.0
"""How much faster than the world the loop's clock may run before a browser's idle connection is closed on it."""


class Health(BaseModel):
    """Whether the panel is fed, and how its watchers fare."""

    model_config = ConfigDict(extra="forbid")

    status: str
    view_at: datetime | None
    watchers: int
    published: int
    sent: int
    skipped: int
    resyncs: int
    dropped: int
    refused: int


class HistoryQuery(BaseModel):
    """What of the past is asked for; `until` needs a time zone."""

    model_config = ConfigDict(extra="forbid")

    measurement: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "site"
    field: Annotated[list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]], Field(max_length=12)] = []
    charger: Annotated[str | None, Field(max_length=48)] = None
    connector: Annotated[str | None, Field(max_length=60)] = None
    node: Annotated[str | None, Field(max_length=60)] = None
    hours: Annotated[float, Field(gt=0, le=24 * 31)] = HISTORY_HOURS
    until: AwareDatetime | None = None

    def tags(self) -> dict[str, str]:
        """The tags that were named."""
        named = {"charger": self.charger, "connector": self.connector, "node": self.node}
        return {name: value for name, value in named.items() if value is not None}


def create_app(
    feed: PanelFeed,
    history: HistoryPort | None = None,
    *,
    hosts: Collection[str] = LOOPBACK_HOSTS,
    history_tags: Mapping[str, str] | None = None,
    operator: tuple[OperatorDesk, str] | None = None,
) -> FastAPI:
    """The panel's web application.

    Args:
        feed: what is shown.
        history: where charts get what was; None takes the last hours that the feed remembers.
        history_tags: tags that every series in that store carries, such as the site's name.
        hosts: names by which browsers may call the panel; "*" allows any, for use behind a trusted proxy only.
        operator: who carries out orders to chargers, and the key that opens that door; None for no such door.
    """
    # The generated documentation pages fetch scripts from elsewhere: depots are offline, so there are none.
    app = FastAPI(title="depot panel", docs_url=None, redoc_url=None)

    @app.get("/api/view")
    async def current_view() -> Response:
        """The current view, as in the socket's snapshot."""
        if feed.view is None:
            raise HTTPException(503, NOT_YET)
        return Response(feed.view.model_dump_json(), media_type="application/json")

    @app.get("/api/history")
    async def what_was(asked: Annotated[HistoryQuery, Query()]) -> History:
        """Fields of one measurement over the hours before `until`, which is now unless given."""
        try:
            return await _history(feed, history, history_tags or {}, asked)
        except StorageError as unreadable:
            raise HTTPException(503, f"history cannot be read now: {unreadable}") from unreadable

    @app.get("/healthz")
    async def health() -> Health:
        """Liveness for a supervisor: `view_at` moves while the depot is controlled."""
        return _health(feed)

    @app.websocket("/ws")
    async def live(link: WebSocket) -> None:
        await link.accept()
        watcher = feed.watch()
        if watcher is None:
            await link.close(1013, "too many watchers")
            return
        await _serve(feed, watcher, link)

    @app.get("/api/charger")
    async def charger_detail(name: Annotated[str, Query(max_length=100)]) -> ChargerDetail:
        """What the page shows of one charger."""
        found = None if operator is None else operator[0].detail(name)
        if found is None:
            raise HTTPException(404, f"no charger is called {name[:60]!r} here")
        return found

    if operator is not None:
        add_operator_door(app, *operator)
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="pages")
    app.add_middleware(Guard, hosts=hosts)
    return app


async def _history(
    feed: PanelFeed, history: HistoryPort | None, store_tags: Mapping[str, str], asked: HistoryQuery
) -> History:
    """What the store has, or else what the feed remembers."""
    until = asked.until or _now(feed)
    since = until - timedelta(hours=asked.hours)
    fields = asked.field or SITE_FIELDS
    tags = asked.tags()
    if history is not None:
        kept = {**store_tags, **tags}
        found = await history_of(history, asked.measurement, kept, fields, since, until, max_rows=HISTORY_ROWS)
        if found.time_s:
            return found
    return await history_of(feed.recent, asked.measurement, tags, fields, since, until, max_rows=HISTORY_ROWS)


def _health(feed: PanelFeed) -> Health:
    return Health(
        status="waiting" if feed.view is None else "ok",
        view_at=None if feed.view is None else feed.view.site.time,
        watchers=feed.watchers,
        **asdict(feed.counters),
    )


def _now(feed: PanelFeed) -> datetime:
    """A moment after everything shown: the site's own time, which in a demo is not the world's."""
    if feed.view is None:
        raise HTTPException(503, NOT_YET)
    return feed.view.site.time + timedelta(seconds=1)


async def _serve(feed: PanelFeed, watcher: Watcher, link: WebSocket) -> None:
    """Send to one browser and hear it until either side ends."""
    sending = asyncio.create_task(feed.serve(watcher, link.send_text), name="panel-send")
    hearing = asyncio.create_task(_hear(feed, watcher, link), name="panel-hear")
    try:
        await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, hearing):
            task.cancel()
        outcomes = await asyncio.gather(sending, hearing, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
            raise outcome
    # A watcher too slow for its messages is also too slow for a close handshake: it gets no more than a moment.
    with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(1.0):
            await link.close(1013, "too slow")


async def _hear(feed: PanelFeed, watcher: Watcher, link: WebSocket) -> None:
    """Take requests from a browser until it leaves; what is no request is ignored and logged."""
    async for text in link.iter_text():
        try:
            request = json.loads(text[:200])
        except ValueError:
            request = None
        if request == {"type": "resync"}:
            feed.resync(watcher)
        else:
            logger.warning("panel_refused", extra={"cause": "not a request", "length": len(text)})


class _Server(uvicorn.Server):
    """Uvicorn as one task of a larger program: that program owns the signals, and nothing ticks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave SIGINT and SIGTERM to the program."""
        yield

    async def main_loop(self) -> None:
        """Wait to be told to stop."""
        self.up.set()
        await self.leave.wait()


class PanelServer:
    """The panel on a port, for the length of an `async with`.

    Args:
        port: 0 takes any free one; `port` tells which.
    """

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 8080) -> None:
        self._app, self._host, self._port = app, host, port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use."""
        return self._port

    @property
    def url(self) -> str:
        """Where a browser finds the panel."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ConfigurationError: the port is taken, or the address is not this machine's.
        """
        listener = _listener(self._host, self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            date_header=False,
            server_header=False,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            # Pings ride on the loop's clock, which may run far faster than any network: a watcher that is gone shows
            # by not taking its messages.
            ws_ping_interval=None,
            ws_max_size=4096,
            timeout_keep_alive=int(5 * CLOCK_FACTOR),
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="panel-server")
        await self._server.up.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every link and the port."""
        if self._server is not None and self._task is not None:
            self._server.leave.set()
            await self._task


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as refused:
        listener.close()
        raise ConfigurationError(
            f"the panel cannot listen on {host}:{port} ({refused.strerror}): choose another with --panel-port, or 0"
        ) from refused
    return listener
