"""Clocks and the scaled loop."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta

import pytest

from gateway.clock import LoopClock, ScaledEventLoop, WallClock, new_loop
from tests.fakes import EPOCH


def test_sixty_seconds_of_a_loop_sixty_times_faster_pass_in_about_one_of_the_wall() -> None:
    async def sleep() -> float:
        begun_s = asyncio.get_running_loop().time()
        await asyncio.sleep(60)
        return asyncio.get_running_loop().time() - begun_s

    begun_s = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: ScaledEventLoop(60.0)) as runner:
        slept_s = runner.run(sleep())
    assert 60 <= slept_s < 180
    assert 1.0 <= time.monotonic() - begun_s < 3.0


def test_timers_of_a_scaled_loop_fire_in_order_and_never_early() -> None:
    async def fire() -> list[tuple[float, float]]:
        loop, fired = asyncio.get_running_loop(), []
        begun_s = loop.time()

        async def one(delay_s: float) -> None:
            await asyncio.sleep(delay_s)
            fired.append((delay_s, loop.time() - begun_s))

        await asyncio.gather(*(one(delay_s) for delay_s in (9.0, 3.0, 6.0, 1.0)))
        return fired

    with asyncio.Runner(loop_factory=lambda: ScaledEventLoop(30.0)) as runner:
        fired = runner.run(fire())
    assert [delay_s for delay_s, _ in fired] == [1.0, 3.0, 6.0, 9.0]
    assert all(after_s >= delay_s for delay_s, after_s in fired)


def test_real_sockets_wake_a_scaled_loop_that_waits_for_ever() -> None:
    async def echo() -> bytes:
        left, right = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=left)
        asyncio.get_running_loop().run_in_executor(None, right.sendall, b"hello")
        try:
            return await reader.readexactly(5)
        finally:
            writer.close()
            right.close()

    with asyncio.Runner(loop_factory=lambda: ScaledEventLoop(100.0)) as runner:
        assert runner.run(echo()) == b"hello"


def test_both_faces_of_the_loop_s_clock_move_together() -> None:
    async def both() -> tuple[float, timedelta]:
        clock = LoopClock(EPOCH)
        first = clock.now()
        await asyncio.sleep(5)
        second = clock.now()
        return second.monotonic_s - first.monotonic_s, second.utc - first.utc

    with asyncio.Runner(loop_factory=lambda: new_loop(50.0)) as runner:
        seconds, utc = runner.run(both())
    assert utc.total_seconds() == pytest.approx(seconds, abs=1e-3)


async def test_live_control_runs_on_an_ordinary_loop_and_tells_aware_time() -> None:
    loop = new_loop(1.0)
    assert not isinstance(loop, ScaledEventLoop)
    loop.close()
    now = WallClock().now()
    assert now.utc.utcoffset() == timedelta(0)
    assert now.monotonic_s == pytest.approx(asyncio.get_running_loop().time(), abs=1.0)
