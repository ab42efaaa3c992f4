"""What the building draws besides its chargers."""

from __future__ import annotations

import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.base_load import base_currents, shape_kw, worst_base_a
from simulators.scenario import BaseLoad

ZONE = ZoneInfo("Europe/Berlin")
LOAD = BaseLoad(node="grid", kw={"06:00": 6.0, "18:00": 18.0}, unbalance=(1.2, 0.8, 1.0), noise=0.05)


@pytest.mark.parametrize(("hour", "kw"), [(6, 6.0), (12, 12.0), (18, 18.0), (0, 12.0), (3, 9.0)])
def test_the_shape_is_joined_by_straight_lines_round_the_clock(hour: int, kw: float) -> None:
    assert shape_kw(LOAD, datetime(2026, 6, 1, hour, tzinfo=ZONE)) == pytest.approx(kw)


@given(st.floats(0, 200_000), st.integers(0, 23), st.integers(0, 100))
def test_it_never_draws_more_than_its_stated_worst(elapsed: float, hour: int, seed: int) -> None:
    currents = base_currents(LOAD, seed, elapsed, datetime(2026, 6, 1, hour, tzinfo=ZONE))
    assert 0 < max(currents) <= worst_base_a(LOAD) + 1e-9


def test_noise_is_slow_and_the_same_whenever_it_is_asked_for() -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=ZONE)
    there = [base_currents(LOAD, 1, second, at)[0] for second in range(200)]
    back = [base_currents(LOAD, 1, second, at)[0] for second in reversed(range(200))]
    assert there == back[::-1]
    assert len(set(there)) > 100
    assert max(abs(a - b) for a, b in itertools.pairwise(there)) < 0.5
