"""The upstream's charging profiles of one charger, kept as one further limit of each connector."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC

from connectors.ocpp.frames import Payload
from connectors.ocpp.upstream.conflicts import ConflictKind, Conflicts
from connectors.ocpp.upstream.schedule import Limit, Profile, Scene, limit_at, next_change, read_profile
from twin_core.errors import ProtocolError
from twin_core.models.charger import ChargerSpec, ProfilePurpose
from twin_core.models.events import ConnectorLimited
from twin_core.models.grant import Grant
from twin_core.models.ids import TransactionId
from twin_core.models.quantities import MINIMUM_CURRENT_A, NOMINAL_VOLTAGE_V
from twin_core.ports import Clock, EventSink

logger = logging.getLogger(__name__)

MAX_PROFILES = 20
MAX_COMPOSITE_S = 7 * 86_400
MAX_COMPOSITE_STEPS = 100
"""Changes looked at for one composite schedule, over all connectors: what can be asked must not take long."""

ALIKE_A = 0.5
"""Two limits this near are one: a charger's step lies between them."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each of the two allows a connector, per phase.

    Attributes:
        upstream_a: None where no profile of the upstream limits it.
        profile: the one that does, in words.
        granted_a: the newest grant; None while there was none.
        binds: "upstream" or "depot", whoever allows less; empty where they do not differ.
    """

    connector: int
    upstream_a: float | None
    profile: str
    granted_a: float | None
    binds: str


class KeptLimits:
    """Profiles come and go with the upstream's requests and with transactions; the twin is told of every change.

    Attributes:
        transactions: running transaction of each connector number.
    """

    def __init__(self, spec: ChargerSpec, clock: Clock, sink: EventSink, conflicts: Conflicts) -> None:
        self.transactions: dict[int, TransactionId] = {}
        self._connectors = {connector.id.number: connector for connector in spec.connectors}
        self._supply_max_a = spec.supply_max_a or math.inf
        self._clock = clock
        self._sink = sink
        self._conflicts = conflicts
        self._profiles: list[tuple[Profile, Payload]] = []
        self._begun_s: dict[int, float] = {}
        self._limits: dict[int, Limit | None] = dict.fromkeys(self._connectors)
        self._granted_a: dict[int, float] = {}
        self._binding: dict[int, str] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Tell of every limit that begins or ends by itself, until cancelled."""
        while True:
            self._changed.clear()
            wait_s = self.refresh() - self._clock.now().utc.timestamp()
            try:
                async with asyncio.timeout(min(max(wait_s, 0.1), 3600.0)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    # What the upstream sets.

    def install(self, request: Payload, transaction_id: TransactionId | None, now_s: float | None = None) -> None:
        """Take a profile from SetChargingProfile, in place of one of the same id, or purpose, level and connector.

        Args:
            request: its payload, by the schema.
            transaction_id: our number of the transaction it names.
            now_s: when it came; now, unless it comes back from the disk.

        Raises:
            ProtocolError: it makes no sense here; the text says why.
        """
        profile, others = self._fitted(request, transaction_id, now_s)
        self._profiles = [*others, (profile, request)]
        self.refresh()
        self._changed.set()

    def check(self, request: Payload) -> None:
        """Raise what `install` would, and change nothing."""
        self._fitted(request, None, None)

    def _fitted(
        self, request: Payload, transaction_id: TransactionId | None, now_s: float | None
    ) -> tuple[Profile, list[tuple[Profile, Payload]]]:
        """A profile that can be taken, and those that stay beside it."""
        connector, found = request["connectorId"], request["csChargingProfiles"]
        if connector != 0 and connector not in self._connectors:
            raise ProtocolError(f"there is no connector {connector}")
        came_s = self._clock.now().utc.timestamp() if now_s is None else now_s
        profile = read_profile(connector, found, came_s, transaction_id)
        place = (profile.purpose, profile.stack_level, profile.connector)
        others = [
            (kept, payload)
            for kept, payload in self._profiles
            if kept.id != profile.id and (kept.purpose, kept.stack_level, kept.connector) != place
        ]
        if len(others) >= MAX_PROFILES:
            # What came back from the disk may belong to transactions that ended while nobody was here.
            others = [(kept, payload) for kept, payload in others if not self._is_over(kept)]
        if len(others) >= MAX_PROFILES:
            raise ProtocolError(f"no more than {MAX_PROFILES} profiles are kept for a charger")
        return profile, others

    def _is_over(self, profile: Profile) -> bool:
        wanted = profile.transaction_id
        return wanted is not None and self.transactions.get(profile.connector) != wanted

    def clear(self, request: Payload) -> bool:
        """ClearChargingProfile: remove what fits all that the request names; whether anything did."""
        keep = [(profile, payload) for profile, payload in self._profiles if not _fits(profile, request)]
        found = len(keep) < len(self._profiles)
        self._profiles = keep
        self.refresh()
        self._changed.set()
        return found

    def composite(self, connector: int, duration_s: int, *, watts: bool) -> Payload:
        """Answer to GetCompositeSchedule: what the upstream's own profiles and the hardware allow.

        What the depot will grant within these bounds is decided as it goes, and no part of it.
        """
        if connector != 0 and connector not in self._connectors:
            return {"status": "Rejected"}
        now = self._clock.now().utc.replace(microsecond=0)
        begin_s, ends_s = now.timestamp(), now.timestamp() + min(duration_s, MAX_COMPOSITE_S)
        numbers = list(self._limits) if connector == 0 else [connector]
        scenes = [self._scene(number) for number in numbers]
        profiles = self._current()
        at_s, periods = begin_s, list[Payload]()
        for _ in range(max(1, MAX_COMPOSITE_STEPS // len(scenes))):
            allowed = sum(self._allowed(scene, at_s, watts=watts) for scene in scenes)
            if connector == 0:
                n_phases = max(scene.n_phases for scene in scenes)
                allowed = min(allowed, self._supply_max_a * (NOMINAL_VOLTAGE_V * n_phases if watts else 1.0))
            limit = math.floor(allowed * 10 + 1e-6) / 10
            if not periods or periods[-1]["limit"] != limit:
                periods.append({"startPeriod": math.ceil(at_s - begin_s), "limit": limit})
            at_s = min(next_change(profiles, scene, at_s) for scene in scenes)
            if at_s >= ends_s:
                break
        # Where there was more to say than is looked at, the answer is shorter, and true.
        ends_s = math.floor(min(ends_s, at_s))
        return {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "chargingSchedule": {
                "duration": int(ends_s - begin_s),
                "chargingRateUnit": "W" if watts else "A",
                "chargingSchedulePeriod": periods,
            },
        }

    def _allowed(self, scene: Scene, at_s: float, *, watts: bool) -> float:
        limit, hardware_max_a = limit_at(self._current(), scene, at_s), self._connectors[scene.connector].hardware_max_a
        current_a = hardware_max_a if limit is None else min(limit.limit_a, hardware_max_a)
        return current_a * NOMINAL_VOLTAGE_V * scene.n_phases if watts else current_a

    def saved(self) -> list[Payload]:
        """The profiles in a form for the disk."""
        return [
            {"request": payload, "installed_s": profile.installed_s, "transaction": profile.transaction_id}
            for profile, payload in self._profiles
        ]

    def restore(self, saved: list[Payload]) -> None:
        """Take back what was saved; what no longer fits the charger is left out, and said."""
        for entry in saved:
            try:
                self.install(entry["request"], entry["transaction"], entry["installed_s"])
            except (ProtocolError, KeyError, TypeError, ValueError) as refused:
                self._conflicts.note(ConflictKind.PROFILE, f"a kept profile fits no more: {refused}")

    # What the depot does.

    def begin(self, connector: int, transaction_id: TransactionId) -> None:
        """A transaction runs now; one on a connector that is not there limits nothing and shares nothing."""
        before = self.transactions.get(connector)
        if connector in self._connectors and before != transaction_id:
            if before is not None:
                self.end(before)
            self._profiles = [
                (replace(p, transaction_id=transaction_id) if _awaits(p, connector) else p, payload)
                for p, payload in self._profiles
            ]
            self.transactions[connector] = transaction_id
            self._begun_s[connector] = self._clock.now().utc.timestamp()
            self._changed.set()

    def recall(self, running: Mapping[int, TransactionId]) -> None:
        """Transactions that ran before anybody here listened."""
        for connector, transaction_id in running.items():
            if (
                connector in self._connectors
                and self.transactions.setdefault(connector, transaction_id) == transaction_id
            ):
                self._changed.set()

    def follow(self, running: Mapping[int, TransactionId]) -> None:
        """Nothing runs but these; a start that is said again late began nothing anew."""
        for connector, transaction_id in list(self.transactions.items()):
            if running.get(connector) != transaction_id:
                self.end(transaction_id)
        for connector, transaction_id in running.items():
            self.begin(connector, transaction_id)

    def end(self, transaction_id: TransactionId) -> None:
        """A transaction is over and takes its TxProfiles along."""
        for connector in [c for c, running in self.transactions.items() if running == transaction_id]:
            del self.transactions[connector]
            self._begun_s.pop(connector, None)
        self._profiles = [(p, payload) for p, payload in self._profiles if p.transaction_id != transaction_id]
        self._changed.set()

    def granted(self, grant: Grant) -> None:
        """The depot gives a connector a limit; who of the two binds it may have changed."""
        number = grant.connector_id.number
        self._granted_a[number] = grant.limit_a
        self._compare(number)

    # What follows.

    def refresh(self) -> float:
        """Tell the twin of limits that changed; returns when the next one may, in Unix time."""
        now = self._clock.now()
        at_s = now.utc.timestamp()
        profiles, due = self._current(), math.inf
        for number, before in self._limits.items():
            scene = self._scene(number)
            limit = limit_at(profiles, scene, at_s)
            due = min(due, next_change(profiles, scene, at_s))
            self._limits[number] = limit
            limit_a = None if limit is None else limit.limit_a
            if limit_a != (None if before is None else before.limit_a):
                source = "" if limit is None else f"upstream {limit.profile.name}"
                connector_id = self._connectors[number].id
                event = ConnectorLimited(at=now, connector_id=connector_id, limit_a=limit_a, source=source)
                self._sink.put(event)
                fields = {"connector": str(connector_id), "limit_a": limit_a, "by": source}
                logger.info("upstream limit changed", extra=fields)
                self._compare(number)
        return due

    def allowances(self) -> tuple[Allowance, ...]:
        """What is allowed now, connector by connector."""
        return tuple(
            Allowance(
                number,
                None if limit is None else limit.limit_a,
                "" if limit is None else limit.profile.name,
                self._granted_a.get(number),
                self._binding.get(number, ""),
            )
            for number, limit in self._limits.items()
        )

    def _current(self) -> list[Profile]:
        return [profile for profile, _ in self._profiles]

    def _scene(self, number: int) -> Scene:
        sharing = len(self.transactions.keys() | {number})
        n_phases = len(self._connectors[number].phases)
        return Scene(number, n_phases, sharing, self.transactions.get(number), self._begun_s.get(number))

    def _compare(self, number: int) -> None:
        """Note it when another of the two begins to bind a connector."""
        limit, granted_a = self._limits.get(number), self._granted_a.get(number)
        binds = ""
        lowers = limit is not None and limit.limit_a < self._connectors[number].hardware_max_a
        if lowers and limit is not None and granted_a is not None and number in self.transactions:
            offered_a = limit.limit_a if limit.limit_a >= MINIMUM_CURRENT_A else 0.0
            binds = "depot" if granted_a < offered_a - ALIKE_A else "upstream"
        if binds == self._binding.get(number, ""):
            return
        self._binding[number] = binds
        if binds and limit is not None and granted_a is not None:
            allows = f"connector {number}: {limit.profile.name} allows {limit.limit_a:.1f} A"
            if binds == "upstream":
                self._conflicts.note(ConflictKind.UPSTREAM_LIMITS, f"{allows}, so the depot grants no more")
            else:
                self._conflicts.note(ConflictKind.DEPOT_LIMITS, f"{allows}, the depot only {granted_a:.1f} A")


def _awaits(profile: Profile, connector: int) -> bool:
    """Whether a TxProfile came with a remote start, for the transaction that follows."""
    is_open = profile.purpose is ProfilePurpose.TX and profile.transaction_id is None
    return is_open and profile.connector == connector


def _fits(profile: Profile, request: Payload) -> bool:
    """Whether a profile is meant; an id alone decides, else everything that is named."""
    if "id" in request:
        return bool(profile.id == request["id"])
    purpose = request.get("chargingProfilePurpose")
    return (
        request.get("connectorId", profile.connector) == profile.connector
        and (purpose is None or ProfilePurpose(purpose) is profile.purpose)
        and request.get("stackLevel", profile.stack_level) == profile.stack_level
    )
