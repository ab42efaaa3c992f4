"""The upstream's charging profiles stay here, as limits that hold exactly as long as they should."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.connectors.ocpp.billing import Forwarding, billing, forwarding
from tests.connectors.ocpp.peer import charger_spec, grant, peer, until
from twin_core.models import events as e
from twin_core.models.ids import ChargerId

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


async def test_an_upstream_profile_never_reaches_the_charger_but_limits_what_it_is_offered(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await charger.start()
        await until(lambda: b.said("StartTransaction"))
        d.system.offer(grant(16.0))
        before = len(charger.profiles())
        profile = {
            "chargingProfileId": 9,
            "stackLevel": 3,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "transactionId": 700001,
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "duration": 600,
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 300, "limit": 8.0}],
            },
        }
        answer = await b.ask("CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
        assert answer[2] == {"status": "Accepted"}
        composite = (await b.ask("CP1", "GetCompositeSchedule", {"connectorId": 1, "duration": 900}))[2]
        periods = composite["chargingSchedule"]["chargingSchedulePeriod"]
        assert [p["limit"] for p in periods] == [10.0, 8.0, 32.0]
        await asyncio.sleep(700)
        limited = d.sink.of(e.ConnectorLimited)
        assert [event.limit_a for event in limited] == [10.0, 8.0, None]
        assert 299 < limited[1].at.monotonic_s - limited[0].at.monotonic_s < 301.5
        assert all(p["stackLevel"] != 3 for p in charger.profiles())
        assert len(charger.profiles()) >= before
        status = d.upstream.snapshot().chargers[ChargerId("CP1")]
        assert status.conflicts == {"upstream-limits": 1}
        assert "allows 10.0 A, so the depot grants no more" in status.latest[0].words
        cleared = await b.ask("CP1", "ClearChargingProfile", {"id": 9})
        assert cleared[2] == {"status": "Accepted"}
        assert (await b.ask("CP1", "ClearChargingProfile", {"id": 9}))[2] == {"status": "Unknown"}


async def test_profiles_of_the_upstream_survive_a_restart(tmp_path: Path) -> None:
    whole = {
        "chargingProfileId": 4,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6900.0}]},
    }
    async with billing() as b:
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].accepted)
            answer = await b.ask("CP1", "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": whole})
            assert answer[2] == {"status": "Accepted"}
        async with forwarding(tmp_path, b.port) as d:
            assert [event.limit_a for event in d.sink.of(e.ConnectorLimited)] == [10.0]
            assert d.upstream.snapshot().chargers[ChargerId("CP1")].allowances[0].upstream_a == 10.0


async def test_the_connectors_of_a_charger_share_a_limit_of_the_whole(tmp_path: Path) -> None:
    whole = {
        "chargingProfileId": 4,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 24.0}]},
    }
    async with (
        billing() as b,
        forwarding(tmp_path, b.port, charger_spec("CP1", 2)) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        first = await charger.start(1)
        await until(lambda: b.said("StartTransaction"))
        await b.ask("CP1", "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": whole})

        def allowed() -> list[float | None]:
            return [allowance.upstream_a for allowance in d.upstream.snapshot().chargers[ChargerId("CP1")].allowances]

        await until(lambda: allowed()[0] == 24.0)
        await charger.start(2, tag="SECOND")
        await until(lambda: allowed() == [12.0, 12.0])
        await charger.call(
            "StopTransaction", {"transactionId": first, "meterStop": 1500, "timestamp": "2026-06-01T13:00:00Z"}
        )
        await until(lambda: allowed()[1] == 24.0)


async def test_a_limit_for_a_transaction_counts_again_as_soon_as_its_charger_is_back_after_a_restart(
    tmp_path: Path,
) -> None:
    def allowed(d: Forwarding) -> float | None:
        return d.upstream.snapshot().chargers[CP1].allowances[0].upstream_a

    async with billing() as b:
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            await charger.start()
            await until(lambda: b.said("StartTransaction"))
            profile = {"connectorId": 1, "csChargingProfiles": transaction_profile(10.0)}
            await b.ask("CP1", "SetChargingProfile", profile)
            assert allowed(d) == 10.0
        async with forwarding(tmp_path, b.port) as d:
            assert allowed(d) is None
            async with peer(d.system.port):
                await until(lambda: allowed(d) == 10.0, 5)


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


async def test_a_profile_for_another_transaction_limits_none_that_runs(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await charger.start()
        await until(lambda: b.said("StartTransaction"))
        for theirs in (700999, 1):
            profile = {**transaction_profile(7.0), "transactionId": theirs}
            answer = await b.ask("CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
            assert answer[2] == {"status": "Rejected"}
        assert d.upstream.snapshot().chargers[CP1].allowances[0].upstream_a is None
        assert d.upstream.snapshot().chargers[CP1].conflicts == {"profile": 2}
