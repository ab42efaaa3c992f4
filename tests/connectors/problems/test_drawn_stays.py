"""Futures drawn from past stays: whoever could leave early does so in one of them."""

from __future__ import annotations

import json

import numpy as np

from connectors.problems.history import StayDays
from connectors.problems.outlook import Draw, outlook_of
from connectors.problems.reading import parse_problem
from connectors.problems.translation import planning_problem
from twin_core.forecasting.stays import PastStay


def test_four_futures_show_each_quarter_of_the_past_stays_and_who_is_yet_to_come_is_believed() -> None:
    cars = [
        {"id": "here", "energy_kwh": 10, "max_a": 16, "arrival": -1.0, "departure": 6.0},
        {"id": "coming", "energy_kwh": 10, "max_a": 16, "arrival": 2.0, "departure": 6.0},
    ]
    file = parse_problem(
        json.dumps(
            {
                "horizon": {"start": "2026-06-01T08:00Z", "step_min": 60, "hours": 8},
                "price_eur_per_kwh": 0.2,
                "sessions": cars,
            }
        )
    )
    past = tuple(PastStay(7.0, stay_h, 10.0) for stay_h in (2.0, 4.0, 5.0, 9.0))
    for seed in range(5):
        outlook = outlook_of(file, planning_problem(file), (StayDays((past,), None),), Draw(count=4, seed=seed))
        assert not callable(outlook.futures)
        here, coming = np.array([future.departure_h for future in outlook.futures]).T
        assert sorted(here) == [1.0, 3.0, 4.0, 6.0]
        assert set(coming) == {6.0}
        assert outlook.left_h is not None
        assert [list(left) for left in outlook.left_h] == [[1.0, 3.0, 4.0, 6.0], [6.0]]
