"""Bad input of a central system ends nothing of our virtual charge point, and is counted by its cause.

In each of these the charge point goes on: it charges, answers and stays on its link.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulators.charge_point import ChargePoint
from simulators.requests import REQUESTS
from tests.connectors.ocpp.certification.malformed import ASKED, Spoiled, spoiled
from tests.simulators.charge_point_schemas import faults_of_all_said, schema
from tests.simulators.chargers import car, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

ACCEPTED = {"status": "Accepted"}
BOOTED = {**ACCEPTED, "interval": 300, "currentTime": "2026-06-01T12:00:00Z"}


@asynccontextmanager
async def point(*, wait: bool = True, boot: Any = None) -> AsyncIterator[tuple[FakeCentral, ChargePoint]]:
    """A charge point that is still there, on the same link, and by the schemas when the case ends."""
    async with FakeCentral() as central:
        if boot is not None:
            central.answers["BootNotification"] = boot
        async with switched_on(wait=wait) as cp:
            yield central, cp
            assert await central.call("CP1", "ClearCache", {}) == ACCEPTED
            assert (faults_of_all_said(central), cp.links) == ([], 1)


# Requests


@pytest.mark.parametrize("message", list(spoiled(ASKED)), ids=str)
async def test_a_request_that_breaks_its_schema_is_answered_and_counted(message: Spoiled) -> None:
    async with point() as (central, cp):
        answer = await central.call("CP1", message.action, message.payload)
        if message.how == "extra field":
            assert isinstance(answer, dict), "what is more than asked for is left alone"
            assert dict(cp.wire.extra) == {message.action: 1}
        elif isinstance(answer, dict):
            refusals = ("Rejected", "NotSupported", "NotImplemented", "UnknownVendorId")
            assert answer["status"] in refusals, "what is too long, or no word it knows, is refused at least"
        else:
            assert dict(cp.wire.refused) == {answer[0]: 1}
            codes = {"missing": "OccurenceConstraintViolation", "of the wrong type": "TypeConstraintViolation"}
            what = message.how.partition(" ")[2]
            assert answer[0] == codes.get(what, "PropertyConstraintViolation")


@pytest.mark.parametrize("action", sorted(REQUESTS))
def test_every_field_of_the_standard_is_known(action: str) -> None:
    form = REQUESTS[action].form
    assert form.needs.keys() | form.may.keys() == schema(action)["properties"].keys()
    assert set(form.needs) == set(schema(action).get("required", ()))


@pytest.mark.parametrize(
    ("frame", "count"),
    [
        ("nonsense", "malformed"),
        ("", "malformed"),
        ('[2,"x","Reset",{"type":"So', "malformed"),
        (b'\xff\xfe[2,"x"]', "malformed"),
        ("[" * 6000, "malformed"),
        ('[5,"x",{}]', "malformed"),
        ('[2,"x",["Reset"],{}]', "malformed"),
        ('[2,"x","Reset",[]]', "malformed"),
        ('[2,"x","Reset"]', "malformed"),
        ('[3,"x",{}]', "unmatched"),
        ('[4,"x","GenericError","",{}]', "unmatched"),
    ],
)
async def test_a_broken_frame_is_survived_and_counted(frame: str | bytes, count: str) -> None:
    async with point() as (central, cp):
        await central.say("CP1", frame)
        await settle()
        assert getattr(cp.wire, count) == 1


# Answers


NO_INFO: list[Any] = [{}, {"idTagInfo": {}}, {"idTagInfo": "Accepted"}, {"idTagInfo": None}, {"idTagInfo": ["x"]}]
WRONG_INFO: list[Any] = [*NO_INFO, {"idTagInfo": {"status": 5}}, {"idTagInfo": {"status": ["Accepted"]}}]


@pytest.mark.parametrize("answer", WRONG_INFO, ids=range(len(WRONG_INFO)))
async def test_a_wrong_answer_to_authorize_lets_nobody_charge_and_is_counted(answer: Any) -> None:
    async with point() as (central, cp):
        central.answers["Authorize"] = lambda _c, _p: answer
        assert not await cp.plug(1, car(), IdTag("TAG"))
        assert dict(cp.controller.outbox.counts.flawed) == {"Authorize": 1}
        del central.answers["Authorize"]
        assert await cp.swipe(1, IdTag("TAG")), "the next tag is asked for as ever"


@pytest.mark.parametrize("status", ["Gibberish", ""])
async def test_a_word_that_is_no_status_lets_nobody_charge(status: str) -> None:
    async with point() as (central, cp):
        central.answers["Authorize"] = lambda _c, _p: {"idTagInfo": {"status": status}}
        assert not await cp.plug(1, car(), IdTag("TAG"))


WRONG_STARTS: list[Any] = [
    {},
    {"transactionId": "501", "idTagInfo": ACCEPTED},
    {"transactionId": None, "idTagInfo": ACCEPTED},
    {"transactionId": 501},
    {"transactionId": 501, "idTagInfo": "Accepted"},
]


@pytest.mark.parametrize("answer", WRONG_STARTS, ids=range(len(WRONG_STARTS)))
async def test_a_wrong_answer_to_a_start_is_counted_and_the_start_said_again(answer: Any) -> None:
    async with point() as (central, cp):
        answers = [answer, {"transactionId": 501, "idTagInfo": ACCEPTED}]
        central.answers["StartTransaction"] = lambda _c, _p: answers.pop(0)
        await cp.plug(1, car(), IdTag("TAG"))
        await settle(30)
        assert dict(cp.controller.outbox.counts.flawed) == {"StartTransaction": 1}
        first, second = central.of("StartTransaction")
        assert first == second
        cp.unplug(1)
        await settle()
        assert central.of("StopTransaction")[0]["transactionId"] == 501


@pytest.mark.parametrize("code", ["InternalError", "NotImplemented", "FormationViolation", "Whatever"])
async def test_an_error_in_answer_to_a_start_is_counted_and_the_start_said_again(code: str) -> None:
    async with point() as (central, cp):
        central.raw_answers["StartTransaction"] = (code, "no", {})
        await cp.plug(1, car(), IdTag("TAG"))
        await settle(5)
        assert cp.wire.errors_received == 1
        del central.raw_answers["StartTransaction"]
        await settle(30)
        assert len(central.of("StartTransaction")) == 2
        cp.unplug(1)
        await settle()
        assert central.of("StopTransaction")[0]["transactionId"] == 501


async def test_a_start_without_an_answer_is_counted_and_said_again() -> None:
    async with point() as (central, cp):
        silent = [None]
        made = {"transactionId": 501, "idTagInfo": ACCEPTED}
        central.answers["StartTransaction"] = lambda _c, _p: silent.pop() if silent else made
        await cp.plug(1, car(), IdTag("TAG"))
        await settle(60)
        assert (len(central.of("StartTransaction")), cp.wire.timeouts) == (2, 1)


WRONG_BOOTS: list[Any] = [{}, {"status": 1}, {"status": "Gibberish"}, {"status": ["Accepted"], "interval": "soon"}]


@pytest.mark.parametrize("answer", WRONG_BOOTS, ids=range(len(WRONG_BOOTS)))
async def test_a_wrong_answer_to_a_boot_accepts_nobody_and_it_boots_again(answer: Any) -> None:
    answers = [answer, BOOTED]
    async with point(wait=False, boot=lambda _c, _p: answers.pop(0)) as (central, cp):
        await settle(5)
        assert not cp.online
        assert dict(cp.controller.outbox.counts.flawed) == {"BootNotification": 1}
        await settle(30)
        assert (cp.online, len(central.of("BootNotification"))) == (True, 2)


async def test_an_error_in_answer_to_a_boot_is_counted_and_it_boots_again() -> None:
    async with FakeCentral() as central:
        central.raw_answers["BootNotification"] = ("InternalError", "no", {})
        async with switched_on(wait=False) as cp:
            await settle(5)
            assert (cp.online, cp.wire.errors_received) == (False, 1)
            del central.raw_answers["BootNotification"]
            await settle(30)
            assert (cp.online, cp.links, len(central.of("BootNotification"))) == (True, 1, 2)


@pytest.mark.parametrize("answer", [{}, {"currentTime": 5}, {"currentTime": None}])
async def test_a_wrong_answer_to_a_heartbeat_is_counted_and_sets_no_clock(answer: Any) -> None:
    async with point() as (central, cp):
        before = cp.controller.station.clock_offset_s
        central.answers["Heartbeat"] = lambda _c, _p: answer
        await settle(301)
        assert dict(cp.controller.outbox.counts.flawed) == {"Heartbeat": 1}
        assert cp.controller.station.clock_offset_s == before


@pytest.mark.parametrize("answer", [{"idTagInfo": {}}, {"idTagInfo": 5}])
async def test_a_wrong_answer_to_a_stop_is_counted_and_the_stop_not_said_again(answer: Any) -> None:
    async with point() as (central, cp):
        central.answers["StopTransaction"] = lambda _c, _p: answer
        await cp.plug(1, car(), IdTag("TAG"))
        cp.unplug(1)
        await settle(120)
        assert len(central.of("StopTransaction")) == 1
        assert dict(cp.controller.outbox.counts.flawed) == {"StopTransaction": 1}
