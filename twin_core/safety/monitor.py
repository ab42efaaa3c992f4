"""Verification: what connectors were measured to draw, against what they may draw.

Two watches on the same samples:

- each accepted grant gets one verdict, from the first sample taken after charger and vehicle had time to follow;
- a connector that draws more than any limit that may rightly be in force, and goes on doing so, is counted at its
  hardware maximum until it has behaved for a while. That also catches one that draws where nothing was granted.

`permitted_a` already allows for the ramp, so what exceeds it is disobedience, not lag.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from twin_core.lateness import Lateness
from twin_core.models.charger import ConnectorReading
from twin_core.models.events import ConnectorMetered, Event, GrantAnswered
from twin_core.models.grant import GrantOutcome, Verdict
from twin_core.models.ids import ConnectorId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, Instant, current_a
from twin_core.safety.envelope import Envelope
from twin_core.safety.parameters import EnvelopeParameters

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObedienceThresholds:
    """When a draw counts as disobedience, and when a connector is believed again.

    Attributes:
        tolerance_a: draws above a limit by less are meter error; so are draws above it by less than `tolerance_part`.
        tolerance_part: as above, as a part of the limit.
        actuation_s: time a charger may take to pass a new limit on to the vehicle, before the vehicle's ramp begins.
        persistence_s: an excess that no newer sample refutes for this long is believed; with the samples' own spacing
            it stays below the 15 s in which the others must be protected.
        unmeasured_s: a grant with no sample to judge it by for this long is left unjudged.
        good_samples: as many samples in a row within the limit, over `good_s`, restore trust.
        good_s: as above.
        late_s: a sample held up on its way for longer tells what was drawn under another limit, and decides nothing ...
        late_for_s: ... unless nothing else has come for this long.
    """

    tolerance_a: float = 1.0
    tolerance_part: float = 0.05
    actuation_s: float = 1.0
    persistence_s: float = 5.0
    unmeasured_s: float = 60.0
    good_samples: int = 3
    good_s: float = 30.0
    late_s: float = 5.0
    late_for_s: float = 30.0

    def above(self, limit_a: float) -> float:
        """The draw from which on a limit is not kept."""
        return limit_a + max(self.tolerance_a, self.tolerance_part * limit_a)

    def below(self, limit_a: float) -> float:
        """The draw under which a limit is not used."""
        return limit_a - max(self.tolerance_a, self.tolerance_part * limit_a)


@dataclass(frozen=True, slots=True)
class Verification:
    """What a measured draw says of one accepted grant.

    Attributes:
        measured_a: highest current on any phase in the sample that decided; None where none did.
    """

    connector_id: ConnectorId
    seq: int
    limit_a: float
    measured_a: float | None
    verdict: Verdict
    at: Instant


@dataclass(frozen=True, slots=True)
class Distrusted:
    """A connector draws more than it may; from now on it counts at its hardware maximum."""

    connector_id: ConnectorId
    measured_a: float
    permitted_a: float
    at: Instant


@dataclass(frozen=True, slots=True)
class Trusted:
    """A connector has kept its limits long enough to be believed again."""

    connector_id: ConnectorId
    at: Instant


Alarm = Distrusted | Trusted


@dataclass(slots=True)
class _Case:
    """An accepted grant that waits for its sample."""

    seq: int
    limit_a: float
    accepted: Instant


@dataclass(slots=True)
class _Watch:
    """What is known of one connector's draw.

    Attributes:
        excess_since_s: when the run of samples above what is permitted began; None while the last one was not.
        good_since_s: when the run of samples within it began; None while the last one was not.
        late_since_s: when the run of samples that were held up on their way began; None while the last one was not.
    """

    case: _Case | None = None
    n_phases: int = 0
    measured_a: float = 0.0
    permitted_a: float = 0.0
    excess_since_s: float | None = None
    good_since_s: float | None = None
    good_samples: int = 0
    lateness: Lateness = field(default_factory=Lateness)
    late_since_s: float | None = None
    caught: bool = False


class ObedienceMonitor:
    """Judges samples as they come and tells the envelope whom to believe.

    Attributes:
        alarms: connectors that lost or regained trust in the latest review, for the operator.
    """

    def __init__(
        self,
        envelope: Envelope,
        parameters: EnvelopeParameters | None = None,
        thresholds: ObedienceThresholds | None = None,
    ) -> None:
        self.alarms: tuple[Alarm, ...] = ()
        self._envelope = envelope
        self._parameters = parameters or envelope.parameters
        self._thresholds = thresholds or ObedienceThresholds()
        self._watches: dict[ConnectorId, _Watch] = {}
        self._decided: list[Verification] = []

    def observe(self, event: Event) -> None:
        """Take in a fact, after the envelope has."""
        match event:
            case GrantAnswered(outcome=GrantOutcome.ACCEPTED):
                self._open_case(event)
            case ConnectorMetered():
                self._take_sample(event)
            case _:
                pass

    def review(self, now: Instant) -> tuple[Verification, ...]:
        """Verdicts reached since the last review, each grant once. To be called at every step, better every second."""
        self._decided.extend(self._give_up_waiting(now))
        self.alarms = tuple(self._change_trust(now))
        decided, self._decided = tuple(self._decided), []
        return decided

    # One verdict a grant.

    def _open_case(self, event: GrantAnswered) -> None:
        limit_a = self._envelope.limit_of(event.connector_id, event.seq)
        watch = self._watch(event.connector_id)
        newest = watch.case is None or watch.case.seq < event.seq
        if limit_a is not None and newest:
            watch.case = _Case(event.seq, limit_a, event.at)

    def _judge(self, connector_id: ConnectorId, watch: _Watch, at: Instant) -> Iterator[Verification]:
        case = watch.case
        if case is None or not at.monotonic_s >= case.accepted.monotonic_s + self._settled_s:
            return
        verdict = self._verdict(case.limit_a, watch)
        if verdict is not Verdict.PENDING:
            watch.case = None
            yield Verification(connector_id, case.seq, case.limit_a, watch.measured_a, verdict, at)

    def _verdict(self, limit_a: float, watch: _Watch) -> Verdict:
        """A draw above the grant but within an older limit that may still be in force decides nothing yet."""
        if watch.measured_a > self._thresholds.above(watch.permitted_a):
            return Verdict.NOT_OBEYED
        if watch.measured_a > self._thresholds.above(limit_a):
            return Verdict.PENDING
        if watch.measured_a < self._thresholds.below(limit_a):
            return Verdict.LIMITED_BY_CAR
        return Verdict.OBEYED

    def _give_up_waiting(self, now: Instant) -> Iterator[Verification]:
        for connector_id, watch in self._watches.items():
            case = watch.case
            if case is None or not now.monotonic_s >= case.accepted.monotonic_s + self._thresholds.unmeasured_s:
                continue
            watch.case = None
            yield Verification(connector_id, case.seq, case.limit_a, None, Verdict.UNMEASURED, now)

    @property
    def _settled_s(self) -> float:
        return self._parameters.ramp_s + self._thresholds.actuation_s

    # The continuous watch.

    def _take_sample(self, event: ConnectorMetered) -> None:
        if not self._envelope.knows(event.connector_id):
            return
        watch = self._watch(event.connector_id)
        measured_a = self._measured_a(event.connector_id, event.reading, watch)
        if measured_a is None or self._speaks_of_before(watch, event):
            return
        now_s = event.at.monotonic_s
        watch.measured_a = measured_a
        watch.permitted_a = self._envelope.permitted_a(event.connector_id, event.at)
        if measured_a <= self._thresholds.above(watch.permitted_a):
            watch.excess_since_s = None
            watch.good_since_s = now_s if watch.good_since_s is None else watch.good_since_s
            watch.good_samples += 1
        else:
            watch.excess_since_s = now_s if watch.excess_since_s is None else watch.excess_since_s
            watch.good_since_s, watch.good_samples = None, 0
        self._decided.extend(self._judge(event.connector_id, watch, event.at))

    def _speaks_of_before(self, watch: _Watch, event: ConnectorMetered) -> bool:
        """Whether a sample was kept while nobody could hear it, and is not all that the charger sends."""
        late_s = 0.0
        if event.reported_at is not None:
            late_s = watch.lateness.of((event.at.utc - event.reported_at).total_seconds())
        if not late_s > self._thresholds.late_s:
            watch.late_since_s = None
            return False
        now_s = event.at.monotonic_s
        watch.late_since_s = now_s if watch.late_since_s is None else watch.late_since_s
        return now_s < watch.late_since_s + self._thresholds.late_for_s

    def _change_trust(self, now: Instant) -> Iterator[Alarm]:
        for connector_id, watch in self._watches.items():
            if watch.caught:
                if self._behaves(watch, now.monotonic_s):
                    watch.caught = False
                    self._envelope.trust(connector_id)
                    logger.warning("connector trusted again", extra={"connector": str(connector_id)})
                    yield Trusted(connector_id, now)
            elif self._disobeys(watch, now.monotonic_s):
                watch.caught = True
                yield self._catch(connector_id, watch, now)

    def _catch(self, connector_id: ConnectorId, watch: _Watch, now: Instant) -> Distrusted:
        reason = f"draws {watch.measured_a:.1f} A where {watch.permitted_a:.1f} A may be in force"
        self._envelope.distrust(connector_id, reason)
        logger.warning("connector distrusted", extra={"connector": str(connector_id), "reason": reason})
        return Distrusted(connector_id, watch.measured_a, watch.permitted_a, now)

    def _disobeys(self, watch: _Watch, now_s: float) -> bool:
        since_s = watch.excess_since_s
        return since_s is not None and now_s >= since_s + self._thresholds.persistence_s

    def _behaves(self, watch: _Watch, now_s: float) -> bool:
        since_s = watch.good_since_s
        enough = watch.good_samples >= self._thresholds.good_samples
        return enough and since_s is not None and now_s >= since_s + self._thresholds.good_s

    # Samples.

    def _watch(self, connector_id: ConnectorId) -> _Watch:
        return self._watches.setdefault(connector_id, _Watch())

    def _measured_a(self, connector_id: ConnectorId, reading: ConnectorReading, watch: _Watch) -> float | None:
        """Current on the fullest phase.

        Power is spread over the phases the vehicle was seen to use, or else over all that are wired.
        """
        if reading.current_a is not None and all(math.isfinite(value) for value in reading.current_a):
            in_use = sum(value > self._thresholds.tolerance_a for value in reading.current_a)
            watch.n_phases = in_use or watch.n_phases
            return max(0.0, *reading.current_a)
        if reading.power_kw is None or not math.isfinite(reading.power_kw):
            return None
        n_phases = watch.n_phases or self._envelope.n_phases(connector_id)
        voltage_v = reading.voltage_v if reading.voltage_v is not None and reading.voltage_v > 0 else NOMINAL_VOLTAGE_V
        return max(0.0, current_a(reading.power_kw, n_phases, voltage_v))
