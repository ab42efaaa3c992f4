"""Samples of a connector's current, as of the moment they were taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from twin_core.base_load import CurrentTrace
from twin_core.lateness import KEPT


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=4 * KEPT))
def test_a_sample_counts_from_when_the_quickest_of_late_would_have_come(ways_s: list[int]) -> None:
    trace = CurrentTrace()
    newest_s = 0.0
    for number, way_s in enumerate(ways_s):
        came_s = 1000.0 + 5.0 * number
        trace.add(came_s, (1.0, 1.0, 1.0), float(way_s))
        quickest_s = min(ways_s[max(0, number + 1 - KEPT) : number + 1])
        newest_s = max(newest_s, came_s - (way_s - quickest_s))
        assert trace._samples[-1][0] == newest_s
