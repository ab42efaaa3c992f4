"""When vehicles may come, leave, and what they may want: scenarios drawn from past stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twin_core.errors import PlanningError
from twin_core.forecasting.stays import PastStay
from twin_core.models.problem import Array


def departure_scenarios(
    past_stay_h: Array, waited_h: Array, announced_h: Array, n_scenarios: int, rng: np.random.Generator
) -> Array:
    """Departures of vehicles that are here, drawn from past stays that lasted longer than theirs has by now.

    A vehicle that has stayed longer than any before is believed what it announced.

    Args:
        past_stay_h: shape (n_past,), lengths of past stays.
        waited_h: shape (n_sessions,), how long each has been here.
        announced_h: shape (n_sessions,), hours from now until each said it would leave.

    Returns:
        Shape (n_scenarios, n_sessions), hours from now.

    Raises:
        PlanningError: a past stay is not a number.
    """
    past = np.asarray(past_stay_h, dtype=float)
    if np.isnan(past).any():
        raise PlanningError("past stays: a length is not a number")
    departure_h = np.tile(np.asarray(announced_h, dtype=float), (n_scenarios, 1))
    for row, waited in enumerate(waited_h):
        longer = past[past > waited]
        if longer.size:
            departure_h[:, row] = rng.choice(longer, n_scenarios) - waited
    return departure_h


def energy_scenarios(
    energy_kwh: Array,
    past_ratio: Array,
    n_scenarios: int,
    rng: np.random.Generator,
    *,
    most_kwh: Array | float = np.inf,
) -> Array:
    """Energies wanted, off by what past ones were off by.

    Args:
        energy_kwh: shape (n_sessions,), as announced.
        past_ratio: shape (n_past,), what was taken divided by what had been announced, >= 0.
        most_kwh: what fits into each vehicle, shape (n_sessions,) or one for all.

    Returns:
        Shape (n_scenarios, n_sessions).

    Raises:
        PlanningError: there is no past ratio, or one is negative or not a number.
    """
    ratio = np.asarray(past_ratio, dtype=float)
    if not ratio.size or not (ratio >= 0).all():
        raise PlanningError("past ratios: at least one, all of them numbers and not negative")
    energies = np.asarray(energy_kwh, dtype=float) * rng.choice(ratio, (n_scenarios, np.size(energy_kwh)))
    scenarios: Array = np.minimum(energies, most_kwh)
    return scenarios


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
