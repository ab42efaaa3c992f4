"""Who may come: scenarios drawn from past days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twin_core.errors import PlanningError
from twin_core.forecasting.stays import PastStay


def arrival_scenarios(
    past_days: Sequence[Sequence[PastStay]], now_h: float, until_h: float, n_scenarios: int, rng: np.random.Generator
) -> tuple[tuple[PastStay, ...], ...]:
    """Who may still come: whole past days, drawn with replacement, from now on.

    Args:
        past_days: the stays of each day that counts as alike; a day without any counts too.
        now_h: hours since midnight.
        until_h: hours from now after which arrivals do not matter.

    Returns:
        One tuple of stays for each scenario, in the order of arrival, `arrival_h` in hours from now.

    Raises:
        PlanningError: there is no past day.
    """
    if not past_days:
        raise PlanningError("past days: at least one is needed")
    drawn = [past_days[day] for day in rng.integers(len(past_days), size=n_scenarios)]
    return tuple(
        tuple(
            sorted(
                (replace(s, arrival_h=s.arrival_h - now_h) for s in day if now_h <= s.arrival_h < now_h + until_h),
                key=lambda stay: stay.arrival_h,
            )
        )
        for day in drawn
    )
