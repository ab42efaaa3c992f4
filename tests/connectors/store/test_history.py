"""The panel's past without InfluxDB: means of a minute, kept within bounds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.store.history import HistorySink
from tests.fakes import EPOCH
from twin_core.errors import StorageError
from twin_core.ports import Point, TelemetrySink

HOUR = timedelta(hours=1)


def point(second: float, value: float | bool | str, connector: str = "A/1", field: str = "power_kw") -> Point:
    return Point("connector", {"site": "s", "connector": connector}, {field: value}, EPOCH + timedelta(seconds=second))


@pytest.fixture(params=[True, False], ids=["threaded", "direct"])
def threaded(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def read(history: HistorySink, step_s: float = 60, connector: str = "A/1") -> list[float]:
    tags = {"connector": connector, "site": "s"}
    rows = await history.series("connector", tags, "power_kw", EPOCH, EPOCH + HOUR, step_s)
    return [value for _, value in rows]


async def test_samples_become_means_of_a_minute_the_open_one_included(tmp_path: Path, threaded: bool) -> None:
    async with HistorySink(tmp_path / "h", threaded=threaded) as history:
        sink: TelemetrySink = history
        sink.write([point(second, float(second)) for second in range(0, 150, 10)])
        tags = {"site": "s", "connector": "A/1"}
        assert await history.series("connector", tags, "power_kw", EPOCH, EPOCH + HOUR) == [
            (EPOCH, 25.0),
            (EPOCH + timedelta(minutes=1), 85.0),
            (EPOCH + timedelta(minutes=2), 130.0),
        ]
        sink.write([point(150, 200.0)])
        assert await read(history) == [25.0, 85.0, 147.5], "asking in the midst of a minute does not break it"
    async with HistorySink(tmp_path / "h", threaded=threaded) as history:
        assert await read(history) == [25.0, 85.0, 147.5]


async def test_longer_steps_are_means_of_all_samples(tmp_path: Path) -> None:
    async with HistorySink(tmp_path / "h", threaded=False) as history:
        history.write([point(0, 0.0), point(10, 0.0), point(20, 0.0), point(60, 8.0)])
        assert await read(history, step_s=120) == [2.0]


async def test_series_are_told_apart_by_their_tags_whatever_the_order(tmp_path: Path) -> None:
    async with HistorySink(tmp_path / "h", threaded=False) as history:
        history.write([point(0, 1.0, "A/1"), point(0, 2.0, "B/1"), point(1, 3.0, "B/1", field="limit_a")])
        turned = Point("connector", {"connector": "A/1", "site": "s"}, {"power_kw": 3.0}, EPOCH)
        history.write([turned])
        assert await read(history) == [2.0]
        assert await read(history, connector="B/1") == [2.0]
        assert await read(history, connector="C/1") == []
        assert [tags["connector"] for tags in await history.series_like("connector", "power_kw")] == ["A/1", "B/1"]


async def test_rows_that_come_late_or_out_of_order_count_in_their_own_minute(tmp_path: Path) -> None:
    async with HistorySink(tmp_path / "h", threaded=False) as history:
        for second, value in ((0, 2.0), (60, 10.0), (1, 4.0), (61, 20.0)):
            history.write([point(second, value)])
        assert await read(history) == [3.0, 15.0]


async def test_text_and_yes_or_no_are_not_kept_and_nan_is_counted(tmp_path: Path) -> None:
    async with HistorySink(tmp_path / "h", threaded=False, measurements=frozenset({"connector"})) as history:
        history.write([point(0, "Charging"), point(0, True), point(0, float("nan")), point(0, 1.0)])
        history.write([Point("loop", {}, {"lag_ms": 1.0}, EPOCH)])
        assert await read(history) == [1.0]
        assert history.counters.refused == 1
        assert await history.series_like("loop", "lag_ms") == []


async def test_a_flood_of_series_is_refused_and_counted(tmp_path: Path) -> None:
    async with HistorySink(tmp_path / "h", threaded=False, max_series=2) as history:
        history.write([point(0, 1.0, f"{number}/1") for number in range(10)])
        assert len(await history.series_like("connector", "power_kw")) == 2
        assert history.counters.extra["series_refused"] == 8


async def test_the_oldest_means_go_by_age_and_by_number(tmp_path: Path) -> None:
    async with HistorySink(tmp_path / "h", threaded=False, keep_days=0.5, max_rows=100) as history:
        history.write([point(60 * minute, float(minute)) for minute in range(600)])
        history.write([point(86400, 1.0)])
        assert await read(history) != []
        removed = await history.retain()
        assert removed == 600
        assert await history.retain() == 0
        history.write([point(86400 + 60 * minute, 1.0) for minute in range(200)])
        await read(history)
        assert await history.retain() >= 99


async def test_a_closed_history_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not open"):
        await read(HistorySink(tmp_path / "h"))
