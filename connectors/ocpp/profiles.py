"""A grant or a fallback as a SetChargingProfile payload. Pure.

What leaves here never permits more than was granted, never lasts longer than the lease, and never asks for a current
between 0 and the 6 A a control pilot can offer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.ocpp.frames import Payload
from twin_core.models.charger import ProfilePurpose, RateUnit
from twin_core.models.grant import Grant
from twin_core.models.ids import TransactionId
from twin_core.models.quantities import MINIMUM_CURRENT_A, NOMINAL_VOLTAGE_V, quantise_down

LOWEST_VOLTAGE_SHARE = 0.9
"""Watts are converted at the lowest voltage EN 50160 allows: there, the same power is the highest current."""

HEAD_START_S = 60
"""Schedules begin this long before they are issued: a charger whose clock is behind ignores one that begins later."""

FALLBACK_STACK_LEVEL = 0

_ID_DIGIT = {ProfilePurpose.CHARGE_POINT_MAX: 1, ProfilePurpose.TX_DEFAULT: 2, ProfilePurpose.TX: 3}
_FALLBACK_ID_OFFSET = 4


@dataclass(frozen=True, slots=True)
class ProfileStyle:
    """How a charger takes limits.

    Attributes:
        relative: True where it takes no Absolute schedules; such a schedule cannot carry the end of a lease.
    """

    purpose: ProfilePurpose = ProfilePurpose.TX
    unit: RateUnit = RateUnit.AMPERE
    step_a: float = 0.1
    stack_level: int = 1
    relative: bool = False


def lease_profile(
    grant: Grant, style: ProfileStyle, *, transaction_id: TransactionId | None = None, n_phases: int = 1
) -> Payload:
    """A grant as SetChargingProfile; it ends with the lease, or never where the lease is infinite.

    Args:
        grant: what the charger may draw and until when.
        style: how it takes limits.
        transaction_id: the running transaction; belongs to a TxProfile and to no other.
        n_phases: phases the charger divides watts by; the lowest possible number where that is not known.
    """
    start = _whole_second(grant.issued.utc - timedelta(seconds=HEAD_START_S))
    ends = grant.expires_utc
    # floor: a schedule counts whole seconds and must not outlive the lease by a fraction of one.
    duration_s = None if ends is None else max(1, math.floor((ends - start).total_seconds()))
    profile = _profile(
        style,
        profile_id=_profile_id(style.purpose, grant.connector_id.number),
        stack_level=style.stack_level,
        limit=rate(grant.limit_a, style, n_phases),
        start=start,
        duration_s=duration_s,
    )
    if style.purpose is ProfilePurpose.TX and transaction_id is not None:
        profile["transactionId"] = int(transaction_id)
    return {"connectorId": _target(style.purpose, grant.connector_id.number), "csChargingProfiles": profile}


def fallback_profile(
    connector: int,
    fallback_a: float,
    style: ProfileStyle,
    *,
    now: datetime,
    n_phases: int = 1,
) -> Payload:
    """The limit a charger keeps by itself when nobody speaks to it, without end, at the lowest stack level."""
    profile = _profile(
        style,
        profile_id=_profile_id(style.purpose, connector) + _FALLBACK_ID_OFFSET,
        stack_level=FALLBACK_STACK_LEVEL,
        limit=rate(fallback_a, style, n_phases),
        start=_whole_second(now - timedelta(seconds=HEAD_START_S)),
        duration_s=None,
    )
    return {"connectorId": _target(style.purpose, connector), "csChargingProfiles": profile}


def probe_profile(
    connector: int, fallback_a: float, style: ProfileStyle, *, now: datetime, duration_s: int | None, n_phases: int = 1
) -> Payload:
    """The fallback's own limit in the place of a grant, which changes nothing but shows whether it is taken."""
    profile = _profile(
        style,
        profile_id=_profile_id(style.purpose, connector),
        stack_level=style.stack_level,
        limit=rate(fallback_a, style, n_phases),
        start=_whole_second(now - timedelta(seconds=HEAD_START_S)),
        duration_s=None if duration_s is None else HEAD_START_S + duration_s,
    )
    return {"connectorId": _target(style.purpose, connector), "csChargingProfiles": profile}


def rate(limit_a: float, style: ProfileStyle, n_phases: int) -> float:
    """A current per phase as the number a charger is told, rounded down; 0 where less than 6 A would be left.

    Returns:
        Amperes in multiples of 0.1 or of the charger's coarser step, or whole watts.
    """
    amperes = quantise_down(limit_a, max(0.1, style.step_a))
    if not amperes <= limit_a:  # quantise_down forgives a part in 10⁶; what goes out forgives nothing
        amperes = quantise_down(limit_a - 0.05, max(0.1, style.step_a))
    if not MINIMUM_CURRENT_A <= amperes < math.inf:
        return 0.0
    if style.unit is RateUnit.AMPERE:
        return round(amperes, 1)
    watts = math.floor(amperes * n_phases * LOWEST_VOLTAGE_SHARE * NOMINAL_VOLTAGE_V)
    # At nominal voltage the charger reads a lower current from it, which must still be one a pilot can offer.
    return float(watts) if watts >= MINIMUM_CURRENT_A * n_phases * NOMINAL_VOLTAGE_V else 0.0


def _profile(
    style: ProfileStyle, *, profile_id: int, stack_level: int, limit: float, start: datetime, duration_s: int | None
) -> Payload:
    schedule: Payload = {
        "chargingRateUnit": style.unit.value,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }
    if not style.relative:
        schedule["startSchedule"] = start.isoformat().replace("+00:00", "Z")
    if duration_s is not None:
        schedule["duration"] = duration_s
    return {
        "chargingProfileId": profile_id,
        "stackLevel": stack_level,
        "chargingProfilePurpose": style.purpose.value,
        "chargingProfileKind": "Relative" if style.relative else "Absolute",
        "chargingSchedule": schedule,
    }


def _profile_id(purpose: ProfilePurpose, connector: int) -> int:
    """One id for each purpose and connector: profiles replace each other in place and never pile up."""
    return connector * 10 + _ID_DIGIT[purpose]


def _target(purpose: ProfilePurpose, connector: int) -> int:
    """ChargePointMaxProfile may only be set for the charge point as a whole."""
    return 0 if purpose is ProfilePurpose.CHARGE_POINT_MAX else connector


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
