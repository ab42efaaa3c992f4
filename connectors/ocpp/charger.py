"""One connected charger, as the code that serves it sees it: what is installed, what runs, what it was found to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.ocpp.flag import Flag
from connectors.ocpp.known_models import KnownModels
from connectors.ocpp.memory import ChargerMemory
from connectors.ocpp.own_clock import OwnClock
from connectors.ocpp.proof import ERRS_BY, FOLLOWED_S, READS_TO_A
from connectors.ocpp.refusals import LinkCounters, Refusals
from connectors.ocpp.registers import Register
from connectors.ocpp.settings import CentralSystemSettings
from connectors.ocpp.turns import Turns
from connectors.ocpp.vendors import VendorHandler
from twin_core.models.charger import (
    Aspect,
    ChargerSpec,
    ConnectorSpec,
    ConnectorStatus,
    Evidence,
    Learned,
)
from twin_core.models.events import ChargerLearned, Event, ModelLearned
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V
from twin_core.ports import ChargerDirectory, ChargerUpkeep, Clock, EventSink, TransactionLedger

logger = logging.getLogger(__name__)

STOPPED_KEPT = 16

OFFERED_S = 3.0
"""After so long a charger offers what it was told."""

APPLIED_S = 15.0
"""By then a limit acts at a charger that applies it at once, and the vehicle has followed."""

LONGEST_DELAY_S = 60.0

OVERSHOOT_MOST = 1.06
"""Current over limit from which it is disobedience."""

OVERSHOOTS_BEFORE_LESS = 3


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the central system was built with, handed to whoever serves a charger."""

    settings: CentralSystemSettings
    clock: Clock
    sink: EventSink
    ledger: TransactionLedger
    directory: ChargerDirectory
    refusals: Refusals
    upkeep: ChargerUpkeep
    vendors: Mapping[str, VendorHandler]
    models: KnownModels = field(default_factory=KnownModels)
    bears: Callable[[ChargerId], bool] = lambda charger_id: True
    turns: Turns = field(default_factory=Turns)


@dataclass(slots=True)
class Stranger:
    """A transaction that meter samples name and nobody here knows; the register is that of the first, at `since`."""

    transaction: TransactionId
    register_kwh: float | None
    since: datetime
    seen: int = 1


@dataclass(slots=True)
class Charger:
    """A charger while it is connected.

    Attributes:
        spec: what is installed.
        transactions: running transaction of each connector number.
        n_phases: a transaction and the phases it was seen to use, by connector number.
        tx_profile_in: transaction in which a TxProfile may have been taken, by connector number. A TxDefaultProfile
            cannot replace it there, since a TxProfile outranks it.
        stopped: transactions whose stop was answered lately; a repeated stop is no foreign one.
        registers: last energy register and when it was learned (kWh, s), of connectors that report no power.
        status: last status of each connector number and since when (s).
        strangers: unknown transactions that meter samples name, by connector number.
        tags: who began the running transaction, by connector number.
        restart: transactions that a pause ended and that are to be begun again: the tag by connector number.
        lowered: a limit that was lowered, and since when (s), until a vehicle was seen to follow, by connector number.
        in_force: limit last accepted and since when (s), by connector number.
        drawn_a: current last reported, by connector number.
        paused: transaction that was paused, and how often its vehicle was woken since, by connector number.
        waking: connectors that are next told 0 A once, so that a sleeping vehicle notices the limit after.
        told_w: watts last accepted and since when (s), by connector number.
        late: connectors seen to draw more than a lowered limit for longer than a vehicle takes.
        overshoots: samples in a row a little above the limit in force, and the least of them over it.
        own_clock: what its timestamps say of its clock.
        repairs: energy registers, by connector number.
        told: what was last handed on of what was learned.
        boot_answered: set when BootNotification was answered, cleared by whoever acts on it.
        commissioned: set while grants may be sent.
    """

    spec: ChargerSpec
    around: Surroundings
    memory: ChargerMemory
    transactions: dict[int, TransactionId] = field(default_factory=dict)
    n_phases: dict[int, tuple[TransactionId, int]] = field(default_factory=dict)
    tx_profile_in: dict[int, TransactionId] = field(default_factory=dict)
    stopped: list[TransactionId] = field(default_factory=list)
    registers: dict[int, tuple[float, float]] = field(default_factory=dict)
    status: dict[int, tuple[ConnectorStatus, float]] = field(default_factory=dict)
    strangers: dict[int, Stranger] = field(default_factory=dict)
    tags: dict[int, IdTag] = field(default_factory=dict)
    restart: dict[int, IdTag] = field(default_factory=dict)
    lowered: dict[int, tuple[float, float]] = field(default_factory=dict)
    in_force: dict[int, tuple[float, float]] = field(default_factory=dict)
    drawn_a: dict[int, float] = field(default_factory=dict)
    paused: dict[int, tuple[TransactionId, int]] = field(default_factory=dict)
    waking: set[int] = field(default_factory=set)
    told_w: dict[int, tuple[float, float]] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    overshoots: dict[int, tuple[int, float]] = field(default_factory=dict)
    own_clock: OwnClock = field(default_factory=OwnClock)
    repairs: dict[int, Register] = field(default_factory=dict)
    told: Learned | None = None
    boot_answered: Flag = field(default_factory=Flag)
    commissioned: Flag = field(default_factory=Flag)
    connectors: dict[int, ConnectorSpec] = field(init=False)
    counters: LinkCounters = field(init=False)

    def __post_init__(self) -> None:
        self.connectors = {connector.id.number: connector for connector in self.spec.connectors}
        self.counters = self.around.refusals.of(self.spec.id)

    @property
    def settings(self) -> CentralSystemSettings:
        """How the central system was set."""
        return self.around.settings

    def emit(self, event: Event) -> None:
        """Hand a fact to the twin."""
        self.around.sink.put(event)

    def refuse(self, cause: str, detail: str = "") -> None:
        """Count and report something of this charger's that is not believed."""
        self.around.refusals.refuse(self.spec.id, cause, detail)

    def on_its_clock(self, moment: datetime) -> datetime:
        """What its own clock shows at a moment, where that clock lags."""
        return moment - timedelta(seconds=self.memory.behind_s)

    def connector_id(self, number: int) -> ConnectorId:
        """Name of one of its connectors."""
        return ConnectorId(self.spec.id, number)

    def note(self, aspect: Aspect, seen: str, *, news: bool = True, individual: bool = False) -> None:
        """Keep why something is believed of it; what is seen again counts from when it was seen first.

        Args:
            aspect: of what.
            seen: what was seen, in words.
            news: False for what only confirms: it takes the place of nothing that the charger showed itself.
            individual: see `Evidence`.
        """
        known = self.memory.evidence.get(aspect)
        if known is None or known.by or (news and known.seen != seen):
            now = self.around.clock.now()
            self.memory.evidence[aspect] = Evidence(now.utc, seen, individual=individual)

    def tell_learned(self) -> None:
        """Have it kept what was learned, of the charger and of its model, where that is news."""
        learned = self.memory.learned()
        if learned.skipped and learned != self.told and not self.memory.borrowed(Aspect.SKIPPED):
            self.note(Aspect.SKIPPED, f"the link broke twice in a row during {', '.join(learned.skipped)}")
            learned = self.memory.learned()
        if learned == self.told:
            return
        self.told = learned
        now = self.around.clock.now()
        self.emit(ChargerLearned(at=now, charger_id=self.spec.id, learned=learned))
        known = None if self.spec.adopted else self.around.models.teach(self.spec.id, learned)
        if known is not None:
            self.emit(ModelLearned(at=now, model=known.model, learned=known))

    def begin(self, connector: int, transaction: TransactionId) -> None:
        """A transaction runs now."""
        self.transactions[connector] = transaction

    def end(self, connector: int, transaction: TransactionId) -> None:
        """A transaction has ended."""
        if self.transactions.get(connector) == transaction:
            del self.transactions[connector]
        self.stopped.append(transaction)
        del self.stopped[:-STOPPED_KEPT]

    def fallback_a(self, connector: ConnectorSpec) -> float:
        """The fallback it is asked to keep: the installed one, or the lowest limit it can be kept at."""
        return min(connector.hardware_max_a, max(connector.fallback_a, self.memory.lowest_a))

    def note_phases(self, connector: int, n_phases: int) -> None:
        """The running transaction was seen to draw on that many phases."""
        if n_phases > 0 and (transaction := self.transactions.get(connector)) is not None:
            self.n_phases[connector] = (transaction, n_phases)

    def note_draw(self, connector: int, current_a: float, now_s: float) -> None:
        """Learn by how much a charger draws more than it is told, where that is too little to be disobedience."""
        limit_a, since_s = self.in_force.get(connector, (0.0, now_s))
        rounding_a = READS_TO_A / 2
        followed = limit_a > 0.0 and now_s >= since_s + FOLLOWED_S
        if not (followed and limit_a * ERRS_BY + rounding_a < current_a <= limit_a * OVERSHOOT_MOST):
            self.overshoots.pop(connector, None)
            return
        times, least = self.overshoots.get(connector, (0, OVERSHOOT_MOST))
        least = min(least, (current_a + rounding_a) / limit_a)
        self.overshoots[connector] = (times + 1, least)
        if times + 1 >= OVERSHOOTS_BEFORE_LESS:
            self.memory.gain = min(OVERSHOOT_MOST, self.memory.gain * least)
            self.note(Aspect.DRAW, f"drew {least:.3f} times its limit, {times + 1} samples in a row", individual=True)
            del self.overshoots[connector]
            self.in_force.pop(connector)
            logger.info("draws more than told", extra={"charger": self.spec.id, "gain": round(self.memory.gain, 3)})

    def note_delay(self, connector: int, current_a: float, now_s: float) -> None:
        """Learn how long a charger takes to apply a lower limit, from the first sample that keeps to it."""
        limit_a, since_s = self.lowered.get(connector, (0.0, now_s))
        took_s = now_s - since_s
        if connector not in self.lowered or took_s < APPLIED_S:
            return
        if took_s > LONGEST_DELAY_S:
            del self.lowered[connector]  # that is no delay but disobedience, which others judge
        elif current_a > limit_a * OVERSHOOT_MOST + 1.0:
            self.late.add(connector)
        else:
            del self.lowered[connector]
            if connector in self.late and took_s > self.memory.delay_s:
                self.memory.delay_s = took_s
                self.note(Aspect.DELAY, f"drew more than a lowered limit until {took_s:.0f} s after it took it")
                logger.info("applies limits late", extra={"charger": self.spec.id, "delay_s": round(took_s, 1)})
            self.late.discard(connector)

    def note_proof(self, connector: int, current_a: float, now_s: float, *, fresh: bool, exact: bool) -> None:
        """Learn that the charger keeps its limits: its draw came down to one and stands there."""
        if self.memory.proof.stands(connector, current_a, now_s, fresh=fresh, exact=exact) and not self.memory.proven:
            self.memory.proven = True
            self.note(Aspect.PROOF, "its draw was well above a limit, came down to it and stood there", individual=True)
            logger.info("keeps its limits", extra={"charger": self.spec.id})
            self.tell_learned()

    def note_offer(self, connector: int, offered_a: float, now_s: float) -> None:
        """Learn by how many phases a charger that takes watts divides them, from the current it says it offers."""
        watts, since_s = self.told_w.get(connector, (0.0, now_s))
        if not (watts > 0.0 and offered_a > 0.0 and now_s >= since_s + OFFERED_S):
            return
        share = watts / (NOMINAL_VOLTAGE_V * offered_a)
        n_phases = round(share)
        if n_phases in (1, 2, 3) and abs(share - n_phases) < 0.05 * n_phases:
            if self.memory.divides_by.get(connector) != n_phases:
                self.note(Aspect.PHASES, f"offered {offered_a:g} A when told {watts:.0f} W", individual=True)
            self.memory.divides_by[connector] = n_phases

    def divisor(self, connector: int, *, lasting: bool = False) -> int:
        """Phases by which the charger divides watts, or fewer.

        Args:
            connector: its number.
            lasting: for a limit that outlives the running transaction, whose vehicle says nothing of the next one's.
        """
        stated = self.settings.watt_phases or self.memory.divides_by.get(connector)
        known = stated or 1
        transaction, seen = self.n_phases.get(connector, (None, 0))
        if stated is None and not lasting and transaction == self.transactions.get(connector, 0):
            known = seen
        return max(1, min(known, len(self.connectors[connector].phases)))
