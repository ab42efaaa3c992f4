"""What a depot has learned of its earlier days: how long vehicles stay, and who is still to come."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo

from twin_core.forecasting.arrivals import ArrivalForecast, ExpectedArrivals
from twin_core.forecasting.stays import COUNTED_ON, LIKELY, PastStay, StayForecast
from twin_core.models.ids import IdTag

DAYS_LEARNED = 60.0
"""Older sessions are not asked: habits change."""

LEAST_STAYS = 20
"""With fewer past stays that are alike, an announced departure stands as it is."""

LEAST_DAYS = 5
"""With fewer earlier days of the same kind, nobody is expected."""

_WEEKEND = 5


@dataclass(frozen=True, slots=True)
class PastSession:
    """A session that is over.

    Attributes:
        announced: departure its driver had announced last; None where nobody said.
        firm: that departure was a timetable's, and tells nothing about drivers.
    """

    id_tag: IdTag
    arrived: datetime
    left: datetime
    energy_kwh: float
    announced: datetime | None = None
    firm: bool = False

    @property
    def stayed_h(self) -> float:
        """Hours from its arrival until it left."""
        return (self.left - self.arrived) / timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """How much longer a vehicle stays, by those that began like it; both in hours from now, >= 0."""

    counted_on_h: float
    likely_h: float


@dataclass(frozen=True, slots=True)
class Foresight:
    """What to count on beyond what was announced. Pure: it knows earlier sessions and no clock.

    Attributes:
        stays: of drivers who had announced a departure; None takes announcements at their word.
        silent_stays: of all whose departure was no timetable's, for those who announce nothing; None assumes.
        working_days: arrivals from Monday to Friday; None expects nobody.
        weekends: arrivals on Saturdays and Sundays; None expects nobody.
        zone: local time of the depot.
    """

    stays: StayForecast | None = None
    silent_stays: StayForecast | None = None
    working_days: ArrivalForecast | None = None
    weekends: ArrivalForecast | None = None
    zone: tzinfo | None = None

    def time_left(
        self, arrived: datetime, now: datetime, energy_kwh: float, announced: datetime | None
    ) -> TimeLeft | None:
        """How much longer a vehicle stays; None where nothing was learned.

        Args:
            arrived: when it came.
            now: not before.
            energy_kwh: wanted on arrival.
            announced: departure its driver announced; None where nobody said.
        """
        stays = self.silent_stays if announced is None else self.stays
        if stays is None:
            return None
        announced_h = math.inf if announced is None else (announced - arrived) / timedelta(hours=1)
        outlook = stays.outlook(announced_h, _hour_of_day(arrived.astimezone(self.zone)), energy_kwh)
        if not outlook.stay_h.size:
            return None
        elapsed_h = max(0.0, (now - arrived) / timedelta(hours=1))
        return TimeLeft(outlook.left_h(elapsed_h, COUNTED_ON), outlook.left_h(elapsed_h, LIKELY))

    def still_to_come(self, now: datetime) -> tuple[ExpectedArrivals, ...]:
        """Who is expected until midnight, hour by hour."""
        local = now.astimezone(self.zone)
        arrivals = self.weekends if local.weekday() >= _WEEKEND else self.working_days
        return () if arrivals is None else arrivals.rest_of_day(_hour_of_day(local))


def learned(past: Sequence[PastSession], now: datetime, zone: tzinfo) -> Foresight:
    """Foresight from the sessions that are over; empty where there are too few of them.

    Arrivals are counted over whole days from the day after the first session on, today left out.
    """
    days = [session.arrived.astimezone(zone).date() for session in past]
    stays = [_past_stay(session, zone) for session in past]
    drivers = [stay for session, stay in zip(past, stays, strict=True) if not session.firm]
    said = [stay for stay in drivers if math.isfinite(stay.announced_h)]
    silent = [replace(stay, announced_h=math.inf) for stay in drivers]
    by_day: dict[date, list[PastStay]] = {}
    for day, stay in zip(days, stays, strict=True):
        by_day.setdefault(day, []).append(stay)
    today = now.astimezone(zone).date()
    return Foresight(
        stays=StayForecast(said, least=LEAST_STAYS) if len(said) >= LEAST_STAYS else None,
        silent_stays=StayForecast(silent, least=LEAST_STAYS) if len(silent) >= LEAST_STAYS else None,
        working_days=_arrivals(by_day, today, weekend=False),
        weekends=_arrivals(by_day, today, weekend=True),
        zone=zone,
    )


def _arrivals(by_day: Mapping[date, Sequence[PastStay]], today: date, *, weekend: bool) -> ArrivalForecast | None:
    if not by_day:
        return None
    first = min(by_day) + timedelta(days=1)
    whole_days = [first + timedelta(days=n) for n in range((today - first).days)]
    alike = [day for day in whole_days if (day.weekday() >= _WEEKEND) == weekend]
    return ArrivalForecast([by_day.get(day, ()) for day in alike]) if len(alike) >= LEAST_DAYS else None


def _past_stay(session: PastSession, zone: tzinfo) -> PastStay:
    announced = session.announced
    return PastStay(
        _hour_of_day(session.arrived.astimezone(zone)),
        session.stayed_h,
        session.energy_kwh,
        math.inf if announced is None else (announced - session.arrived) / timedelta(hours=1),
    )


def _hour_of_day(local: datetime) -> float:
    return local.hour + local.minute / 60.0 + local.second / 3600.0
