"""Steps of a horizon, equal or growing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_core.models.problem import Horizon

START = datetime(2026, 6, 1, tzinfo=UTC)
HORIZONS = (Horizon(START, 5 / 60, 96), Horizon.graded(START, (12, 5 / 60), (8, 0.25), (20, 1.0)))


@pytest.mark.parametrize("horizon", HORIZONS)
@given(second=st.integers(-7200, 30 * 3600))
def test_a_moment_lies_in_the_step_whose_edges_enclose_it_and_outside_in_none(horizon: Horizon, second: int) -> None:
    step = horizon.step_at(START + timedelta(seconds=second))
    edges_s = [round(float(edge_h) * 3600) for edge_h in horizon.edges_h]
    if step is None:
        assert not edges_s[0] <= second < edges_s[-1]
    else:
        assert edges_s[step] <= second < edges_s[step + 1]


def test_without_steps_there_is_no_step() -> None:
    assert Horizon.graded(START).step_at(START) is None
