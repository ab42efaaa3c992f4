"""When vehicles that are here may leave: hours left that past stays allow, and scenarios that miss none of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.problem import Array


def hours_left(past_stay_h: Array, waited_h: Array, announced_h: Array) -> tuple[Array, ...]:
    """Equally likely hours from now until each vehicle leaves: those of the past stays that lasted longer than its own.

    An announcement is only ever discounted. Who has stayed longer than anybody before is believed.

    Args:
        past_stay_h: shape (n_past,), lengths of past stays.
        waited_h: shape (n_sessions,), how long each has been here.
        announced_h: shape (n_sessions,), hours from now until each said it would leave; infinite where nobody said.

    Returns:
        For each session its hours left, in rising order.

    Raises:
        PlanningError: a past stay is not a number.
    """
    past = np.sort(np.asarray(past_stay_h, dtype=float))
    if np.isnan(past).any():
        raise PlanningError("past stays: a length is not a number")
    left = []
    for waited, announced in zip(waited_h, announced_h, strict=True):
        longer = past[past > waited] - waited
        left.append(np.minimum(longer, announced) if longer.size else np.array([float(announced)]))
    return tuple(left)


def spread_departures(left_h: Sequence[Array], n_scenarios: int, rng: np.random.Generator) -> Array:
    """Departures that cover what is possible for each vehicle evenly, combined at random.

    A Latin hypercube (McKay, Beckman & Conover, Technometrics 21, 1979): scenario by scenario each vehicle takes
    another of the `n_scenarios` quantiles of its hours left. Independent draws of this number miss early leavers
    again and again, and a plan that has seen nobody leave early waits.

    Args:
        left_h: for each session its equally likely hours left, see `hours_left`.
        n_scenarios: how many, at least 1.

    Returns:
        Shape (n_scenarios, n_sessions), hours from now.

    Raises:
        PlanningError: a session has no hours left to choose from, or there is to be no scenario.
    """
    if n_scenarios < 1 or not all(np.size(left) for left in left_h):
        raise PlanningError("departures: at least one scenario, and for each session at least one value, are needed")
    levels = (np.arange(n_scenarios) + 0.5) / n_scenarios
    departure_h = np.empty((n_scenarios, len(left_h)))
    for row, left in enumerate(left_h):
        ordered = np.sort(np.asarray(left, dtype=float))
        departure_h[:, row] = rng.permutation(ordered[np.ceil(levels * ordered.size).astype(int) - 1])
    return departure_h
