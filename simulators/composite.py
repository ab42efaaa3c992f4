"""The composite schedule of OCPP 1.6 §3.13: which limit is in force at a connector, now and later.

Pure. Times are seconds on the charge point's own UTC clock (Unix time); limits inside are A per phase. At any moment:

1. of each purpose the schedule with the highest stack level *that is running* prevails; one that names the connector
   goes before one for the whole station at the same level;
2. a running TxProfile overrules TxDefaultProfiles; where its schedule has ended, the default is in force again;
3. ChargePointMaxProfile caps what is left.

Nothing is asked moment by moment: profiles are laid down from the highest rank to the lowest, each only into the gaps
that those above it left, so the work grows with the steps of the answer and not with the length of the window.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from twin_core.models.charger import ProfilePurpose, RateUnit
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

DAY_S = 86_400.0
_ASSUMED_PHASES = 3
"""Phases of a limit in W that names none, OCPP 1.6 §7.12."""


class ProfileKind(StrEnum):
    """How the periods of a schedule are placed in time, OCPP 1.6 §7.10."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class Recurrency(StrEnum):
    """How often a recurring schedule starts again, OCPP 1.6 §7.39."""

    DAILY = "Daily"
    WEEKLY = "Weekly"

    @property
    def seconds(self) -> float:
        """Length of one recurrence."""
        return DAY_S if self is Recurrency.DAILY else 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Period:
    """A limit from `start_s` after the start of its schedule, in the unit of the schedule."""

    start_s: float
    limit: float
    n_phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An installed charging profile.

    Attributes:
        connector: 0 for the whole charge point.
        installed_s: when it was taken.
        start_s: when an absolute or recurring schedule begins; where an absolute one names none, it begins with the
            transaction, or when it was taken if that was later or nothing charges.
        least_rate: rate, in `unit`, below which charging does not pay (minChargingRate).
    """

    id: int
    connector: int
    stack_level: int
    purpose: ProfilePurpose
    kind: ProfileKind
    periods: tuple[Period, ...]
    installed_s: float
    unit: RateUnit = RateUnit.AMPERE
    start_s: float | None = None
    duration_s: float | None = None
    valid_from_s: float | None = None
    valid_to_s: float | None = None
    recurrency: Recurrency | None = None
    transaction_id: int | None = None
    least_rate: float = 0.0

    def in_amperes(self, rate: float, n_phases: int | None, installed: int) -> float:
        """A rate of this schedule in A per phase, at a connector with so many phases."""
        if self.unit is RateUnit.AMPERE:
            return rate
        return rate / (NOMINAL_VOLTAGE_V * min(n_phases or _ASSUMED_PHASES, installed))


@dataclass(frozen=True, slots=True)
class Scene:
    """What a schedule depends on besides time.

    Attributes:
        connector: whose limit is asked for; 0 for the station's own.
        n_phases: phases of the connector: a limit in W is never spread over more.
        transaction_start_s: when the running transaction began; None without one.
        transaction_id: None while the central system has not given one yet.
    """

    connector: int
    n_phases: int = 3
    transaction_start_s: float | None = None
    transaction_id: int | None = None


class Step(NamedTuple):
    """A stretch of a composite schedule, from `start_s` to the next one's start.

    Attributes:
        limit_a: A per phase; None is unlimited.
        n_phases: phases that may be used, where a profile in force names them.
        least_a: current per phase below which charging does not pay; 0 where no profile says so.
    """

    start_s: float
    limit_a: float | None
    n_phases: int | None = None
    least_a: float = 0.0


class _Stretch(NamedTuple):
    """What one profile states from a moment to another."""

    begin_s: float
    end_s: float
    limit_a: float
    n_phases: int | None
    least_a: float


def applies(profile: Profile, scene: Scene) -> bool:
    """Whether a profile speaks of this connector and this transaction at all."""
    if profile.purpose is ProfilePurpose.CHARGE_POINT_MAX:
        return True
    if profile.purpose is ProfilePurpose.TX_DEFAULT:
        return profile.connector in (0, scene.connector) and scene.connector != 0
    mine = profile.connector == scene.connector and scene.transaction_start_s is not None
    return mine and profile.transaction_id in (None, scene.transaction_id)


def _anchor(profile: Profile, scene: Scene) -> float | None:
    """When the first run of a schedule begins; None for one that waits for a transaction."""
    if profile.kind is ProfileKind.RELATIVE:
        return scene.transaction_start_s
    if profile.start_s is not None:
        return profile.start_s
    begun = scene.transaction_start_s
    if begun is None or profile.purpose is ProfilePurpose.CHARGE_POINT_MAX:
        return profile.installed_s
    return max(begun, profile.installed_s)


def _runs(profile: Profile, begin_s: float, end_s: float, scene: Scene) -> Iterator[tuple[float, float]]:
    """Start and end of each run of a schedule that touches [begin_s, end_s)."""
    start = _anchor(profile, scene)
    if start is None or start >= end_s:
        return
    lasts_s = math.inf if profile.duration_s is None else profile.duration_s
    if profile.kind is not ProfileKind.RECURRING or profile.recurrency is None:
        yield start, start + lasts_s
        return
    every_s = profile.recurrency.seconds
    lasts_s = min(lasts_s, every_s)
    start += max(0.0, math.floor((begin_s - start) / every_s)) * every_s
    while start < end_s:
        yield start, start + lasts_s
        start += every_s


def _stretches(profile: Profile, begin_s: float, end_s: float, scene: Scene) -> Iterator[_Stretch]:
    """What a profile alone states inside a window, in order, with holes where it states nothing."""
    begin_s = begin_s if profile.valid_from_s is None else max(begin_s, profile.valid_from_s)
    end_s = end_s if profile.valid_to_s is None else min(end_s, profile.valid_to_s)
    periods, last = profile.periods, len(profile.periods) - 1
    for start, stop in _runs(profile, begin_s, end_s, scene):
        now, stop = max(begin_s, start), min(end_s, stop)
        index = bisect_right(periods, now - start, key=lambda period: period.start_s) - 1
        if index < 0:
            index, now = 0, start + periods[0].start_s
        while now < stop:
            period = periods[index]
            until = stop if index == last else min(stop, start + periods[index + 1].start_s)
            # Where the sum rounds to `now` or below, the period is empty.
            if until > now:
                limit_a = profile.in_amperes(period.limit, period.n_phases, scene.n_phases)
                least_a = profile.in_amperes(profile.least_rate, period.n_phases, scene.n_phases)
                yield _Stretch(now, until, limit_a, period.n_phases, least_a)
                now = until
            index += 1


def _rank(profile: Profile) -> tuple[bool, int, bool]:
    return profile.purpose is ProfilePurpose.TX, profile.stack_level, profile.connector != 0


def _prevailing(profiles: Iterable[Profile], begin_s: float, end_s: float, scene: Scene) -> list[Step]:
    """Steps over a window by the highest profile that states something, unlimited where none does."""
    found: list[_Stretch] = []
    gaps = [(begin_s, end_s)]
    for profile in sorted(profiles, key=_rank, reverse=True):
        left: list[tuple[float, float]] = []
        for gap_s, gap_end_s in gaps:
            for stretch in _stretches(profile, gap_s, gap_end_s, scene):
                found.append(stretch)
                if stretch.begin_s > gap_s:
                    left.append((gap_s, stretch.begin_s))
                gap_s = stretch.end_s
            if gap_s < gap_end_s:
                left.append((gap_s, gap_end_s))
        gaps = left
        if not gaps:
            break
    steps = [Step(s.begin_s, s.limit_a, s.n_phases, s.least_a) for s in found]
    steps += [Step(gap_s, None) for gap_s, _ in gaps]
    steps.sort(key=lambda step: step.start_s)
    return steps


def _capped(step: Step, cap: Step, at_s: float) -> Step:
    """What holds where two steps hold at once."""
    if cap.limit_a is None:
        return Step(at_s, step.limit_a, step.n_phases, step.least_a)
    limit_a = cap.limit_a if step.limit_a is None else min(step.limit_a, cap.limit_a)
    stated = [n for n in (step.n_phases, cap.n_phases) if n is not None]
    return Step(at_s, limit_a, min(stated, default=None), max(step.least_a, cap.least_a))


def composite(profiles: Iterable[Profile], begin_s: float, end_s: float, scene: Scene) -> tuple[Step, ...]:
    """The limits in force over [begin_s, end_s), one step for each that differs from the one before."""
    session: list[Profile] = []
    station: list[Profile] = []
    for profile in profiles:
        if applies(profile, scene):
            (station if profile.purpose is ProfilePurpose.CHARGE_POINT_MAX else session).append(profile)
    steps = _prevailing(session, begin_s, end_s, scene)
    caps = _prevailing(station, begin_s, end_s, scene)
    merged: list[Step] = []
    i = j = 0
    now = begin_s
    while True:
        step = _capped(steps[i], caps[j], now)
        if not merged or merged[-1][1:] != step[1:]:
            merged.append(step)
        next_step = steps[i + 1].start_s if i + 1 < len(steps) else end_s
        next_cap = caps[j + 1].start_s if j + 1 < len(caps) else end_s
        now = min(next_step, next_cap)
        if now >= end_s:
            return tuple(merged)
        i += next_step == now
        j += next_cap == now


def limit_at(profiles: Iterable[Profile], at_s: float, scene: Scene) -> float | None:
    """The limit in force at one moment, in A per phase; None where nothing limits."""
    return composite(profiles, at_s, math.nextafter(at_s, math.inf), scene)[0].limit_a
