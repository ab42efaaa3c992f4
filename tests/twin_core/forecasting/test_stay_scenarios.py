"""Scenarios of arrivals: whole past days, nothing that can no longer happen."""

from __future__ import annotations

import numpy as np
import pytest

from twin_core.errors import PlanningError
from twin_core.forecasting.stay_scenarios import arrival_scenarios
from twin_core.forecasting.stays import PastStay

RNG = np.random.default_rng(0)


def test_arrivals_are_those_of_one_past_day_from_now_on_in_order() -> None:
    busy = (PastStay(17.0, 4.0, 12.0), PastStay(9.5, 3.0, 8.0), PastStay(7.0, 9.0, 30.0))
    drawn = arrival_scenarios([busy, ()], 8.0, 10.0, 100, np.random.default_rng(0))
    assert set(drawn) == {(PastStay(1.5, 3.0, 8.0), PastStay(9.0, 4.0, 12.0)), ()}
    assert set(arrival_scenarios([busy], 8.0, 9.0, 3, RNG)) == {(PastStay(1.5, 3.0, 8.0),)}
    with pytest.raises(PlanningError, match="past days"):
        arrival_scenarios([], 8.0, 10.0, 1, RNG)
