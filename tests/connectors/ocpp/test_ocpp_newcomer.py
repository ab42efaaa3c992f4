"""A charger that was never seen to keep a limit hears that it may charge once there is room for all it can draw."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.connectors.ocpp.peer import depot, peer
from twin_core.models.events import VehicleExpected
from twin_core.models.ids import ChargerId

WAIT_S = 20.0


async def asked_at(*, room_after_s: float, proven: bool = False) -> float:
    """How long Authorize stays unanswered where there is room after a while."""
    loop = asyncio.get_running_loop()
    async with depot(newcomer_wait_s=WAIT_S) as site:
        begun_s = loop.time()
        site.system._around = replace(site.system._around, bears=lambda _: loop.time() >= begun_s + room_after_s)
        async with peer(site.system.port) as cp:
            await cp.boot()
            site.system.memory(ChargerId("CP1")).proven = proven
            begun_s = loop.time()
            answer = await cp.call("Authorize", {"idTag": "TAG"})
            assert answer[2]["idTagInfo"]["status"] == "Accepted"
            return loop.time() - begun_s


async def test_a_tag_that_may_not_charge_hears_so_at_once_and_makes_nobody_come_down() -> None:
    loop = asyncio.get_running_loop()
    async with depot(newcomer_wait_s=WAIT_S) as site:
        site.system._around = replace(site.system._around, bears=lambda _: False)
        async with peer(site.system.port) as cp:
            await cp.boot()
            begun_s = loop.time()
            answer = await cp.call("Authorize", {"idTag": ""})
            assert answer[2]["idTagInfo"]["status"] == "Invalid"
            assert loop.time() < begun_s + 0.5
            assert site.sink.of(VehicleExpected) == []


async def test_authorize_waits_for_room() -> None:
    assert 8.0 <= await asked_at(room_after_s=8.0) < 9.0


async def test_it_is_answered_in_the_end_all_the_same() -> None:
    assert WAIT_S <= await asked_at(room_after_s=1000.0) < WAIT_S + 1.0


async def test_where_there_is_room_it_waits_for_nothing() -> None:
    assert await asked_at(room_after_s=0.0) < 0.5


async def test_a_proven_charger_waits_for_nothing() -> None:
    assert await asked_at(room_after_s=1000.0, proven=True) < 0.5
