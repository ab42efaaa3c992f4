"""Reservations and charging profiles, as our virtual charge point keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.pilot import PilotFault
from tests.connectors.ocpp.certification.point_stage import ACCEPTED, DRIVER, REJECTED, PointStage, point_stage
from tests.simulators.chargers import profile
from tests.simulators.fake_central import settle

# Reservations


async def reserve(s: PointStage, connector: int = 1, tag: str = DRIVER, **more: Any) -> str:
    asked = {"connectorId": connector, "idTag": tag, "expiryDate": "2026-06-01T12:05:00Z", "reservationId": 1}
    answer = await s.ask("ReserveNow", **asked, **more)
    await settle()
    return str(answer["status"])


async def test_tc_046_reservation_used() -> None:
    """A reserved connector takes its driver and nobody else, and the session names the reservation."""
    async with point_stage() as s:
        assert await reserve(s) == "Accepted"
        assert s.statuses()[-1] == "Reserved"
        assert not await s.arrives("OTHER")
        s.point.unplug(1)
        assert await s.arrives()
        assert [p["reservationId"] for p in s.said("StartTransaction")] == [1]


async def test_tc_047_reservation_expires() -> None:
    """A reservation whose time is over is gone: the connector says that it is free and takes anybody."""
    async with point_stage() as s:
        await reserve(s)
        await settle(300)
        assert s.statuses() == ["Available", "Reserved", "Available"]
        assert await s.arrives("OTHER")


async def test_tc_048_1_reservation_of_a_faulted_connector() -> None:
    """A connector with a fault cannot be reserved: Faulted."""
    async with point_stage() as s:
        s.point.controller.station.fail(1, PilotFault.UNAVAILABLE)
        assert await reserve(s) == "Faulted"


async def test_tc_048_2_reservation_of_an_occupied_connector() -> None:
    """A connector in use cannot be reserved: Occupied."""
    async with point_stage() as s:
        await s.arrives("OTHER")
        assert await reserve(s) == "Occupied"


async def test_tc_048_3_reservation_of_an_unavailable_connector() -> None:
    """A connector out of service cannot be reserved: Unavailable."""
    async with point_stage() as s:
        assert await s.ask("ChangeAvailability", connectorId=1, type="Inoperative") == ACCEPTED
        await settle()
        assert s.statuses()[-1] == "Unavailable"
        assert await reserve(s) == "Unavailable"


async def test_tc_048_4_reservation_rejected() -> None:
    """A connector that it has not cannot be reserved: Rejected."""
    async with point_stage() as s:
        assert await reserve(s, connector=7) == "Rejected"


async def test_tc_049_reservation_of_the_charge_point() -> None:
    """Reserved as a whole, it keeps its last free connector for that driver."""
    async with point_stage() as s:
        assert await reserve(s, connector=0) == "Accepted"
        assert await s.arrives("OTHER", 1)
        assert not await s.arrives("THIRD", 2)
        s.point.unplug(2)
        assert await s.arrives(connector=2)
        assert [p.get("reservationId") for p in s.said("StartTransaction")] == [None, 1]


async def test_tc_051_reservation_cancelled() -> None:
    """A cancelled reservation is gone, and the connector says that it is free."""
    async with point_stage() as s:
        await reserve(s)
        assert await s.ask("CancelReservation", reservationId=1) == ACCEPTED
        await settle()
        assert s.statuses() == ["Available", "Reserved", "Available"]


async def test_tc_052_cancellation_rejected() -> None:
    """A reservation that it does not hold cannot be cancelled, and the one it holds stays."""
    async with point_stage() as s:
        await reserve(s)
        assert await s.ask("CancelReservation", reservationId=2) == REJECTED
        await settle()
        assert s.statuses()[-1] == "Reserved"


async def test_tc_053_reservation_used_by_another_of_the_group() -> None:
    """Where a group is named, it asks about a tag it does not know, and lets one of the group in and no other."""
    async with point_stage() as s:
        groups = {"SISTER": {"parentIdTag": "FAMILY"}, "OTHER": {"parentIdTag": "OTHERS"}}
        s.central.answers["Authorize"] = lambda _c, p: {"idTagInfo": {**ACCEPTED, **groups.get(p["idTag"], {})}}
        await reserve(s, parentIdTag="FAMILY")
        assert not await s.arrives("OTHER")
        s.point.unplug(1)
        assert await s.arrives("SISTER")
        assert [p["idTag"] for p in s.said("Authorize")] == ["OTHER", "SISTER"]
        assert [(p["idTag"], p["reservationId"]) for p in s.said("StartTransaction")] == [("SISTER", 1)]


# Charging profiles


async def install(s: PointStage, limit: float, connector: int = 1, **more: Any) -> dict[str, Any]:
    made = await s.ask("SetChargingProfile", connectorId=connector, csChargingProfiles=profile(limit, **more))
    await settle(10)
    return made


def drawn(s: PointStage) -> float:
    return s.point.grid_currents()[0]


async def test_tc_056_default_profile() -> None:
    """A TxDefaultProfile set beforehand limits the session that follows."""
    async with point_stage() as s:
        assert await install(s, 8.0, purpose="TxDefaultProfile") == ACCEPTED
        await s.arrives()
        assert drawn(s) == pytest.approx(8.0)


async def test_tc_057_transaction_profile() -> None:
    """A TxProfile limits the session it names at once, and is gone with it; another session's is rejected."""
    async with point_stage() as s:
        await s.arrives()
        assert await install(s, 6.0, transactionId=77) == REJECTED
        assert await install(s, 9.0, transactionId=501) == ACCEPTED
        assert drawn(s) == pytest.approx(9.0)
        s.point.unplug(1)
        await s.arrives("NEXT")
        assert drawn(s) > 9.0


async def test_tc_059_remote_start_with_a_profile() -> None:
    """A TxProfile that comes along with a remote start limits that session."""
    async with point_stage() as s:
        await s.ask("RemoteStartTransaction", idTag="FAR", connectorId=1, chargingProfile=profile(9.0))
        await s.arrives()
        assert ([p["idTag"] for p in s.said("StartTransaction")], drawn(s)) == (["FAR"], pytest.approx(9.0))


async def test_tc_066_composite_schedule() -> None:
    """Its composite schedule is what its profiles come to: the lowest of what each purpose allows, over time."""
    async with point_stage() as s:
        await s.arrives()
        await install(s, 16.0, 0, purpose="ChargePointMaxProfile", number=1)
        await install(s, 10.0, purpose="TxDefaultProfile", number=2)
        await install(s, 20.0, number=3, duration=90)
        answer = await s.ask("GetCompositeSchedule", connectorId=1, duration=300, chargingRateUnit="A")
        assert (answer["status"], answer["connectorId"]) == ("Accepted", 1)
        periods = answer["chargingSchedule"]["chargingSchedulePeriod"]
        assert [p["limit"] for p in periods] == [16.0, 10.0]
        assert periods[0]["startPeriod"] == 0
        assert periods[1]["startPeriod"] == pytest.approx(90, abs=25), "when the TxProfile is over"
        assert answer["chargingSchedule"]["chargingRateUnit"] == "A"
        assert drawn(s) == pytest.approx(16.0)


async def test_tc_067_profiles_cleared() -> None:
    """Profiles are cleared by number, by what they are for, and all at once; what is left is obeyed."""
    async with point_stage() as s:
        await s.arrives()
        await install(s, 12.0, 0, purpose="ChargePointMaxProfile", number=1)
        await install(s, 10.0, purpose="TxDefaultProfile", number=2)
        await install(s, 8.0, number=3)
        assert await s.ask("ClearChargingProfile", id=3) == ACCEPTED
        await settle(10)
        assert drawn(s) == pytest.approx(10.0)
        by_purpose = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}
        assert await s.ask("ClearChargingProfile", **by_purpose) == ACCEPTED
        await settle(10)
        assert drawn(s) == pytest.approx(12.0)
        assert await s.ask("ClearChargingProfile") == ACCEPTED
        await settle(10)
        assert drawn(s) == pytest.approx(32.0)
        assert await s.ask("ClearChargingProfile", id=3) == {"status": "Unknown"}
