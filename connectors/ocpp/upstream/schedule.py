"""The upstream's charging profiles as a limit: read from the wire, and which prevails when. OCPP 1.6 §3.13. Pure.

Moments are seconds of Unix time. Of each purpose the highest stack level that is running prevails, and one for the
connector goes before one for the whole charge point; a running TxProfile overrules the defaults; ChargePointMaxProfile
caps what is left. Watts become ampere per phase at 230 V on the phases a period names, or else all that are installed,
so that the current is never more than the power allows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from connectors.ocpp import translate
from connectors.ocpp.frames import Payload
from twin_core.errors import ProtocolError
from twin_core.models.charger import ProfilePurpose
from twin_core.models.ids import TransactionId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

DAY_S = 86_400.0
MAX_PERIODS = 24
MAX_STACK_LEVEL = 100


@dataclass(frozen=True, slots=True)
class Period:
    """A limit in the schedule's unit from `start_s` after its begin."""

    start_s: float
    limit: float
    n_phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A charging profile of the upstream.

    Attributes:
        connector: 0 for the whole charge point.
        transaction_id: ours, of the transaction a TxProfile is for.
        installed_s: when it came; an absolute schedule that names no start begins here.
        begins_s: start of the schedule; None for one that begins with the transaction.
        every_s: length of a recurrence.
    """

    id: int
    connector: int
    stack_level: int
    purpose: ProfilePurpose
    periods: tuple[Period, ...]
    installed_s: float
    watts: bool = False
    relative: bool = False
    begins_s: float | None = None
    every_s: float | None = None
    duration_s: float | None = None
    valid_from_s: float = -math.inf
    valid_to_s: float = math.inf
    transaction_id: TransactionId | None = None

    @property
    def name(self) -> str:
        """The profile in words."""
        return f"profile {self.id} ({self.purpose.value}, stack level {self.stack_level})"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a limit depends on beside time; the transaction is the running one.

    Attributes:
        sharing: connectors among which a limit of the whole charge point is divided alike.
    """

    connector: int
    n_phases: int = 3
    sharing: int = 1
    transaction_id: TransactionId | None = None
    transaction_s: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A current per phase and the profile that says so."""

    limit_a: float
    profile: Profile


def read_profile(connector: int, found: Payload, now_s: float, transaction_id: TransactionId | None) -> Profile:
    """A profile from SetChargingProfile, its payload already checked against the schema.

    Raises:
        ProtocolError: it makes no sense; the text says why.
    """
    schedule = found["chargingSchedule"]
    purpose = ProfilePurpose(found["chargingProfilePurpose"])
    kind = found["chargingProfileKind"]
    periods = _periods(schedule["chargingSchedulePeriod"])
    begins = _moment(schedule.get("startSchedule"))
    recurrency = found.get("recurrencyKind")
    if not 0 <= found["stackLevel"] <= MAX_STACK_LEVEL:
        raise ProtocolError(f"stack level {found['stackLevel']} is not between 0 and {MAX_STACK_LEVEL}")
    if kind == "Recurring" and (recurrency is None or begins is None):
        raise ProtocolError("a recurring profile needs recurrencyKind and startSchedule")
    if purpose is ProfilePurpose.CHARGE_POINT_MAX and connector != 0:
        raise ProtocolError("a ChargePointMaxProfile is for connector 0")
    if purpose is ProfilePurpose.TX and connector == 0:
        raise ProtocolError("a TxProfile is for one connector")
    duration = schedule.get("duration")
    valid_from, valid_to = _moment(found.get("validFrom")), _moment(found.get("validTo"))
    return Profile(
        id=found["chargingProfileId"],
        connector=connector,
        stack_level=found["stackLevel"],
        purpose=purpose,
        periods=periods,
        installed_s=now_s,
        watts=schedule["chargingRateUnit"] == "W",
        relative=kind == "Relative",
        begins_s=begins,
        every_s=None if kind != "Recurring" else (7 * DAY_S if recurrency == "Weekly" else DAY_S),
        duration_s=None if duration is None else float(duration),
        valid_from_s=-math.inf if valid_from is None else valid_from,
        valid_to_s=math.inf if valid_to is None else valid_to,
        transaction_id=transaction_id,
    )


def _periods(found: list[Any]) -> tuple[Period, ...]:
    if not 0 < len(found) <= MAX_PERIODS:
        raise ProtocolError(f"a schedule has 1 to {MAX_PERIODS} periods here")
    periods = tuple(
        Period(float(period["startPeriod"]), float(period["limit"]), period.get("numberPhases")) for period in found
    )
    starts = [period.start_s for period in periods]
    if starts[0] != 0.0 or any(later <= earlier for earlier, later in pairwise(starts)):
        raise ProtocolError("periods begin at 0 and one after the other")
    if not all(0.0 <= period.limit < 1e7 for period in periods):
        raise ProtocolError("a limit is 0 or more")
    if any(period.n_phases is not None and not 1 <= period.n_phases <= 3 for period in periods):
        raise ProtocolError("a period has 1 to 3 phases")
    return periods


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    moment = translate.timestamp(value)
    if moment is None:
        raise ProtocolError(f"{str(value)[:40]!r} is no moment")
    return moment.timestamp()


def limit_at(profiles: Iterable[Profile], scene: Scene, at_s: float) -> Limit | None:
    """The limit in force at a connector; None where no profile limits it."""
    prevailing: dict[ProfilePurpose, tuple[tuple[int, int], Limit]] = {}
    for profile in profiles:
        if profile.connector not in (0, scene.connector):
            continue
        limit_a = _alone(profile, scene, at_s)
        rank = (profile.stack_level, profile.connector)
        if limit_a is not None and (profile.purpose not in prevailing or rank > prevailing[profile.purpose][0]):
            prevailing[profile.purpose] = (rank, Limit(limit_a, profile))
    session = prevailing.get(ProfilePurpose.TX) or prevailing.get(ProfilePurpose.TX_DEFAULT)
    station = prevailing.get(ProfilePurpose.CHARGE_POINT_MAX)
    found = [ranked[1] for ranked in (session, station) if ranked is not None]
    return min(found, key=lambda limit: limit.limit_a, default=None)


def _alone(profile: Profile, scene: Scene, at_s: float) -> float | None:
    """What one profile says of one moment, in A per phase; None while it is not running."""
    if profile.purpose is ProfilePurpose.TX:
        wanted = profile.transaction_id
        if scene.transaction_id is None or (wanted is not None and wanted != scene.transaction_id):
            return None
    begin = _begin(profile, scene, at_s)
    if begin is None or not profile.valid_from_s <= at_s < profile.valid_to_s:
        return None
    since_s = at_s - begin
    if profile.duration_s is not None and since_s >= profile.duration_s:
        return None
    period = max((p for p in profile.periods if p.start_s <= since_s), key=lambda p: p.start_s)
    limit = period.limit / scene.sharing if profile.purpose is ProfilePurpose.CHARGE_POINT_MAX else period.limit
    return limit / (NOMINAL_VOLTAGE_V * (period.n_phases or scene.n_phases)) if profile.watts else limit


def _begin(profile: Profile, scene: Scene, at_s: float) -> float | None:
    """When the run of the schedule that covers a moment began; None where it has not."""
    if profile.relative:
        # A gateway that was away knows the transaction but not its begin.
        known = scene.transaction_s if scene.transaction_s is not None else profile.installed_s
        begin = None if scene.transaction_id is None else known
    else:
        begin = profile.installed_s if profile.begins_s is None else profile.begins_s
    if begin is None or at_s < begin:
        return None
    if profile.every_s is not None:
        begin += math.floor((at_s - begin) / profile.every_s) * profile.every_s
    return begin


def next_change(profiles: Iterable[Profile], scene: Scene, at_s: float) -> float:
    """The first moment after `at_s` at which the limit may be another; infinite where it never is."""
    later = [moment for profile in profiles for moment in _changes(profile, scene, at_s) if moment > at_s]
    return min(later, default=math.inf)


def _changes(profile: Profile, scene: Scene, at_s: float) -> Iterable[float]:
    yield from (profile.valid_from_s, profile.valid_to_s)
    begin = _begin(profile, scene, at_s)
    if begin is None:
        if not profile.relative and profile.begins_s is not None:
            yield profile.begins_s
        return
    yield from (begin + period.start_s for period in profile.periods)
    if profile.duration_s is not None:
        yield begin + profile.duration_s
    if profile.every_s is not None:
        yield begin + profile.every_s
