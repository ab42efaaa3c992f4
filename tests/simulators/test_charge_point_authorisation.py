"""Who may charge at a virtual charge point, and what is reserved for whom."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.simulators.chargers import car, charger, profile, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

TAG = IdTag("TAG")
ACCEPTED = {"status": "Accepted"}


async def configure(central: FakeCentral, **values: str) -> None:
    for key, value in values.items():
        assert await central.call("CP1", "ChangeConfiguration", {"key": key, "value": value}) == ACCEPTED


async def send_list(central: FakeCentral, version: int, kind: str, *entries: tuple[str, str | None]) -> str:
    made = [{"idTag": tag, **({} if status is None else {"idTagInfo": {"status": status}})} for tag, status in entries]
    payload = {"listVersion": version, "updateType": kind, "localAuthorizationList": made}
    status: str = (await central.call("CP1", "SendLocalList", payload))["status"]
    return status


async def version(central: FakeCentral) -> int:
    number: int = (await central.call("CP1", "GetLocalListVersion", {}))["listVersion"]
    return number


# The local list ------------------------------------------------------------------------------------------------------


async def test_a_local_list_is_replaced_and_amended_by_version() -> None:
    async with FakeCentral() as central, switched_on():
        assert await version(central) == 0
        assert await send_list(central, 3, "Full", ("A", "Accepted"), ("B", "Blocked")) == "Accepted"
        assert await send_list(central, 3, "Differential", ("C", "Accepted")) == "VersionMismatch"
        assert await send_list(central, 4, "Differential", ("C", "Accepted"), ("A", None)) == "Accepted"
        assert await version(central) == 4
        assert await send_list(central, 2, "Full", ("A", "Accepted")) == "Accepted"
        assert await version(central) == 2


@pytest.mark.parametrize(
    ("number", "kind", "entries"),
    [
        (0, "Full", [("A", "Accepted")]),
        (5, "Full", [("A", None)]),
        (5, "Differential", [("A", "Accepted"), ("A", "Blocked")]),
        (5, "Full", [(f"T{k}", "Accepted") for k in range(101)]),
    ],
)
async def test_a_list_that_cannot_be_taken_whole_changes_nothing(number: int, kind: str, entries: list[Any]) -> None:
    async with FakeCentral() as central, switched_on():
        await send_list(central, 1, "Full", ("OLD", "Accepted"))
        assert await send_list(central, number, kind, *entries) == "Failed"
        assert await version(central) == 1


async def test_lists_that_are_switched_off_are_not_supported() -> None:
    async with FakeCentral() as central, switched_on():
        await configure(central, LocalAuthListEnabled="false")
        assert await version(central) == -1
        assert await send_list(central, 1, "Full") == "NotSupported"


# Authorisation -------------------------------------------------------------------------------------------------------


async def test_a_tag_that_is_known_locally_starts_without_asking_where_that_is_allowed() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)) as point:
        await send_list(central, 1, "Full", ("TAG", "Accepted"))
        await point.plug(1, car(), TAG)
        assert len(central.of("Authorize")) == 1
        await configure(central, LocalPreAuthorize="true")
        assert await point.plug(2, car(), TAG)
        assert len(central.of("Authorize")) == 1


async def test_a_tag_that_was_accepted_once_is_remembered_until_the_cache_is_cleared() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, LocalPreAuthorize="true")
        for asked in (1, 1):
            await point.plug(1, car(), TAG)
            await settle()
            point.unplug(1)
            await settle()
            assert len(central.of("Authorize")) == asked
        assert await central.call("CP1", "ClearCache", {}) == ACCEPTED
        await point.plug(1, car(), TAG)
        assert len(central.of("Authorize")) == 2


async def test_a_tag_that_is_blocked_in_the_list_is_asked_for_all_the_same() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, LocalPreAuthorize="true")
        await send_list(central, 1, "Full", ("TAG", "Blocked"))
        assert await point.plug(1, car(), TAG)
        assert len(central.of("Authorize")) == 1


@pytest.mark.parametrize(
    ("settings", "tag", "starts"),
    [
        ({}, "KNOWN", True),
        ({}, "BLOCKED", False),
        ({}, "EXPIRED", False),
        ({}, "STRANGER", True),
        ({"AllowOfflineTxForUnknownId": "false"}, "STRANGER", False),
        ({"AllowOfflineTxForUnknownId": "false"}, "KNOWN", True),
        ({"LocalAuthorizeOffline": "false"}, "KNOWN", False),
    ],
)
async def test_without_a_link_the_configuration_says_who_may_charge(
    settings: dict[str, str], tag: str, *, starts: bool
) -> None:
    async with FakeCentral() as central, switched_on() as point:
        expired = {"idTag": "EXPIRED", "idTagInfo": {"status": "Accepted", "expiryDate": "2020-01-01T00:00:00Z"}}
        entries = [{"idTag": "KNOWN", "idTagInfo": ACCEPTED}, {"idTag": "BLOCKED", "idTagInfo": {"status": "Blocked"}}]
        request = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [*entries, expired]}
        await central.call("CP1", "SendLocalList", request)
        await configure(central, **settings)
        await central.stop()
        await settle(5)
        assert await point.plug(1, car(), IdTag(tag)) is starts


@pytest.mark.parametrize(("stops", "reasons"), [("true", ["DeAuthorized"]), ("false", [])])
async def test_a_tag_found_invalid_afterwards_gets_no_energy_and_ends_where_configured(
    stops: str, reasons: list[str]
) -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, StopTransactionOnInvalidId=stops)
        central.answers["StartTransaction"] = lambda _c, _p: {"transactionId": 3, "idTagInfo": {"status": "Invalid"}}
        await point.plug(1, car(), TAG)
        await settle(20)
        assert [p["reason"] for p in central.of("StopTransaction")] == reasons
        assert point.grid_currents()[0] == 0.0


@pytest.mark.parametrize("nonsense", ["Accepted", [], {"status": ["Accepted"]}, {"status": "Perhaps"}, None])
async def test_an_answer_that_makes_no_sense_permits_nothing_and_ends_no_link(nonsense: Any) -> None:
    async with FakeCentral() as central, switched_on() as point:
        central.answers["Authorize"] = lambda _c, _p: {"idTagInfo": nonsense}
        assert not await point.plug(1, car(), TAG)
        await settle(10)
        assert not central.of("StartTransaction")
        assert point.links == 1


async def test_a_start_whose_answer_has_a_word_for_status_that_nobody_knows_is_stopped() -> None:
    async with FakeCentral() as central, switched_on() as point:
        central.answers["StartTransaction"] = lambda _c, _p: {"transactionId": 3, "idTagInfo": {"status": "Perhaps"}}
        await point.plug(1, car(), TAG)
        await settle(10)
        assert [p["reason"] for p in central.of("StopTransaction")] == ["DeAuthorized"]


@pytest.mark.parametrize("nonsense", ["Accepted", [], {"status": ["Accepted"]}, None])
async def test_a_start_whose_answer_cannot_be_read_is_said_again(nonsense: Any) -> None:
    async with FakeCentral() as central, switched_on() as point:
        central.answers["StartTransaction"] = lambda _c, _p: {"transactionId": 3, "idTagInfo": nonsense}
        await point.plug(1, car(), TAG)
        await settle(25)
        assert len(central.of("StartTransaction")) > 1
        assert point.controller.outbox.counts.flawed["StartTransaction"] > 1
        assert point.links == 1


async def test_an_expiry_that_is_no_moment_is_not_remembered_and_harms_nobody() -> None:
    async with FakeCentral() as central, switched_on() as point:
        central.answers["Authorize"] = lambda _c, _p: {"idTagInfo": {"status": "Accepted", "expiryDate": 5}}
        assert await point.plug(1, car(), TAG)
        await settle(10)
        assert point.online
        assert len(central.of("StartTransaction")) == 1


async def test_a_transaction_is_stopped_by_its_tag_or_one_of_its_group_and_no_other() -> None:
    async with FakeCentral() as central, switched_on() as point:
        parents = {"TAG": "FAMILY", "SISTER": "FAMILY"}
        central.answers["Authorize"] = lambda _c, p: {
            "idTagInfo": {"status": "Accepted", "parentIdTag": parents.get(p["idTag"], "OTHERS")}
        }
        central.answers["StartTransaction"] = lambda _c, _p: {
            "transactionId": 8,
            "idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"},
        }
        await point.plug(1, car(), TAG)
        await settle()
        assert not await point.swipe(1, IdTag("STRANGER"))
        assert await point.swipe(1, IdTag("SISTER"))
        await settle()
        (stop,) = central.of("StopTransaction")
        assert (stop["reason"], stop["idTag"]) == ("Local", "SISTER")


async def test_a_remote_start_is_authorised_first_where_configured() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, AuthorizeRemoteTxRequests="true")
        central.answers["Authorize"] = lambda _c, p: {
            "idTagInfo": {"status": "Accepted" if p["idTag"] == "GOOD" else "Blocked"}
        }
        for tag, begun in (("BAD", 0), ("GOOD", 1)):
            assert await central.call("CP1", "RemoteStartTransaction", {"idTag": tag}) == ACCEPTED
            await settle()
            if begun:
                assert await point.plug(1, car(), TAG)
                await settle()
            assert [p["idTag"] for p in central.of("StartTransaction")] == ["GOOD"] * begun


async def test_a_remote_start_waits_for_a_vehicle_no_longer_than_configured() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await configure(central, ConnectionTimeOut="30")
        await central.call("CP1", "RemoteStartTransaction", {"idTag": "FAR", "connectorId": 1})
        await settle(40)
        said = [p["status"] for p in central.of("StatusNotification") if p["connectorId"] == 1]
        assert said == ["Available", "Preparing", "Available"]
        central.answers["Authorize"] = lambda _c, _p: {"idTagInfo": {"status": "Invalid"}}
        assert not await point.plug(1, car(), TAG)


async def test_a_remote_start_takes_a_profile_for_the_transaction_and_no_other() -> None:
    async with FakeCentral() as central, switched_on() as point:
        default = {"idTag": "FAR", "chargingProfile": profile(9.0, purpose="TxDefaultProfile")}
        assert await central.call("CP1", "RemoteStartTransaction", default) == {"status": "Rejected"}
        await central.call("CP1", "RemoteStartTransaction", {"idTag": "FAR", "chargingProfile": profile(9.0)})
        await point.plug(1, car(), TAG)
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(9.0)


# Reservations --------------------------------------------------------------------------------------------------------


async def reserve(central: FakeCentral, number: int, connector: int, tag: str = "MINE", **extra: Any) -> str:
    payload = {"reservationId": number, "connectorId": connector, "idTag": tag, "expiryDate": "2026-06-01T12:10:00Z"}
    status: str = (await central.call("CP1", "ReserveNow", {**payload, **extra}))["status"]
    return status


async def test_a_reserved_connector_takes_its_tag_and_says_so_when_it_starts() -> None:
    async with FakeCentral() as central, switched_on() as point:
        assert await reserve(central, 7, 1) == "Accepted"
        await settle()
        assert central.of("StatusNotification")[-1]["status"] == "Reserved"
        assert await central.call("CP1", "RemoteStartTransaction", {"idTag": "OTHER"}) == {"status": "Rejected"}
        assert not await point.plug(1, car(), TAG)
        point.unplug(1)
        assert await point.plug(1, car(), IdTag("MINE"))
        await settle()
        assert [p["reservationId"] for p in central.of("StartTransaction")] == [7]
        point.unplug(1)
        await settle()
        assert central.of("StatusNotification")[-1]["status"] == "Available"


async def test_a_reservation_may_be_used_by_the_group_it_names() -> None:
    async with FakeCentral() as central, switched_on() as point:
        entry = {"idTag": "TAG", "idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"}}
        await central.call(
            "CP1", "SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]}
        )
        await reserve(central, 7, 1, parentIdTag="FAMILY")
        assert await point.plug(1, car(), TAG)


async def test_a_reservation_ends_when_it_expires_or_is_cancelled() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await reserve(central, 7, 1)
        await settle()
        assert await central.call("CP1", "CancelReservation", {"reservationId": 7}) == ACCEPTED
        await settle()
        assert await central.call("CP1", "CancelReservation", {"reservationId": 7}) == {"status": "Rejected"}
        await reserve(central, 8, 1, expiryDate="2026-06-01T12:01:00Z")
        await settle(70)
        said = [p["status"] for p in central.of("StatusNotification") if p["connectorId"] == 1]
        assert said == ["Available", "Reserved", "Available", "Reserved", "Available"]
        assert await point.plug(1, car(), TAG)


async def test_what_is_taken_out_of_service_or_unknown_cannot_be_reserved() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)) as point:
        await point.plug(1, car(), TAG)
        await settle()
        await central.call("CP1", "ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
        assert await reserve(central, 1, 1) == "Occupied"
        assert await reserve(central, 1, 2) == "Unavailable"
        assert await reserve(central, 1, 9) == "Rejected"
        assert await reserve(central, 1, 1, expiryDate="2026-01-01T00:00:00Z") == "Rejected"


async def test_a_reservation_of_any_connector_keeps_the_last_free_one() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)) as point:
        assert await reserve(central, 1, 0) == "Accepted"
        assert await point.plug(1, car(), TAG)
        assert not await point.plug(2, car(), IdTag("OTHER"))
        point.unplug(2)
        assert await point.plug(2, car(), IdTag("MINE"))
        await asyncio.sleep(1)
        assert [p.get("reservationId") for p in central.of("StartTransaction")] == [None, 1]


async def test_the_same_reservation_again_takes_its_own_place() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await reserve(central, 7, 1)
        assert await reserve(central, 8, 1) == "Occupied"
        assert await reserve(central, 7, 1, "TAG") == "Accepted"
        assert await point.plug(1, car(), TAG)


async def test_no_more_connectors_are_reserved_than_there_are() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)):
        assert [await reserve(central, 1, 0), await reserve(central, 2, 2)] == ["Accepted", "Accepted"]
        assert [await reserve(central, 3, 0), await reserve(central, 4, 1)] == ["Occupied", "Occupied"]


async def test_a_connector_that_goes_out_of_service_is_reserved_no_longer() -> None:
    async with FakeCentral() as central, switched_on():
        await reserve(central, 7, 1)
        await central.call("CP1", "ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
        assert await central.call("CP1", "CancelReservation", {"reservationId": 7}) == {"status": "Rejected"}
