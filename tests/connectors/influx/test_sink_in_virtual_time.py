"""What the sink does with every answer a server can give, with time standing at its side."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import async_solipsism
import pytest

from connectors.influx.line_protocol import encode
from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from connectors.influx.transport import Denied, Malformed, TooLarge, Unavailable, WriteOutcome, Written
from tests.fakes import EPOCH, LoopClock
from twin_core.errors import StorageError
from twin_core.ports import Point

T = TypeVar("T")


def in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop whose clock jumps over every wait."""
    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        return runner.run(work)


def numbered(first: int, last: int) -> list[Point]:
    return [
        Point("connector", {"connector": "CP1/1"}, {"power_kw": float(n)}, EPOCH + timedelta(seconds=n))
        for n in range(first, last)
    ]


@dataclass
class Server:
    """A write endpoint that a test plays.

    Attributes:
        answer: what it says to the lines of a request.
        calls: time and lines of every request.
    """

    answer: Callable[[list[bytes]], WriteOutcome] = lambda lines: Written()
    calls: list[tuple[float, list[bytes]]] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)

    async def write(self, body: bytes) -> WriteOutcome:
        lines = body.split(b"\n")
        self.calls.append((asyncio.get_running_loop().time(), lines))
        await asyncio.sleep(0.01)
        outcome = self.answer(lines)
        if isinstance(outcome, Written):
            self.stored += lines
        return outcome

    @property
    def gaps_s(self) -> list[float]:
        """Time between one request and the next."""
        times = [at for at, _ in self.calls]
        return [later - earlier for earlier, later in pairwise(times)]


def after(n_calls: int, first: WriteOutcome, then: WriteOutcome | None = None) -> Callable[[list[bytes]], WriteOutcome]:
    """One answer for the first requests, another one from then on."""
    left = iter([first] * n_calls)
    return lambda lines: next(left, then or Written())


@pytest.fixture
def settings(tmp_path: Path) -> InfluxSettings:
    return InfluxSettings(url="http://127.0.0.1:1", spool_dir=tmp_path, threaded=False)


def sink_to(server: Server, settings: InfluxSettings, seed: int = 1) -> InfluxSink:
    return InfluxSink(settings, clock=LoopClock(), writer=server, rng=random.Random(seed))


def accounts_balance(sink: InfluxSink) -> bool:
    c = sink.counters
    return c.accepted + c.extra["recovered"] == c.written + c.dropped + c.extra["dead_lettered"] + c.backlog


def test_points_arrive_once_and_in_order(settings: InfluxSettings) -> None:
    async def run() -> None:
        server = Server()
        async with sink_to(server, settings) as sink:
            for n in range(100):
                sink.write(numbered(n, n + 1))
                await asyncio.sleep(0.3)
            assert await sink.drain(10)
            assert accounts_balance(sink)
            assert sink.counters.written == 100
        assert server.stored == [encode(p) for p in numbered(0, 100)]

    in_virtual_time(run())


def test_a_day_without_a_server_costs_nothing_but_time(settings: InfluxSettings) -> None:
    async def run() -> None:
        server = Server(after(2000, Unavailable("connection refused")))
        async with sink_to(server, settings) as sink:
            for hour in range(24):
                sink.write(numbered(100 * hour, 100 * (hour + 1)))
                await asyncio.sleep(3600)
            assert await sink.drain(100_000)
        assert server.stored == [encode(p) for p in numbered(0, 2400)]
        assert max(server.gaps_s[:1999]) <= settings.retry_most_s + 0.02

    in_virtual_time(run())


def test_waits_grow_with_jitter_up_to_a_bound(settings: InfluxSettings) -> None:
    async def gaps(seed: int, directory: str) -> list[float]:
        server = Server(after(12, Unavailable("503")))
        own = settings.model_copy(update={"spool_dir": settings.spool_dir / directory})
        async with sink_to(server, own, seed) as sink:
            sink.write(numbered(0, 1))
            assert await sink.drain(1000)
        return server.gaps_s

    one, same, other = (
        in_virtual_time(gaps(1, "a")),
        in_virtual_time(gaps(1, "b")),
        in_virtual_time(gaps(2, "c")),
    )
    assert one == same != other
    for n, gap in enumerate(one):
        longest = min(settings.retry_most_s, settings.retry_first_s * 2**n)
        assert longest / 2 <= gap - 0.01 <= longest


def test_a_server_that_asks_for_a_pause_gets_it(settings: InfluxSettings) -> None:
    async def run() -> None:
        server = Server(after(1, Unavailable("429", retry_after_s=77.0)))
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 1))
            assert await sink.drain(1000)
        assert server.gaps_s == [pytest.approx(77.01)]

    in_virtual_time(run())


def test_a_server_that_asks_for_a_year_gets_a_quarter_of_an_hour(settings: InfluxSettings) -> None:
    async def run() -> None:
        server = Server(after(1, Unavailable("503", retry_after_s=3e7)))
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 1))
            assert await sink.drain(1000)
        assert server.gaps_s == [pytest.approx(900.01)]

    in_virtual_time(run())


def test_waits_are_stretched_where_the_clock_runs_faster(settings: InfluxSettings) -> None:
    async def run() -> None:
        server = Server(after(1, Unavailable("429", retry_after_s=10.0)))
        async with sink_to(server, settings.model_copy(update={"speed": 60.0})) as sink:
            sink.write(numbered(0, 1))
            await asyncio.sleep(100)
            assert await sink.drain(1000)
        assert server.calls[0][0] == pytest.approx(60.0)  # one flush interval
        assert server.gaps_s == [pytest.approx(600.01)]

    in_virtual_time(run())


def test_a_bad_line_is_put_away_alone_and_every_other_line_arrives(settings: InfluxSettings) -> None:
    bad = {encode(p) for p in numbered(0, 1000)[::333]}

    async def run() -> None:
        server = Server(lambda lines: Malformed("400 field type conflict") if bad & set(lines) else Written())
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 1000))
            assert await sink.drain(100)
            assert accounts_balance(sink)
            assert sink.counters.extra["dead_lettered"] == sink.counters.refused == len(bad) == 4
        stored = [line for line in server.stored if not line.startswith(b"telemetry_probe")]
        assert stored == [encode(p) for p in numbered(0, 1000) if encode(p) not in bad]
        assert len(server.calls) < 100

    in_virtual_time(run())
    letters = (settings.spool_dir / "dead-letter.lp").read_bytes().splitlines()
    assert set(letters[1::2]) == bad
    assert all(comment.startswith(b"# 2026-06-01T12:00:") and b"field type" in comment for comment in letters[::2])


def test_a_server_that_refuses_even_a_good_line_gets_no_line_thrown_away(
    settings: InfluxSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        server = Server(after(50, Malformed("400 missing org")))
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 20))
            assert await sink.drain(100_000)
            assert sink.counters.refused == 0
            assert sink.counters.written == 20
        assert min(server.gaps_s[1:49]) >= settings.hold_s

    in_virtual_time(run())
    assert not (settings.spool_dir / "dead-letter.lp").exists()
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == ["telemetry_refuses_everything"]


def test_a_request_that_is_too_large_is_halved_and_the_server_is_not_asked_so_much_again(
    settings: InfluxSettings,
) -> None:
    async def run() -> None:
        server = Server(lambda lines: TooLarge() if len(lines) > 100 else Written())
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 1000))
            assert await sink.drain(100)
            asked = len(server.calls)
            sink.write(numbered(1000, 2000))
            assert await sink.drain(100)
        assert server.stored == [encode(p) for p in numbered(0, 2000)]
        assert max(len(lines) for _, lines in server.calls[asked:]) <= 100

    in_virtual_time(run())


def test_one_line_that_is_too_large_is_put_away(settings: InfluxSettings) -> None:
    async def run() -> None:
        huge = encode(numbered(5, 6)[0])
        server = Server(lambda lines: TooLarge() if huge in lines else Written())
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 10))
            assert await sink.drain(100)
            assert (sink.counters.written, sink.counters.refused) == (9, 1)

    in_virtual_time(run())


def test_a_wrong_token_raises_one_alarm_and_everything_waits_for_it_to_be_put_right(
    settings: InfluxSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def run() -> None:
        server = Server(after(10, Denied("401 unauthorized")))
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 50))
            assert await sink.drain(10_000)
        assert min(server.gaps_s) >= settings.hold_s
        assert server.stored == [encode(p) for p in numbered(0, 50)]

    in_virtual_time(run())
    told = [r.message for r in caplog.records if r.message in ("telemetry_denied", "telemetry_back")]
    assert told == ["telemetry_denied", "telemetry_back"]


def test_what_was_not_delivered_is_delivered_by_the_next_run(settings: InfluxSettings) -> None:
    async def first_life() -> None:
        server = Server(lambda lines: Unavailable("away"))
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 10))
            assert not await sink.drain(5)
            sink.write(numbered(10, 20))  # still in memory when the sink closes

    async def second_life() -> None:
        server = Server()
        async with sink_to(server, settings) as sink:
            assert sink.counters.extra["recovered"] == 20
            sink.write(numbered(20, 30))
            assert await sink.drain(5)
            assert accounts_balance(sink)
        assert server.stored == [encode(p) for p in numbered(0, 30)]

    in_virtual_time(first_life())
    in_virtual_time(second_life())


def test_a_quota_drops_the_oldest_and_counts_each(settings: InfluxSettings) -> None:
    small = settings.model_copy(update={"segment_bytes": 4096, "quota_bytes": 16384})

    async def run() -> None:
        server = Server(after(100, Unavailable("away")))
        async with sink_to(server, small) as sink:
            for n in range(0, 2000, 20):
                sink.write(numbered(n, n + 20))
                await asyncio.sleep(5)
            assert await sink.drain(10_000)
            counters = sink.counters
            assert counters.dropped > 1000
            assert counters.written + counters.dropped == 2000
            assert accounts_balance(sink)
        in_hand, kept = server.stored[:20], server.stored[20:]
        everything = [encode(p) for p in numbered(0, 2000)]
        assert in_hand == everything[:20]
        assert kept == everything[-len(kept) :]

    in_virtual_time(run())


def test_a_disk_that_refuses_keeps_points_in_memory_up_to_a_bound(
    settings: InfluxSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    small = settings.model_copy(update={"buffer_bytes": 10_000})
    monkeypatch.setattr("connectors.influx.spool.os.fdatasync", _refuse)

    async def run() -> None:
        server = Server()
        async with sink_to(server, small) as sink:
            for n in range(100):
                sink.write(numbered(10 * n, 10 * n + 10))
                await asyncio.sleep(5)
            assert sink.counters.extra["durable"] == 0
            assert sink.counters.dropped > 500
            assert accounts_balance(sink)
            monkeypatch.undo()
            assert await sink.drain(100)
            assert sink.counters.written + sink.counters.dropped == 1000
            assert accounts_balance(sink)
        assert server.stored[-50:] == [encode(p) for p in numbered(950, 1000)]

    in_virtual_time(run())
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == ["telemetry_disk_refuses"]


def _refuse(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_points_that_cannot_be_written_are_refused_and_counted(settings: InfluxSettings) -> None:
    async def run() -> None:
        async with sink_to(Server(), settings) as sink:
            sink.write([Point("node", {}, {"power_kw": float("nan")}, EPOCH)] * 3)
            sink.write([Point("node", {}, {"power_kw": float("nan"), "limit_a": 16.0}, EPOCH)])
            assert await sink.drain(10)
            assert (sink.counters.accepted, sink.counters.refused, sink.counters.written) == (1, 3, 1)
            assert sink.counters.extra["fields_left_out"] == 1

    in_virtual_time(run())


def test_a_closed_sink_counts_what_it_is_still_given(settings: InfluxSettings) -> None:
    async def run() -> None:
        async with sink_to(Server(), settings) as sink:
            pass
        sink.write(numbered(0, 3))
        assert sink.counters.dropped == 3
        assert accounts_balance(sink)

    in_virtual_time(run())


def test_a_fault_of_its_own_does_not_end_telemetry(settings: InfluxSettings, caplog: pytest.LogCaptureFixture) -> None:
    def stumble_once(lines: list[bytes]) -> WriteOutcome:
        if not caplog.records:
            raise ZeroDivisionError
        return Written()

    async def run() -> None:
        server = Server(stumble_once)
        async with sink_to(server, settings) as sink:
            sink.write(numbered(0, 10))
            assert await sink.drain(100)
            assert sink.counters.extra["restarts"] == 1

    in_virtual_time(run())


def test_two_sinks_cannot_share_a_spool(settings: InfluxSettings) -> None:
    async def run() -> None:
        async with sink_to(Server(), settings):
            with pytest.raises(StorageError, match="in use"):
                await sink_to(Server(), settings).__aenter__()

    in_virtual_time(run())
