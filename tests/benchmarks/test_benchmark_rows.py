"""A row of a benchmark says honestly whether its aim was reached."""

from __future__ import annotations

import math

import pytest

from benchmarks.ocpp.row import judged, shown, skipped


@pytest.mark.parametrize(
    ("figure", "aims", "status"),
    [
        (10_000, {"least": 10_000}, "reached"),
        (9_999.9, {"least": 10_000}, "missed"),
        (0.4, {"most": 0.4}, "reached"),
        (0.41, {"most": 0.4}, "missed"),
        (math.nan, {"least": 1}, "missed"),
        (math.nan, {"most": 1}, "missed"),
        (math.inf, {"most": 1}, "missed"),
        (5.0, {}, "for information"),
    ],
)
def test_a_figure_reaches_its_aim_or_misses_it(figure: float, aims: dict[str, float], status: str) -> None:
    assert judged("a thing", figure, "s", **aims)["status"] == status


def test_a_figure_that_came_about_in_a_way_that_does_not_count_reaches_nothing() -> None:
    assert judged("chargers", 1.0, "GB", most=2.0, holds=False)["status"] == "missed"


def test_what_could_not_be_measured_says_why() -> None:
    row = skipped("validation failures", "node is not there")
    assert row["status"] == "skipped: node is not there"
    assert "skipped: node is not there" in shown(row)
