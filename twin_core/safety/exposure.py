"""What one connector may be drawing: every limit that may be in force there, and until when each one counts.

A limit enters the account before it is sent and leaves it only on proof. What counts as proof is a rule a function:

- a lease that has run out everywhere, on the slowest clock and after the slowest vehicle (`_lease_end_s`);
- an explicit rejection (`_reject`);
- a newer limit that was accepted and can only have come after it (`_replaces`);
- the end of the transaction it was tied to (`transaction_stopped`).

Silence, time-outs, broken links and reboots prove nothing and release nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from twin_core.models.charger import ChargerAbilities, ConnectorSpec, ProfilePurpose
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import TransactionId
from twin_core.models.quantities import MINIMUM_CURRENT_A, Instant, quantise_down
from twin_core.safety.parameters import EnvelopeParameters

EXPECTED_FOR_S = 120.0
"""A driver who may charge plugs in within this time; then most chargers ask again."""


@dataclass(slots=True)
class HeldGrant:
    """A grant that may be in force.

    Attributes:
        since_s: when it was made, or restored.
        until_s: from this moment on nothing is drawn because of it.
        sent_step: position of its sending among the connector's messages and answers.
        answered_step: position of its answer there; None while nothing shows that its message is not still underway.
        transaction: the transaction it was sent in, which a TxProfile is tied to.
        outcome: what is known of it.
        released: True once it is proved gone from the charger, so that only the ramp is left.
    """

    grant: Grant
    since_s: float
    until_s: float
    sent_step: int
    transaction: TransactionId | None
    answered_step: int | None = None
    outcome: GrantOutcome | None = None
    released: bool = False


class Exposure:
    """The account of one connector. Times are monotonic seconds.

    Attributes:
        floor_a: what it counts at with no grant at all: its fallback once read back, else all it could draw.
        fallback_a: what it is believed to keep by itself.
        latest: the newest grant made, whatever became of it.
        proven: its charger was seen to come down to a limit, or nobody said that it was not.
        plugged: a vehicle is there, by its status or its draw.
    """

    def __init__(self, spec: ConnectorSpec, parameters: EnvelopeParameters) -> None:
        self.spec = spec
        self.latest: HeldGrant | None = None
        self.fallback_a = spec.fallback_a
        self.floor_a = spec.hardware_max_a if spec.assumed_a is None else spec.assumed_a
        self.distrusted = ""
        self.proven = True
        self.plugged = False
        self._expected_until_s = -math.inf
        self._expected = False
        self._parameters = parameters
        self._abilities = ChargerAbilities()
        self._step_a = spec.step_a
        self._confirmed = False
        self._unconfirmed_floor_a = self.floor_a
        self._held: list[HeldGrant] = []
        self._fading_a, self._fading_until_s = 0.0, -math.inf
        self._transaction: TransactionId | None = None
        self._seq = 0
        self._step = 0
        self._refresh = False

    # What it may draw.

    def worst_a(self, now_s: float) -> float:
        """W: the most it may be drawing, or come to draw without another grant, per phase."""
        return min(self.spec.hardware_max_a, max(self.floor_a, self._granted_a(now_s)))

    def permitted_a(self, now_s: float) -> float:
        """The highest limit that may rightly be in force, whether or not the connector is believed to keep it."""
        return min(self.spec.hardware_max_a, max(self.fallback_a, self._granted_a(now_s)))

    @property
    def unproven(self) -> bool:
        """Whether a vehicle may draw, or soon may, at a charger that may keep no limit: `twin_core.safety.doubt`."""
        return not self.proven and (self.plugged or self._expected or self._transaction is not None)

    @property
    def doubted_a(self) -> float:
        """What it may draw if it keeps no limit: all it can, or what the operator answers for."""
        return self.spec.hardware_max_a if self.spec.assumed_a is None else self.spec.assumed_a

    @property
    def standing(self) -> HeldGrant | None:
        """The newest grant that may be in force and was not refused; None where the fallback rules."""
        for held in reversed(self._held):
            if held.outcome is not GrantOutcome.REJECTED:
                return held
        return None

    @property
    def standing_a(self) -> float:
        """The limit last asked of it and not refused; its fallback when none is in force."""
        standing = self.standing
        return self.fallback_a if standing is None else standing.grant.limit_a

    @property
    def verified(self) -> bool:
        """Whether its fallback was read back and it is not known to disobey."""
        return self._confirmed and not self.distrusted

    @property
    def holds_grants(self) -> bool:
        """Whether any grant may be in force."""
        return bool(self._held)

    @property
    def forgets(self) -> bool:
        """Whether its limits end by themselves when nobody renews them."""
        return self._abilities.leases

    def live_grants(self) -> Iterable[Grant]:
        """Grants that may be in force, oldest first."""
        return (held.grant for held in self._held)

    def find(self, seq: int) -> HeldGrant | None:
        """The grant of that number, while it may be in force."""
        return next((held for held in self._held if held.grant.seq == seq), None)

    def expire(self, now_s: float) -> None:
        """Drop what no longer counts."""
        self._expected = self._expected_until_s > now_s
        if self._held:
            self._held = [held for held in self._held if held.until_s > now_s]

    def _granted_a(self, now_s: float) -> float:
        highest = self._fading_a if self._fading_until_s > now_s else 0.0
        for held in self._held:
            if held.until_s > now_s and held.grant.limit_a > highest:
                highest = held.grant.limit_a
        return highest

    # Grants made and answered.

    def usable_a(self, current_a: float) -> float:
        """The highest limit not above `current_a` that the charger can take; nothing lies between 0 and 6 A."""
        limit_a = quantise_down(current_a, self._step_a)
        return limit_a if limit_a >= MINIMUM_CURRENT_A else 0.0

    def issue(self, limit_a: float, now: Instant) -> Grant:
        """Make a grant; it counts from here on, which is before it is sent."""
        self._seq += 1
        self._step += 1
        lease_s = self._parameters.lease_s if self._abilities.leases else math.inf
        grant = Grant(self.spec.id, self._seq, limit_a, now, lease_s)
        self.latest = self._hold(grant, now.monotonic_s)
        self._refresh = False
        return grant

    def sent(self, seq: int) -> None:
        """The grant went onto the wire only now: answers that came meanwhile came before it."""
        held = self.find(seq)
        if held is not None and held.answered_step is None:
            self._step += 1
            held.sent_step, held.transaction = self._step, self._transaction

    def answered(self, seq: int, outcome: GrantOutcome, now_s: float) -> None:
        """Take in what became of a grant. The first acceptance or rejection stands; later ones change nothing."""
        held = self.find(seq)
        if held is None or held.answered_step is not None:
            return
        held.outcome = outcome
        match outcome:
            case GrantOutcome.ACCEPTED:
                self._accept(held, now_s)
            case GrantOutcome.REJECTED:
                self._reject(held, now_s)
            case GrantOutcome.UNSENT:
                self._held.remove(held)
            case GrantOutcome.FAILED | GrantOutcome.TIMED_OUT | GrantOutcome.OFFLINE:
                pass  # it may have been applied, or may be yet: it counts until its lease ends

    def _accept(self, held: HeldGrant, now_s: float) -> None:
        self._step += 1
        held.answered_step = self._step
        for older in self._held:
            if self._replaces(held, older):
                self._release(older, now_s)

    def _reject(self, held: HeldGrant, now_s: float) -> None:
        self._step += 1
        held.answered_step = self._step
        self._release(held, now_s)

    def _replaces(self, newer: HeldGrant, older: HeldGrant) -> bool:
        """Whether the acceptance of one grant proves that an older one is gone for good.

        It does where the older one's message had been dealt with, or was too old to arrive, before the newer one's
        was sent. A message still underway may yet be applied on top of the newer one. A TxProfile only covers up what
        was set outside its transaction: that shows again when the transaction ends.
        """
        if older.grant.seq >= newer.grant.seq or not self._same_place(newer, older):
            return False
        dealt_with = older.answered_step is not None and older.answered_step < newer.sent_step
        too_old = newer.since_s >= older.since_s + self._parameters.window_s
        return dealt_with or too_old

    def _same_place(self, newer: HeldGrant, older: HeldGrant) -> bool:
        return not self._tied_to_transactions or newer.transaction == older.transaction

    def _release(self, held: HeldGrant, now_s: float) -> None:
        """The limit is gone from the charger; the vehicle follows within the ramp."""
        held.until_s = min(held.until_s, now_s + self._parameters.release_s)
        held.released = True

    def _hold(self, grant: Grant, since_s: float) -> HeldGrant:
        held = HeldGrant(
            grant=grant,
            since_s=since_s,
            until_s=self._lease_end_s(grant, since_s),
            sent_step=self._step,
            transaction=self._transaction,
        )
        self._held.append(held)
        return held

    def _lease_end_s(self, grant: Grant, since_s: float) -> float:
        """When the lease has surely run out: by the slowest clock, and with the slowest vehicle behind it."""
        return since_s + grant.lease_s + self._parameters.skew_s + self._parameters.release_s

    # When to speak.

    def should_ask(self, limit_a: float, now_s: float, *, pressing: bool) -> bool:
        """Whether a limit is worth a message now.

        It is pressing when the worst case exceeds a limit above this connector: then no decrease is too small, and one
        that was not accepted is repeated after a ramp.
        """
        latest = self.latest
        if latest is None or now_s >= latest.since_s + latest.grant.lease_s:
            return self._silence_differs(limit_a)
        if self._changes(limit_a, latest.grant.limit_a, pressing=pressing):
            return True
        age_s = now_s - latest.since_s
        unheard = latest.outcome is not None and latest.outcome is not GrantOutcome.ACCEPTED
        if pressing and unheard and age_s >= self._parameters.ramp_s and limit_a < self.worst_a(now_s):
            return True
        return (self._refresh or (age_s >= self._parameters.renew_s and self._fades())) and self._silence_differs(
            limit_a
        )

    def _changes(self, limit_a: float, asked_a: float, *, pressing: bool) -> bool:
        """Whether two limits differ by more than noise. To stop and to start again is never noise."""
        if (limit_a == 0.0) != (asked_a == 0.0):
            return True
        return abs(limit_a - asked_a) >= self._parameters.deadband_a or (pressing and limit_a < asked_a)

    def _fades(self) -> bool:
        """Whether the limit in force ends without a renewal, or an uncertain one needs a newer one to end it."""
        return self._abilities.leases or any(held.outcome is not GrantOutcome.ACCEPTED for held in self._held)

    def _silence_differs(self, limit_a: float) -> bool:
        """Whether the connector would do something else if nobody spoke to it."""
        if not self.verified or limit_a != self.fallback_a:
            return True
        return any(held.grant.limit_a != limit_a for held in self._held)

    # What is learned of the charger.

    def refresh(self) -> None:
        """The charger may have lost its limits (a reboot, a new link): ask again at the next occasion."""
        self._refresh = True

    def commissioned(self, abilities: ChargerAbilities) -> None:
        """Take in what the charger can do. Where it turns out to end no lease, what it holds never ends by itself."""
        self._abilities = abilities
        self._refresh = True
        if abilities.step_a > self.spec.step_a and math.isfinite(abilities.step_a):
            self._step_a = abilities.step_a
        if not abilities.leases:
            for held in self._held:
                if not held.released:
                    held.until_s = math.inf

    def fallback_confirmed(self, fallback_a: float, now_s: float) -> None:
        """The fallback was read back. A vehicle drawing more than it needs the ramp to come down."""
        if not 0.0 <= fallback_a <= self.spec.hardware_max_a:
            self.fallback_refused()
            return
        fading_a = self._fading_a if self._fading_until_s > now_s else 0.0
        self._fading_a = max(fading_a, self.floor_a)
        self._fading_until_s = now_s + self._parameters.release_s
        self._confirmed, self.fallback_a = True, fallback_a
        self._set_floor()

    def fallback_refused(self) -> None:
        """It may draw all it can whenever nobody speaks to it, whatever the operator assumed of it."""
        self._confirmed, self._unconfirmed_floor_a = False, self.spec.hardware_max_a
        self._set_floor()

    def distrust(self, reason: str) -> None:
        """Count it at all it can draw."""
        self.distrusted = reason
        self._set_floor()

    def trust(self) -> None:
        """Believe it again."""
        self.distrusted = ""
        self._set_floor()

    def vehicle_expected(self, now_s: float) -> None:
        """Its driver was told that it may charge, or is about to be."""
        self._expected_until_s = now_s + EXPECTED_FOR_S

    def transaction_started(self, transaction: TransactionId) -> None:
        """Grants sent from now on may be tied to this transaction."""
        self._transaction = transaction

    def transaction_stopped(self, transaction: TransactionId, now_s: float) -> None:
        """TxProfiles die with their transaction. One whose message may still be underway is not known to be one."""
        if self._transaction == transaction:
            self._transaction, self._expected_until_s = None, -math.inf
        if not self._tied_to_transactions:
            return
        for held in self._held:
            if held.transaction == transaction and held.outcome is GrantOutcome.ACCEPTED:
                self._release(held, now_s)

    def restore(self, grants: Iterable[Grant], fallback_a: float | None, now: Instant) -> None:
        """Start from what was durable: each grant counts as if it had been made just now and never answered."""
        if fallback_a is not None and 0.0 <= fallback_a <= self.spec.hardware_max_a:
            self._confirmed, self.fallback_a = True, fallback_a
            self._set_floor()
        for grant in sorted(grants, key=lambda grant: grant.seq):
            self._seq = max(self._seq, grant.seq)
            self.latest = self._hold(grant, now.monotonic_s)
        self._refresh = True

    def _set_floor(self) -> None:
        if self.distrusted:
            self.floor_a = self.spec.hardware_max_a
        else:
            self.floor_a = self.fallback_a if self._confirmed else self._unconfirmed_floor_a

    @property
    def _tied_to_transactions(self) -> bool:
        return self._abilities.purposes[:1] == (ProfilePurpose.TX,)
