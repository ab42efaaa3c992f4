"""Events of a scenario: they befall the charge point they name, when they say, and are taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulators.charge_point import ChargePoint
from simulators.depot import DepotSimulation
from simulators.scenario import Scenario
from tests.fakes import LoopClock
from tests.simulators.depots import Published, scenario, small_site
from tests.simulators.fake_central import URL, FakeCentral
from twin_core.errors import ConfigurationError
from twin_core.models.ids import ChargerId

VISIT = {"connector": "CP1/1", "kind": "CAR", "id_tag": "ANNA", "arrive_min": 1, "depart_min": 50, "energy_kwh": 20}


def depot(what: Scenario) -> DepotSimulation:
    return DepotSimulation(
        what, small_site(1), clock=LoopClock(), minutes=60, seed=1, ocpp_url=URL, publish=Published()
    )


@asynccontextmanager
async def lived(*events: dict[str, Any], **more: Any) -> AsyncIterator[tuple[FakeCentral, ChargePoint]]:
    """A depot of one charger with one visitor in its tenth minute, to which events happen."""
    what = scenario(sessions=[{**VISIT, "soc": 0.3}], events=[{"charger": "CP1", **event} for event in events], **more)
    async with FakeCentral() as central:
        simulation = depot(what)
        running = asyncio.create_task(simulation.run())
        await asyncio.sleep(10 * 60)
        yield central, simulation.charge_points[ChargerId("CP1")]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def statuses(central: FakeCentral) -> list[tuple[str, str]]:
    return [(p["status"], p["errorCode"]) for p in central.of("StatusNotification") if p["connectorId"] == 1]


def reasons(central: FakeCentral) -> list[str]:
    return [p["reason"] for p in central.of("StopTransaction")]


async def test_a_fault_stops_the_current_until_it_is_mended_and_the_transaction_goes_on() -> None:
    fault = {"what": "fault", "connector": 1, "fault": "ground", "at_min": 9, "until_min": 11}
    async with lived(fault) as (central, point):
        assert point.grid_currents()[0] == 0.0
        assert statuses(central)[-1] == ("Faulted", "GroundFailure")
        assert central.of("StatusNotification")[-1]["info"] == "ground"
        await asyncio.sleep(120)
        assert point.grid_currents()[0] == 16.0
        assert statuses(central)[-1] == ("Charging", "NoError")
        assert reasons(central) == []


async def test_an_emergency_stop_ends_every_transaction_and_lets_none_begin_until_it_is_released() -> None:
    stop = {"what": "emergency-stop", "at_min": 9, "until_min": 11}
    async with lived(stop, {"what": "swipe", "connector": 1, "id_tag": "ANNA", "at_min": 12}) as (central, point):
        assert reasons(central) == ["EmergencyStop"]
        assert statuses(central)[-1] == ("Faulted", "OtherError")
        remote = {"idTag": "FAR", "connectorId": 1}
        assert await central.call("CP1", "RemoteStartTransaction", remote) == {"status": "Rejected"}
        reserve = {"connectorId": 1, "expiryDate": "2026-06-01T13:00:00Z", "idTag": "A", "reservationId": 1}
        assert await central.call("CP1", "ReserveNow", reserve) == {"status": "Faulted"}
        await asyncio.sleep(90)
        assert statuses(central)[-1] == ("Finishing", "NoError")
        await asyncio.sleep(60)
        assert [p["idTag"] for p in central.of("StartTransaction")] == ["ANNA", "ANNA"]
        assert point.grid_currents()[0] == 16.0


async def test_a_fault_that_is_mended_releases_no_emergency_stop() -> None:
    stop = {"what": "emergency-stop", "at_min": 8, "until_min": 12}
    fault = {"what": "fault", "connector": 1, "fault": "ground", "at_min": 9, "until_min": 10.5}
    async with lived(stop, fault) as (central, _):
        await asyncio.sleep(60)
        assert statuses(central)[-1] == ("Faulted", "OtherError")
        await asyncio.sleep(90)
        assert statuses(central)[-1] == ("Finishing", "NoError")


async def test_a_power_loss_breaks_the_link_and_the_current_until_it_is_over() -> None:
    async with lived({"what": "power-loss", "at_min": 9, "until_min": 11}) as (central, point):
        assert (point.online, point.grid_currents()[0]) == (False, 0.0)
        await asyncio.sleep(180)
        assert (point.online, point.grid_currents()[0]) == (True, 16.0)
        assert len(central.of("BootNotification")) == 2


async def test_without_a_network_it_charges_on_and_tells_of_it_afterwards() -> None:
    async with lived({"what": "offline", "at_min": 9, "until_min": 20}) as (central, point):
        assert (point.online, point.grid_currents()[0]) == (False, 16.0)
        heard = len(central.of("MeterValues"))
        await asyncio.sleep(9 * 60)
        assert len(central.of("MeterValues")) == heard
        assert len(central.connections) == 1
        await asyncio.sleep(3 * 60)
        assert point.online
        moments = [p["meterValue"][0]["timestamp"] for p in central.of("MeterValues")]
        assert moments == sorted(moments)
        assert len(moments) > heard + 60


@pytest.mark.parametrize(
    ("stops", "starts", "ends", "while_away"),
    [("true", 2, ["EVDisconnected"], "Available"), ("false", 1, [], "SuspendedEV")],
)
async def test_an_unplugged_cable_ends_the_transaction_or_keeps_it_as_configured(
    stops: str, starts: int, ends: list[str], while_away: str
) -> None:
    away = {"what": "unplugged", "connector": 1, "at_min": 9, "until_min": 15}
    async with lived(away, settings={"CP1": {"StopTransactionOnEVSideDisconnect": stops}}) as (central, point):
        before_kwh = point.controller.station.outlets[1].register_kwh
        assert statuses(central)[-1][0] == while_away
        await asyncio.sleep(6 * 60)
        assert statuses(central)[-1][0] == "Charging"
        assert len(central.of("StartTransaction")) == starts
        assert reasons(central) == ends
        # Nothing was charged while it was away.
        assert point.controller.station.outlets[1].register_kwh - before_kwh < 0.2


async def test_who_would_leave_a_transaction_behind_shows_the_tag_before_leaving() -> None:
    async with lived(settings={"CP1": {"StopTransactionOnEVSideDisconnect": "false"}}) as (central, _):
        await asyncio.sleep(41 * 60)
        assert reasons(central) == ["Local"]
        assert statuses(central)[-1][0] == "Available"


async def test_a_cable_that_is_pulled_for_good_is_not_plugged_in_again_after_the_visit() -> None:
    async with lived({"what": "unplugged", "connector": 1, "at_min": 9, "until_min": 52}) as (central, point):
        await asyncio.sleep(45 * 60)
        assert point.controller.station.outlets[1].vehicle is None
        assert len(central.of("StartTransaction")) == 1


async def test_a_restart_tells_its_reason() -> None:
    async with lived({"what": "restart", "at_min": 9}) as (central, _):
        assert reasons(central) == ["Reboot"]
        assert len(central.of("BootNotification")) == 2


async def test_an_event_that_does_not_end_lasts() -> None:
    async with lived({"what": "fault", "connector": 1, "fault": "short", "at_min": 9}) as (central, _):
        await asyncio.sleep(30 * 60)
        assert statuses(central)[-1][0] == "Faulted"


async def test_a_cable_that_says_nothing_known_carries_nothing_and_is_reported() -> None:
    async with lived(fleet=[{"name": "CAR", "proximity_ohm": 5000.0}]) as (central, point):
        assert point.grid_currents() == (0.0, 0.0, 0.0)
        assert statuses(central)[-1] == ("Faulted", "EVCommunicationError")


async def test_updates_and_uploads_fail_where_the_scenario_says_so() -> None:
    build = {"failing_firmware": "install", "failing_uploads": True}
    async with lived(hardware={"CP1": build}) as (central, point):
        point.unplug(1)
        await central.call("CP1", "GetDiagnostics", {"location": "ftp://files.example/"})
        update = {"location": "ftp://files.example/x.bin", "retrieveDate": "2026-06-01T12:00:00Z"}
        await central.call("CP1", "UpdateFirmware", update)
        await asyncio.sleep(120)
        assert central.of("DiagnosticsStatusNotification")[-1] == {"status": "UploadFailed"}
        assert central.of("FirmwareStatusNotification")[-1] == {"status": "InstallationFailed"}


# What cannot happen ---------------------------------------------------------------------------------------------------

FAULT = {"what": "fault", "charger": "CP1", "connector": 1, "fault": "diode", "at_min": 5}


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ({**FAULT, "what": "fire"}, "scenario.events.0: Input tag 'fire'"),
        ({**FAULT, "fault": "rust"}, "scenario.events.0.fault: Input should be 'short', 'diode'"),
        ({**FAULT, "fault": "rust"}, "(got 'rust')"),
        ({**FAULT, "connector": 0}, "scenario.events.0.connector: Input should be greater than or equal to 1"),
        ({**FAULT, "connector": 0}, "(got 0)"),
        ({**FAULT, "id_tag": "A"}, "scenario.events.0.id_tag: Extra inputs are not permitted (got 'A')"),
        ({**FAULT, "until_min": 5}, "until_min = 5 must be after at_min = 5"),
        ({**FAULT, "at_min": float("nan")}, "scenario.events.0.at_min"),
        (
            {"what": "swipe", "charger": "CP1", "connector": 1, "at_min": 1},
            "scenario.events.0.id_tag: Field required",
        ),
    ],
)
def test_an_impossible_event_is_refused_with_its_field_and_value(event: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        scenario(events=[event])
    assert complaint in str(refusal.value)


@pytest.mark.parametrize("until", [{"until_min": 20}, {}])
def test_one_event_does_not_begin_before_the_last_of_its_kind_is_over(until: dict[str, float]) -> None:
    scenario(events=[{**FAULT, **until}, {**FAULT, "connector": 2, "at_min": 10}])
    with pytest.raises(ConfigurationError, match="fault of CP1 at_min = 10 begins before the last one is over"):
        scenario(events=[{**FAULT, "at_min": 10}, {**FAULT, **until}])


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"events": [{**FAULT, "charger": "CP9"}]}, "scenario.events.0.charger: there is no charger 'CP9'"),
        ({"events": [{**FAULT, "connector": 2}]}, "scenario.events.0.connector: CP1 has no connector 2"),
        ({"settings": {"CP9": {}}}, "scenario.settings: there is no charger 'CP9'"),
        ({"settings": {"CP1": {"ResetRetries": "soon"}}}, "scenario.settings.CP1.ResetRetries: it cannot be 'soon'"),
        ({"settings": {"CP1": {"Colour": "red"}}}, "scenario.settings.CP1.Colour: it cannot be 'red'"),
        ({"hardware": {"CP1": {"rotation": ["RST", "STR"]}}}, "CP1 has no connector 2 of three phases to turn STR"),
    ],
)
async def test_what_does_not_fit_the_site_is_refused_with_its_field_and_value(
    table: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        depot(scenario(**table))
    assert complaint in str(refusal.value)
