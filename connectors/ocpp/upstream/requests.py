"""What the upstream asks of a charger, and what becomes of it: forwarded, kept here, or refused with a reason.

Its charging profiles never reach the charger: they become a limit that our setpoints obey. What it may not ask is
answered in the words the standard has for that, and explained in our own log and status.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.ocpp import translate
from connectors.ocpp.calls import Answered, CallOutcome, Errored, LinkLost, TimedOut
from connectors.ocpp.frames import Call, Payload
from connectors.ocpp.routing import OUTGOING
from connectors.ocpp.schemas import check_call
from connectors.ocpp.session import TokenBucket
from connectors.ocpp.upstream.conflicts import ConflictKind, Conflicts
from connectors.ocpp.upstream.limits import KeptLimits
from connectors.ocpp.upstream.settings import UpstreamSettings
from twin_core.errors import ProtocolError, StorageError
from twin_core.models.ids import ChargerId, TransactionId
from twin_core.ports import UpstreamLedger

NEVER_ANSWERED = 2
"""A request this charger left unanswered so often is not asked of it again: silence could cost it its link to us."""

OUR_KEYS = {
    "metervaluesampleinterval": "control lives by the samples",
    "metervaluessampleddata": "control lives by the samples",
    "metervaluesaligneddata": "control lives by the samples",
    "clockaligneddatainterval": "control lives by the samples",
    "heartbeatinterval": "it is the rhythm of the link to the depot",
    "websocketpinginterval": "it is the rhythm of the link to the depot",
    "connectorphaserotation": "the depot's limits are counted by phase as the installation is wired",
    "authorizationkey": "it is the key of the link to the depot",
    "securityprofile": "it is the security of the link to the depot",
}
"""Settings that control rests on, in lower case, and why."""

MOVING_WORDS = ("url", "centralsystem", "backend", "backoffice", "endpoint", "server", "csms", "host")
"""Parts of the names vendors give to the address a charger connects to."""

ERROR_CODES = frozenset(
    {
        "NotImplemented",
        "NotSupported",
        "InternalError",
        "ProtocolError",
        "SecurityError",
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "TypeConstraintViolation",
        "GenericError",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A CALLRESULT for the upstream."""

    payload: Payload


@dataclass(frozen=True, slots=True)
class Refusal:
    """A CALLERROR for the upstream."""

    code: str
    description: str


Reply = Answer | Refusal


def status(word: str) -> Answer:
    """An answer that is a status alone."""
    return Answer({"status": word})


class Requests:
    """Answers the upstream's requests about one charger, one after the other."""

    def __init__(
        self,
        charger: ChargerId,
        settings: UpstreamSettings,
        *,
        limits: KeptLimits,
        conflicts: Conflicts,
        ledger: UpstreamLedger,
        ask: Callable[[str, Payload], Awaitable[CallOutcome]],
        repeat: Callable[[str, int | None], bool],
    ) -> None:
        """Prepare.

        Args:
            ask: puts a question to the charger; LinkLost where it is not connected.
            repeat: says again what the charger said last of a kind (and of a connector); False where it said nothing.
        """
        self._charger = charger
        self._settings = settings
        self._limits = limits
        self._conflicts = conflicts
        self._ledger = ledger
        self._ask = ask
        self._repeat = repeat
        self._loop = asyncio.get_running_loop()
        self._pace = TokenBucket(settings.requests_per_s, settings.request_burst, self._loop.time())
        self._reset_s = float("-inf")
        self._asking: asyncio.Task[CallOutcome] | None = None
        self._unanswered: Counter[str] = Counter()
        self._special: dict[str, Callable[[Payload], Awaitable[Reply]]] = {
            "SetChargingProfile": self._set_profile,
            "ClearChargingProfile": self._clear_profile,
            "GetCompositeSchedule": self._composite,
            "ChangeConfiguration": self._change_configuration,
            "RemoteStartTransaction": self._remote_start,
            "RemoteStopTransaction": self._remote_stop,
            "Reset": self._reset,
            "TriggerMessage": self._trigger,
        }

    async def answer(self, request: Call) -> Reply:
        """The answer to one request."""
        action = request.action
        if action not in OUTGOING:
            return Refusal("NotImplemented", "no such request is known here")
        if self._pace.take(self._loop.time()) > 0.0:
            return self._refused(f"{action} came sooner than requests are taken")
        kept = action in ("SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule")
        if not kept and action not in self._settings.requests:
            self._conflicts.note(ConflictKind.REQUEST, f"{action} is the depot's own business")
            return Refusal("NotSupported", f"{action} is the business of the depot this charge point belongs to")
        try:
            check_call(action, request.payload)
            special = self._special.get(action)
            return await (self._forward(action, request.payload) if special is None else special(request.payload))
        except ProtocolError as broken:
            return Refusal("FormationViolation", str(broken))
        except StorageError:
            return Refusal("InternalError", "could not be stored; please ask again")

    def _refused(self, words: str, code: str = "GenericError") -> Refusal:
        self._conflicts.note(ConflictKind.REQUEST, words)
        return Refusal(code, words)

    async def _forward(self, action: str, payload: Payload) -> Reply:
        """Ask the charger and pass its answer on."""
        if self._asking is not None and not self._asking.done():
            return self._refused("the charge point still owes an answer to an earlier request")
        if self._unanswered[action] >= NEVER_ANSWERED:
            return self._refused(f"this charge point does not answer {action}")
        self._asking = asyncio.ensure_future(self._ask(action, payload))
        done, _ = await asyncio.wait({self._asking}, timeout=self._settings.request_timeout_s)
        if not done or self._asking.cancelled():
            return Refusal("GenericError", "the charge point has not answered in time")
        match self._asking.result():
            case Answered(answer):
                self._unanswered.pop(action, None)
                return Answer({key: value for key, value in answer.items() if value is not None})
            case Errored(code, description):
                return Refusal(code if code in ERROR_CODES else "GenericError", description)
            case TimedOut():
                self._unanswered[action] += 1
                return Refusal("GenericError", "the charge point has not answered in time")
            case LinkLost():
                return Refusal("GenericError", "the charge point is not connected")

    # Charging profiles: kept, never forwarded.

    async def _set_profile(self, request: Payload) -> Reply:
        found = request["csChargingProfiles"]
        transaction_id = None
        if found["chargingProfilePurpose"] == "TxProfile":
            transaction_id = await self._transaction_of(request["connectorId"], found.get("transactionId"))
            if transaction_id is None:
                self._conflicts.note(ConflictKind.PROFILE, "a TxProfile for no running transaction")
                return status("Rejected")
        try:
            self._limits.install(request, transaction_id)
        except ProtocolError as refused:
            self._conflicts.note(ConflictKind.PROFILE, str(refused))
            return status("Rejected")
        await self._save()
        return status("Accepted")

    async def _transaction_of(self, connector: int, theirs: int | None) -> TransactionId | None:
        running = self._limits.transactions.get(connector)
        if theirs is None:
            return running
        named = await self._ledger.ours(self._charger, theirs)
        return running if named == running else None

    async def _clear_profile(self, request: Payload) -> Reply:
        found = self._limits.clear(request)
        if found:
            await self._save()
        return status("Accepted" if found else "Unknown")

    async def _composite(self, request: Payload) -> Reply:
        watts = request.get("chargingRateUnit") == "W"
        return Answer(self._limits.composite(request["connectorId"], request["duration"], watts=watts))

    async def _save(self) -> None:
        await self._ledger.keep_profiles(self._charger, json.dumps(self._limits.saved()).encode())

    # What is forwarded with a change, or only within bounds.

    async def _change_configuration(self, request: Payload) -> Reply:
        key = str(request["key"]).strip().lower()
        why = OUR_KEYS.get(key)
        if why is None and any(word in key for word in MOVING_WORDS):
            why = "it could lead the charge point away from the depot"
        if why is None:
            return await self._forward("ChangeConfiguration", request)
        self._conflicts.note(ConflictKind.KEY, f"{request['key']} stays as it is: {why}")
        return status("Rejected")

    async def _remote_start(self, request: Payload) -> Reply:
        """The profile it may bring along stays here, for the transaction that follows."""
        bare = {key: value for key, value in request.items() if key != "chargingProfile"}
        brought, connector = request.get("chargingProfile"), request.get("connectorId")
        if brought is None:
            return await self._forward("RemoteStartTransaction", bare)
        if connector is None or brought["chargingProfilePurpose"] != "TxProfile":
            self._conflicts.note(
                ConflictKind.PROFILE, "a remote start brings a TxProfile for a named connector, or none"
            )
            return status("Rejected")
        profile = {"connectorId": connector, "csChargingProfiles": brought}
        try:
            self._limits.check(profile)
        except ProtocolError as refused:
            self._conflicts.note(ConflictKind.PROFILE, str(refused))
            return status("Rejected")
        reply = await self._forward("RemoteStartTransaction", bare)
        if reply == status("Accepted"):
            self._limits.install(profile, None)
            await self._save()
        return reply

    async def _remote_stop(self, request: Payload) -> Reply:
        ours = await self._ledger.ours(self._charger, request["transactionId"])
        if ours is None:
            self._conflicts.note(
                ConflictKind.TRANSACTION,
                f"transaction {request['transactionId']} of the upstream is none of this charger",
            )
            return status("Rejected")
        return await self._forward("RemoteStopTransaction", {"transactionId": int(ours)})

    async def _reset(self, request: Payload) -> Reply:
        now_s = self._loop.time()
        if now_s - self._reset_s < self._settings.reset_every_s:
            self._conflicts.note(ConflictKind.REQUEST, "a second reset within a short time")
            return status("Rejected")
        self._reset_s = now_s
        return await self._forward("Reset", request)

    async def _trigger(self, request: Payload) -> Reply:
        """What the charger said last is said again from here: a BootNotification more would commission it anew."""
        wanted = request["requestedMessage"]
        if wanted in ("BootNotification", "Heartbeat", "StatusNotification"):
            number = translate.integer(request.get("connectorId"))
            return status("Accepted" if self._repeat(wanted, number) else "Rejected")
        return await self._forward("TriggerMessage", request)
