"""What a charger states oddly costs the upstream no transaction and shifts no limit of its."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.store.upstream import UpstreamOutbox
from tests.connectors.ocpp.billing import billing, forwarding
from tests.connectors.ocpp.peer import charger_spec, peer, until
from twin_core.models.ids import ChargerId
from twin_core.ports import ForwardedMessage

CP1 = ChargerId("CP1")


def whole(limit_a: float) -> dict[str, Any]:
    return {
        "chargingProfileId": 4,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}]},
    }


def transaction_profile(*limits_a: float) -> dict[str, Any]:
    periods = [{"startPeriod": 60 * n, "limit": limit_a} for n, limit_a in enumerate(limits_a)]
    return {
        "chargingProfileId": 5,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods},
    }


async def test_a_start_and_a_stop_that_break_the_schema_are_told_as_they_were_understood(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        at = "2026-06-01T12:00:00Z"
        odd = {"connectorId": "1", "idTag": "TAG", "meterStart": "1000", "timestamp": at, "extra": 7}
        ours = (await charger.call("StartTransaction", odd))[2]["transactionId"]
        odd = {"transactionId": str(ours), "meterStop": 2500.0, "timestamp": at, "reason": "Because"}
        await charger.call("StopTransaction", odd)
        await until(lambda: b.said("StopTransaction"))
        start = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-06-01T12:00:00.000Z"}
        assert b.said("StartTransaction") == [start]
        assert b.said("StopTransaction") == [
            {"transactionId": 700001, "meterStop": 2500, "timestamp": "2026-06-01T12:00:00.000Z", "reason": "Other"}
        ]


async def test_a_start_on_a_connector_that_is_not_there_shares_no_limit(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await charger.start(9)
        await charger.start(1)
        await until(lambda: b.said("StartTransaction"))
        await b.ask("CP1", "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": whole(24.0)})
        await until(lambda: d.upstream.snapshot().chargers[CP1].allowances[0].upstream_a == 24.0)


async def test_a_start_said_again_after_its_stop_takes_no_profile_from_the_transaction_that_runs(
    tmp_path: Path,
) -> None:
    async with (
        billing() as b,
        forwarding(tmp_path, b.port, charger_spec("CP1", 2)) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        first = await charger.start(1)
        await charger.call(
            "StopTransaction", {"transactionId": first, "meterStop": 1500, "timestamp": "2026-06-01T12:01:00Z"}
        )
        assert await charger.start(1) == first
        await charger.start(1, tag="SECOND", at="2026-06-01T12:02:00Z")
        await until(lambda: len(b.said("StartTransaction")) == 2)
        profile = {"connectorId": 1, "csChargingProfiles": transaction_profile(10.0)}
        assert (await b.ask("CP1", "SetChargingProfile", profile))[2] == {"status": "Accepted"}
        assert await charger.start(1) == first
        await asyncio.sleep(10)
        assert d.upstream.snapshot().chargers[CP1].allowances[0].upstream_a == 10.0


async def test_a_remote_start_with_a_profile_that_makes_no_sense_never_reaches_the_charger(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await until(lambda: d.upstream.snapshot().chargers[CP1].accepted)
        request = {"connectorId": 1, "idTag": "TAG", "chargingProfile": transaction_profile(*range(6, 32))}
        assert (await b.ask("CP1", "RemoteStartTransaction", request))[2] == {"status": "Rejected"}
        assert "RemoteStartTransaction" not in [action for action, _ in charger.asked]
        assert d.upstream.snapshot().conflicts == 1


class SlowDisk(UpstreamOutbox):
    """Takes a second to keep anything."""

    async def keep(self, messages: Sequence[ForwardedMessage]) -> tuple[int | None, ...]:
        await asyncio.sleep(1.0)
        return await super().keep(messages)


async def test_what_a_charger_says_last_before_it_leaves_does_not_wait_for_its_return(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port, ledger=SlowDisk) as d:
        async with peer(d.system.port) as charger:
            await charger.boot()
            ours = await charger.start()
            await until(lambda: b.said("StartTransaction"))
            meter = {"timestamp": "2026-06-01T12:00:05Z", "sampledValue": [{"value": "1500"}]}
            await charger.call("MeterValues", {"connectorId": 1, "transactionId": ours, "meterValue": [meter]})
        await until(lambda: b.said("MeterValues"), 30)


async def test_an_upstream_that_rejects_a_charger_is_asked_again_when_it_said(tmp_path: Path) -> None:
    rejected = {"status": "Rejected", "currentTime": "2026-06-01T12:00:00Z", "interval": 900}
    async with (
        billing(BootNotification=rejected) as b,
        forwarding(tmp_path, b.port) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await asyncio.sleep(3000)
        assert len(b.said("BootNotification")) == 4
