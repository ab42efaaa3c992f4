"""Links that die, lie, flood or say nothing, and what that does to the others."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol

from connectors.ocpp.calls import LinkLost, TimedOut
from connectors.ocpp.session import TokenBucket
from tests.connectors.ocpp.peer import SILENT, charger_spec, depot, grant, peer, until
from twin_core.errors import ProtocolError
from twin_core.models import events as e
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ChargerId

CP1 = ChargerId("CP1")


async def test_a_dead_link_gives_way_to_a_new_one_and_takes_nothing_with_it() -> None:
    async with depot(ping_interval_s=1000) as d, peer(d.system.port) as old:
        await old.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        await old.start()
        old.answers["SetChargingProfile"] = SILENT
        d.system.offer(grant(10, seq=1))
        await until(lambda: old.unanswered)
        d.system.offer(grant(9, seq=2))
        # From here the old socket is half open: nothing that is sent to it is ever read.
        old.link.transport.pause_reading()
        begun = asyncio.get_running_loop().time()
        async with peer(d.system.port) as new:
            assert asyncio.get_running_loop().time() - begun <= 5.0
            await new.boot()
            outcomes = {a.seq: a.outcome for a in d.sink.of(e.GrantAnswered)}
            assert outcomes == {1: GrantOutcome.OFFLINE, 2: GrantOutcome.UNSENT}
            await asyncio.sleep(30)  # the old one's end is long past
            assert d.system.connected == {CP1}
            assert (await new.call("Heartbeat"))[0] == 3
            d.system.offer(grant(8, seq=3))
            await until(lambda: len(d.sink.of(e.GrantAnswered)) == 3)
            assert d.sink.of(e.GrantAnswered)[-1].outcome is GrantOutcome.ACCEPTED
        assert len(d.sink.of(e.ChargerDisconnected)) == 1 or d.system.connected == frozenset()
    kinds = [type(x).__name__ for x in d.sink.events if isinstance(x, e.ChargerConnected | e.ChargerDisconnected)]
    assert kinds == ["ChargerConnected", "ChargerDisconnected"] * 2


async def test_a_link_without_a_sign_of_life_is_cut() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        cp.link.transport.pause_reading()
        begun = asyncio.get_running_loop().time()
        await until(lambda: d.sink.of(e.ChargerDisconnected), 40)
        assert asyncio.get_running_loop().time() - begun <= 10 + 5 + 10 + 2
        assert d.system.connected == frozenset()


async def test_a_charger_that_sends_frames_but_no_pongs_is_alive() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        send = cp.link.protocol.send_frame
        dropped: list[Frame] = []
        cp.link.protocol.send_frame = lambda f: (dropped.append if f.opcode is Opcode.PONG else send)(f)  # type: ignore[method-assign]
        for _ in range(60):
            await asyncio.sleep(2)
            await cp.call("Heartbeat")
        assert d.sink.of(e.ChargerDisconnected) == []
        assert len(dropped) > 5


async def test_two_newcomers_in_place_of_a_dead_link_become_one() -> None:
    async with depot(ping_interval_s=1000) as d, peer(d.system.port) as old:
        await old.boot()
        old.link.transport.pause_reading()
        results = await asyncio.gather(*(served(d.system.port) for _ in range(3)))
        assert sorted(results) == [False, False, True]
        assert len(d.sink.of(e.ChargerConnected)) == 2


async def served(port: int) -> bool:
    """Whether a new link lives on for a while."""
    async with peer(port) as cp:
        await asyncio.sleep(3)
        return cp.link.state is State.OPEN


async def test_compression_is_never_agreed() -> None:
    async with depot() as d:
        url = f"ws://127.0.0.1:{d.system.port}/ocpp/CP1"
        async with connect(url, subprotocols=[Subprotocol("ocpp1.6")], compression="deflate", proxy=None) as link:
            assert link.protocol.extensions == []


async def test_a_charger_that_never_answers_delays_nobody_else_and_is_cut() -> None:
    specs = (charger_spec("CP1"), charger_spec("CP2"))
    async with depot(*specs) as d, peer(d.system.port) as dumb, peer(d.system.port, "CP2") as good:
        dumb.answers.update(dict.fromkeys(("SetChargingProfile", "GetConfiguration", "GetCompositeSchedule"), SILENT))
        await asyncio.gather(dumb.boot(), good.boot())
        await until(lambda: d.sink.of(e.ChargerCommissioned), 1)
        await good.start()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for seq in range(1, 50):
            d.system.offer(grant(10, seq=seq))
            d.system.offer(grant(10, seq=seq, name="CP2"))
            await until(lambda: [a for a in d.sink.of(e.GrantAnswered) if a.connector_id.charger == "CP2"], 1)
        assert loop.time() - begun < 1.0
        await until(lambda: d.sink.of(e.ChargerDisconnected), 120)
        (gone,) = d.sink.of(e.ChargerDisconnected)
        assert gone.charger_id == "CP1"
        assert d.refused("CP1", "silent") == 1
        assert d.system.counters["CP1"].timeouts == 3


async def test_an_oversized_frame_ends_the_link_with_1009_and_no_other_and_is_counted() -> None:
    specs = (charger_spec("CP1"), charger_spec("CP2"))
    async with depot(*specs) as d, peer(d.system.port) as cp, peer(d.system.port, "CP2") as other:
        await cp.raw("x" * 65_537)
        await cp.link.wait_closed()
        assert cp.link.close_code == 1009
        await until(lambda: d.refused("CP1", "frame-too-big") == 1, 5)
        assert (await other.boot())["status"] == "Accepted"


async def test_what_is_no_websocket_any_more_ends_the_link_and_is_counted() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        cp.link.transport.write(b"\xf1\x80\x00\x00\x00\x00")  # reserved bits set, which nobody agreed on
        await cp.link.wait_closed()
        await until(lambda: d.refused("CP1", "frame-not-websocket") == 1, 5)


async def test_a_flood_is_read_at_a_pace_and_nothing_of_it_is_lost() -> None:
    async with depot(messages_per_s=50, message_burst=100) as d, peer(d.system.port) as cp:
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(cp.call("Heartbeat") for _ in range(600)))
        assert 9.0 <= asyncio.get_running_loop().time() - begun <= 12.0
        assert d.refused("CP1", "flood") > 0
        assert len([r for r in d.sink.of(e.InputRefused) if r.cause == "flood"]) == 1


def test_a_bucket_refills_and_never_overflows() -> None:
    bucket = TokenBucket(10.0, 5, 0.0)
    assert [bucket.take(0.0) for _ in range(6)] == [0, 0, 0, 0, 0, pytest.approx(0.1)]
    assert [bucket.take(1000.0) for _ in range(6)] == [0, 0, 0, 0, 0, pytest.approx(0.1)]


async def test_results_nobody_asked_for_are_dropped_and_counted_and_calls_still_work() -> None:
    async with depot(messages_per_s=1e6, message_burst=100_000) as d, peer(d.system.port) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        for number in range(20_000):
            await cp.raw(f'[3,"x{number}",{{}}]')
        assert (await cp.call("Heartbeat"))[0] == 3
        assert d.refused("CP1", "unsolicited-answer") == 20_000
        assert d.system.counters["CP1"].unknown_answers == 20_000
        answer = await d.system.call(CP1, "Reset", {"type": "Soft"})
        assert getattr(answer, "payload", None) == {"status": "Accepted"}


async def test_an_operation_reports_each_outcome_as_what_it_is() -> None:
    async with depot() as d:
        assert await d.system.call(CP1, "Reset", {"type": "Soft"}) == LinkLost()
        async with peer(d.system.port) as cp:
            await cp.boot()
            await until(lambda: d.sink.of(e.ChargerCommissioned))
            cp.answers["Reset"] = [4, "NotSupported", "no", {}]
            outcome = await d.system.call(CP1, "Reset", {"type": "Soft"})
            assert (outcome.code, outcome.description) == ("NotSupported", "no")  # type: ignore[union-attr]
            cp.answers["Reset"] = SILENT
            assert await d.system.call(CP1, "Reset", {"type": "Soft"}) == TimedOut()
            with pytest.raises(ProtocolError, match="schema"):
                await d.system.call(CP1, "Reset", {"type": "Gentle"})
            with pytest.raises(ProtocolError, match="not asked"):
                await d.system.call(CP1, "Heartbeat", {})
            waiting = asyncio.create_task(d.system.call(CP1, "Reset", {"type": "Soft"}))
            await asyncio.sleep(0.1)
        assert await waiting == LinkLost()


async def test_one_call_at_a_time_is_outstanding() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        cp.answers["Reset"] = SILENT
        calls = [asyncio.create_task(d.system.call(CP1, "Reset", {"type": "Soft"})) for _ in range(2)]
        await asyncio.sleep(1)
        assert len(cp.unanswered) == 1
        calls[0].cancel()  # giving up the wait does not free the charger's line
        await asyncio.sleep(1)
        assert len(cp.unanswered) == 1
        await cp.raw([3, cp.unanswered[0], {"status": "Accepted"}])
        await until(lambda: len(cp.unanswered) == 2)
        calls[1].cancel()


async def test_a_refusal_is_one_line_of_a_log_that_cannot_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with depot() as d, peer(d.system.port) as cp:
        for _ in range(10):
            await cp.raw(json.dumps([2, "1", "Evil\r\nrefused source=CP2", {}]))
        await cp.call("Heartbeat")
    records = [r for r in caplog.records if getattr(r, "cause", "") == "unknown-action"]
    assert len(records) == 1
    assert records[0].source == "CP1"  # type: ignore[attr-defined]
    assert not set("\r\n") & set(records[0].detail)  # type: ignore[attr-defined]
    assert d.refused("CP1", "unknown-action") == 10


async def test_leaving_closes_every_link_and_says_so() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        await d.system.__aexit__(None, None, None)
        await cp.link.wait_closed()
        assert cp.link.close_code == 1001
    assert len(d.sink.of(e.ChargerDisconnected)) == 1
