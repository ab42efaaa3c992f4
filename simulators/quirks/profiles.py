"""Q: how charge points take charging profiles, and what they make of them."""

# ruff: noqa: D102 -- the hooks are described where they are declared, in `Behaviour`; what each quirk does, at its class

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from simulators.quirks.behaviour import Behaviour, Line, Payload, Reply

if TYPE_CHECKING:
    from simulators.station import Outlet, Station

_SET, _CLEAR, _COMPOSITE = "SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule"
_ACCEPTED, _REJECTED = Reply({"status": "Accepted"}), Reply({"status": "Rejected"})
_LOWEST_A = 6.0


def _profile(payload: Payload) -> dict[str, Any]:
    found: dict[str, Any] = payload["csChargingProfiles"]
    return found


def _limits(payload: Payload) -> list[float]:
    return [period["limit"] for period in _profile(payload)["chargingSchedule"]["chargingSchedulePeriod"]]


class RejectsMaxProfile(Behaviour):
    """Takes no ChargePointMaxProfile."""

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        mine = action == _SET and _profile(payload)["chargingProfilePurpose"] == "ChargePointMaxProfile"
        return _REJECTED if mine else payload


class TakesOnlyMaxProfile(Behaviour):
    """Takes no other purpose."""

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        mine = action == _SET and _profile(payload)["chargingProfilePurpose"] != "ChargePointMaxProfile"
        return _REJECTED if mine else payload


class BreaksOnEarlyTxProfile(Behaviour):
    """A TxProfile without a running transaction, or without its id, costs the link."""

    def __init__(self) -> None:
        self.broken = 0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == _SET and _profile(payload)["chargingProfilePurpose"] == "TxProfile":
            running = {
                outlet.transaction.id for outlet in line.controller.station.outlets.values() if outlet.transaction
            }
            if _profile(payload).get("transactionId") not in running - {None}:
                self.broken += 1
                line.cut()
                return None
        return payload


class TxDefaultForTheNext(Behaviour):
    """A TxDefaultProfile that comes while a transaction runs is for the next one."""

    def __init__(self) -> None:
        self._kept: dict[int, Payload] = {}

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action != _SET or _profile(payload)["chargingProfilePurpose"] != "TxDefaultProfile":
            return payload
        outlet = line.controller.station.outlets.get(payload["connectorId"])
        if outlet is None or outlet.transaction is None:
            return payload
        self._kept[outlet.number] = payload
        return _ACCEPTED

    def tell(self, action: str, payload: Payload, unique_id: str, line: Line) -> Payload | None:
        if action == "StopTransaction":
            for kept in self._kept.values():
                line.take(_SET, kept)
            self._kept.clear()
        return payload


class ForeignProfile(Behaviour):
    """Another back-end left a profile at the highest stack level."""

    def __init__(self) -> None:
        self._left = False

    def opened(self, line: Line) -> None:
        if self._left:
            return
        self._left = True
        for number in line.controller.station.outlets:
            profile = {
                "chargingProfileId": 900 + number,
                "stackLevel": 8,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 25.0}],
                },
            }
            line.take(_SET, {"connectorId": number, "csChargingProfiles": profile})


class ForeignClip(Behaviour):
    """Another back-end left 9 A: for the whole charge point, or above every TxProfile of a transaction."""

    limit_a = 9.0

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._left_in: int | None = None

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        """Leave it as soon as the first profile for a transaction comes, once for each."""
        transaction = _profile(payload).get("transactionId") if action == _SET else None
        if transaction is not None and self._left_in is None:
            self._left_in = transaction
            whole = self._purpose == "ChargePointMaxProfile"
            profile = {
                "chargingProfileId": 950,
                "stackLevel": 8,
                "chargingProfilePurpose": self._purpose,
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": self.limit_a}],
                },
                **({} if whole else {"transactionId": transaction}),
            }
            line.take(_SET, {"connectorId": 0 if whole else payload["connectorId"], "csChargingProfiles": profile})
        return payload


class OneStackLevel(Behaviour):
    """Takes stack level 0 alone; it names that as its highest, or claims a thousand."""

    def __init__(self, claims: str) -> None:
        self._claims = claims

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        return _REJECTED if action == _SET and _profile(payload)["stackLevel"] > 0 else payload

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        return _configured(action, payload, "ChargeProfileMaxStackLevel", self._claims)


class FewProfiles(Behaviour):
    """Has room for three profiles, each known by its id, and never frees one."""

    def __init__(self) -> None:
        self.ids: set[int] = set()

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action != _SET:
            return payload
        new = {_profile(payload)["chargingProfileId"]} - self.ids
        if new and len(self.ids) >= 3:
            return _REJECTED
        self.ids |= new
        return payload


class RateUnitWords(Behaviour):
    """States its unit in words of its own, or not at all."""

    def __init__(self, words: str | None) -> None:
        self._words = words

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        return _configured(action, payload, "ChargingScheduleAllowedChargingRateUnit", self._words)


class PhaseSwitch(Behaviour):
    """A profile that names numberPhases switches a relay, which wears."""

    def __init__(self) -> None:
        self.switched = 0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == _SET:
            periods = _profile(payload)["chargingSchedule"]["chargingSchedulePeriod"]
            self.switched += sum("numberPhases" in period for period in periods)
        return payload


class ZeroEndsTransaction(Behaviour):
    """A limit below 6 A ends the transaction, and the connector stays Finishing until a remote start."""

    def __init__(self) -> None:
        self.ended = 0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == _SET and min(_limits(payload)) < _LOWEST_A:
            for number, outlet in line.controller.station.outlets.items():
                if number == payload["connectorId"] and outlet.transaction is not None:
                    self.ended += 1
                    line.later(1.0, partial(line.controller.stop, number, "Other"))
        if action == "RemoteStartTransaction":
            for outlet in line.controller.station.outlets.values():
                outlet.finishing = False
        return payload


class SixAmpFloor(Behaviour):
    """Offers 6 A where it is told less."""

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        running = outlet.transaction is not None and outlet.transaction.accepted
        return max(_LOWEST_A, limit_a) if running else limit_a


class RejectsLow(Behaviour):
    """Rejects limits up to and including one."""

    def __init__(self, up_to_a: float) -> None:
        self._up_to_a = up_to_a

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        return _REJECTED if action == _SET and min(_limits(payload)) <= self._up_to_a else payload


class ResumesUnlimited(Behaviour):
    """After a pause at 0 A it charges at its hardware maximum, until a profile comes after it has resumed."""

    def __init__(self) -> None:
        self.paused: set[int] = set()
        self.unlimited: set[int] = set()

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == _SET and payload["connectorId"] in self.unlimited:
            self.unlimited.discard(payload["connectorId"])
            self.paused.discard(payload["connectorId"])
        return payload

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        if outlet.transaction is None:
            self.paused.discard(outlet.number)
            self.unlimited.discard(outlet.number)
        elif limit_a == 0.0 and outlet.current_a > 0.0:
            self.paused.add(outlet.number)
        elif limit_a > 0.0 and outlet.number in self.paused:
            self.unlimited.add(outlet.number)
        return outlet.spec.hardware_max_a if outlet.number in self.unlimited and limit_a > 0.0 else limit_a


class SlowToResume(Behaviour):
    """Stays SuspendedEVSE for two minutes after it was allowed to charge."""

    resumes_after_s = 120.0

    def __init__(self) -> None:
        self._allowed_s: dict[int, float] = {}

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        if limit_a == 0.0:
            self._allowed_s.pop(outlet.number, None)
            return 0.0
        since_s = self._allowed_s.setdefault(outlet.number, station.uptime_s())
        left_s = since_s + self.resumes_after_s - station.uptime_s()
        if left_s <= 0.0:
            return limit_a
        asyncio.get_running_loop().call_later(left_s, station.reconsider)
        return 0.0


class WholeAmperesOnly(Behaviour):
    """Rejects a limit with a fraction."""

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        fraction = action == _SET and any(limit != int(limit) for limit in _limits(payload))
        return _REJECTED if fraction else payload


class CoarseSteps(Behaviour):
    """Offers one of a few currents, the next lower one."""

    steps_a = (0.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 32.0, 1e9)

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        return next(low for low, high in pairwise(self.steps_a) if low <= limit_a < high)


class RelativeOnly(Behaviour):
    """Takes schedules that begin with the transaction and no other."""

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        return _REJECTED if action == _SET and _profile(payload)["chargingProfileKind"] != "Relative" else payload


class ShortMemory(Behaviour):
    """Counts what is written to its flash."""

    def __init__(self) -> None:
        self.writes: dict[str, int] = {}

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == _SET:
            purpose = _profile(payload)["chargingProfilePurpose"]
            self.writes[purpose] = self.writes.get(purpose, 0) + 1
        return payload


class ClearSpikes(Behaviour):
    """Offers its hardware maximum for ten seconds after ClearChargingProfile."""

    def __init__(self) -> None:
        self.cleared = 0
        self._until_s = -1.0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == _CLEAR:
            self.cleared += 1
            self._until_s = line.controller.station.uptime_s() + 10.0
            line.controller.station.reconsider()
            line.later(10.0, line.controller.station.reconsider)
        return payload

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        spiking = outlet.transaction is not None and station.uptime_s() < self._until_s
        return outlet.spec.hardware_max_a if spiking else limit_a


class SlowToApply(Behaviour):
    """Answers at once and applies a profile thirty seconds later."""

    applies_after_s = 30.0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action != _SET:
            return payload
        line.later(self.applies_after_s, lambda: line.take(action, payload))
        return _ACCEPTED


class MaxForEach(Behaviour):
    """Takes a ChargePointMaxProfile as the limit of each connector by itself."""

    def __init__(self) -> None:
        self.asked = 0

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action != _SET or _profile(payload)["chargingProfilePurpose"] != "ChargePointMaxProfile":
            return payload
        self.asked += 1
        for number in line.controller.station.outlets:
            each = {**_profile(payload), "chargingProfilePurpose": "TxDefaultProfile"}
            each["chargingProfileId"] += 100 * number
            line.take(_SET, {"connectorId": number, "csChargingProfiles": each})
        return _ACCEPTED


class Overshoots(Behaviour):
    """Its meter and its pilot are off: the vehicle draws three parts in a hundred more than the limit."""

    def offers(self, limit_a: float, outlet: Outlet, station: Station) -> float:
        return limit_a * 1.03


class OddComposite(Behaviour):
    """Answers GetCompositeSchedule with nothing one could use."""

    def __init__(self, answer: Payload) -> None:
        self._answer = answer

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        return Reply(self._answer) if action == _COMPOSITE else payload


class TakesWithoutAnswer(Behaviour):
    """Applies a TxProfile and never answers it."""

    def __init__(self) -> None:
        self._unanswered = False

    def request(self, action: str, payload: Payload, line: Line) -> Payload | Reply | None:
        if action == _SET:
            self._unanswered = _profile(payload)["chargingProfilePurpose"] == "TxProfile"
        return payload

    def answer(self, action: str, payload: Payload, line: Line) -> Payload | None:
        return None if action == _SET and self._unanswered else payload


def _configured(action: str, payload: Payload, key: str, value: str | None) -> Payload:
    """A GetConfiguration answer with another value for one key; None leaves the key out."""
    if action != "GetConfiguration":
        return payload
    entries = [entry for entry in payload["configurationKey"] if entry["key"] != key]
    if value is not None:
        entries.append({"key": key, "readonly": True, "value": value})
    return {**payload, "configurationKey": entries}
