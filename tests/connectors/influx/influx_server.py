"""A real influxd (1.6) to kill and revive, and a door before it that speaks the write API of InfluxDB 2.

Debian has no InfluxDB 2. The door rewrites the path and the precision of a write and leaves its body alone, so that the
real parser and the real storage judge our lines; it can also answer in the server's place, to play faults.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, web

from tests.services import free_port

_V1_PRECISION = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}

_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{root}/meta"
[data]
  dir = "{root}/data"
  wal-dir = "{root}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
[retention]
  enabled = false
[continuous_queries]
  enabled = false
"""


class Influxd:
    """One influxd process with its data in a directory of the test."""

    def __init__(self, program: str, root: Path, database: str = "depot") -> None:
        self.port = free_port()
        self.database = database
        self._program = program
        self._config = root / "influxdb.conf"
        self._log = root / "influxd.log"
        self._config.write_text(_CONFIG.format(root=root, port=self.port, rpc_port=free_port()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Run it until it answers; the database is there afterwards."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "-config", str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/ping", timeout=1):
                    break
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
        self.query(f'CREATE DATABASE "{self.database}"', post=True)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def write(self, lines: bytes) -> None:
        """Store lines with timestamps in ns."""
        request = urllib.request.Request(f"{self.url}/write?db={self.database}&precision=n", data=lines, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 204

    def query(self, influxql: str, *, post: bool = False) -> list[dict[str, Any]]:
        """Series of one InfluxQL statement, each with `name`, `tags`, `columns` and `values`; times in ns."""
        arguments = urllib.parse.urlencode({"db": self.database, "epoch": "ns", "q": influxql})
        request = urllib.request.Request(f"{self.url}/query?{arguments}", method="POST" if post else "GET")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                result = json.load(answer)["results"][0]
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"{influxql}: {exc.read().decode()}") from exc
        assert "error" not in result, f"{influxql}: {result['error']}"
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def column(self, measurement: str, name: str) -> dict[int, Any]:
        """Every value of a field, by its time in ns; fails when two series share a time."""
        values: dict[int, Any] = {}
        for series in self.query(f'SELECT "{name}" FROM "{measurement}"'):
            for at, value in series["values"]:
                assert at not in values
                values[at] = value
        return values


@dataclass
class Answer:
    """What the door answers in the server's place."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Door:
    """The write API of InfluxDB 2 before an influxd 1.6.

    Attributes:
        answers: given first, one a request, instead of asking the server.
        judge: looks at each body; may answer in the server's place.
        bodies: every body that arrived, in order.
    """

    upstream: str
    port: int
    answers: deque[Answer] = field(default_factory=deque)
    judge: Callable[[bytes], Answer | None] = lambda body: None
    bodies: list[bytes] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        app = web.Application(client_max_size=2**28)
        app.router.add_post("/api/v2/write", self._write)
        app.router.add_get("/elsewhere", _content_with_anything)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _write(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        self.queries.append(dict(request.query))
        self.authorizations.append(request.headers.get("Authorization", ""))
        canned = self.answers.popleft() if self.answers else self.judge(body)
        if canned is not None:
            return web.Response(status=canned.status, text=canned.body, headers=canned.headers)
        parameters = {"db": request.query["bucket"], "precision": _V1_PRECISION[request.query.get("precision", "ns")]}
        headers = {k: v for k, v in request.headers.items() if k.lower() in ("content-encoding", "content-type")}
        try:
            async with (
                ClientSession(auto_decompress=False) as session,
                session.post(f"{self.upstream}/write", params=parameters, data=body, headers=headers) as answer,
            ):
                return web.Response(status=answer.status, body=await answer.read())
        except (TimeoutError, ClientError, OSError) as exc:
            return web.Response(status=503, text=f"the server behind the door is away: {exc}")


async def _content_with_anything(_: web.Request) -> web.Response:
    return web.Response(status=204)


@asynccontextmanager
async def door_to(upstream: str) -> AsyncIterator[Door]:
    """An open door; closed at the end."""
    door = Door(upstream, free_port())
    await door.open()
    try:
        yield door
    finally:
        await door.close()
