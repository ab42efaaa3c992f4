"""What a charger tells after it was without power or without its link, as our central system takes it."""

from __future__ import annotations

from datetime import timedelta

from tests.connectors.ocpp.certification.stage import DRIVER, stage
from tests.fakes import EPOCH
from twin_core.models import events as e

FOUR_HOURS_AGO_S = -4 * 3600.0


async def test_tc_032_1_power_fails_and_the_session_ends() -> None:
    """After a power failure the charger boots again and its session ends, with that reason and nobody else's."""
    async with stage() as s:
        transaction = await s.charges()
        await s.dials()
        assert (await s.boots())["status"] == "Accepted"
        await s.status("Available", 0)
        await s.status("Finishing", 1)
        await s.status("Available", 2)
        assert s.running() == [transaction], "it is known over the restart"
        await s.stops(transaction, "PowerLoss")
        assert ([event.reason for event in s.of(e.TransactionStopped)], s.running()) == (["PowerLoss"], [])


async def test_tc_037_1_offline_start_of_a_valid_tag() -> None:
    """A session that began offline is told hours later: it is taken with its own time, and its tag accepted."""
    async with stage() as s:
        transaction, status = await s.starts(at_s=FOUR_HOURS_AGO_S)
        await s.status("Charging")
        assert (status, s.running()) == ("Accepted", [transaction])
        (begun,) = s.of(e.TransactionStarted)
        assert begun.started_at == EPOCH - timedelta(hours=4)


async def test_tc_037_3_offline_start_of_an_invalid_tag() -> None:
    """A session of an unknown tag, begun offline: it gets a number but no leave to charge, and its stop is taken."""
    async with stage() as s:
        transaction, status = await s.starts("STRANGER", at_s=FOUR_HOURS_AGO_S)
        assert (status, transaction > 0) == ("Invalid", True)
        await s.status("Charging")
        await s.stops(transaction, "DeAuthorized", idTag="STRANGER")
        await s.status("Finishing")
        assert ([event.reason for event in s.of(e.TransactionStopped)], s.running()) == (["DeAuthorized"], [])


async def test_tc_039_offline_session() -> None:
    """A session that began and ended offline is taken whole, with its own times."""
    async with stage() as s:
        transaction, status = await s.starts(at_s=FOUR_HOURS_AGO_S)
        answer = await s.stops(transaction, at_s=FOUR_HOURS_AGO_S + 3600, idTag=DRIVER)
        assert (status, answer["idTagInfo"]["status"], s.running()) == ("Accepted", "Accepted", [])
        (begun,), (ended,) = s.of(e.TransactionStarted), s.of(e.TransactionStopped)
        assert (begun.started_at, ended.stopped_at) == (EPOCH - timedelta(hours=4), EPOCH - timedelta(hours=3))
        assert (begun.meter_start_kwh, ended.meter_stop_kwh) == (0.0, 0.01)
