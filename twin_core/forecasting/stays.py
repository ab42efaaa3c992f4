"""How long a vehicle will really stay, learned from past stays that began like it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from twin_core.models.hours import HOURS_A_DAY
from twin_core.models.problem import Array

_ANNOUNCED_SPREAD: Final = 0.25
"""Announced stays this far apart, as a natural logarithm, are alike; an hour and five quarters, say."""

_ARRIVAL_SPREAD_H: Final = 1.0
_ENERGY_SPREAD: Final = 0.6
"""Energies this far apart, as a natural logarithm: who wants much stays long, whatever was announced."""

_ANYBODY: Final = 1e-4
"""Weight of a past stay that is not alike at all, beside 1 for one that is the same: rather that than nobody."""

COUNTED_ON: Final = 0.15
"""An energy put off is lost if the car is gone: a stay is counted on until this part of its likes would be over."""

LIKELY: Final = 0.5
"""Part of its likes that are over when a stay is likely to be."""

_REMEMBERED: Final = 4096
"""Answers kept: more than a depot has sessions at a time."""

_OVERDUE_H: Final = 0.25
"""Who has stayed longer than anybody before is taken to leave in a quarter of an hour, again and again."""


@dataclass(frozen=True, slots=True)
class PastStay:
    """A stay that is over, or one that may come.

    Attributes:
        arrival_h: of a past stay: hours from midnight, local time; in a scenario: hours from now.
        stay_h: length of the stay.
        energy_kwh: what it wanted, or got.
        announced_h: hours after its arrival at which the driver said to leave; infinite where nobody said.
    """

    arrival_h: float
    stay_h: float
    energy_kwh: float
    announced_h: float = np.inf


@dataclass(frozen=True, slots=True)
class StayOutlook:
    """How long one stay may last, seen from its arrival.

    Attributes:
        announced_h: hours after its arrival at which the driver said to leave.
        stay_h: shape (n,), lengths it may have, ascending; empty where there is too little to go by.
        weight: shape (n,), how much each counts, above 0.
    """

    announced_h: float
    stay_h: Array
    weight: Array

    def left_h(self, elapsed_h: float, part: float) -> float:
        """Hours from now by which this part of such stays would be over, of those that lasted until now; >= 0.

        Where there is too little to go by, the announcement stands.

        Args:
            elapsed_h: hours since its arrival.
            part: within (0, 1); a half is the median, less is more careful.

        Raises:
            ValueError: the part is not within (0, 1).
        """
        if not 0 < part < 1:
            raise ValueError(f"part is {part}, must be above 0 and below 1")
        if not self.stay_h.size:
            return max(0.0, self.announced_h - elapsed_h)
        first = int(np.searchsorted(self.stay_h, elapsed_h, side="right"))
        if first == self.stay_h.size:
            return _OVERDUE_H
        over = np.cumsum(self.weight[first:])
        return float(self.stay_h[first + int(np.searchsorted(over, part * over[-1]))] - elapsed_h)


class StayForecast:
    """Past stays, weighed by how much they began like the one that is asked about.

    Alike are those of which about as long a stay was announced, that came at about the same time of day and wanted
    about as much. Each speaks twice: it may last as long as they did, or be as far off its announcement as they were
    off theirs. Pure: it knows what it was given, so give it earlier days only.

    Args:
        past: stays that are over.
        least: with fewer stays to go by than this, announcements stand.
        most: of more stays than this, so many are taken, spread evenly over all.
    """

    def __init__(self, past: Iterable[PastStay], *, least: int = 20, most: int = 2000) -> None:
        known = [stay for stay in past if stay.announced_h > 0 and stay.stay_h > 0 and stay.energy_kwh > 0]
        if len(known) > most:
            known = [known[row] for row in np.linspace(0, len(known) - 1, most).astype(int)]
        # In rising order of what they may last, so that an answer has two sorted halves to merge and nothing to sort.
        known.sort(key=lambda stay: stay.stay_h)
        announced_h = np.array([stay.announced_h for stay in known], dtype=float)
        self._stay_h = np.array([stay.stay_h for stay in known], dtype=float)
        self._arrival_h = np.array([stay.arrival_h for stay in known], dtype=float)
        self._log_energy = np.log([stay.energy_kwh for stay in known], dtype=float)
        self._log_announced = np.log(announced_h)
        said = np.flatnonzero(np.isfinite(announced_h))
        off_h = self._stay_h[said] - announced_h[said]
        by_off = np.argsort(off_h, kind="stable")
        self._said, self._off_h = said[by_off], off_h[by_off]
        self._least = least
        # A session is asked about at every tick, and its answer stays what it was on arrival.
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._outlook)

    def outlook(self, announced_h: float, arrival_h: float, energy_kwh: float) -> StayOutlook:
        """What may become of a stay.

        Args:
            announced_h: hours after its arrival at which the driver said to leave; infinite where nobody said.
            arrival_h: hours from midnight, local time.
            energy_kwh: wanted on arrival.
        """
        return self._remembered(announced_h, arrival_h, energy_kwh)

    def _outlook(self, announced_h: float, arrival_h: float, energy_kwh: float) -> StayOutlook:
        if self._stay_h.size < self._least:
            return StayOutlook(announced_h, np.empty(0), np.empty(0))
        apart_h = np.abs(self._arrival_h - arrival_h) % HOURS_A_DAY
        apart = (np.minimum(apart_h, HOURS_A_DAY - apart_h) / _ARRIVAL_SPREAD_H) ** 2
        apart += ((self._log_energy - np.log(max(energy_kwh, 1e-3))) / _ENERGY_SPREAD) ** 2
        said = self._said if np.isfinite(announced_h) else self._said[:0]
        announced_apart = self._log_announced[said] - np.log(max(announced_h, 1e-3))
        apart[said] += (announced_apart / _ANNOUNCED_SPREAD) ** 2
        weight = np.exp(-apart / 2) + _ANYBODY
        as_far_off_h = announced_h + self._off_h[: said.size]
        stay_h = np.concatenate([self._stay_h, as_far_off_h])
        weight = np.concatenate([weight, weight[said]])
        possible = stay_h > 0
        order = np.argsort(stay_h[possible], kind="stable")
        return StayOutlook(announced_h, stay_h[possible][order], weight[possible][order])
