"""What an unproven charger is offered, so that it is soon seen whether it keeps its limits, and how fast.

A vehicle there is offered `PROBE_A`; once it draws that, `LOWER_A`; and once it has come down, its charger is proven,
which whoever listens to the charger says (`Learned.proven`). A vehicle that takes no such current, or a charger that
does not follow in time, is let go on: then the charger stays unproven, and `twin_core.safety.doubt` keeps its room
until a later trial, or a limit that has to be lowered anyway, proves it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from twin_core.models.events import ConnectorMetered, Event, GrantAnswered, TransactionStarted, TransactionStopped
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ConnectorId
from twin_core.models.quantities import MINIMUM_CURRENT_A, NOMINAL_VOLTAGE_V, Instant
from twin_core.safety.doubt import PROBE_A
from twin_core.safety.envelope import Envelope

LOWER_A = 8.0
"""Not 6 A: a charger that takes watts at the lowest voltage, or refuses 6 A, offers nothing then."""

TELLS_A = 1.5
"""A draw that comes down by so much is seen to."""

DRAWS_WITHIN_S = 60.0
"""A vehicle that has not taken enough by then to come down to `LOWER_A` takes less, or wants more to begin with."""

FOLLOWS_WITHIN_S = 180.0
"""Longest time to come down, and to be seen keeping to it, at a charger that applies limits late and reports rarely."""


AGAIN_AFTER_S = 600.0


class Stage(StrEnum):
    """How far the trial of a transaction has come."""

    OFFERED = "offered"
    FREE = "free"
    """It took nothing of the probe, so it may have more; once it draws, it is told to come down."""
    LOWERED = "lowered"
    OVER = "over"


@dataclass(slots=True)
class _Trial:
    stage: Stage = Stage.OFFERED
    since_s: float | None = None
    """When a limit above 0 was first accepted; later, when the stage began."""
    drawn_a: float = 0.0
    lower_a: float = LOWER_A


class Probation:
    """Ceilings on what unproven connectors are wished."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._trials: dict[ConnectorId, _Trial] = {}

    def observe(self, event: Event) -> None:
        """Take in a fact, after the envelope has."""
        match event:
            case TransactionStarted() if self._envelope.knows(event.connector_id):
                self._trials[event.connector_id] = _Trial()
            case TransactionStopped():
                self._trials.pop(event.connector_id, None)
            case GrantAnswered(outcome=GrantOutcome.ACCEPTED):
                self._offered(event)
            case ConnectorMetered():
                self._drawn(event)
            case _:
                pass

    def ceilings(self, now: Instant) -> Mapping[ConnectorId, float]:
        """What each connector under trial is to be offered now, per phase."""
        found: dict[ConnectorId, float] = {}
        for connector_id, trial in self._trials.items():
            if self._envelope.is_proven(connector_id):
                continue
            self._give_up_late(trial, now.monotonic_s)
            if trial.stage is Stage.OFFERED:
                found[connector_id] = PROBE_A
            elif trial.stage is Stage.LOWERED:
                found[connector_id] = trial.lower_a
        return found

    def explains(self, connector_id: ConnectorId, limit_a: float) -> bool:
        """Whether a limit was a trial's, so that it says nothing of what the vehicle would take."""
        tried = connector_id in self._trials and not self._envelope.is_proven(connector_id)
        return tried and limit_a <= PROBE_A

    def _offered(self, event: GrantAnswered) -> None:
        trial = self._trials.get(event.connector_id)
        limit_a = self._envelope.limit_of(event.connector_id, event.seq)
        if trial is not None and trial.since_s is None and limit_a is not None and limit_a >= MINIMUM_CURRENT_A:
            trial.since_s = event.at.monotonic_s

    def _drawn(self, event: ConnectorMetered) -> None:
        trial, reading = self._trials.get(event.connector_id), event.reading
        if trial is None or trial.stage not in (Stage.OFFERED, Stage.FREE):
            return
        current_a, kw = reading.peak_current_a, reading.power_kw
        # Power alone does not say on how many phases; one at least.
        trial.drawn_a = current_a if current_a is not None else 0.0 if kw is None else kw * 1000.0 / NOMINAL_VOLTAGE_V
        if trial.drawn_a >= LOWER_A + TELLS_A:
            trial.stage, trial.since_s, trial.lower_a = Stage.LOWERED, event.at.monotonic_s, LOWER_A

    def _give_up_late(self, trial: _Trial, now_s: float) -> None:
        if trial.since_s is None:
            return
        if trial.stage is Stage.OFFERED and now_s >= trial.since_s + DRAWS_WITHIN_S:
            trial.lower_a = math.floor(max(0.0, trial.drawn_a - TELLS_A))
            enough = trial.lower_a >= MINIMUM_CURRENT_A
            trial.stage, trial.since_s = (Stage.LOWERED if enough else Stage.FREE), now_s
        elif trial.stage is Stage.LOWERED and now_s >= trial.since_s + FOLLOWS_WITHIN_S:
            trial.stage, trial.since_s = Stage.OVER, now_s
        elif trial.stage is Stage.OVER and now_s >= trial.since_s + AGAIN_AFTER_S:
            trial.stage, trial.since_s = Stage.OFFERED, None
