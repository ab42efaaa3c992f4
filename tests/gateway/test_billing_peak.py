"""The month's peak is found again in what the history kept, restart or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.store.history import HistorySink
from gateway.billing_peak import peak_so_far_kw
from twin_core.models.ids import NodeId
from twin_core.models.site import Node, NodeKind
from twin_core.ports import Point

ROOT = Node(NodeId("grid"), NodeKind.GRID, None, 63.0)
NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def shown(at: datetime, power_kw: float, minutes: int = 15) -> list[Point]:
    """What the site's meter showed for some minutes."""
    tags = {"site": "yard", "node": "grid", "kind": "grid"}
    return [Point("node", tags, {"power_kw": power_kw}, at + timedelta(minutes=n)) for n in range(minutes)]


async def peak(path: Path, *points: list[Point], now: datetime = NOON) -> float:
    """Written by one life of the gateway, read by the next."""
    async with HistorySink(path, threaded=False) as history:
        for some in points:
            history.write(some)
    async with HistorySink(path, threaded=False) as history:
        return await peak_so_far_kw(history, "yard", ROOT, now, AMSTERDAM)


async def test_the_highest_quarter_of_an_hour_of_the_month_is_the_peak(tmp_path: Path) -> None:
    morning = NOON - timedelta(hours=3)
    assert await peak(tmp_path / "h", shown(morning, 30.0), shown(morning + timedelta(hours=1), 41.0)) == 41.0


async def test_a_short_burst_counts_as_the_mean_of_its_quarter(tmp_path: Path) -> None:
    quarter = NOON - timedelta(hours=1)
    burst, rest = shown(quarter, 90.0, 5), shown(quarter + timedelta(minutes=5), 30.0, 10)
    assert await peak(tmp_path / "h", burst, rest) == 50.0


async def test_last_months_peak_is_paid(tmp_path: Path) -> None:
    # 21:59 UTC on the last of May; June begins at 22:00 UTC in Amsterdam.
    before = datetime(2026, 5, 31, 21, 45, tzinfo=UTC)
    assert await peak(tmp_path / "h", shown(before, 60.0), shown(before + timedelta(minutes=15), 20.0)) == 20.0


async def test_a_quarter_that_is_not_over_has_no_mean_yet(tmp_path: Path) -> None:
    assert await peak(tmp_path / "h", shown(NOON, 60.0, 5), now=NOON + timedelta(minutes=6)) == 0.0


async def test_without_a_meter_there_is_no_peak(tmp_path: Path) -> None:
    assert await peak(tmp_path / "h") == 0.0


async def test_feeding_back_is_no_peak(tmp_path: Path) -> None:
    assert await peak(tmp_path / "h", shown(NOON - timedelta(hours=1), -30.0)) == 0.0
