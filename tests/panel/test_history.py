from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from panel.history import SITE_FIELDS, RecentHistory, history_of
from panel.view import view
from tests.panel.depot import NOON, report
from twin_core.models.quantities import Instant

DAY = timedelta(days=1)


def filled(seconds: range, rows: int = 2880) -> RecentHistory:
    recent = RecentHistory(rows=rows)
    site = view(report()).site
    for number in seconds:
        recent.record(site.model_copy(update={"time": NOON + timedelta(seconds=number), "power_kw": float(number)}))
    return recent


async def test_memory_keeps_one_row_every_ten_seconds_and_no_more_than_it_may() -> None:
    told = await filled(range(1000), rows=50).series("site", {}, "power_kw", NOON - DAY, NOON + DAY)
    assert len(told) == 50
    assert [value for _, value in told][-3:] == [970.0, 980.0, 990.0]


async def test_rows_are_thinned_to_what_was_asked_for() -> None:
    told = await history_of(
        filled(range(0, 7200, 10)), "site", {}, SITE_FIELDS, NOON, NOON + timedelta(hours=2), max_rows=72
    )
    assert 60 <= len(told.time_s) <= 73
    assert all(len(column) == len(told.time_s) for column in told.columns.values())


async def test_what_memory_does_not_keep_is_empty_and_not_an_error() -> None:
    recent = filled(range(0, 100, 10))
    assert await recent.series("connector", {}, "power_kw", NOON - DAY, NOON + DAY) == []
    assert await recent.series("site", {}, "name", NOON - DAY, NOON + DAY) == []


async def test_a_clock_set_back_starts_the_memory_anew() -> None:
    recent = filled(range(0, 100, 10))
    recent.record(view(report(now=Instant(0.0, NOON - DAY))).site)
    assert len(await recent.series("site", {}, "power_kw", NOON - 2 * DAY, NOON + DAY)) == 1


class Uneven:
    """A store whose fields have values at different moments."""

    async def series(
        self,
        measurement: str,
        tags: Mapping[str, str],
        field: str,
        since: datetime,
        until: datetime,
        step_s: float = 60,
    ) -> Sequence[tuple[datetime, float]]:
        return [(NOON, 1.0)] if field == "a" else [(NOON + DAY, 2.0)]


async def test_columns_of_a_store_are_laid_side_by_side_with_gaps_as_none() -> None:
    told = await history_of(Uneven(), "m", {}, ["a", "b"], NOON, NOON + DAY, max_rows=10)
    assert told.columns == {"a": [1.0, None], "b": [None, 2.0]}
