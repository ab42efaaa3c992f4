"""Telemetry to a real influxd, which is stopped, killed and brought back, and every point is counted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path

import pytest

from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from tests.connectors.influx.influx_server import Answer, Door, Influxd, door_to
from tests.connectors.influx.telemetry_child import numbered
from tests.fakes import EPOCH, LoopClock
from tests.services import free_port, require_program
from twin_core.ports import Point

ROOT = Path(__file__).parents[3]
CHILD = Path(__file__).with_name("telemetry_child.py")


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    server = Influxd(require_program("influxd"), tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def door(influxd: Influxd, request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    """A door to an empty database."""
    influxd.query(f'DROP DATABASE "{influxd.database}"', post=True)
    influxd.query(f'CREATE DATABASE "{influxd.database}"', post=True)
    async with door_to(influxd.url) as opened:
        yield opened


def quick(url: str, spool: Path, **more: object) -> InfluxSettings:
    """Settings with short waits."""
    return InfluxSettings.model_validate(
        {
            "url": url,
            "spool_dir": spool,
            "flush_interval_s": 0.02,
            "retry_first_s": 0.02,
            "retry_most_s": 0.1,
            "hold_s": 0.1,
            "request_timeout_s": 2.0,
            **more,
        }
    )


def sink_to(settings: InfluxSettings) -> InfluxSink:
    return InfluxSink(settings, clock=LoopClock())


async def until_written(sink: InfluxSink, least: int) -> None:
    async with asyncio.timeout(10):
        while sink.counters.written < least:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def expected(n_points: int) -> dict[int, float]:
    begin = int(EPOCH.timestamp()) * 10**9
    return {begin + n * 10**9: float(n) for n in range(n_points)}


@pytest.mark.services
async def test_points_come_back_from_the_server_as_they_were_handed_in(
    influxd: Influxd, door: Door, tmp_path: Path
) -> None:
    settings = quick(door.url, tmp_path, token="secret", org="my org", bucket="depot")
    nasty = "a b,c=d\"e'\\f\u00e9"
    async with sink_to(settings) as sink:
        sink.write(numbered(0, 2000))
        sink.write([Point("odd names", {nasty: nasty}, {"f g": 1e16, "i": 3, "b": True, "s": nasty}, EPOCH)])
        assert await sink.drain(10)
    assert influxd.column("connector", "power_kw") == expected(2000)
    (series,) = influxd.query('SELECT * FROM "odd names"')
    row = dict(zip(series["columns"], series["values"][0], strict=True))
    assert (row["f g"], row["i"], row["b"], row["s"]) == (1e16, 3, True, nasty)
    assert row[nasty] == nasty
    assert door.queries[0] == {"org": "my org", "bucket": "depot", "precision": "ns"}
    assert door.authorizations[0] == "Token secret"


@pytest.mark.services
@pytest.mark.parametrize("gzip", [False, True])
async def test_compressed_and_plain_requests_store_the_same(
    influxd: Influxd, door: Door, tmp_path: Path, gzip: bool
) -> None:
    async with sink_to(quick(door.url, tmp_path, gzip=gzip, precision="ms")) as sink:
        sink.write(numbered(0, 3000))
        assert await sink.drain(10)
    assert influxd.column("connector", "power_kw") == expected(3000)
    assert (b"connector" in door.bodies[0]) != gzip


@pytest.mark.services
async def test_a_server_killed_and_stopped_again_and_again_misses_no_point_and_doubles_none(tmp_path: Path) -> None:
    server = Influxd(require_program("influxd"), tmp_path)
    server.start()
    try:
        async with door_to(server.url) as door, sink_to(quick(door.url, tmp_path / "spool", batch_points=200)) as sink:
            writing = asyncio.create_task(_write_steadily(sink, 6000))
            for end in (server.kill, server.stop, server.kill):
                await until_written(sink, sink.counters.written + 300)
                await asyncio.to_thread(end)
                await asyncio.sleep(0.2)
                await asyncio.to_thread(server.start)
            await writing
            assert await sink.drain(20)
            assert sink.counters.written == 6000
            assert sink.counters.dropped == sink.counters.refused == 0
            assert sink.counters.extra["failures"] > 0
        await asyncio.to_thread(server.kill)  # what was acknowledged is on the server's disk
        await asyncio.to_thread(server.start)
        assert server.column("connector", "power_kw") == expected(6000)
    finally:
        server.stop()


async def _write_steadily(sink: InfluxSink, n_points: int) -> None:
    for n in range(0, n_points, 20):
        sink.write(numbered(n, n + 20))
        await asyncio.sleep(0.01)


@pytest.mark.services
async def test_a_gateway_killed_without_warning_loses_no_point_that_was_on_disk(
    influxd: Influxd, door: Door, tmp_path: Path
) -> None:
    durable = 0
    for life, (door_is_open, lifetime_s) in enumerate([(True, 0.9), (False, 0.7), (True, 0.8)]):
        if not door_is_open:
            await door.close()
        durable_in_life = await _live_and_die(door.url, tmp_path, 100_000 * life, lifetime_s)
        assert durable_in_life > 100
        durable += durable_in_life
        if not door_is_open:
            await door.open()
    last = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CHILD),
        door.url,
        str(tmp_path),
        "900000",
        "900100",
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.DEVNULL,
    )
    assert await last.wait() == 0
    times = sorted(influxd.column("connector", "power_kw"))
    begin = int(EPOCH.timestamp())
    numbers = [at // 10**9 - begin for at in times]
    assert numbers[-100:] == list(range(900_000, 900_100))
    for life in range(3):
        of_life = [n for n in numbers if n // 100_000 == life]
        assert of_life == list(range(100_000 * life, 100_000 * life + len(of_life)))  # no hole
    assert len(numbers) - 100 >= durable


async def _live_and_die(url: str, spool: Path, first: int, lifetime_s: float) -> int:
    """Run a gateway's telemetry, kill -9 it, and return how many points it had said were on disk."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), url, str(spool), str(first), cwd=ROOT, env=_environment(), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    said = await process.stdout.readline()  # it is up
    asyncio.get_running_loop().call_later(lifetime_s, process.send_signal, signal.SIGKILL)
    async for line in process.stdout:
        if line.endswith(b"\n"):
            said = line
    await process.wait()
    return int(said)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.services
async def test_a_line_that_contradicts_the_schema_is_put_away_and_the_others_are_stored(
    influxd: Influxd, door: Door, tmp_path: Path
) -> None:
    async with sink_to(quick(door.url, tmp_path)) as sink:
        sink.write(numbered(0, 1))
        assert await sink.drain(10)  # power_kw is a float from now on
        points = numbered(1, 500)
        points.insert(250, Point("connector", {}, {"power_kw": "much"}, EPOCH))
        points.insert(100, Point("connector", {}, {"power_kw": 7}, EPOCH))
        sink.write(points)
        assert await sink.drain(10)
        assert sink.counters.refused == 2
        assert sink.counters.written == 500
    assert influxd.column("connector", "power_kw") == expected(500)
    letters = (tmp_path / "dead-letter.lp").read_text().splitlines()
    assert [line.split()[1] for line in letters[1::2]] == ["power_kw=7i", 'power_kw="much"']
    assert all("field type conflict" in line for line in letters[::2])


@pytest.mark.services
async def test_faults_at_the_door_cost_nothing(influxd: Influxd, door: Door, tmp_path: Path) -> None:
    door.answers.extend(
        [
            Answer(503, "busy", {"Retry-After": "0"}),
            Answer(429, "slow down", {"Retry-After": "1"}),
            Answer(500),
            Answer(401, "unauthorized"),
            Answer(404, "no such bucket"),
            Answer(302, headers={"Location": f"{door.url}/elsewhere"}),
            Answer(200, "<html>log in to the guest network</html>"),
        ]
    )
    async with sink_to(quick(door.url, tmp_path)) as sink:
        sink.write(numbered(0, 1000))
        assert await sink.drain(20)
        assert (sink.counters.written, sink.counters.refused, sink.counters.dropped) == (1000, 0, 0)
    assert influxd.column("connector", "power_kw") == expected(1000)


@pytest.mark.services
async def test_a_server_that_takes_small_requests_only_gets_small_ones(
    influxd: Influxd, door: Door, tmp_path: Path
) -> None:
    door.judge = lambda body: Answer(413, "too large") if len(body) > 5000 else None
    async with sink_to(quick(door.url, tmp_path)) as sink:
        sink.write(numbered(0, 1000))
        assert await sink.drain(10)
        assert sink.counters.extra["failures"] == 0
    assert influxd.column("connector", "power_kw") == expected(1000)


@pytest.mark.parametrize("fault", ["refused", "silent"])
async def test_a_dead_server_never_holds_up_the_loop(tmp_path: Path, fault: str) -> None:
    port = free_port()
    silent = await asyncio.start_server(_say_nothing, "127.0.0.1", port) if fault == "silent" else None
    stalls_s = []
    try:
        for attempt in range(
            3
        ):  # a busy machine stalls an idle loop too; what the sink does itself, it does every time
            settings = quick(f"http://127.0.0.1:{port}", tmp_path / str(attempt), request_timeout_s=0.3)
            with_sink_s = await _longest_stall_s(_telemetry_without_a_server(settings))
            stalls_s.append(with_sink_s - await _longest_stall_s(asyncio.sleep(1.0)))
            if stalls_s[-1] < 0.1:
                break
    finally:
        if silent is not None:
            silent.close()
    assert min(stalls_s) < 0.1


async def _longest_stall_s(work: Coroutine[None, None, None]) -> float:
    """Longest time for which the loop did nothing else while this was done."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    longest = 0.0
    while not task.done():
        begin = loop.time()
        await asyncio.sleep(0.005)
        longest = max(longest, loop.time() - begin - 0.005)
    await task
    return longest


async def _telemetry_without_a_server(settings: InfluxSettings) -> None:
    async with sink_to(settings) as sink:
        await _write_steadily(sink, 2000)  # 2,000 points a second
        assert sink.counters.backlog == 2000
        assert sink.counters.extra["failures"] > 1


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.services
async def test_an_hour_of_backlog_is_delivered_in_seconds(influxd: Influxd, door: Door, tmp_path: Path) -> None:
    settings = quick(door.url, tmp_path)
    await door.close()
    async with sink_to(settings) as sink:
        for n in range(0, 36_000, 1000):  # 10 points a second
            sink.write(numbered(n, n + 1000))
            await asyncio.sleep(0)
    await door.open()
    async with sink_to(settings) as sink:
        assert sink.counters.extra["recovered"] == 36_000
        assert await sink.drain(10)
    assert len(influxd.column("connector", "power_kw")) == 36_000


def test_the_live_path_imports_no_http_library() -> None:
    check = (
        "import sys, connectors.influx.sink; sys.exit(any(m in sys.modules for m in ('aiohttp', 'influxdb_client')))"
    )
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, env=_environment(), check=False).returncode == 0
