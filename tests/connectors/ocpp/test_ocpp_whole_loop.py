"""A charge point boots, charges and stops."""

from __future__ import annotations

from tests.connectors.ocpp.peer import depot, grant, peer, until
from twin_core.models import events as e
from twin_core.models.grant import GrantOutcome


async def test_a_charger_boots_is_commissioned_charges_under_a_grant_and_stops() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        answer = await cp.boot()
        assert answer["status"] == "Accepted"
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        assert [f.fallback_a for f in d.sink.of(e.FallbackConfirmed)] == [0.0]
        transaction = await cp.start()
        d.system.offer(grant(10.0))
        await until(lambda: d.sink.of(e.GrantAnswered))
        assert d.sink.of(e.GrantAnswered)[0].outcome is GrantOutcome.ACCEPTED
        profile = cp.profiles()[-1]
        assert profile["chargingProfilePurpose"] == "TxProfile"
        assert profile["transactionId"] == transaction
        assert profile["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]
        stop = {"transactionId": transaction, "meterStop": 3000, "timestamp": "2026-06-01T13:00:00Z"}
        assert (await cp.call("StopTransaction", stop))[2] == {}
        (stopped,) = d.sink.of(e.TransactionStopped)
        assert stopped.meter_stop_kwh == 3.0
    assert [type(x).__name__ for x in d.sink.events][-1] == "ChargerDisconnected"
