"""Bad input of one charger ends no session the standard would keep, blocks no other, and is counted by its cause.

Broken frames stand in `test_ocpp_bad_frames`; here messages are well framed and wrong in what they hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.ocpp.operations import Operations, Outcome
from connectors.ocpp.requests import Request
from connectors.ocpp.routing import INCOMING
from tests.connectors.ocpp.certification.malformed import ASKED, SAID, Spoiled, spoiled
from tests.connectors.ocpp.peer import SILENT, Depot, Peer, charger_spec, depot, peer, until
from twin_core.models import events as e
from twin_core.models.ids import ChargerId

CP1 = ChargerId("CP1")
SPOILED = list(spoiled(SAID))


@asynccontextmanager
async def two_chargers() -> AsyncIterator[tuple[Depot, Peer, Peer]]:
    """One that misbehaves and one that must not notice."""
    specs = (charger_spec("CP1"), charger_spec("CP2"))
    async with depot(*specs) as d, peer(d.system.port) as bad, peer(d.system.port, "CP2") as good:
        for cp in (bad, good):
            await cp.boot()
        await until(lambda: len(d.sink.of(e.ChargerCommissioned)) == 2)
        yield d, bad, good
        assert (await bad.call("Heartbeat"))[0] == (await good.call("Heartbeat"))[0] == 3
        other = d.system.counters["CP2"]
        assert (dict(other.refused), dict(other.flawed), dict(other.errors)) == ({}, {}, {})
        assert d.sink.of(e.ChargerDisconnected) == []


def test_every_message_of_chargers_is_spoiled() -> None:
    assert set(SAID) == set(INCOMING)


@pytest.mark.parametrize("message", SPOILED, ids=str)
async def test_a_message_that_breaks_its_schema_is_answered_and_counted(message: Spoiled) -> None:
    async with two_chargers() as (d, bad, _):
        assert (await bad.call(message.action, message.payload))[0] == 3
        assert dict(d.system.counters["CP1"].flawed) == {message.action: 1}
        running = [event.transaction_id for event in d.sink.of(e.TransactionStarted)]
        assert len(running) <= 1
        assert bool(running) is (message.action == "StartTransaction" and "connectorId" not in message.how)


@pytest.mark.parametrize(
    ("action", "payload", "cause"),
    [
        ("StartTransaction", {"connectorId": 9, "idTag": "A", "meterStart": 0}, "unknown-connector"),
        ("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": "much"}, "start-unreadable"),
        ("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 0, "reservationId": 3}, "start-unreadable"),
        ("StopTransaction", {"transactionId": 77, "meterStop": 0}, "foreign-transaction"),
        ("StatusNotification", {"connectorId": 1, "status": "Happy"}, "unknown-status"),
        ("StatusNotification", {"connectorId": 9, "status": "Available"}, "unknown-connector"),
        ("MeterValues", {"connectorId": 9, "meterValue": []}, "unknown-connector"),
        ("MeterValues", {"connectorId": 1, "transactionId": 77, "meterValue": []}, "foreign-transaction"),
        ("FirmwareStatusNotification", {"status": "Tired"}, "unknown-status"),
        ("SecurityEventNotification", {"type": ""}, "security-event-unreadable"),
        ("SignCertificate", {"csr": "paper"}, "csr-unreadable"),
        ("DataTransfer", {"vendorId": "org.example"}, "unknown-vendor"),
    ],
)
async def test_a_message_that_makes_no_sense_is_answered_and_its_cause_counted(
    action: str, payload: dict[str, Any], cause: str
) -> None:
    async with two_chargers() as (d, bad, _):
        assert (await bad.call(action, payload))[0] == 3
        assert d.refused("CP1", cause) == 1


WRONG_ANSWERS: list[tuple[Any, Outcome, str, str]] = [
    ({}, Outcome.ERROR, "flawed", "{action}Response"),
    ({"status": "Accepted", "additional": "123"}, Outcome.DONE, "flawed", "{action}Response"),
    ({"status": ["Accepted"]}, Outcome.ERROR, "flawed", "{action}Response"),
    ({"status": "Gibberish"}, Outcome.REFUSED, "flawed", "{action}Response"),
    ({"status": "x" * 600}, Outcome.REFUSED, "flawed", "{action}Response"),
    ([3, "Accepted"], Outcome.ERROR, "refused", "result-not-an-object"),
    ([3, {"status": "Accepted"}, 1], Outcome.DONE, "flawed", "frame"),
    ([4, "InternalError", "oh", {}], Outcome.ERROR, "errors", "InternalError"),
    ([4, "Whatever", "oh", {}], Outcome.ERROR, "errors", "(others)"),
    ([4, "InternalError"], Outcome.ERROR, "flawed", "frame"),
]


@pytest.mark.parametrize(("answer", "outcome", "kind", "cause"), WRONG_ANSWERS, ids=range(len(WRONG_ANSWERS)))
@pytest.mark.parametrize("action", sorted(set(ASKED) - {"DataTransfer", "GetCompositeSchedule"}))
async def test_a_wrong_answer_ends_its_question_at_once_and_is_counted(
    action: str, answer: Any, outcome: Outcome, kind: str, cause: str
) -> None:
    async with two_chargers() as (d, bad, _):
        bad.answers[action] = answer
        before = asyncio.get_running_loop().time()
        found = await Operations(d.system, lambda: 1).ask(CP1, Request(action, ASKED[action]))
        assert found.outcome is outcome
        assert asyncio.get_running_loop().time() - before < 1
        assert getattr(d.system.counters["CP1"], kind)[cause.format(action=action)] == 1


@pytest.mark.parametrize("torn", [b'[3,"%s",{"status":"Acc', b'[3,"%s",{"status":"\xff"}]'], ids=["torn", "no text"])
async def test_an_answer_that_broke_off_or_is_no_text_fails_its_question_at_once(torn: bytes) -> None:
    async with two_chargers() as (d, bad, _):
        bad.answers["Reset"] = SILENT
        asking = asyncio.create_task(Operations(d.system, lambda: 1).reset(CP1))
        await until(lambda: bad.unanswered)
        before = asyncio.get_running_loop().time()
        await bad.raw(torn % bad.unanswered[0].encode())
        assert (await asking).outcome is Outcome.ERROR
        assert asyncio.get_running_loop().time() - before < 1
        assert d.refused("CP1", "frame-not-json") == 1


async def test_an_answer_that_never_comes_is_counted_and_delays_nobody_else() -> None:
    async with two_chargers() as (d, bad, _):
        bad.answers["Reset"] = SILENT
        operations = Operations(d.system, lambda: 1)
        asking = asyncio.create_task(operations.reset(CP1))
        await until(lambda: bad.unanswered)
        before = asyncio.get_running_loop().time()
        assert (await operations.reset(ChargerId("CP2"))).outcome is Outcome.DONE
        assert asyncio.get_running_loop().time() - before < 1
        assert (await asking).outcome is Outcome.SILENT
        assert d.system.counters["CP1"].timeouts == 1
