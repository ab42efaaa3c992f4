"""Boot and charging sessions, as our central system sees them."""

from __future__ import annotations

from datetime import datetime

from tests.connectors.ocpp.certification.stage import DRIVER, clock_time, stage
from tests.fakes import EPOCH
from twin_core.models import events as e


async def test_tc_001_cold_boot() -> None:
    """A charger that was switched on is accepted, told the time and an interval, and its statuses are taken."""
    async with stage(boots=False) as s:
        answer = await s.boots()
        assert answer["status"] == "Accepted"
        assert answer["interval"] > 0
        assert abs((datetime.fromisoformat(answer["currentTime"]) - EPOCH).total_seconds()) < 10
        for connector in (0, 1, 2):
            await s.status("Available", connector)
        assert (s.statuses(1), s.statuses(2)) == (["Available"], ["Available"])
        assert datetime.fromisoformat((await s.says("Heartbeat"))["currentTime"]) >= EPOCH


async def test_tc_003_regular_session_plug_in_first() -> None:
    """Plugged in, then identified: one transaction runs, under the driver's tag."""
    async with stage() as s:
        transaction = await s.charges()
        assert s.running() == [transaction]
        assert s.statuses() == ["Preparing", "Charging"]
        (begun,) = s.of(e.TransactionStarted)
        assert (begun.transaction_id, begun.id_tag, begun.connector_id.number) == (transaction, DRIVER, 1)


async def test_tc_004_1_regular_session_identification_first() -> None:
    """Identified, then plugged in: the tag is accepted before any connector is named, and one transaction runs."""
    async with stage() as s:
        assert await s.shows(DRIVER) == "Accepted"
        await s.status("Preparing")
        transaction, status = await s.starts()
        await s.status("Charging")
        assert (status, s.running()) == ("Accepted", [transaction])


async def test_tc_004_2_identification_first_and_no_vehicle_comes() -> None:
    """Identified, and no vehicle comes in time: the connector is free again and no transaction ever was."""
    async with stage() as s:
        assert await s.shows(DRIVER) == "Accepted"
        await s.status("Preparing")
        await s.status("Available", timestamp=clock_time(30))
        assert s.statuses() == ["Preparing", "Available"]
        assert s.of(e.TransactionStarted) == s.running() == []


async def test_tc_005_1_vehicle_unplugged_ends_the_session() -> None:
    """The vehicle is unplugged: the stop is taken with its reason, its tag judged, and the connector comes free."""
    async with stage() as s:
        transaction = await s.charges()
        await s.status("SuspendedEV")
        answer = await s.stops(transaction, "EVDisconnected", idTag=DRIVER)
        assert answer["idTagInfo"]["status"] == "Accepted"
        await s.status("Finishing")
        await s.status("Available")
        assert s.running() == []
        assert [event.reason for event in s.of(e.TransactionStopped)] == ["EVDisconnected"]
        assert s.statuses()[-3:] == ["SuspendedEV", "Finishing", "Available"]


async def test_tc_007_session_with_a_cached_tag() -> None:
    """A charger that knows the tag from its cache starts without asking, and the tag is judged at the start."""
    async with stage() as s:
        await s.status("Preparing")
        transaction, status = await s.starts()
        await s.status("Charging")
        assert (status, s.running()) == ("Accepted", [transaction])


async def test_tc_024_lock_failure() -> None:
    """The cable cannot be locked: the fault and its cause are told, and no transaction begins."""
    async with stage() as s:
        assert await s.shows(DRIVER) == "Accepted"
        await s.status("Preparing")
        await s.status("Faulted", error="ConnectorLockFailure")
        last = s.of(e.ConnectorStatusReported)[-1]
        assert (last.status.value, last.error_code) == ("Faulted", "ConnectorLockFailure")
        assert s.running() == []
