"""A proxy that spoils frames: what it does, that it counts it, and that a seed decides it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import async_solipsism
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulators.chaos import ChaosFaults, ChaosProxy, DirectionFaults
from tests.simulators.chargers import car, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

GATEWAY, PROXY = "central", "proxy"


@asynccontextmanager
async def listening(heard: list[tuple[float, str]]) -> AsyncIterator[None]:
    async def serve_one(socket: ServerConnection) -> None:
        try:
            async for frame in socket:
                heard.append((asyncio.get_running_loop().time(), str(frame)))
                await socket.send(f"re:{frame}")
        except ConnectionClosed:
            return

    async with serve(
        serve_one,
        GATEWAY,
        80,
        subprotocols=["ocpp1.6"],
        compression=None,
        ping_interval=None,  # type: ignore[list-item]
    ):
        yield


def proxy(seed: int = 1, **faults: Any) -> ChaosProxy:
    return ChaosProxy(81, f"ws://{GATEWAY}:80/ocpp", seed, ChaosFaults(**faults), host=PROXY)


async def dial(charger: str = "CP1") -> ClientConnection:
    return await connect(
        f"ws://{PROXY}:81/ocpp/{charger}",
        subprotocols=["ocpp1.6"],  # type: ignore[list-item]
        compression=None,
        proxy=None,
        ping_interval=None,
    )


async def carried(n: int, seed: int = 1, **faults: Any) -> tuple[list[str], ChaosProxy, list[tuple[float, str]]]:
    """Send n frames a second apart; what arrived, and the proxy."""
    heard: list[tuple[float, str]] = []
    async with listening(heard), proxy(seed, **faults) as between:
        socket = await dial()
        for number in range(n):
            await socket.send(str(number))
            await asyncio.sleep(1.0)
        await asyncio.sleep(30)
        await socket.close()
    return [frame for _, frame in heard], between, heard


def up(**faults: Any) -> dict[str, DirectionFaults]:
    return {"to_gateway": DirectionFaults(**faults)}


async def test_without_faults_everything_passes_both_ways_in_order() -> None:
    frames, between, _ = await carried(20)
    assert frames == [str(k) for k in range(20)]
    assert between.counts.forwarded == 40
    assert between.counts.lost == between.counts.duplicated == between.counts.reordered == 0


async def test_loss_takes_its_share_and_counts_it() -> None:
    frames, between, _ = await carried(400, **up(loss=0.25))
    assert 60 < between.counts.lost < 140
    assert len(frames) == 400 - between.counts.lost


async def test_a_duplicate_follows_its_original_at_once() -> None:
    frames, between, _ = await carried(100, **up(duplicate=0.3))
    assert 15 < between.counts.duplicated < 45
    assert len(frames) == 100 + between.counts.duplicated
    assert frames == sorted(frames, key=int)


async def test_a_swap_turns_two_neighbours_around_and_no_more() -> None:
    frames, between, _ = await carried(100, **up(reorder=0.2, reorder_wait_s=2.0))
    assert between.counts.reordered > 5
    assert sorted(frames, key=int) == [str(k) for k in range(100)]
    turned = [k for k in range(99) if int(frames[k]) > int(frames[k + 1])]
    assert len(turned) == between.counts.reordered
    assert all(abs(int(frame) - k) <= 1 for k, frame in enumerate(frames))


async def test_a_swap_does_not_wait_for_ever_for_its_second() -> None:
    frames, between, heard = await carried(1, **up(reorder=1.0, reorder_wait_s=0.5))
    assert frames == ["0"]
    assert between.counts.reordered == 0
    assert heard[0][0] == pytest.approx(0.5, abs=0.1)


async def test_delays_are_bounded_and_never_change_the_order() -> None:
    frames, between, heard = await carried(200, **up(delay_mean_s=2.0, delay_max_s=3.0))
    assert frames == [str(k) for k in range(200)]
    late = [at - int(frame) for at, frame in heard]
    assert max(late) == pytest.approx(3.0, abs=0.1)
    assert sum(late) / len(late) > 1.0
    assert between.counts.delayed > 150


async def test_a_cut_is_no_close_and_the_charger_is_refused_for_a_while() -> None:
    heard: list[tuple[float, str]] = []
    async with listening(heard), proxy(cut_every_s=50.0, refuse_for_s=(20.0, 20.0)) as between:
        socket = await dial()
        with pytest.raises(ConnectionClosed) as ended:
            await socket.recv()
        assert ended.value.rcvd is None
        assert between.counts.cut == 1
        with pytest.raises(InvalidStatus):
            await dial()
        assert between.counts.refused == 1
        other = await dial("CP2")
        await asyncio.sleep(20)
        await dial()
        await other.close()


async def test_without_a_gateway_a_charger_is_told_to_try_again() -> None:
    async with proxy() as between:
        socket = await dial()
        await socket.wait_closed()
        assert socket.close_code == 1013
        assert between.counts.unreachable == 1


def _in_virtual_time(make: Callable[[], Any]) -> Any:
    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        return runner.run(make())


def test_the_same_seed_does_the_same_and_another_does_not() -> None:
    everything = {
        "to_gateway": DirectionFaults(0.1, 0.5, 3.0, 0.1, 0.1),
        "to_charger": DirectionFaults(0.1, 0.5, 3.0, 0.1, 0.1),
    }

    def trace(seed: int) -> Any:
        frames, between, heard = _in_virtual_time(lambda: carried(100, seed, **everything))
        return frames, between.counts, heard

    assert trace(3) == trace(3)
    assert trace(3) != trace(4)


async def test_a_flood_is_carried_at_the_pace_of_the_line_and_nothing_piles_up() -> None:
    heard: list[tuple[float, str]] = []
    async with listening(heard), proxy(to_gateway=DirectionFaults(delay_mean_s=0.5, delay_max_s=0.5)):
        socket = await dial()
        sending = [asyncio.create_task(socket.send(f"{k}" + "x" * 2000)) for k in range(500)]
        answers = [await socket.recv() for _ in range(500)]
        await asyncio.gather(*sending)
        assert len(answers) == len(heard) == 500


async def test_a_charge_point_gets_its_transaction_through_a_bad_network() -> None:
    bad = DirectionFaults(loss=0.15, delay_mean_s=0.5, delay_max_s=3.0, duplicate=0.1, reorder=0.1)
    faults = ChaosFaults(bad, bad, cut_every_s=400.0, refuse_for_s=(5.0, 40.0))
    async with FakeCentral() as central, ChaosProxy(81, f"ws://{GATEWAY}:80/ocpp", 5, faults, host=PROXY) as between:
        async with switched_on(url=f"ws://{PROXY}:81/ocpp", wait=False) as point:
            await settle(120)
            await point.plug(1, car(wanted=5.0), IdTag("TAG"))
            await settle(3000)
            point.unplug(1)
            await settle(1200)
        starts, stops = central.of("StartTransaction"), central.of("StopTransaction")
        assert starts
        assert stops
        assert len({start["timestamp"] for start in starts}) == 1
        assert {stop["meterStop"] for stop in stops} == {5000}
        assert between.counts.cut > 2
        assert between.counts.lost > 20
