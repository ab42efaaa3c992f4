"""What chargers' answers say, read leniently. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.ocpp import translate
from connectors.ocpp.calls import Answered, CallOutcome, Errored, LinkLost, TimedOut
from connectors.ocpp.frames import Payload
from twin_core.models.charger import RateUnit


@dataclass(frozen=True, slots=True)
class Taken:
    """The charger took the profile."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The charger said no."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """No usable answer: it may or may not have taken the profile."""

    detail: str


Verdict = Taken | Refused | Unclear


def judge(outcome: CallOutcome) -> Verdict:
    """What an answer to SetChargingProfile says."""
    match outcome:
        case Answered(payload):
            status = payload.get("status")
            if status == "Accepted":
                return Taken()
            if status in ("Rejected", "NotSupported"):
                return Refused(str(status))
            return Unclear(f"status {ascii(status)[:40]}")
        case Errored(code, description):
            return Unclear(f"CALLERROR {translate.text(code)} {translate.text(description, 80)}".rstrip())
        case TimedOut():
            return Unclear("no answer")
        case LinkLost():
            return Unclear("link lost")


def read_configuration(payload: Payload) -> dict[str, str]:
    """Settings by lower-case name, whatever JSON type a charger writes them in."""
    entries = payload.get("configurationKey")
    found: dict[str, str] = {}
    for entry in entries if type(entries) is list else ():
        key = entry.get("key") if type(entry) is dict else None
        if type(key) is str and type(value := entry.get("value")) in (str, int, float, bool):
            found[key.strip().lower()] = str(value).strip()
    return found


def rate_unit(allowed: str, now: RateUnit) -> RateUnit:
    """The unit to use, from a setting chargers write as Current, Power, both, A or W, or not at all."""
    words = {word.strip().lower() for word in allowed.split(",")}
    amperes, watts = bool(words & {"current", "a", "amp", "ampere"}), bool(words & {"power", "w", "watt"})
    if amperes == watts:
        return now
    return RateUnit.AMPERE if amperes else RateUnit.WATT


def highest_limit(payload: Payload) -> tuple[float | None, RateUnit]:
    """Highest limit of a composite schedule and its unit; None where there is no sense in it."""
    schedule = payload.get("chargingSchedule")
    if payload.get("status") != "Accepted" or type(schedule) is not dict:
        return None, RateUnit.AMPERE
    unit = RateUnit.WATT if schedule.get("chargingRateUnit") == "W" else RateUnit.AMPERE
    periods = schedule.get("chargingSchedulePeriod")
    limits = [translate.number(p.get("limit")) for p in periods if type(p) is dict] if type(periods) is list else []
    if not limits or not all(0 <= limit < 1e6 for limit in limits):
        return None, unit
    return max(limits), unit


def holds_on(payload: Payload, limit: float, at_s: int) -> bool:
    """Whether a composite schedule says, in one limit that never changes, that it still holds so many seconds on."""
    schedule = payload.get("chargingSchedule")
    if payload.get("status") != "Accepted" or type(schedule) is not dict:
        return False
    duration_s = translate.number(schedule.get("duration"))
    periods = schedule.get("chargingSchedulePeriod")
    if type(periods) is not list or len(periods) != 1 or type(periods[0]) is not dict:
        return False
    same = abs(translate.number(periods[0].get("limit")) - limit) <= 0.05
    return same and translate.number(periods[0].get("startPeriod")) == 0.0 and at_s <= duration_s < 1e9
