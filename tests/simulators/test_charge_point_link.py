"""A charge point and its link: registration, heartbeats, time, and coming back when it was cut."""

from __future__ import annotations

import pytest

from tests.simulators.chargers import car, charger, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

TAG = IdTag("TAG")


async def test_it_boots_then_reports_itself_and_every_connector() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)):
        assert [h.action for h in central.heard] == ["BootNotification"] + ["StatusNotification"] * 3
        assert [p["connectorId"] for p in central.of("StatusNotification")] == [0, 1, 2]


async def test_it_asks_again_after_the_interval_when_it_is_kept_pending() -> None:
    replies = iter(["Pending", "Rejected", "Accepted"])
    async with FakeCentral() as central:
        central.answers["BootNotification"] = lambda _c, _p: {
            "status": next(replies),
            "interval": 20,
            "currentTime": "2026-06-01T12:00:00Z",
        }
        async with switched_on():
            assert [round(h.at_s / 20) for h in central.heard if h.action == "BootNotification"] == [0, 1, 2]
            assert central.heard[3].action == "StatusNotification"


async def test_it_sends_heartbeats_at_the_interval_it_was_given() -> None:
    async with FakeCentral() as central, switched_on():
        await settle(1000)
        assert len(central.of("Heartbeat")) == 3


async def test_it_takes_the_central_systems_time() -> None:
    async with FakeCentral() as central:
        central.answers["BootNotification"] = lambda _c, _p: {
            "status": "Accepted",
            "interval": 300,
            "currentTime": "2030-01-01T00:00:00Z",
        }
        async with switched_on():
            assert central.of("StatusNotification")[0]["timestamp"].startswith("2030-01-01T00:00:00")


@pytest.mark.parametrize(
    "frame", ["nonsense", "[]", '{"a":1}', '[3,"nobody",{}]', "[2,5]", '[4,"x"]', b"\xff\x00", "[" * 5000]
)
async def test_it_survives_whatever_it_is_told(frame: str | bytes) -> None:
    async with FakeCentral() as central, switched_on() as point:
        await central.say("CP1", frame)
        await settle()
        assert await central.call("CP1", "ClearCache", {}) == {"status": "Accepted"}
        assert point.wire.malformed + point.wire.unmatched == 1


async def test_it_comes_back_with_growing_pauses_while_nobody_is_there() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await central.stop()
        await settle(600)
        assert not point.online
        await central.listen()
        await settle(61)
        assert point.online
        assert len(central.of("BootNotification")) == 2


async def test_a_central_system_that_answers_nothing_any_more_is_left_and_called_again() -> None:
    async with FakeCentral() as central, switched_on() as point:
        for action in ("Heartbeat", "MeterValues", "StatusNotification"):
            central.answers[action] = lambda _c, _p: None
        await point.plug(1, car(), TAG)
        await settle(400)
        assert point.links > 1


async def test_it_shows_its_password() -> None:
    async with FakeCentral() as central, switched_on(password="secret"):
        assert central.authorizations == ["Basic Q1AxOnNlY3JldA=="]
