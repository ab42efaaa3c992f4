"""Q: how charge points take charging profiles, and what they make of them."""

# ruff: noqa: D102 -- the hooks are described where they are declared, in `Behaviour`; what each quirk does, at its class

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from simulators.quirks.behaviour import Behaviour, Line, Payload, Quirk, Reply
from twin_core.models.charger import RateUnit

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
                    line.later(1.0, lambda n=number: line.controller.stop(n, "Other"))  # type: ignore[misc]
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


_NONSENSE: Payload = {
    "status": "Accepted",
    "connectorId": 1,
    "chargingSchedule": {"chargingRateUnit": "A", "duration": 8638204752557, "chargingSchedulePeriod": []},
}


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


_WATT = (("unit", RateUnit.WATT),)

PROFILE_QUIRKS = (
    Quirk(
        "Q1",
        "rejects-max-profile",
        "ChargePointMaxProfile is rejected, TxDefaultProfile is taken",
        "ways of writing are tried in turn and the one that worked is remembered; nothing counts as success unread",
        "lbbrhzn#221, lbbrhzn#1245, lbbrhzn#1703",
        behaviour=RejectsMaxProfile,
    ),
    Quirk(
        "Q1",
        "max-profile-only",
        "every purpose but ChargePointMaxProfile is rejected",
        "as above; with one connector the fallback and the grants are written under that purpose",
        "lbbrhzn#221",
        behaviour=TakesOnlyMaxProfile,
    ),
    Quirk(
        "Q2",
        "breaks-on-early-tx-profile",
        "a TxProfile without transaction or transactionId is rejected, or costs the link",
        "a TxProfile is sent only with the id of a running transaction",
        "libocpp#299, libocpp#616, evcc#9766, monta#36",
        behaviour=BreaksOnEarlyTxProfile,
    ),
    Quirk(
        "Q2",
        "no-tx-profile",
        "every TxProfile is rejected",
        "grants go out as TxDefaultProfile, from the second success on at once",
        "libocpp#299",
        (("rejects_tx_profile", True),),
    ),
    Quirk(
        "Q3",
        "tx-default-for-the-next",
        "a TxDefaultProfile is applied to the next transaction and not to the running one",
        "while a transaction runs, grants are TxProfiles",
        "ConnectorIO#160",
        behaviour=TxDefaultForTheNext,
    ),
    Quirk(
        "Q4",
        "foreign-profile",
        "another back-end's profile at a higher stack level outranks ours",
        "the composite schedule contradicts the fallback: it counts at its maximum, that purpose is cleared, all again",
        "lbbrhzn#2148, evcc#31597",
        behaviour=ForeignProfile,
    ),
    Quirk(
        "Q5",
        "stack-level-0",
        "stack level 0 only",
        "grants are TxProfiles of level 0, which never overwrite the fallback; the level is remembered",
        "evcc#4957, lbbrhzn#1737, go-e#187",
        behaviour=lambda: OneStackLevel("0"),
    ),
    Quirk(
        "Q5",
        "stack-level-0-claims-999",
        "stack level 0 only, though 999 is stated",
        "as above, found by trying a profile that changes nothing",
        "lbbrhzn#877",
        behaviour=lambda: OneStackLevel("999"),
    ),
    Quirk(
        "Q6",
        "few-profiles",
        "room for three profile ids",
        "one fixed id for each purpose and connector",
        "evcc cp_setup.go",
        behaviour=FewProfiles,
    ),
    *(
        Quirk(
            "Q7",
            f"rate-unit-{name}",
            f"the allowed rate unit is {said}",
            "read leniently; amperes where it says nothing usable",
            "evcc cp_setup.go, lbbrhzn#1545",
            fields,
            lambda words=words: RateUnitWords(words),  # type: ignore[misc]
        )
        for name, said, words, fields in (
            ("both", "stated as both", "Current,Power", ()),
            ("letter", 'stated as "W"', "W", _WATT),
            ("nonsense", "nonsense", "Watts or so", ()),
            ("missing", "missing", None, ()),
        )
    ),
    Quirk(
        "Q8",
        "watts-only",
        "limits are taken in watts alone",
        "converted at 207 V for the phases seen in this transaction, one until then",
        "evcc#9883, libocpp#426, lbbrhzn#2084",
        _WATT,
    ),
    Quirk(
        "Q9",
        "phase-switch",
        "numberPhases switches a relay",
        "numberPhases is never sent",
        "go-e#190, EVerest#1060, EVerest#1038",
        behaviour=PhaseSwitch,
    ),
    Quirk(
        "Q10",
        "zero-ends-transaction",
        "a limit below 6 A ends the transaction",
        "learned the first time: the session is started again, and it is kept at 6 A or more from then on",
        "evcc#33020, evcc#29272, hass-evse-load-balancer#89",
        behaviour=ZeroEndsTransaction,
    ),
    Quirk(
        "Q10",
        "six-amp-floor",
        "a limit below 6 A is taken as 6 A",
        "seen by its draw: it counts at its maximum while it draws what nobody granted",
        "hass-evse-load-balancer#89",
        behaviour=SixAmpFloor,
    ),
    Quirk(
        "Q11",
        "rejects-zero",
        "a limit of 0 A is rejected",
        "the lowest limit it takes becomes its fallback, and stands in for a pause",
        "evcc#15493",
        behaviour=lambda: RejectsLow(0.0),
    ),
    Quirk(
        "Q11",
        "rejects-zero-and-six",
        "limits of 0 A and of 6 A are rejected",
        "as above",
        "evcc#15493",
        behaviour=lambda: RejectsLow(6.0),
    ),
    Quirk(
        "Q12",
        "resumes-unlimited",
        "after a pause the new limit is ignored until it is sent again",
        "every grant after a pause is sent twice; what is drawn meanwhile is seen and counted",
        "go-e#155",
        behaviour=ResumesUnlimited,
    ),
    Quirk(
        "Q13",
        "slow-to-resume",
        "SuspendedEVSE lasts two minutes after charging was allowed",
        "no fault: the grant stands and the connector stays trusted",
        "evcc#29861",
        behaviour=SlowToResume,
    ),
    Quirk(
        "Q14",
        "integer-amps",
        "fractions of an ampere are cut off",
        "limits are rounded down, to 0.1 A or the charger's step",
        "evcc ocpp-necharge.yaml",
        (("step_a", 1.0),),
    ),
    Quirk(
        "Q14",
        "rejects-fractions",
        "a limit with a fraction is rejected",
        "the whole ampere below is tried, and remembered when it worked twice",
        "evcc ocpp-necharge.yaml",
        behaviour=WholeAmperesOnly,
    ),
    Quirk(
        "Q14",
        "coarse-steps",
        "6, 8, 10, 13, 16, 20, 25 and 32 A only, rounded down",
        "what is not drawn is no disobedience",
        "evcc ocpp-necharge.yaml",
        behaviour=CoarseSteps,
    ),
    Quirk(
        "Q15",
        "relative-only",
        "schedules of kind Absolute are rejected",
        "Relative schedules, which carry no end: such a grant counts until a newer one is accepted",
        "evcc ocpp-wallbox.yaml",
        behaviour=RelativeOnly,
    ),
    Quirk(
        "Q16",
        "ignores-limits",
        "profiles are accepted and change nothing",
        "seen by its draw within seconds, then counted at its maximum until it has behaved for a while",
        "lbbrhzn#877, go-e#249, steve#1192",
        (("disobeys_from_s", 0.0),),
    ),
    Quirk(
        "Q16",
        "ignores-limits-after-10-min",
        "after ten minutes profiles change nothing any more",
        "as above",
        "lbbrhzn#877",
        (("disobeys_from_s", 600.0),),
    ),
    Quirk(
        "Q17",
        "flash-wears",
        "each profile is written to flash",
        "TxProfiles are renewed at a third of their lease; other purposes are written at commissioning alone",
        "libocpp#543, flashg1#1",
        behaviour=ShortMemory,
    ),
    Quirk(
        "Q18",
        "clear-spikes",
        "ClearChargingProfile lets go of the limit for some seconds",
        "profiles are replaced in place and not cleared first",
        "lbbrhzn#1718, lbbrhzn#2152",
        behaviour=ClearSpikes,
    ),
    Quirk(
        "Q19",
        "slow-to-apply",
        "an accepted profile acts thirty seconds later",
        "learned from the first draw that outlasts its limit: from then on released room waits as long",
        "libocpp#811",
        behaviour=SlowToApply,
    ),
    Quirk(
        "Q20",
        "max-profile-for-each",
        "ChargePointMaxProfile is applied to each connector, not shared",
        "never used for more than one connector",
        "MicroOcppSimulator#21",
        behaviour=MaxForEach,
    ),
    Quirk(
        "Q21",
        "no-lease",
        "a profile is kept for ever, whatever end it names",
        "seen by its draw after the lease: it counts at its maximum, whether it is reached or not",
        "libocpp#781, lbbrhzn#492",
        (("ignores_duration", True),),
    ),
    Quirk(
        "Q22",
        "overshoots",
        "three parts in a hundred more are drawn than the limit allows",
        "within the tolerance of 5 % it is no disobedience; less than granted never is",
        "lbbrhzn#2148",
        behaviour=Overshoots,
    ),
    *(
        Quirk(
            "Q23",
            f"composite-{name}",
            f"GetCompositeSchedule answers {said}",
            "says nothing, neither for nor against the fallback",
            "steve#44",
            behaviour=lambda answer=answer: OddComposite(answer),  # type: ignore[misc]
        )
        for name, said, answer in (
            ("rejected", "Rejected", {"status": "Rejected"}),
            ("empty", "Accepted and no schedule", {"status": "Accepted"}),
            ("nonsense", "a duration of 274 thousand years without periods", _NONSENSE),
        )
    ),
    Quirk(
        "Q24",
        "takes-without-answer",
        "a profile is applied and not answered",
        "unknown, not rejected: old and new limit both count until a lease ends or a newer one is accepted",
        "lbbrhzn#2142",
        behaviour=TakesWithoutAnswer,
    ),
)
