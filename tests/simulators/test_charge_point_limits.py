"""A charge point that is told limits: what it draws, what it says of itself, and when they end."""

from __future__ import annotations

import pytest

from simulators.quirks import quirks
from tests.simulators.chargers import car, charger, profile, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

TAG = IdTag("TAG")


def statuses(central: FakeCentral, connector: int = 1) -> list[str]:
    return [p["status"] for p in central.of("StatusNotification") if p["connectorId"] == connector]


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


async def test_a_default_profile_survives_a_reset_unless_the_charger_forgets_it() -> None:
    default = {"connectorId": 1, "csChargingProfiles": profile(8.0, purpose="TxDefaultProfile")}
    for names, kept in (([], 8.0), (["forgets-profiles-on-reboot"], 32.0)):
        async with FakeCentral() as central, switched_on(quirks=quirks(names)) as point:
            await central.call("CP1", "SetChargingProfile", default)
            await point.plug(1, car(), TAG)
            await central.call("CP1", "Reset", {"type": "Soft"})
            await settle(40)
            assert point.grid_currents()[0] == pytest.approx(kept)
