"""Boot, sessions, tags, remote control and outages, as our virtual charge point plays them."""

from __future__ import annotations

from tests.connectors.ocpp.certification.point_stage import ACCEPTED, DRIVER, REJECTED, point_stage
from tests.simulators.chargers import car
from tests.simulators.fake_central import settle
from twin_core.models.ids import IdTag

SESSION = ("Authorize", "StartTransaction", "StopTransaction")


async def test_tc_001_cold_boot() -> None:
    """Switched on, it boots, reports itself and every connector, and beats at the interval it was given."""
    async with point_stage() as s:
        assert s.order("BootNotification", "StatusNotification") == ["BootNotification"] + ["StatusNotification"] * 3
        assert [p["connectorId"] for p in s.said("StatusNotification")] == [0, 1, 2]
        await settle(301)
        assert len(s.said("Heartbeat")) == 1


async def test_tc_003_regular_session_plug_in_first() -> None:
    """Plugged in, then identified: it asks about the tag, starts under it and charges."""
    async with point_stage() as s:
        assert await s.arrives()
        assert s.order(*SESSION) == ["Authorize", "StartTransaction"]
        assert s.statuses() == ["Available", "Preparing", "Charging"]
        assert s.point.grid_currents()[0] > 6


async def test_tc_005_1_vehicle_unplugged_ends_the_session() -> None:
    """Unplugged: it stops with that reason and the tag that began, and its connector comes free."""
    async with point_stage() as s:
        await s.arrives()
        s.point.unplug(1)
        await settle()
        (stop,) = s.said("StopTransaction")
        assert (stop["reason"], stop["transactionId"], stop["idTag"]) == ("EVDisconnected", 501, DRIVER)
        assert s.statuses()[-2:] == ["Finishing", "Available"]


async def test_tc_007_session_with_a_cached_tag() -> None:
    """A tag it saw accepted starts without a question, where that is allowed."""
    async with point_stage() as s:
        await s.set(LocalPreAuthorize="true")
        await s.arrives()
        assert await s.arrives(connector=2)
        assert s.order(*SESSION) == ["Authorize", "StartTransaction", "StartTransaction"]


async def test_tc_010_remote_start_cable_plugged_in_first() -> None:
    """Plugged in, then started from afar: it asks about the tag where configured, and starts under it."""
    async with point_stage() as s:
        await s.set(AuthorizeRemoteTxRequests="true")
        s.knows(FAR="Accepted")
        assert not await s.arrives("STRANGER")
        assert await s.ask("RemoteStartTransaction", idTag="FAR", connectorId=1) == ACCEPTED
        await settle(10)
        assert [p["idTag"] for p in s.said("Authorize")] == ["STRANGER", "FAR"]
        assert [p["idTag"] for p in s.said("StartTransaction")] == ["FAR"]
        assert s.statuses()[-1] == "Charging"


async def test_tc_011_1_remote_start_first() -> None:
    """Started from afar, then plugged in: it waits as Preparing and starts under the remote tag."""
    async with point_stage() as s:
        assert await s.ask("RemoteStartTransaction", idTag="FAR", connectorId=1) == ACCEPTED
        await settle()
        assert s.statuses()[-1] == "Preparing"
        assert await s.arrives("OTHER")
        assert [p["idTag"] for p in s.said("StartTransaction")] == ["FAR"]


async def test_tc_011_2_remote_start_and_no_vehicle_comes() -> None:
    """Started from afar and no vehicle comes within ConnectionTimeOut: its connector is free again."""
    async with point_stage() as s:
        await s.set(ConnectionTimeOut="30")
        await s.ask("RemoteStartTransaction", idTag="FAR", connectorId=1)
        await settle(40)
        assert (s.statuses(), s.said("StartTransaction")) == (["Available", "Preparing", "Available"], [])


async def test_tc_012_remote_stop() -> None:
    """Stopped from afar: it stops with that reason, and its connector comes free once unplugged."""
    async with point_stage() as s:
        await s.arrives()
        assert await s.ask("RemoteStopTransaction", transactionId=501) == ACCEPTED
        await settle()
        s.point.unplug(1)
        await settle()
        assert (s.stopped(), s.statuses()[-2:]) == (["Remote"], ["Finishing", "Available"])


async def test_tc_018_1_unlock_during_a_session() -> None:
    """Unlocked during a session: it stops with that reason, then the cable is free."""
    async with point_stage() as s:
        await s.arrives()
        assert await s.ask("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
        await settle()
        assert (s.stopped(), s.statuses()[-1]) == (["UnlockCommand"], "Finishing")


async def refused(status: str) -> None:
    async with point_stage() as s:
        s.knows(BAD=status)
        assert not await s.arrives("BAD")
        assert s.order(*SESSION) == ["Authorize"]
        assert s.point.grid_currents() == (0.0, 0.0, 0.0)


async def test_tc_023_1_tag_invalid() -> None:
    """An Invalid tag starts nothing."""
    await refused("Invalid")


async def test_tc_023_2_tag_expired() -> None:
    """An Expired tag starts nothing."""
    await refused("Expired")


async def test_tc_023_3_tag_blocked() -> None:
    """A Blocked tag starts nothing."""
    await refused("Blocked")


async def test_tc_026_remote_start_rejected() -> None:
    """A remote start on a connector that is in use is rejected, and what runs there goes on."""
    async with point_stage() as s:
        await s.arrives()
        assert await s.ask("RemoteStartTransaction", idTag="FAR", connectorId=1) == REJECTED
        await settle()
        assert (len(s.said("StartTransaction")), s.stopped()) == (1, [])


async def test_tc_028_remote_stop_rejected() -> None:
    """A remote stop of an unknown transaction is rejected, and what runs goes on."""
    async with point_stage() as s:
        await s.arrives()
        assert await s.ask("RemoteStopTransaction", transactionId=77) == REJECTED
        await settle()
        assert (s.stopped(), s.statuses()[-1]) == ([], "Charging")


async def test_tc_032_1_power_fails_and_the_session_ends() -> None:
    """After a power failure it boots, and stops what ran with that reason, where it is not to go on."""
    async with point_stage() as s:
        await s.set(ContinueTransactionAfterPowerLoss="false")
        await s.arrives()
        before = len(s.central.heard)
        s.point.cut_power()
        await settle(60)
        s.point.return_power()
        await settle(60)
        assert s.order("BootNotification", "StopTransaction", since=before) == ["BootNotification", "StopTransaction"]
        assert (s.stopped(), s.statuses()[-1]) == (["PowerLoss"], "Finishing")


async def test_tc_037_1_offline_start_of_a_valid_tag() -> None:
    """A session begun offline is told when the link is back, with its own time, and goes on."""
    async with point_stage() as s:
        s.knows(DRIVER="Accepted")
        await s.goes_offline()
        assert await s.arrives()
        await settle(290)
        await s.comes_back()
        (start,) = s.said("StartTransaction")
        assert start["timestamp"] < "2026-06-01T12:01:00"
        assert (s.stopped(), s.point.grid_currents()[0] > 6) == ([], True)


async def test_tc_037_3_offline_start_of_an_invalid_tag() -> None:
    """A session begun offline under a tag that turns out Invalid is stopped with that reason, where configured."""
    async with point_stage() as s:
        s.knows()
        await s.goes_offline()
        assert await s.arrives("STRANGER")
        await s.comes_back()
        assert (s.stopped(), s.statuses()[-1]) == (["DeAuthorized"], "Finishing")
        assert s.point.grid_currents() == (0.0, 0.0, 0.0)


async def test_tc_039_offline_session() -> None:
    """A session begun and ended offline is told whole, in order, with its own times."""
    async with point_stage() as s:
        await s.goes_offline()
        await s.arrives(wanted_kwh=0.5)
        await settle(300)
        s.point.unplug(1)
        await settle(60)
        await s.comes_back()
        assert s.order(*SESSION) == ["StartTransaction", "StopTransaction"]
        (start,), (stop,) = s.said("StartTransaction"), s.said("StopTransaction")
        assert start["timestamp"] < stop["timestamp"] < "2026-06-01T12:06:00"
        assert (stop["transactionId"], stop["meterStop"] - start["meterStart"]) == (501, 500)


async def test_tc_061_cache_cleared() -> None:
    """A cleared cache forgets: the tag it saw accepted is asked about again."""
    async with point_stage() as s:
        await s.set(LocalPreAuthorize="true")
        await s.arrives()
        assert await s.ask("ClearCache") == ACCEPTED
        await s.arrives(connector=2)
        assert len(s.said("Authorize")) == 2


async def test_tc_064_data_transfer_to_the_central_system() -> None:
    """A private message that the central system does not know of changes nothing."""
    async with point_stage() as s:
        s.central.answers["DataTransfer"] = lambda _c, _p: {"status": "UnknownVendorId"}
        answer = await s.point.controller.transfer("org.example", "Hello", "there")
        assert (answer, len(s.said("DataTransfer"))) == ({"status": "UnknownVendorId"}, 1)
        assert await s.point.plug(1, car(), IdTag(DRIVER))
