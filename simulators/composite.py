"""The composite schedule of OCPP 1.6 §3.13: which limit is in force at a connector, now and later.

Pure. Times are seconds on the charge point's own UTC clock (Unix time); limits inside are A per phase. At any moment:

1. of each purpose the schedule with the highest stack level *that is running* prevails; one that names the connector
   goes before one for the whole station at the same level;
2. a running TxProfile overrules TxDefaultProfiles; where its schedule has ended, the default is in force again;
3. ChargePointMaxProfile caps what is left.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from twin_core.models.charger import ProfilePurpose, RateUnit
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

DAY_S = 86_400.0
_MAX_OCCURRENCES = 400
"""Recurrences looked at in one window: more than a year of days."""


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
        installed_s: when it was taken; an absolute schedule that names no start begins here.
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


@dataclass(frozen=True, slots=True)
class Scene:
    """What a schedule depends on besides time.

    Attributes:
        connector: whose limit is asked for; 0 for the station's own.
        n_phases: phases of the connector, for limits in W that name none.
        transaction_start_s: when the running transaction began; None without one.
        transaction_id: None while the central system has not given one yet.
    """

    connector: int
    n_phases: int = 3
    transaction_start_s: float | None = None
    transaction_id: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of a composite schedule: `limit_a` per phase from `start_s` on; None is unlimited."""

    start_s: float
    limit_a: float | None


def occurrence_start(profile: Profile, at_s: float, scene: Scene) -> float | None:
    """When the run of the schedule that covers `at_s` began; None when it has not begun."""
    if profile.kind is ProfileKind.RELATIVE:
        begin = scene.transaction_start_s
    else:
        begin = profile.installed_s if profile.start_s is None else profile.start_s
    if begin is None or at_s < begin:
        return None
    if profile.kind is ProfileKind.RECURRING and profile.recurrency is not None:
        begin += math.floor((at_s - begin) / profile.recurrency.seconds) * profile.recurrency.seconds
    return begin


def running_limit_a(profile: Profile, at_s: float, scene: Scene) -> float | None:
    """Limit a profile alone states at one moment, in A per phase; None while its schedule is not running."""
    if profile.valid_from_s is not None and at_s < profile.valid_from_s:
        return None
    if profile.valid_to_s is not None and at_s >= profile.valid_to_s:
        return None
    begin = occurrence_start(profile, at_s, scene)
    if begin is None:
        return None
    elapsed = at_s - begin
    if profile.duration_s is not None and elapsed >= profile.duration_s:
        return None
    index = bisect_right(profile.periods, elapsed, key=lambda period: period.start_s) - 1
    if index < 0:
        return None
    period = profile.periods[index]
    if profile.unit is RateUnit.AMPERE:
        return period.limit
    return period.limit / (NOMINAL_VOLTAGE_V * (period.n_phases or scene.n_phases))


def applies(profile: Profile, scene: Scene) -> bool:
    """Whether a profile speaks of this connector and this transaction at all."""
    if profile.purpose is ProfilePurpose.CHARGE_POINT_MAX:
        return True
    if profile.purpose is ProfilePurpose.TX_DEFAULT:
        return profile.connector in (0, scene.connector) and scene.connector != 0
    mine = profile.connector == scene.connector and scene.transaction_start_s is not None
    return mine and profile.transaction_id in (None, scene.transaction_id)


def limit_at(profiles: Iterable[Profile], at_s: float, scene: Scene) -> float | None:
    """The limit in force at one moment, in A per phase; None where nothing limits."""
    best: dict[ProfilePurpose, tuple[tuple[int, int], float]] = {}
    for profile in profiles:
        if not applies(profile, scene):
            continue
        limit_a = running_limit_a(profile, at_s, scene)
        if limit_a is None:
            continue
        rank = (profile.stack_level, 1 if profile.connector else 0)
        if profile.purpose not in best or rank > best[profile.purpose][0]:
            best[profile.purpose] = (rank, limit_a)
    session = best.get(ProfilePurpose.TX) or best.get(ProfilePurpose.TX_DEFAULT)
    station = best.get(ProfilePurpose.CHARGE_POINT_MAX)
    limits = [found[1] for found in (session, station) if found is not None]
    return min(limits) if limits else None


def _starts(profile: Profile, begin_s: float, end_s: float, scene: Scene) -> Iterator[float]:
    """Starts of every run of a schedule that may matter inside a window."""
    first = occurrence_start(profile, begin_s, scene)
    if first is None:
        anchor = profile.installed_s if profile.start_s is None else profile.start_s
        first = scene.transaction_start_s if profile.kind is ProfileKind.RELATIVE else anchor
    if first is None:
        return
    yield first
    if profile.kind is ProfileKind.RECURRING and profile.recurrency is not None:
        for k in range(1, _MAX_OCCURRENCES):
            start = first + k * profile.recurrency.seconds
            if start >= end_s:
                return
            yield start


def changes(profiles: Iterable[Profile], begin_s: float, end_s: float, scene: Scene) -> list[float]:
    """Moments strictly inside a window at which the limit in force may change, rising."""
    found: set[float] = set()
    for profile in profiles:
        if not applies(profile, scene):
            continue
        found.update(t for t in (profile.valid_from_s, profile.valid_to_s) if t is not None)
        for start in _starts(profile, begin_s, end_s, scene):
            found.update(start + period.start_s for period in profile.periods)
            found.add(start)
            if profile.duration_s is not None:
                found.add(start + profile.duration_s)
    return sorted(t for t in found if begin_s < t < end_s)


def composite(profiles: Iterable[Profile], begin_s: float, end_s: float, scene: Scene) -> tuple[Step, ...]:
    """The limits in force over [begin_s, end_s), one step for each that differs from the one before."""
    known = tuple(profiles)
    steps: list[Step] = []
    for moment in (begin_s, *changes(known, begin_s, end_s, scene)):
        limit_a = limit_at(known, moment, scene)
        if not steps or steps[-1].limit_a != limit_a:
            steps.append(Step(moment, limit_a))
    return tuple(steps)
