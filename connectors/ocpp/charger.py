"""One connected charger, as the code that serves it sees it: what is installed, what runs, what it was found to do."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from connectors.ocpp.flag import Flag
from connectors.ocpp.own_clock import OwnClock
from connectors.ocpp.profiles import ProfileStyle
from connectors.ocpp.refusals import LinkCounters, Refusals
from connectors.ocpp.registers import Register
from connectors.ocpp.settings import CentralSystemSettings
from connectors.ocpp.vendors import VendorHandler
from twin_core.models.charger import (
    ChargerAbilities,
    ChargerSpec,
    ConnectorSpec,
    ConnectorStatus,
    Learned,
    ProfilePurpose,
    RateUnit,
)
from twin_core.models.events import ChargerLearned, Event
from twin_core.models.ids import ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V
from twin_core.ports import ChargerDirectory, ChargerUpkeep, Clock, EventSink, TransactionLedger

logger = logging.getLogger(__name__)

STEPS_LOST_BEFORE_SKIP = 2
"""A set-up step during which the link broke this often in a row is left out for this charger from then on."""

STOPPED_KEPT = 16

FOLLOWED_S = 15.0
"""After so long a vehicle has followed a limit."""

OFFERED_S = 3.0
"""After so long a charger offers what it was told."""

APPLIED_S = 15.0
"""By then a limit acts at a charger that applies it at once, and the vehicle has followed."""

LONGEST_DELAY_S = 60.0

OVERSHOOT_FROM, OVERSHOOT_MOST = 1.012, 1.06
"""Current over limit that is neither the meter's noise nor disobedience."""

OVERSHOOTS_BEFORE_LESS = 3


@dataclass(slots=True)
class ChargerMemory:
    """What a charger was found to do; outlives its links, so that nothing is tried twice that failed once.

    Attributes:
        fallback_purpose: purpose under which it took its fallback; None while it took none.
        purposes: purposes for grants, best first.
        relative: it takes no Absolute schedules.
        leases: it takes profiles with an end; None while nobody tried.
        suggestion: a way of sending grants that worked once where the best did not; twice makes it the best.
        rejections: grants rejected in a row while a transaction ran.
        contradictions: boot orders that ended with a composite schedule against the fallback.
        lowest_a: lowest limit it can be kept at; above 0 for one that refuses to be paused, or ends transactions then.
        pongs: it has answered a ping before.
        cut_unheard: its link was cut for want of a pong, and it never gave one.
        delay_s: time it was seen to take until an accepted limit acts; its acceptance counts only then.
        gain: current it was seen to draw, over the limit in force; 1 for one that keeps to it.
        ends_checked: it was asked what holds after the end of a lease.
        sleepers: how often a vehicle had to be woken after a pause.
        divides_by: phases by which it was seen to divide watts, by connector number.
        model: vendor, model and firmware of which all this was learned; empty before its first boot.
        lost_during: set-up steps during which the link broke, in a row.
    """

    fallback_purpose: ProfilePurpose | None = None
    purposes: tuple[ProfilePurpose, ...] = (ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT)
    unit: RateUnit = RateUnit.AMPERE
    step_a: float = 0.1
    max_stack_level: int = 1
    relative: bool = False
    leases: bool | None = None
    connectors: int = 1
    remote_trigger: bool = True
    sample_interval_s: float = 10.0
    suggestion: ProfileStyle | None = None
    rejections: int = 0
    contradictions: int = 0
    lowest_a: float = 0.0
    pongs: bool = False
    cut_unheard: bool = False
    delay_s: float = 0.0
    gain: float = 1.0
    sleepers: int = 0
    ends_checked: bool = False
    divides_by: dict[int, int] = field(default_factory=dict)
    model: str = ""
    lost_during: Counter[str] = field(default_factory=Counter)

    def learned(self) -> Learned:
        """What of this is worth keeping across restarts."""
        return Learned(
            model=self.model,
            fallback_purpose=self.fallback_purpose,
            purposes=self.purposes,
            unit=self.unit,
            step_a=self.step_a,
            max_stack_level=self.max_stack_level,
            leases=self.leases,
            relative=self.relative,
            lowest_a=self.lowest_a,
            delay_s=self.delay_s,
            gain=self.gain,
            sleepers=self.sleepers,
            phases={str(number): n_phases for number, n_phases in sorted(self.divides_by.items())},
            skipped=tuple(sorted(step for step in self.lost_during if self.fragile(step))),
        )

    def recall(self, learned: Learned) -> None:
        """Go on from what was learned before."""
        self.model = learned.model
        self.fallback_purpose, self.purposes = learned.fallback_purpose, learned.purposes
        self.unit, self.step_a, self.max_stack_level = learned.unit, learned.step_a, learned.max_stack_level
        self.leases, self.relative = learned.leases, learned.relative
        self.lowest_a, self.delay_s, self.gain = learned.lowest_a, learned.delay_s, learned.gain
        self.sleepers = learned.sleepers
        self.divides_by = {int(number): n_phases for number, n_phases in learned.phases.items()}
        self.lost_during = Counter(dict.fromkeys(learned.skipped, STEPS_LOST_BEFORE_SKIP))

    def forget(self) -> None:
        """Know nothing any more, as of a charger that never came."""
        for each in fields(self):
            setattr(self, each.name, getattr(_NEW, each.name))
        self.divides_by, self.lost_during = {}, Counter()

    def fragile(self, step: str) -> bool:
        """Whether a set-up step has cost the link too often to be tried again."""
        return self.lost_during[step] >= STEPS_LOST_BEFORE_SKIP

    def style(self, purpose: ProfilePurpose) -> ProfileStyle:
        """How this charger takes a limit for a purpose."""
        return ProfileStyle(
            purpose=purpose,
            unit=self.unit,
            step_a=self.step_a,
            stack_level=min(1, self.max_stack_level),
            relative=self.relative,
        )

    def abilities(self) -> ChargerAbilities:
        """The same for the twin."""
        return ChargerAbilities(
            purposes=self.purposes,
            max_stack_level=self.max_stack_level,
            unit=self.unit,
            step_a=self.step_a,
            leases=self.leases is not False and not self.relative,
            connectors=self.connectors,
            remote_trigger=self.remote_trigger,
            sample_interval_s=self.sample_interval_s,
        )


_NEW = ChargerMemory()


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


@dataclass(slots=True)
class Stranger:
    """A transaction that meter samples name and nobody here knows."""

    transaction: TransactionId
    register_kwh: float | None
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

    def connector_id(self, number: int) -> ConnectorId:
        """Name of one of its connectors."""
        return ConnectorId(self.spec.id, number)

    def tell_learned(self) -> None:
        """Have it kept what was learned, where that is news."""
        learned = self.memory.learned()
        if learned != self.told:
            self.told = learned
            self.emit(ChargerLearned(at=self.around.clock.now(), charger_id=self.spec.id, learned=learned))

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
        self.drawn_a[connector] = current_a
        limit_a, since_s = self.in_force.get(connector, (0.0, now_s))
        above = current_a / limit_a if limit_a > 0.0 and now_s >= since_s + FOLLOWED_S else 0.0
        if not OVERSHOOT_FROM < above <= OVERSHOOT_MOST:
            self.overshoots.pop(connector, None)
            return
        times, least = self.overshoots.get(connector, (0, OVERSHOOT_MOST))
        self.overshoots[connector] = (times + 1, min(least, above))
        if times + 1 >= OVERSHOOTS_BEFORE_LESS:
            self.memory.gain = min(OVERSHOOT_MOST, self.memory.gain * min(least, above))
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
                logger.info("applies limits late", extra={"charger": self.spec.id, "delay_s": round(took_s, 1)})
            self.late.discard(connector)

    def note_offer(self, connector: int, offered_a: float, now_s: float) -> None:
        """Learn by how many phases a charger that takes watts divides them, from the current it says it offers."""
        watts, since_s = self.told_w.get(connector, (0.0, now_s))
        if not (watts > 0.0 and offered_a > 0.0 and now_s >= since_s + OFFERED_S):
            return
        share = watts / (NOMINAL_VOLTAGE_V * offered_a)
        n_phases = round(share)
        if n_phases in (1, 2, 3) and abs(share - n_phases) < 0.05 * n_phases:
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
