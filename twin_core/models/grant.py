"""A grant: a limit that may be in force at a connector. Only the safety envelope makes one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from twin_core.models.ids import ConnectorId
from twin_core.models.quantities import Instant


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission to draw up to `limit_a` per phase, from when it is issued until its lease ends.

    Attributes:
        seq: rises with every grant to the same connector.
        limit_a: current per phase, already rounded down to what the charger takes; 0 or at least 6.
        issued: when the envelope reserved it, which is before it is sent.
        lease_s: after this the charger falls back by itself; infinite where it cannot.
    """

    connector_id: ConnectorId
    seq: int
    limit_a: float
    issued: Instant
    lease_s: float

    @property
    def expires_utc(self) -> datetime | None:
        """When the charger must drop it; None where it never does."""
        return None if math.isinf(self.lease_s) else self.issued.utc + timedelta(seconds=self.lease_s)


class GrantOutcome(StrEnum):
    """What became of a grant on its way to the charger.

    Only ACCEPTED, REJECTED and UNSENT say something about the charger; the others leave it uncertain, and the grant
    counts until its lease ends.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    """The charger answered with a CALLERROR or with nonsense."""
    TIMED_OUT = "timed_out"
    OFFLINE = "offline"
    """The link broke after the grant may have left."""
    UNSENT = "unsent"
    """It never reached the wire: a newer one took its place, or there was no link."""


class Verdict(StrEnum):
    """What a connector's measured draw says of the grant in force."""

    PENDING = "pending"
    """No sample yet from after the charger and the vehicle had time to follow."""
    OBEYED = "obeyed"
    LIMITED_BY_CAR = "limited_by_car"
    """Well below the grant: the vehicle takes no more."""
    NOT_OBEYED = "not_obeyed"
    UNMEASURED = "unmeasured"
    """No fresh sample to judge by."""
