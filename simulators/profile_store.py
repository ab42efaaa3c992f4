"""Charging profiles a charge point holds: read from OCPP 1.6 JSON, checked, replaced and cleared by the standard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from simulators.composite import Period, Profile, ProfileKind, Recurrency, Scene
from simulators.quirks import Quirks
from simulators.wire import CallError
from twin_core.models.charger import ProfilePurpose, RateUnit

MAX_STACK_LEVEL = 8
MAX_PERIODS = 24
MAX_PROFILES = 20

ACCEPTED = "Accepted"
REJECTED = "Rejected"


def seconds_of(text: str) -> float:
    """Unix time of an OCPP timestamp; one without a zone counts as UTC.

    Raises:
        CallError: it is no ISO 8601 timestamp.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise CallError("PropertyConstraintViolation", f"{text!r} is no timestamp") from error
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(f"{text}+00:00")
    return moment.timestamp()


def parse_profile(connector: int, raw: Mapping[str, Any], installed_s: float) -> Profile:
    """A csChargingProfiles object as a Profile.

    Raises:
        CallError: a field is missing, of the wrong type or outside its values; the code says which.
    """
    try:
        schedule = raw["chargingSchedule"]
        recurrency = raw.get("recurrencyKind")
        return Profile(
            id=_whole("chargingProfileId", raw["chargingProfileId"]),
            connector=connector,
            stack_level=_whole("stackLevel", raw["stackLevel"]),
            purpose=ProfilePurpose(raw["chargingProfilePurpose"]),
            kind=ProfileKind(raw["chargingProfileKind"]),
            periods=tuple(_parse_period(period) for period in schedule["chargingSchedulePeriod"]),
            installed_s=installed_s,
            unit=RateUnit(schedule["chargingRateUnit"]),
            start_s=_optional_seconds(schedule.get("startSchedule")),
            duration_s=None if schedule.get("duration") is None else float(schedule["duration"]),
            valid_from_s=_optional_seconds(raw.get("validFrom")),
            valid_to_s=_optional_seconds(raw.get("validTo")),
            recurrency=None if recurrency is None else Recurrency(recurrency),
            transaction_id=raw.get("transactionId"),
            least_rate=float(schedule.get("minChargingRate") or 0.0),
        )
    except KeyError as error:
        raise CallError("OccurenceConstraintViolation", f"{error.args[0]} is missing") from error
    except (TypeError, AttributeError) as error:
        raise CallError("TypeConstraintViolation", str(error)) from error
    except ValueError as error:
        raise CallError("PropertyConstraintViolation", str(error)) from error


def _parse_period(raw: Mapping[str, Any]) -> Period:
    phases = raw.get("numberPhases")
    n_phases = None if phases is None else _whole("numberPhases", phases)
    return Period(float(_whole("startPeriod", raw["startPeriod"])), float(raw["limit"]), n_phases)


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} {value!r} is no whole number")
    return value


def _optional_seconds(text: str | None) -> float | None:
    return None if text is None else seconds_of(text)


class ProfileStore:
    """The profiles of one charge point.

    Attributes:
        version: rises with every change.
    """

    def __init__(self, quirks: Quirks = Quirks()) -> None:  # noqa: B008 - frozen, so sharing it is safe
        self._profiles: list[Profile] = []
        self._quirks = quirks
        self.version = 0

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """All profiles held."""
        return tuple(self._profiles)

    def install(self, profile: Profile, scene: Scene) -> str:
        """Take a profile in place of the one with its id, or its purpose, level and connector.

        Args:
            profile: as it came.
            scene: of the connector that the profile names.

        Returns:
            Accepted or Rejected, as SetChargingProfile.conf states it.
        """
        if self._refuses(profile, scene):
            return REJECTED
        slot = (profile.purpose, profile.stack_level, profile.connector)
        kept = [p for p in self._profiles if p.id != profile.id and (p.purpose, p.stack_level, p.connector) != slot]
        if len(kept) >= MAX_PROFILES:
            return REJECTED
        if self._quirks.ignores_duration:
            profile = replace(profile, duration_s=None, valid_to_s=None)
        if profile.purpose is ProfilePurpose.TX and profile.transaction_id is None:
            profile = replace(profile, transaction_id=scene.transaction_id)
        self._replace([*kept, profile])
        return ACCEPTED

    def _refuses(self, profile: Profile, scene: Scene) -> bool:
        if profile.unit is not self._quirks.unit or profile.stack_level not in range(MAX_STACK_LEVEL + 1):
            return True
        starts = [period.start_s for period in profile.periods]
        if not starts or len(starts) > MAX_PERIODS or starts[0] != 0 or starts != sorted(set(starts)):
            return True
        if not all(period.limit >= 0 and period.n_phases in (None, 1, 2, 3) for period in profile.periods):
            return True
        if not profile.least_rate >= 0 or (profile.duration_s is not None and not profile.duration_s >= 0):
            return True
        if profile.kind is ProfileKind.RECURRING and (profile.recurrency is None or profile.start_s is None):
            return True
        if profile.purpose is ProfilePurpose.CHARGE_POINT_MAX:
            return profile.connector != 0 or profile.kind is ProfileKind.RELATIVE
        if profile.purpose is ProfilePurpose.TX_DEFAULT:
            return False
        if self._quirks.rejects_tx_profile or profile.connector == 0 or scene.transaction_start_s is None:
            return True
        return profile.transaction_id not in (None, scene.transaction_id)

    def clear(
        self,
        *,
        id: int | None = None,  # noqa: A002 - the name the standard gives it
        connector: int | None = None,
        purpose: ProfilePurpose | None = None,
        stack_level: int | None = None,
    ) -> int:
        """Drop the profile with an id, or else all that match every criterion given; how many went."""

        def matches(profile: Profile) -> bool:
            if id is not None:
                return profile.id == id
            return (
                connector in (None, profile.connector)
                and purpose in (None, profile.purpose)
                and stack_level in (None, profile.stack_level)
            )

        kept = [profile for profile in self._profiles if not matches(profile)]
        gone = len(self._profiles) - len(kept)
        if gone:
            self._replace(kept)
        return gone

    def end_transaction(self, connector: int) -> None:
        """Drop the TxProfiles of a connector: they live no longer than their transaction."""
        self.clear(connector=connector, purpose=ProfilePurpose.TX)

    def forget(self) -> None:
        """Drop everything."""
        self._replace([])

    def _replace(self, profiles: list[Profile]) -> None:
        self._profiles = profiles
        self.version += 1
