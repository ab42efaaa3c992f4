"""An upstream that is slow, dead, malformed or hostile harms itself alone."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.ocpp.calls import Answered
from tests.connectors.ocpp.billing import SILENT, billing, forwarding
from tests.connectors.ocpp.peer import Peer, charger_spec, depot, grant, peer, until
from tests.fakes import LoopClock
from twin_core.models import events as e
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ChargerId

CP1 = ChargerId("CP1")

NONSENSE = {
    "no JSON": b"{",
    "no message": b'{"a": 1}',
    "an endless number": b"[3, " + b"9" * 5000 + b"]",
    "too deep": b"[" * 20_000,
    "an answer nobody waits for": b'[3, "x", {}]',
    "a short error": b'[4, "d1"]',
    "a result that is no object": b'[3, "d1", 7]',
    "not even text": b"\xff\xfe",
}


async def grant_delays(system: Any, sink: Any, n: int = 50) -> list[float]:
    """How long after its offer each grant is answered."""
    delays = []
    loop = asyncio.get_running_loop()
    for seq in range(1, n + 1):
        before = loop.time()
        system.offer(grant(10.0 + seq % 5, seq=seq))
        answered = lambda seq=seq: [a for a in sink.of(e.GrantAnswered) if a.seq == seq]  # noqa: E731
        await until(answered, 30)
        assert answered()[0].outcome is GrantOutcome.ACCEPTED
        delays.append(answered()[0].at.monotonic_s - before)
        await asyncio.sleep(1.0)
    return delays


async def session(charger: Peer) -> int:
    await charger.boot()
    return await charger.start()


def p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))]


async def test_grants_are_as_fast_with_a_stalled_upstream_as_with_none(tmp_path: Path) -> None:
    async with depot() as d, peer(d.system.port) as charger:
        await session(charger)
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        without = await grant_delays(d.system, d.sink)
    everything = dict.fromkeys(("StartTransaction", "MeterValues", "Authorize", "StatusNotification"), SILENT)
    async with (
        billing(**everything) as b,
        forwarding(tmp_path, b.port) as f,
        peer(f.system.port) as charger,
    ):
        ours = await session(charger)
        await until(lambda: f.sink.of(e.ChargerCommissioned))
        talk = asyncio.create_task(chatter(charger, ours))
        stalled = await grant_delays(f.system, f.sink)
        talk.cancel()
        assert b.said("StartTransaction")
    assert p99(stalled) <= p99(without) + 0.01
    assert p99(stalled) < 0.1


async def chatter(charger: Peer, ours: int) -> None:
    while True:
        meter = {"timestamp": LoopClock().now().utc.isoformat(), "sampledValue": [{"value": "1500"}]}
        await charger.call("MeterValues", {"connectorId": 1, "transactionId": ours, "meterValue": [meter]})
        await charger.call("Authorize", {"idTag": "TAG"})
        await asyncio.sleep(0.5)


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_for_an_answer_is_counted_and_nobody_waits_for_it(tmp_path: Path, answer: bytes) -> None:
    async with billing(Authorize=answer) as b, forwarding(tmp_path, b.port) as f, peer(f.system.port) as charger:
        await charger.boot()
        await until(lambda: f.upstream.snapshot().chargers[CP1].accepted)
        verdict = await charger.call("Authorize", {"idTag": "TAG"})
        assert verdict[2]["idTagInfo"]["status"] == "Accepted"
        ours = await charger.start()
        assert ours > 0
        # What lasts gets through all the same, over this link or the next.
        await until(lambda: b.said("StartTransaction"), 300)
        assert f.upstream.snapshot().chargers[CP1].refused
        assert CP1 in f.system.connected


async def test_a_flood_of_requests_is_refused_and_the_charger_hardly_hears_of_it(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as f, peer(f.system.port) as charger:
        await session(charger)
        await until(lambda: f.sink.of(e.ChargerCommissioned) and f.upstream.snapshot().chargers[CP1].accepted)
        before = len(charger.asked)
        for number in range(1000):
            loop = asyncio.get_running_loop()
            b.waiting[f"f{number}"] = loop.create_future()
            frame = [2, f"f{number}", "DataTransfer", {"vendorId": "flood"}]
            await b.links["CP1"].send(json.dumps(frame))
        flood = list(b.waiting.values())
        delays = await grant_delays(f.system, f.sink, 20)
        await asyncio.gather(*flood)
        refused = [frame.result() for frame in flood if frame.result()[0] == 4]
        assert len(refused) > 900
        assert p99(delays) < 0.1
        assert len([1 for action, _ in charger.asked[before:] if action == "DataTransfer"]) < 100


async def test_a_request_the_charger_never_answers_does_not_cost_it_its_link(tmp_path: Path) -> None:
    async with (
        billing() as b,
        forwarding(tmp_path, b.port) as f,
        peer(f.system.port, answers={"UnlockConnector": SILENT}) as charger,
    ):
        await charger.boot()
        await until(lambda: f.sink.of(e.ChargerCommissioned) and f.upstream.snapshot().chargers[CP1].accepted)
        for _ in range(6):
            answer = await b.ask("CP1", "UnlockConnector", {"connectorId": 1})
            assert answer[2] == "GenericError"
            await asyncio.sleep(2)
        assert len(charger.unanswered) == 2
        assert f.sink.of(e.ChargerDisconnected) == []


async def test_what_finds_no_room_is_counted_and_starts_and_stops_go_before_samples(tmp_path: Path) -> None:
    async with billing() as b:
        await b.shut()
        async with forwarding(tmp_path, b.port, keep=10) as f, peer(f.system.port) as charger:
            ours = await session(charger)
            meter = {"timestamp": LoopClock().now().utc.isoformat(), "sampledValue": [{"value": "1500"}]}
            for _ in range(15):
                await charger.call("MeterValues", {"connectorId": 1, "transactionId": ours, "meterValue": [meter]})
                await asyncio.sleep(0.1)
            await charger.call(
                "StopTransaction", {"transactionId": ours, "meterStop": 2000, "timestamp": "2026-06-01T13:00:00Z"}
            )
            assert f.upstream.snapshot().chargers[CP1].dropped["MeterValues: too many wait"] == 6
            b.back()
            await until(lambda: b.said("StopTransaction"), 300)
            assert len(b.said("StartTransaction")) == 1
            assert len(b.said("MeterValues")) == 9


async def test_a_message_the_upstream_refuses_does_not_hold_up_the_next_transaction(tmp_path: Path) -> None:
    refused = [4, "InternalError", "no", {}]

    def start(payload: dict[str, Any]) -> Any:
        return refused if payload["idTag"] == "BAD" else {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}

    async with billing(StartTransaction=start) as b, forwarding(tmp_path, b.port) as f, peer(f.system.port) as charger:
        await charger.boot()
        for tag in ("BAD", "GOOD"):
            ours = await charger.start(tag=tag)
            await charger.call(
                "StopTransaction", {"transactionId": ours, "meterStop": 2000, "timestamp": "2026-06-01T13:00:00Z"}
            )
        await until(lambda: b.said("StopTransaction"), 300)
        assert [p["idTag"] for p in b.said("StartTransaction")] == ["BAD", "BAD", "BAD", "GOOD"]
        assert [p["transactionId"] for p in b.said("StopTransaction")] == [7]
        status = f.upstream.snapshot().chargers[CP1]
        assert status.dropped == {
            "StartTransaction: refused by the upstream": 1,
            "StopTransaction: the upstream has no such transaction": 1,
        }
        assert status.conflicts == {"transaction": 1}


async def test_an_upstream_that_comes_and_goes_is_not_dialled_without_pause(tmp_path: Path) -> None:
    rejected = {"status": "Rejected", "currentTime": "x", "interval": 0}
    async with (
        billing(BootNotification=rejected) as b,
        forwarding(tmp_path, b.port) as f,
        peer(f.system.port) as charger,
    ):
        await charger.boot()
        for _ in range(600):
            await asyncio.sleep(1)
            for link in b.links.values():
                link.transport.abort()
        assert 5 < len(b.logins) < 60


async def test_the_worst_profiles_there_can_be_are_computed_in_no_time(tmp_path: Path) -> None:
    periods = [{"startPeriod": 900 * n, "limit": 6.0 + n % 7} for n in range(24)]
    async with (
        billing() as b,
        forwarding(tmp_path, b.port, charger_spec("CP1", 4), request_burst=100) as f,
        peer(f.system.port) as charger,
    ):
        await charger.boot()
        await until(lambda: f.upstream.snapshot().chargers[CP1].accepted)
        for number in range(40):
            profile = {
                "chargingProfileId": number,
                "stackLevel": number,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Recurring",
                "recurrencyKind": "Daily",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "startSchedule": f"2026-05-01T00:{number:02}:07Z",
                    "chargingSchedulePeriod": periods,
                },
            }
            await b.ask("CP1", "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": profile})
        before_s = time.process_time()
        answer = await b.ask("CP1", "GetCompositeSchedule", {"connectorId": 0, "duration": 10**9})
        assert time.process_time() - before_s < 0.5
        assert answer[2]["status"] == "Accepted"
        assert f.upstream.snapshot().chargers[CP1].conflicts == {"profile": 20}


async def test_a_grant_waits_three_seconds_at_most_for_a_request_of_the_upstream_and_goes_before_all_others(
    tmp_path: Path,
) -> None:
    async with (
        billing() as b,
        forwarding(tmp_path, b.port) as f,
        peer(f.system.port, answers={"UnlockConnector": SILENT}) as charger,
    ):
        await session(charger)
        await until(lambda: f.sink.of(e.ChargerCommissioned) and f.upstream.snapshot().chargers[CP1].accepted)
        loop = asyncio.get_running_loop()
        asked = asyncio.create_task(b.ask("CP1", "UnlockConnector", {"connectorId": 1}))
        await until(lambda: charger.unanswered)
        waiting = [asyncio.create_task(f.system.call(CP1, "ClearCache", {})) for _ in range(5)]
        await asyncio.sleep(0.5)
        before_s = loop.time()
        f.system.offer(grant(12.0))
        await until(lambda: f.sink.of(e.GrantAnswered))
        assert 2.4 < loop.time() - before_s < 2.6
        assert "ClearCache" not in [action for action, _ in charger.asked]
        # The answer that came too late for the grant still comes to whoever asked.
        await charger.raw([3, charger.unanswered[0], {"status": "Unlocked"}])
        assert (await asked)[2] == {"status": "Unlocked"}
        assert {type(outcome) for outcome in await asyncio.gather(*waiting)} == {Answered}
        assert f.sink.of(e.ChargerDisconnected) == []
