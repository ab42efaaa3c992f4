"""A whole gateway with its simulated depot, billed by another system that is away for an hour of the day."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.store.journal_reader import read_events, read_grants
from gateway.virtual import DayResult, VirtualRun, run_virtual
from tests.connectors.ocpp.billing import Billing, billing
from tests.quick_loop import QuickVirtualLoop
from twin_core.models.events import ConnectorLimited, TransactionStarted, TransactionStopped

pytestmark = pytest.mark.timeout(300)

SITE = Path(__file__).with_name("virtual_day.toml")
LASTING = ("StartTransaction", "MeterValues", "StopTransaction")
MINUTES = 80
AWAY_S, BACK_S = 300.0, 3900.0


async def billed_day(folder: Path) -> tuple[DayResult, Billing]:
    async with billing() as b:
        site = folder / "site.toml"
        table = f'\n[upstream]\nurl = "ws://127.0.0.1:{b.port}/billing"\n'
        site.write_text(
            SITE.read_text(encoding="utf-8").replace("\n[scenario", f"{table}\n[scenario", 1), encoding="utf-8"
        )
        away = asyncio.create_task(away_for_an_hour(b))
        day = await run_virtual(VirtualRun(str(site), folder / "data", minutes=MINUTES))
        await away
        return day, b


async def away_for_an_hour(b: Billing) -> None:
    await asyncio.sleep(AWAY_S)
    await b.shut()
    await asyncio.sleep(BACK_S - AWAY_S)
    b.back()


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> tuple[DayResult, Billing]:
    with asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
        return runner.run(billed_day(tmp_path_factory.mktemp("billed")))


def test_an_hour_without_the_upstream_loses_no_transaction_and_no_limit(billed: tuple[DayResult, Billing]) -> None:
    day, b = billed
    assert day.watch.violations == 0
    events = list(read_events(day.journal))
    started = [event for event in events if isinstance(event, TransactionStarted)]
    stopped = [event for event in events if isinstance(event, TransactionStopped)]
    assert len(started) >= 6
    starts = [(who, p["timestamp"]) for who, action, p in b.heard if action == "StartTransaction"]
    assert len(starts) == len(set(starts)) == len(started)
    assert len([1 for _, action, _ in b.heard if action == "StopTransaction"]) == len(stopped)


def test_what_waited_is_told_in_the_order_and_with_the_times_it_had(billed: tuple[DayResult, Billing]) -> None:
    for charger in {who for who, _, _ in billed[1].heard}:
        times = [moment(action, p) for who, action, p in billed[1].heard if who == charger and action in LASTING]
        assert times == sorted(times)
        assert times


def moment(action: str, payload: dict[str, Any]) -> str:
    found = payload["meterValue"][-1] if action == "MeterValues" else payload
    return str(found["timestamp"])


async def limited_run(folder: Path) -> tuple[DayResult, Billing]:
    """CP1 is billed for 10 A at most, from ten minutes on."""
    async with billing() as b:
        site = folder / "site.toml"
        table = f'\n[upstream]\nurl = "ws://127.0.0.1:{b.port}/billing"\n'
        site.write_text(
            SITE.read_text(encoding="utf-8").replace("\n[scenario", f"{table}\n[scenario", 1), encoding="utf-8"
        )
        limiting = asyncio.create_task(limit(b))
        day = await run_virtual(VirtualRun(str(site), folder / "data", minutes=18))
        assert (await limiting)[2] == {"status": "Accepted"}
        return day, b


async def limit(b: Billing) -> list[Any]:
    await asyncio.sleep(600)
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]},
    }
    return await b.ask("CP1", "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": profile})


def test_setpoints_keep_the_lower_of_the_two_limits(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
        day, _ = runner.run(limited_run(tmp_path))
    (limited,) = [event for event in read_events(day.journal) if isinstance(event, ConnectorLimited)]
    assert limited.limit_a == 10.0
    grants = [grant for grant in read_grants(day.journal, run=1) if grant.connector_id == limited.connector_id]
    before = [g.limit_a for g in grants if g.issued.monotonic_s < limited.at.monotonic_s]
    after = [g.limit_a for g in grants if g.issued.monotonic_s > limited.at.monotonic_s + 1.0]
    assert max(before) > 10.0
    assert 6.0 <= max(after) <= 10.0
    first = next(g for g in grants if g.issued.monotonic_s >= limited.at.monotonic_s)
    assert first.issued.monotonic_s - limited.at.monotonic_s < 3.0
    assert day.watch.violations == 0
