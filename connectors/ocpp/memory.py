"""What is known of one charger's ways: learned link by link, kept, taken over from its model, forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from datetime import datetime

from connectors.ocpp.profiles import ProfileStyle
from connectors.ocpp.proof import Proof
from twin_core.models.charger import (
    Aspect,
    ChargerAbilities,
    Evidence,
    Learned,
    ProfilePurpose,
    RateUnit,
)
from twin_core.models.learned import taken_over, without

STEPS_LOST_BEFORE_SKIP = 2
"""A set-up step during which the link broke this often in a row is left out for this charger from then on."""


@dataclass(slots=True)
class ChargerMemory:
    """What a charger was found to do; outlives its links, so that nothing is tried twice that failed once.

    Attributes:
        fallback_purpose: purpose under which it took its fallback; None while it took none.
        purposes: purposes for grants, best first.
        relative: it takes no Absolute schedules.
        clock_off: its clock is so far off that it is sent none, until it is right again.
        leases: it takes profiles with an end; None while nobody tried.
        suggestion: a way of sending grants that worked once where the best did not; twice makes it the best.
        rejections: grants rejected in a row while a transaction ran.
        contradictions: boot orders that ended with a composite schedule against the fallback.
        lowest_a: lowest limit it can be kept at; above 0 for one that refuses to be paused, or ends transactions then.
        pongs: it has answered a ping before.
        cut_unheard: its link was cut for want of a pong, and it never gave one.
        delay_s: time it was seen to take until an accepted limit acts; its acceptance counts only then.
        behind_s: how far its clock steadily lags; schedules that end by that clock are written so much earlier.
        gain: current it was seen to draw, over the limit in force; 1 for one that keeps to it.
        proven: its draw was seen to come down to a lower limit and to stay there.
        proof: what its samples show of that so far.
        ends_checked: it was asked what holds after the end of a lease.
        sleepers: how often a vehicle had to be woken after a pause.
        divides_by: phases by which it was seen to divide watts, by connector number.
        model: vendor, model and firmware of which all this was learned; empty before its first boot.
        lost_during: set-up steps during which the link broke, in a row.
        evidence: why all this is believed, where something was seen.
    """

    fallback_purpose: ProfilePurpose | None = None
    purposes: tuple[ProfilePurpose, ...] = (ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT)
    unit: RateUnit = RateUnit.AMPERE
    step_a: float = 0.1
    max_stack_level: int = 1
    relative: bool = False
    clock_off: bool = False
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
    behind_s: float = 0.0
    gain: float = 1.0
    proven: bool = False
    proof: Proof = field(default_factory=Proof)
    sleepers: int = 0
    ends_checked: bool = False
    divides_by: dict[int, int] = field(default_factory=dict)
    model: str = ""
    lost_during: Counter[str] = field(default_factory=Counter)
    evidence: dict[Aspect, Evidence] = field(default_factory=dict)

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
            clock_off=self.clock_off,
            lowest_a=self.lowest_a,
            delay_s=self.delay_s,
            gain=self.gain,
            proven=self.proven,
            sleepers=self.sleepers,
            phases={str(number): n_phases for number, n_phases in sorted(self.divides_by.items())},
            skipped=tuple(sorted(step for step in self.lost_during if self.fragile(step))),
            evidence=dict(self.evidence),
        )

    def recall(self, learned: Learned) -> None:
        """Go on from what was learned before."""
        self.model = learned.model
        self.fallback_purpose, self.purposes = learned.fallback_purpose, learned.purposes
        self.unit, self.step_a, self.max_stack_level = learned.unit, learned.step_a, learned.max_stack_level
        self.leases, self.relative, self.clock_off = learned.leases, learned.relative, learned.clock_off
        self.lowest_a, self.delay_s, self.gain = learned.lowest_a, learned.delay_s, learned.gain
        self.sleepers, self.proven = learned.sleepers, learned.proven
        self.divides_by = {int(number): n_phases for number, n_phases in learned.phases.items()}
        self.lost_during = Counter(dict.fromkeys(learned.skipped, STEPS_LOST_BEFORE_SKIP))
        self.evidence = dict(learned.evidence)

    def forget(self, aspects: Collection[Aspect] = ()) -> None:
        """Know nothing any more but its model, or nothing of the ways that are named."""
        if aspects:
            self.recall(without(self.learned(), aspects))
            self.suggestion, self.rejections, self.contradictions, self.ends_checked = None, 0, 0, False
            self.proof = Proof() if Aspect.PROOF in aspects else self.proof
            return
        model = self.model
        for each in fields(self):
            setattr(self, each.name, getattr(_NEW, each.name))
        self.divides_by, self.lost_during, self.proof, self.evidence = {}, Counter(), Proof(), {}
        self.model = model

    def doubt(self, at: datetime) -> None:
        """It was caught drawing more than it may: that it once kept its limits proves nothing any more."""
        self.proven = False
        self.evidence[Aspect.PROOF] = Evidence(at, "went on drawing more than it may", individual=True)

    def begin_with(self, known: Learned) -> None:
        """Take over what is known of its model, where it has shown nothing itself yet."""
        self.recall(taken_over(self.learned(), known, known.evidence.keys() - self.evidence.keys()))

    def borrowed(self, aspect: Aspect) -> bool:
        """Whether an aspect was taken over from another charger of its model and not yet seen here."""
        return aspect in self.evidence and self.evidence[aspect].by != ""

    def fragile(self, step: str) -> bool:
        """Whether a set-up step has cost the link too often to be tried again."""
        return self.lost_during[step] >= STEPS_LOST_BEFORE_SKIP

    @property
    def without_clock(self) -> bool:
        """Whether its schedules begin with the transaction and carry no end."""
        return self.relative or self.clock_off

    def style(self, purpose: ProfilePurpose) -> ProfileStyle:
        """How this charger takes a limit for a purpose."""
        return ProfileStyle(
            purpose=purpose,
            unit=self.unit,
            step_a=self.step_a,
            stack_level=min(1, self.max_stack_level),
            relative=self.without_clock,
        )

    def abilities(self) -> ChargerAbilities:
        """The same for the twin."""
        return ChargerAbilities(
            purposes=self.purposes,
            max_stack_level=self.max_stack_level,
            unit=self.unit,
            step_a=self.step_a,
            leases=self.leases is not False and not self.without_clock,
            connectors=self.connectors,
            remote_trigger=self.remote_trigger,
            sample_interval_s=self.sample_interval_s,
        )


_NEW = ChargerMemory()
