"""Visits to a charge point: what is told of them from plug to unplug, whatever the link and the tag do."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.pilot import PilotFault
from tests.simulators.chargers import car, charger, profile, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag
from twin_core.models.quantities import Phase

TAG = IdTag("TAG")


def statuses(central: FakeCentral, connector: int = 1) -> list[str]:
    return [p["status"] for p in central.of("StatusNotification") if p["connectorId"] == connector]


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
