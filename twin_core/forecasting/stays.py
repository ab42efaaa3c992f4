"""How long a vehicle will really stay, learned from how far past drivers kept to what they announced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array


@dataclass(frozen=True, slots=True)
class PastStay:
    """A stay that is over.

    Attributes:
        announced_h: hours after its arrival at which the driver said to leave.
        stayed_h: hours it really stayed.
    """

    announced_h: float
    stayed_h: float


class StayForecast:
    """Time left at a charger, as a quantile over past stays that are alike.

    Alike are those whose announced stay was closest and that were still there after as long as this one has been: who
    has outstayed the announcement is compared with others who had. Pure: it knows what it was given, so give it
    earlier days only.

    Args:
        past: stays that are over.
        quantile: part of the past stays that ended sooner than what is forecast; lower is more careful.
        neighbours: how many of the closest stays are asked.
        least: with fewer stays to go by than this, the announcement stands.

    Raises:
        ValueError: the quantile is not within (0, 1).
    """

    def __init__(
        self, past: Iterable[PastStay], *, quantile: float = 0.3, neighbours: int = 80, least: int = 20
    ) -> None:
        if not 0 < quantile < 1:
            raise ValueError(f"quantile is {quantile}, must be above 0 and below 1")
        known = [stay for stay in past if stay.announced_h > 0 and stay.stayed_h > 0]
        self._announced_h = np.array([stay.announced_h for stay in known], dtype=float)
        self._stayed_h = np.array([stay.stayed_h for stay in known], dtype=float)
        self._quantile, self._neighbours, self._least = quantile, neighbours, least

    def left_h(self, announced_h: float, elapsed_h: float) -> float:
        """Hours from now for which it is counted on to stay, >= 0.

        Args:
            announced_h: hours after its arrival at which the driver said to leave; infinite where nobody said.
            elapsed_h: hours since its arrival.
        """
        alike_h = self._alike(announced_h, elapsed_h)
        if alike_h.size < self._least:
            return max(0.0, announced_h - elapsed_h)
        return float(np.quantile(alike_h, self._quantile))

    def _alike(self, announced_h: float, elapsed_h: float) -> Array:
        """Hours that similar past stays still lasted after `elapsed_h`."""
        still_there = np.flatnonzero(self._stayed_h > elapsed_h)
        if np.isfinite(announced_h) and still_there.size > self._neighbours:
            distance = np.abs(np.log(self._announced_h[still_there] / max(announced_h, 1e-3)))
            still_there = still_there[np.argpartition(distance, self._neighbours)[: self._neighbours]]
        left_h: Array = self._stayed_h[still_there] - elapsed_h
        return left_h
