"""Who is still to come today: energy expected hour by hour, learned from earlier days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from twin_core.forecasting.stays import PastStay

_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class ExpectedArrivals:
    """All that is expected within one hour, as one visitor.

    Attributes:
        count: sessions, seldom a whole number.
        arrival_h: hours from now until the middle of the time they come in, >= 0.
        departure_h: hours from now until they have left, in the median.
        energy_kwh: of all of them.
    """

    count: float
    arrival_h: float
    departure_h: float
    energy_kwh: float


class ArrivalForecast:
    """Mean arrivals of each hour over earlier days of the same kind (working day or not: the caller's choice).

    Args:
        days: the stays of each earlier day, empty for a day on which nobody came.
    """

    def __init__(self, days: Iterable[Sequence[PastStay]]) -> None:
        self._n_days = 0
        count, energy_kwh = np.zeros(_HOURS), np.zeros(_HOURS)
        stays: list[list[float]] = [[] for _ in range(_HOURS)]
        for day in days:
            self._n_days += 1
            for arrival in day:
                hour = min(max(int(arrival.arrival_h), 0), _HOURS - 1)
                count[hour] += 1
                energy_kwh[hour] += arrival.energy_kwh
                stays[hour].append(arrival.stay_h)
        self._count = count / max(1, self._n_days)
        self._energy_kwh = energy_kwh / max(1, self._n_days)
        self._stay_h = np.array([float(np.median(of_hour)) if of_hour else 0.0 for of_hour in stays])

    def rest_of_day(self, hour: float) -> tuple[ExpectedArrivals, ...]:
        """What is expected from an hour of the day until midnight, one entry for each hour in which anybody came.

        Args:
            hour: of the day, now, in [0, 24).
        """
        expected = []
        for slot in range(int(hour), _HOURS):
            left = min(1.0, slot + 1 - hour)
            if self._count[slot] <= 0 or left <= 0:
                continue
            arrival_h = slot + 1 - left / 2 - hour
            expected.append(
                ExpectedArrivals(
                    count=float(self._count[slot] * left),
                    arrival_h=arrival_h,
                    departure_h=arrival_h + float(self._stay_h[slot]),
                    energy_kwh=float(self._energy_kwh[slot] * left),
                )
            )
        return tuple(expected)
