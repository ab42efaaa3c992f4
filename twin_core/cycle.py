"""The twin as one thing: facts in, and at every tick a report with the grants to send.

Pure: no socket, no clock, no waiting. The same facts at the same moments give the same grants, which is what makes a
run replayable and a fork of the live twin possible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from twin_core.car_limits import CarLimits
from twin_core.dispatch import wishes
from twin_core.estimation import EstimationSettings, bounds
from twin_core.forecasting.foresight import Foresight
from twin_core.models import events as ev
from twin_core.models.charger import RateUnit
from twin_core.models.grant import GrantOutcome, Verdict
from twin_core.models.ids import ConnectorId, IdTag, SessionId
from twin_core.models.problem import PlanningProblem
from twin_core.models.quantities import Instant
from twin_core.models.session import Session, Vehicle
from twin_core.models.site import SiteTree
from twin_core.models.tariff import SiteTerms, Tariff, flat_tariff
from twin_core.problem import PlanningSettings, counted_until, planning_problem
from twin_core.safety.envelope import Decision, Envelope, EnvelopeParameters
from twin_core.safety.monitor import Alarm, Distrusted, ObedienceMonitor, ObedienceThresholds, Verification
from twin_core.safety.offered import passed_on_a
from twin_core.safety.probation import Probation
from twin_core.snapshot import Snapshot, take_snapshot
from twin_core.state import TwinState, apply, expired_limits


@dataclass(frozen=True, slots=True)
class TwinSettings:
    """Everything a twin is tuned with."""

    envelope: EnvelopeParameters = EnvelopeParameters()
    monitor: ObedienceThresholds = ObedienceThresholds()
    estimation: EstimationSettings = EstimationSettings()
    planning: PlanningSettings = PlanningSettings()


@dataclass(frozen=True, slots=True)
class SetpointTally:
    """What became of the grants so far."""

    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    unanswered: int = 0
    obeyed: int = 0
    limited_by_car: int = 0
    not_obeyed: int = 0


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What one tick saw and decided.

    Attributes:
        decision: the grants to send, and why each connector has what it has.
        verdicts: the latest verdict on each connector's draw.
        verifications: verdicts reached in this very tick.
        alarms: connectors that lost or regained trust in this tick.
        distrusted: connectors counted at their hardware maximum because they did not obey.
        ended: sessions that ended since the last tick.
        counted_until: when the last plan counts on a vehicle to leave, where that is before it said.
    """

    snapshot: Snapshot
    decision: Decision
    verdicts: Mapping[ConnectorId, Verification]
    verifications: tuple[Verification, ...]
    alarms: tuple[Alarm, ...]
    distrusted: frozenset[ConnectorId]
    ended: tuple[Session, ...]
    setpoints: SetpointTally
    counted_until: Mapping[SessionId, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class _Counts:
    outcomes: Counter[GrantOutcome] = field(default_factory=Counter)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    sent: int = 0


class Twin:
    """The digital twin of one site.

    Attributes:
        foresight: what was learned of earlier days, for planning alone: grants follow from facts and plans, never
            from this, so that a replay needs neither.
    """

    def __init__(
        self,
        site: SiteTree,
        *,
        since: datetime,
        tariff: Tariff | None = None,
        terms: SiteTerms | None = None,
        fleet: Mapping[IdTag, Vehicle] | None = None,
        settings: TwinSettings | None = None,
    ) -> None:
        self.settings = settings or TwinSettings()
        self.state = TwinState(site, tariff or flat_tariff(0.0, since), fleet or {}, terms=terms or SiteTerms())
        self.envelope = Envelope(site, self.settings.envelope)
        self.monitor = ObedienceMonitor(self.envelope, thresholds=self.settings.monitor)
        self.probation = Probation(self.envelope)
        self._verdicts: dict[ConnectorId, Verification] = {}
        self._cars = CarLimits()
        self._counts = _Counts()
        self._sessions_reported = 0
        self.foresight = Foresight()
        self._counted_until: dict[SessionId, datetime] = {}

    def receive(self, event: ev.Event) -> None:
        """Take in one fact."""
        apply(self.state, event)
        self.envelope.observe(event)
        self.monitor.observe(event)
        self.probation.observe(event)
        match event:
            case ev.GrantSent():
                self._counts.sent += 1
            case ev.GrantAnswered():
                self._counts.outcomes[event.outcome] += 1
            case ev.TransactionStarted() | ev.TransactionStopped():
                self._verdicts.pop(event.connector_id, None)
                self._cars.left(event.connector_id)
            case _:
                pass

    def snapshot(self, now: Instant) -> Snapshot:
        """The twin as it is now."""
        return take_snapshot(self.state, now, self.settings.estimation)

    def problem(self, now: Instant) -> PlanningProblem:
        """What a planner is to solve now."""
        snapshot = self.snapshot(now)
        reserved = {
            view.spec.id: self.envelope.worst_a(view.spec.id, now)
            for view in snapshot.connectors
            if view.session is None or not view.online or not self.envelope.is_trusted(view.spec.id)
        }
        problem = planning_problem(snapshot, reserved, self.settings.planning, self.settings.estimation, self.foresight)
        self._counted_until = counted_until(snapshot, problem)
        return problem

    def tick(self, now: Instant) -> CycleReport:
        """Judge what was drawn, and decide what may be drawn from now on."""
        for node_id in expired_limits(self.state, now):
            self.receive(ev.LimitChanged(at=now, node_id=node_id, limit_a=None, limit_kw=None, reason="ended"))
        verifications = self.monitor.review(now)
        for verification in verifications:
            self._learn(verification)
        verifications += tuple(self._revised())
        snapshot = self.snapshot(now)
        asked = wishes(snapshot, self._cars.offers(now), self.settings.estimation, self.probation.ceilings(now))
        base = bounds({node_id: node.base for node_id, node in snapshot.nodes.items()})
        decision = self.envelope.decide(asked, base, now)
        return CycleReport(
            snapshot=snapshot,
            decision=decision,
            verdicts=dict(self._verdicts),
            verifications=verifications,
            alarms=self.monitor.alarms,
            distrusted=frozenset(
                connector_id for connector_id in self.state.connectors if not self.envelope.is_trusted(connector_id)
            ),
            ended=self._newly_ended(),
            setpoints=self._tally(),
            counted_until=self._counted_until,
        )

    def _learn(self, verification: Verification) -> None:
        self._verdicts[verification.connector_id] = verification
        self._counts.verdicts[verification.verdict] += 1
        if verification.verdict is Verdict.LIMITED_BY_CAR and verification.measured_a is not None:
            if self._takes_less(verification, verification.measured_a):
                self._cars.took_less(verification.connector_id, verification.measured_a, verification.at)
        elif verification.verdict is Verdict.OBEYED:
            self._cars.took_all(verification.connector_id, verification.at)

    def _takes_less(self, verification: Verification, measured_a: float) -> bool:
        """Whether it is the vehicle that took less than its limit, and not its charger that passed on no more."""
        connector_id, limit_a = verification.connector_id, verification.limit_a
        if self.probation.explains(connector_id, limit_a):
            return False  # a trial offers little, on purpose
        abilities = self.state.chargers[connector_id.charger].abilities
        unit = RateUnit.AMPERE if abilities is None else abilities.unit
        reading = self.state.connectors[connector_id].reading
        return measured_a < self.settings.monitor.below(passed_on_a(limit_a, reading, unit))

    def _revised(self) -> Iterator[Verification]:
        """Grants that were obeyed at first and then no more: the later word counts."""
        for alarm in self.monitor.alarms:
            known = self._verdicts.get(alarm.connector_id)
            if known is None or known.verdict is Verdict.NOT_OBEYED or not isinstance(alarm, Distrusted):
                continue
            self._counts.verdicts[known.verdict] -= 1
            revised = replace(known, verdict=Verdict.NOT_OBEYED, measured_a=alarm.measured_a, at=alarm.at)
            self._learn(revised)
            yield revised

    def _newly_ended(self) -> tuple[Session, ...]:
        total = self.state.totals.sessions_completed
        fresh = min(total - self._sessions_reported, len(self.state.finished))
        self._sessions_reported = total
        return tuple(self.state.finished)[-fresh:] if fresh else ()

    def _tally(self) -> SetpointTally:
        outcomes, verdicts = self._counts.outcomes, self._counts.verdicts
        return SetpointTally(
            sent=self._counts.sent,
            accepted=outcomes[GrantOutcome.ACCEPTED],
            rejected=outcomes[GrantOutcome.REJECTED] + outcomes[GrantOutcome.FAILED],
            unanswered=outcomes[GrantOutcome.TIMED_OUT] + outcomes[GrantOutcome.OFFLINE],
            obeyed=verdicts[Verdict.OBEYED],
            limited_by_car=verdicts[Verdict.LIMITED_BY_CAR],
            not_obeyed=verdicts[Verdict.NOT_OBEYED],
        )
