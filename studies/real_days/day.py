"""A recorded day as a planner could have met it: stays on a grid of steps, with what their drivers announced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np

from simulators.acn import ZONE, RecordedSession
from twin_core.models.problem import Array

STEP_H: Final = 1 / 12
STEPS: Final = 288
MAX_KW: Final = 32 * 0.208
"""Stations of both sites: 32 A between two lines of 208 V."""

_WORKING_DAY_STEPS: Final = 96


@dataclass(frozen=True, slots=True)
class Stay:
    """One session of the day.

    Attributes:
        arrival: first step it may charge in.
        departure: first step it is gone in; at most `STEPS`.
        announced: the step its driver said to be gone in, after `arrival`, perhaps beyond midnight.
        energy_kwh: wanted: what it got in truth, and no more than its stay allows.
        pair: 0, 1 or 2: the two of three lines it charges between.
        claimed: whether its driver announced anything; where not, the record holds the true departure as `announced`.
    """

    station: str
    arrival: int
    departure: int
    announced: int
    energy_kwh: float
    pair: int
    claimed: bool = True

    @property
    def steps(self) -> int:
        """How many steps it stays."""
        return self.departure - self.arrival


@dataclass(frozen=True, slots=True)
class Day:
    """A day at a site.

    Attributes:
        stays: by arrival.
        price_eur_per_kwh: shape (STEPS,).
    """

    site: str
    date: date
    stays: tuple[Stay, ...]
    price_eur_per_kwh: Array

    @property
    def wanted_kwh(self) -> float:
        """Energy of all sessions."""
        return sum(stay.energy_kwh for stay in self.stays)

    @property
    def unclaimed(self) -> float:
        """Part of the sessions whose drivers announced nothing."""
        return sum(not stay.claimed for stay in self.stays) / max(1, len(self.stays))

    def with_typical_stays(self, past: Sequence[Day]) -> Day:
        """The day as it was known to somebody: who announced nothing is taken to stay as long as earlier drivers did.

        Args:
            past: earlier days; the median of their stays is typical, and a working day where there are none.
        """
        stayed = [stay.steps for day in past for stay in day.stays]
        typical = round(float(np.median(stayed))) if stayed else _WORKING_DAY_STEPS
        told = tuple(stay if stay.claimed else replace(stay, announced=stay.arrival + typical) for stay in self.stays)
        return replace(self, stays=told)

    def with_all_claimed(self) -> Day:
        """The day with what the record gives as announced taken at its word, of those who announced nothing too."""
        return replace(self, stays=tuple(replace(stay, claimed=True) for stay in self.stays))


def day_of(site: str, when: date, recorded: Iterable[RecordedSession]) -> Day:
    """A day from its recorded sessions.

    Who arrived while the station was still taken is dropped (the record overlaps there), as is who stayed less than a
    step; stays end at midnight.
    """
    midnight = datetime.combine(when, time(), ZONE)
    pairs: dict[str, int] = {}
    free_from: dict[str, int] = {}
    stays = []
    for session in sorted(recorded, key=lambda s: (s.arrival, s.station)):
        stay = _stay(session, midnight, pairs)
        if stay is None or stay.arrival < free_from.get(stay.station, 0):
            continue
        free_from[stay.station] = stay.departure
        stays.append(stay)
    return Day(site, when, tuple(stays), step_prices(when))


def _stay(session: RecordedSession, midnight: datetime, pairs: dict[str, int]) -> Stay | None:
    arrival, departure, announced = (
        (when - midnight) / timedelta(hours=STEP_H)
        for when in (session.arrival, session.departure, session.announced_departure)
    )
    first, last = int(np.ceil(arrival)), min(int(departure), STEPS)
    if first < 0 or last <= first or session.energy_kwh <= 0:
        return None
    return Stay(
        station=session.station,
        arrival=first,
        departure=last,
        announced=max(int(announced), first + 1),
        energy_kwh=min(session.energy_kwh, MAX_KW * STEP_H * (last - first)),
        pair=pairs.setdefault(session.station, len(pairs) % 3),
        claimed=session.claimed,
    )


def by_date(recorded: Iterable[RecordedSession]) -> dict[date, list[RecordedSession]]:
    """Sessions by the day they arrived on, California time."""
    days: dict[date, list[RecordedSession]] = {}
    for session in recorded:
        days.setdefault(session.arrival.astimezone(ZONE).date(), []).append(session)
    return days


_TariffDay = Sequence[tuple[int, float]]
_SUMMER: Final[_TariffDay] = ((0, 0.05623), (8, 0.0925), (12, 0.26668), (18, 0.0925), (23, 0.05623))
_WINTER: Final[_TariffDay] = ((0, 0.06087), (8, 0.07492), (12, 0.0869), (18, 0.07492), (23, 0.06087))


def step_prices(when: date) -> Array:
    """Price of each step in $/kWh, shape (STEPS,): Southern California Edison's TOU-EV-4 of March 2019.

    The sites' own tariff in those years; at weekends the lowest price holds all day. Its demand charge is left out.
    """
    rates = _SUMMER if 6 <= when.month <= 9 else _WINTER
    hours = np.arange(STEPS) * STEP_H
    if when.weekday() >= 5:
        return np.full(STEPS, rates[0][1])
    begins = np.array([hour for hour, _ in rates])
    prices: Array = np.array([price for _, price in rates])[np.searchsorted(begins, hours + 1e-9, side="right") - 1]
    return prices
