"""Where the depot and the upstream wanted different things: counted always, kept for the status, logged at a pace."""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from twin_core.models.events import InputRefused
from twin_core.models.ids import ChargerId
from twin_core.ports import Clock, EventSink

logger = logging.getLogger(__name__)

KEPT = 20
LOG_EVERY_S = 300.0


class ConflictKind(StrEnum):
    """What the two did not agree on."""

    UPSTREAM_LIMITS = "upstream-limits"
    """The upstream allows less than the depot would give: the charger gets the upstream's."""
    DEPOT_LIMITS = "depot-limits"
    """The depot gives less than the upstream allows: the charger gets the depot's."""
    TAG = "tag"
    """One accepts a tag, the other does not: it may not charge."""
    LATE_TAG = "late-tag"
    """The upstream refused a tag after the charger had been answered: it is asked to stop."""
    KEY = "key"
    """The upstream would change a setting that the depot needs."""
    REQUEST = "request"
    """The upstream asked what it may not ask, or too often."""
    PROFILE = "profile"
    """The upstream's charging profile makes no sense here."""
    TRANSACTION = "transaction"
    """The upstream speaks of a transaction that is none of this charger's, or refuses one that is."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One disagreement, in words for an operator."""

    at: datetime
    kind: ConflictKind
    words: str


class Conflicts:
    """The disagreements about one charger.

    Attributes:
        counts: all of them, by kind.
        latest: the newest ones.
    """

    def __init__(self, charger: ChargerId, clock: Clock, sink: EventSink) -> None:
        self.counts: Counter[ConflictKind] = Counter()
        self.latest: deque[Conflict] = deque(maxlen=KEPT)
        self._charger = charger
        self._clock = clock
        self._sink = sink
        self._logged_s: dict[ConflictKind, float] = {}
        self._unlogged: Counter[ConflictKind] = Counter()

    def note(self, kind: ConflictKind, words: str) -> None:
        """Count and explain one; text from outside is escaped here."""
        now = self._clock.now()
        safe = words.encode("unicode_escape").decode("ascii")[:240]
        self.counts[kind] += 1
        self.latest.append(Conflict(now.utc, kind, safe))
        logged_s = self._logged_s.get(kind)
        if logged_s is not None and now.monotonic_s - logged_s < LOG_EVERY_S:
            self._unlogged[kind] += 1
            return
        self._logged_s[kind] = now.monotonic_s
        fields = {"charger": self._charger, "kind": kind.value, "detail": safe, "unlogged": self._unlogged.pop(kind, 0)}
        logger.warning("upstream conflict", extra=fields)
        if kind not in (ConflictKind.UPSTREAM_LIMITS, ConflictKind.DEPOT_LIMITS):  # no refusals: both limits are kept
            cause = f"upstream-{kind.value}"
            self._sink.put(InputRefused(at=now, source=str(self._charger), cause=cause, detail=safe))
