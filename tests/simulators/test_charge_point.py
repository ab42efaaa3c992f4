"""Conversations of a charge point with a central system, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simulators.pilot import PilotFault
from simulators.quirks import quirks
from tests.simulators.chargers import car, charger, profile, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag
from twin_core.models.quantities import Phase

TAG = IdTag("TAG")


def statuses(central: FakeCentral, connector: int = 1) -> list[str]:
    return [p["status"] for p in central.of("StatusNotification") if p["connectorId"] == connector]


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


async def test_a_visit_is_told_from_plug_to_unplug() -> None:
    async with FakeCentral() as central, switched_on() as point:
        assert await point.plug(1, car(wanted=1.0), TAG)
        await settle(900)
        point.unplug(1)
        await settle()
        (start,), (stop,) = central.of("StartTransaction"), central.of("StopTransaction")
        assert start["idTag"] == TAG
        assert stop["meterStop"] - start["meterStart"] == 1000
        assert stop["transactionId"] == 501
        assert stop["reason"] == "EVDisconnected"
        assert statuses(central) == ["Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Available"]


async def test_a_fault_at_the_pilot_is_reported_with_its_cause_until_it_is_mended() -> None:
    async with FakeCentral() as central, switched_on() as point:
        point.controller.station.fail(1, PilotFault.DIODE)
        await settle(60)
        point.controller.station.mend(1)
        await settle(60)
        told = [(p["status"], p["errorCode"]) for p in central.of("StatusNotification") if p["connectorId"] == 1]
        assert told == [("Available", "NoError"), ("Faulted", "EVCommunicationError"), ("Available", "NoError")]


async def test_meter_values_come_at_the_interval_with_current_by_phase() -> None:
    async with FakeCentral() as central, switched_on(charger(phases=(Phase.L2, Phase.L3, Phase.L1))) as point:
        await point.plug(1, car(n_phases=1, max_a=16.0), TAG)
        await settle(65)
        samples = central.of("MeterValues")
        assert len(samples) == 6
        values = samples[-1]["meterValue"][0]["sampledValue"]
        by_phase = {v["phase"]: float(v["value"]) for v in values if v["measurand"] == "Current.Import"}
        assert by_phase == {"L1": 16.0, "L2": 0.0, "L3": 0.0}
        assert next(v["value"] for v in values if v["measurand"] == "Power.Active.Import") == "3680"
        assert point.grid_currents() == (0.0, 16.0, 0.0)
        assert all(s["transactionId"] == 501 for s in samples)


async def test_configuration_decides_what_is_sampled_and_how_often() -> None:
    async with FakeCentral() as central, switched_on() as point:
        for key, value in (("MeterValueSampleInterval", "30"), ("MeterValuesSampledData", "SoC")):
            assert await central.call("CP1", "ChangeConfiguration", {"key": key, "value": value}) == {
                "status": "Accepted"
            }
        await point.plug(1, car(), TAG)
        await settle(95)
        samples = central.of("MeterValues")
        assert len(samples) == 3
        assert [v["measurand"] for v in samples[0]["meterValue"][0]["sampledValue"]] == ["SoC"]


async def test_a_lease_holds_for_its_duration_and_then_the_default_is_in_force_again() -> None:
    async with FakeCentral() as central, switched_on() as point:
        default = {"connectorId": 1, "csChargingProfiles": profile(8.0, purpose="TxDefaultProfile", number=9)}
        assert await central.call("CP1", "SetChargingProfile", default) == {"status": "Accepted"}
        await point.plug(1, car(), TAG)
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(8.0)
        lease = profile(20.0, duration=60, transactionId=501)
        await central.call("CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": lease})
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(20.0)
        await settle(56)
        assert point.grid_currents()[0] == pytest.approx(8.0)


async def test_at_zero_amperes_it_reports_that_it_suspends_and_charges_on_when_allowed() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await point.plug(1, car(), TAG)
        await settle(10)
        for limit in (0.0, 12.0):
            payload = {"connectorId": 1, "csChargingProfiles": profile(limit)}
            await central.call("CP1", "SetChargingProfile", payload)
            await settle(10)
        assert statuses(central)[-3:] == ["Charging", "SuspendedEVSE", "Charging"]
        assert point.grid_currents()[0] == pytest.approx(12.0)


async def test_the_composite_schedule_it_reports_is_the_one_it_follows() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await point.plug(1, car(), TAG)
        await settle()
        await central.call(
            "CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(14.0, duration=100)}
        )
        answer = await central.call("CP1", "GetCompositeSchedule", {"connectorId": 1, "duration": 300})
        assert answer["status"] == "Accepted"
        periods = answer["chargingSchedule"]["chargingSchedulePeriod"]
        assert [(p["startPeriod"], p["limit"]) for p in periods] == [(0, 14.0), (100, 32.0)]
        watts = await central.call(
            "CP1", "GetCompositeSchedule", {"connectorId": 1, "duration": 10, "chargingRateUnit": "W"}
        )
        assert watts["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 14.0 * 690


async def test_two_connectors_share_one_supply() -> None:
    async with FakeCentral(), switched_on(charger(connectors=2, supply_max_a=20.0)) as point:
        await point.plug(1, car(seed=1), TAG)
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(20.0)
        await point.plug(2, car(seed=2), TAG)
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(20.0)
        assert [o.offered_a for o in point.controller.station.outlets.values()] == [10.0, 10.0]


async def test_transactions_of_an_outage_are_told_afterwards_in_order_with_their_own_times() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await central.stop()
        await settle(5)
        assert await point.plug(1, car(wanted=0.5), TAG)
        await settle(300)
        point.unplug(1)
        await settle(200)
        heard_before = len(central.heard)
        await central.listen()
        await settle(120)
        told = [h.action for h in central.heard[heard_before:] if h.action != "StatusNotification"]
        assert told[:2] == ["BootNotification", "StartTransaction"]
        assert [a for a in told if a.endswith("Transaction")] == ["StartTransaction", "StopTransaction"]
        (start,), (stop,) = central.of("StartTransaction"), central.of("StopTransaction")
        assert stop["transactionId"] == 501
        assert stop["timestamp"] > start["timestamp"]
        assert start["timestamp"] < "2026-06-01T12:01:00"
        assert stop["meterStop"] == 500
        assert all(sample["transactionId"] == 501 for sample in central.of("MeterValues"))


async def test_a_start_that_was_never_answered_is_told_again_on_the_next_link() -> None:
    async with FakeCentral() as central:
        silent: list[Any] = [None]
        central.answers["StartTransaction"] = lambda _c, _p: (
            silent.pop() if silent else {"transactionId": 9, "idTagInfo": {"status": "Accepted"}}
        )
        async with switched_on() as point:
            await point.plug(1, car(), TAG)
            await settle(2)
            central.drop("CP1")
            await settle(30)
            first, second = central.of("StartTransaction")
            assert first == second
            assert point.controller.station.outlets[1].transaction.id == 9  # type: ignore[union-attr]


async def test_a_transaction_message_that_is_refused_is_tried_again_and_then_given_up() -> None:
    async with FakeCentral() as central, switched_on() as point:
        central.raw_answers["StartTransaction"] = ("InternalError", "no disk", {})
        await point.plug(1, car(), TAG)
        await settle(120)
        assert len(central.of("StartTransaction")) == 3
        assert point.controller.outbox.counts.abandoned == 1
        del central.raw_answers["StartTransaction"]
        point.unplug(1)
        await settle()
        assert central.of("StopTransaction")[0]["transactionId"] == -1


async def test_a_tag_that_is_not_accepted_starts_nothing() -> None:
    async with FakeCentral() as central, switched_on() as point:
        central.answers["Authorize"] = lambda _c, _p: {"idTagInfo": {"status": "Invalid"}}
        assert not await point.plug(1, car(), TAG)
        await settle(30)
        assert central.of("StartTransaction") == []
        assert point.grid_currents() == (0.0, 0.0, 0.0)


async def test_a_start_that_is_not_accepted_ends_at_once() -> None:
    async with FakeCentral() as central, switched_on() as point:
        central.answers["StartTransaction"] = lambda _c, _p: {"transactionId": 3, "idTagInfo": {"status": "Blocked"}}
        await point.plug(1, car(), TAG)
        await settle(10)
        assert [p["reason"] for p in central.of("StopTransaction")] == ["DeAuthorized"]
        assert point.grid_currents() == (0.0, 0.0, 0.0)


async def test_it_can_be_stopped_and_started_from_afar() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await point.plug(1, car(), TAG)
        await settle(10)
        await central.call("CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(7.0)})
        assert await central.call("CP1", "RemoteStopTransaction", {"transactionId": 77}) == {"status": "Rejected"}
        assert await central.call("CP1", "RemoteStopTransaction", {"transactionId": 501}) == {"status": "Accepted"}
        await settle(10)
        assert statuses(central)[-1] == "Finishing"
        assert central.of("StopTransaction")[0]["reason"] == "Remote"
        assert point.controller.station.profiles.profiles == ()
        point.unplug(1)
        start = {"idTag": "FAR", "connectorId": 1, "chargingProfile": profile(9.0)}
        assert await central.call("CP1", "RemoteStartTransaction", start) == {"status": "Accepted"}
        await point.plug(1, car(seed=2), TAG)
        await settle(10)
        assert central.of("StartTransaction")[-1]["idTag"] == "FAR"
        assert point.grid_currents()[0] == pytest.approx(9.0)


async def test_a_reset_ends_transactions_restarts_the_link_and_charges_on_under_a_new_one() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await point.plug(1, car(), TAG)
        await settle(10)
        await central.call("CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(7.0)})
        assert await central.call("CP1", "Reset", {"type": "Hard"}) == {"status": "Accepted"}
        await settle(30)
        assert central.of("StopTransaction")[0]["reason"] == "HardReset"
        assert len(central.of("BootNotification")) == 2
        assert len(central.of("StartTransaction")) == 2
        assert point.grid_currents()[0] == pytest.approx(32.0)


async def test_a_default_profile_survives_a_reset_unless_the_charger_forgets_it() -> None:
    default = {"connectorId": 1, "csChargingProfiles": profile(8.0, purpose="TxDefaultProfile")}
    for names, kept in (([], 8.0), (["forgets-profiles-on-reboot"], 32.0)):
        async with FakeCentral() as central, switched_on(quirks=quirks(names)) as point:
            await central.call("CP1", "SetChargingProfile", default)
            await point.plug(1, car(), TAG)
            await central.call("CP1", "Reset", {"type": "Soft"})
            await settle(40)
            assert point.grid_currents()[0] == pytest.approx(kept)


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("StatusNotification", "StatusNotification"),
        ("MeterValues", "MeterValues"),
        ("Heartbeat", "Heartbeat"),
        ("BootNotification", "BootNotification"),
    ],
)
async def test_a_trigger_makes_it_say_that_message(message: str, action: str) -> None:
    async with FakeCentral() as central, switched_on():
        before = len(central.of(action))
        answer = await central.call("CP1", "TriggerMessage", {"requestedMessage": message, "connectorId": 1})
        assert answer == {"status": "Accepted"}
        await settle()
        assert len(central.of(action)) == before + 1


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("TriggerMessage", {"requestedMessage": "Weather"}, {"status": "NotImplemented"}),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 9}, {"status": "Rejected"}),
        ("DataTransfer", {"vendorId": "depot-twin", "messageId": "?"}, {"status": "UnknownMessageId"}),
        (
            "DataTransfer",
            {"vendorId": "depot-twin", "messageId": "Echo", "data": "hello"},
            {"status": "Accepted", "data": "hello"},
        ),
        ("ClearCache", {}, {"status": "Accepted"}),
        ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
        ("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}),
        ("UnlockConnector", {"connectorId": 5}, {"status": "NotSupported"}),
        ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "9"}, {"status": "Rejected"}),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "soon"}, {"status": "Rejected"}),
        ("ChangeConfiguration", {"key": "Colour", "value": "9"}, {"status": "NotSupported"}),
        ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, {"status": "Accepted"}),
        ("GetConfiguration", {"key": ["Colour"]}, {"configurationKey": [], "unknownKey": ["Colour"]}),
        ("ClearChargingProfile", {"id": 77}, {"status": "Unknown"}),
        ("GetCompositeSchedule", {"connectorId": 9, "duration": 60}, {"status": "Rejected"}),
        ("RemoteStopTransaction", {"transactionId": 1}, {"status": "Rejected"}),
    ],
)
async def test_an_idle_charger_answers(action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
    async with FakeCentral() as central, switched_on():
        assert await central.call("CP1", action, payload) == answer


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("ReserveNow", {}, "OccurenceConstraintViolation"),
        ("GetDiagnostics", {"location": 5}, "TypeConstraintViolation"),
        ("RemoteStartTransaction", {"idTag": "X" * 21}, "PropertyConstraintViolation"),
        ("UnlockConnector", {"connectorId": True}, "TypeConstraintViolation"),
        ("MakeCoffee", {}, "NotImplemented"),
        ("Reset", {}, "OccurenceConstraintViolation"),
        ("Reset", {"type": "Gentle"}, "PropertyConstraintViolation"),
        ("SetChargingProfile", {"connectorId": 7, "csChargingProfiles": {}}, "PropertyConstraintViolation"),
        ("SetChargingProfile", {"connectorId": 1}, "OccurenceConstraintViolation"),
    ],
)
async def test_what_it_cannot_do_is_answered_with_an_error_code(
    action: str, payload: dict[str, Any], code: str
) -> None:
    async with FakeCentral() as central, switched_on():
        assert (await central.call("CP1", action, payload))[0] == code


async def test_out_of_service_waits_for_the_running_transaction() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await point.plug(1, car(), TAG)
        await settle(10)
        request = {"connectorId": 0, "type": "Inoperative"}
        assert await central.call("CP1", "ChangeAvailability", request) == {"status": "Scheduled"}
        await central.call("CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(20.0)})
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(20.0)
        point.unplug(1)
        await settle()
        assert statuses(central)[-1] == "Unavailable"
        await central.call("CP1", "ChangeAvailability", {"connectorId": 1, "type": "Operative"})
        await settle()
        assert statuses(central)[-1] == "Available"


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


# Quirks --------------------------------------------------------------------------------------------------------------


async def limited(point: Any, central: FakeCentral, limit: float = 10.5, **extra: Any) -> Any:
    await point.plug(1, car(), TAG)
    await settle(2)
    return await central.call(
        "CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(limit, **extra)}
    )


async def test_a_charger_of_whole_amperes_rounds_down() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["integer-amps"])) as point:
        await limited(point, central, 10.9)
        await settle(10)
        assert point.grid_currents()[0] == 10.0


async def test_a_charger_in_watts_rejects_amperes_and_obeys_watts() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["watts-only"])) as point:
        assert await limited(point, central) == {"status": "Rejected"}
        answer = await central.call(
            "CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(6900.0, unit="W")}
        )
        assert answer == {"status": "Accepted"}
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(10.0)


async def test_a_disobedient_charger_accepts_a_limit_and_draws_its_maximum() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["ignores-limits"])) as point:
        assert await limited(point, central) == {"status": "Accepted"}
        await settle(10)
        assert point.grid_currents()[0] == 32.0


async def test_disobedience_can_begin_later() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["ignores-limits-after-10-min"])) as point:
        await limited(point, central, 10.0)
        await settle(300)
        assert point.grid_currents()[0] == pytest.approx(10.0)
        await settle(320)
        assert point.grid_currents()[0] == 32.0


async def test_a_silent_charger_lives_on_and_answers_nothing() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["silent"])):
        await settle(60)
        with pytest.raises(TimeoutError):
            await central.call("CP1", "ClearCache", {})
        await settle(300)
        assert central.of("Heartbeat")


async def test_a_late_charger_answers_late() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["answers-late"])):
        begin = asyncio.get_running_loop().time()
        await central.call("CP1", "ClearCache", {})
        assert asyncio.get_running_loop().time() - begin == pytest.approx(8.0, abs=0.1)


async def test_a_charger_with_a_skewed_clock_ends_a_lease_early() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["clock-two-seconds-fast"])) as point:
        await limited(point, central, 10.0, startSchedule="2026-06-01T12:00:00Z", duration=60)
        await settle(50)
        assert point.controller.station.outlets[1].offered_a == 10.0
        now = asyncio.get_running_loop().time()
        await settle(60 - now - 1.5)
        point.grid_currents()
        assert point.controller.station.outlets[1].offered_a == 32.0


async def test_a_charger_may_come_back_without_a_boot() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["no-boot-after-reconnect"])) as point:
        central.drop("CP1")
        await settle(60)
        assert point.links == 2
        assert len(central.of("BootNotification")) == 1
        assert len(central.of("StatusNotification")) == 4
