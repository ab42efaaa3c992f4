"""Sessions started and stopped from afar, and messages asked for, by an operator of our central system."""

from __future__ import annotations

from connectors.ocpp.operations import Outcome
from tests.connectors.ocpp.certification.stage import CP1, DRIVER, clock_time, stage
from twin_core.models import events as e

REJECTED = {"status": "Rejected"}


async def test_tc_010_remote_start_cable_plugged_in_first() -> None:
    """Plugged in, then started from afar: the charger is asked for that connector and tag, and the session is known."""
    async with stage() as s:
        await s.status("Preparing")
        assert (await s.operations.start(CP1, DRIVER, 1)).outcome is Outcome.DONE
        assert s.asked("RemoteStartTransaction") == [{"idTag": DRIVER, "connectorId": 1}]
        assert await s.shows(DRIVER) == "Accepted"
        transaction, status = await s.starts()
        await s.status("Charging")
        assert (status, s.running()) == ("Accepted", [transaction])


async def test_tc_011_1_remote_start_first() -> None:
    """Started from afar, then plugged in: the session is known."""
    async with stage() as s:
        assert (await s.operations.start(CP1, DRIVER, 1)).outcome is Outcome.DONE
        assert await s.shows(DRIVER) == "Accepted"
        await s.status("Preparing")
        transaction, status = await s.starts()
        await s.status("Charging")
        assert (status, s.running()) == ("Accepted", [transaction])


async def test_tc_011_2_remote_start_and_no_vehicle_comes() -> None:
    """Started from afar, and no vehicle comes in time: the connector is free again and nothing runs."""
    async with stage() as s:
        assert (await s.operations.start(CP1, DRIVER, 1)).outcome is Outcome.DONE
        assert await s.shows(DRIVER) == "Accepted"
        await s.status("Preparing")
        await s.status("Available", timestamp=clock_time(30))
        assert (s.statuses(), s.running()) == (["Preparing", "Available"], [])


async def test_tc_012_remote_stop() -> None:
    """Stopped from afar: the charger is asked for that transaction, and its stop is taken with its reason."""
    async with stage() as s:
        transaction = await s.charges()
        assert (await s.operations.stop(CP1, transaction)).outcome is Outcome.DONE
        assert s.asked("RemoteStopTransaction") == [{"transactionId": transaction}]
        await s.stops(transaction, "Remote")
        await s.status("Finishing")
        await s.status("Available")
        assert ([event.reason for event in s.of(e.TransactionStopped)], s.running()) == (["Remote"], [])


async def test_tc_026_remote_start_rejected() -> None:
    """A charger that rejects a remote start is heard, and nothing runs."""
    async with stage(RemoteStartTransaction=REJECTED) as s:
        answer = await s.operations.start(CP1, DRIVER, 1)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "Rejected")
        assert s.running() == []


async def test_tc_028_remote_stop_rejected() -> None:
    """An unknown transaction may be asked to stop; the charger's rejection is heard and the one that runs goes on."""
    async with stage(RemoteStopTransaction=REJECTED) as s:
        transaction = await s.charges()
        answer = await s.operations.stop(CP1, transaction + 1)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "Rejected")
        assert s.asked("RemoteStopTransaction") == [{"transactionId": transaction + 1}]
        assert s.running() == [transaction]


async def test_tc_054_messages_triggered() -> None:
    """Every message that can be triggered is asked for, and what then comes is taken."""
    async with stage() as s:
        assert (await s.operations.trigger(CP1, "MeterValues", 1)).outcome is Outcome.DONE
        sample = {"timestamp": clock_time(), "sampledValue": [{"value": "1000", "context": "Trigger"}]}
        await s.says("MeterValues", connectorId=1, meterValue=[sample])
        assert (await s.operations.trigger(CP1, "Heartbeat")).outcome is Outcome.DONE
        await s.says("Heartbeat")
        assert (await s.operations.trigger(CP1, "StatusNotification", 1)).outcome is Outcome.DONE
        await s.status("Available")
        assert (await s.operations.trigger(CP1, "DiagnosticsStatusNotification")).outcome is Outcome.DONE
        await s.says("DiagnosticsStatusNotification", status="Idle")
        assert (await s.operations.trigger(CP1, "FirmwareStatusNotification")).outcome is Outcome.DONE
        await s.says("FirmwareStatusNotification", status="Idle")
        assert [p["requestedMessage"] for p in s.asked("TriggerMessage")] == [
            "MeterValues",
            "Heartbeat",
            "StatusNotification",
            "DiagnosticsStatusNotification",
            "FirmwareStatusNotification",
        ]
        assert [event.reading.energy_kwh for event in s.of(e.ConnectorMetered)] == [1.0]
        assert [event.status for event in s.of(e.LogStatusReported)] == ["Idle"]
        assert [event.status for event in s.of(e.FirmwareStatusReported)] == ["Idle"]


async def test_tc_055_trigger_rejected() -> None:
    """A charger that rejects a trigger is heard."""
    async with stage(TriggerMessage=REJECTED) as s:
        answer = await s.operations.trigger(CP1, "MeterValues", 1)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "Rejected")
