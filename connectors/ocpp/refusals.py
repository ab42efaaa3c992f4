"""What was not believed: counted always, logged and told to the twin at a bounded pace."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from twin_core.models.events import InputRefused
from twin_core.ports import Clock, EventSink

logger = logging.getLogger(__name__)

MAX_SOURCES = 20_000
"""Names counted apart; whoever knocks under ever new names is counted together after that many."""

_REST = "(others)"

ERROR_CODES = frozenset(
    {
        "FormationViolation",
        "GenericError",
        "InternalError",
        "NotImplemented",
        "NotSupported",
        "OccurenceConstraintViolation",
        "PropertyConstraintViolation",
        "ProtocolError",
        "SecurityError",
        "TypeConstraintViolation",
    }
)
"""Codes of a CALLERROR, OCPP-J 1.6 §4.2.3, in its own spelling."""


@dataclass(slots=True)
class LinkCounters:
    """What passed over one charger's links since the gateway started.

    Attributes:
        refused: what was not believed, by cause.
        flawed: what broke the official schemas and was used as far as it could be read, by message; `frame` where it
            broke the form of messages itself.
        errors: CALLERRORs that it answered with, by code.
    """

    frames_in: int = 0
    frames_out: int = 0
    calls: int = 0
    timeouts: int = 0
    late_answers: int = 0
    unknown_answers: int = 0
    connections: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    flawed: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def note_error(self, code: str) -> None:
        """Count a CALLERROR; codes that the standard does not know are counted together."""
        self.errors[code if code in ERROR_CODES else _REST] += 1


class Refusals:
    """Counts by charger and cause, with one log line and one InputRefused event per interval for each."""

    def __init__(self, clock: Clock, sink: EventSink, interval_s: float) -> None:
        self._clock = clock
        self._sink = sink
        self._interval_s = interval_s
        self._told: dict[tuple[str, str], float] = {}
        self._untold: Counter[tuple[str, str]] = Counter()
        self.counters: dict[str, LinkCounters] = {}

    def of(self, source: str) -> LinkCounters:
        """Counters of one charger, or of all names beyond the bound together."""
        counters = self.counters.get(source)
        if counters is None:
            if len(self.counters) >= MAX_SOURCES:
                source = _REST
            counters = self.counters.setdefault(source, LinkCounters())
        return counters

    def refuse(self, source: str, cause: str, detail: str = "") -> None:
        """Count a refusal; log it and tell the twin unless the same was told a moment ago.

        Args:
            source: the charger, or the address of whoever has shown no valid identity.
            cause: one of a fixed set of short names.
            detail: free text from outside; control characters are escaped here.
        """
        self.of(source).refused[cause] += 1
        key = (source if source in self.counters else _REST, cause)
        now = self._clock.now()
        told = self._told.get(key)
        if told is not None and now.monotonic_s - told < self._interval_s:
            self._untold[key] += 1
            return
        self._told[key] = now.monotonic_s
        safe = detail.encode("unicode_escape").decode("ascii")[:200]
        unmentioned = self._untold.pop(key, 0)
        fields = {"source": source, "cause": cause, "detail": safe, "unmentioned": unmentioned}
        logger.warning("refused", extra=fields)
        context = {"unmentioned": str(unmentioned)} if unmentioned else {}
        self._sink.put(InputRefused(at=now, source=source, cause=cause, detail=safe, context=context))
