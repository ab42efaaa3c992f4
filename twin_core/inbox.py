"""Where facts wait for the twin: the newest reading of a meter wins, everything else is kept in order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable

from twin_core.models import events as ev

_MeterKey = tuple[str, Hashable]


class Inbox:
    """A bounded, ordered queue of events that never blocks.

    A reading that waits is replaced by the next one of the same meter. Other facts are kept in order; beyond
    `capacity` of them only refusals (which are counted where they arise) are dropped.

    Attributes:
        replaced: readings that a newer one took the place of, by kind.
        dropped: events thrown away because the queue was full, by kind.
    """

    def __init__(self, wake: Callable[[], None], capacity: int = 100_000) -> None:
        self._wake = wake
        self._capacity = capacity
        self._queue: deque[_MeterKey | ev.Event] = deque()
        self._readings: dict[_MeterKey, ev.Event] = {}
        self.replaced: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, event: ev.Event) -> None:
        """Hand over one fact and wake the twin."""
        kind = type(event).__name__
        key = _meter_of(event)
        if key is not None:
            if key in self._readings:
                self.replaced[kind] += 1
            else:
                self._queue.append(key)
            self._readings[key] = event
        elif len(self._queue) >= self._capacity and isinstance(event, ev.InputRefused):
            self.dropped[kind] += 1
            return
        else:
            self._queue.append(event)
        self._wake()

    def drain(self) -> list[ev.Event]:
        """Everything that waits, oldest first; the queue is empty afterwards."""
        events = [self._readings[entry] if isinstance(entry, tuple) else entry for entry in self._queue]
        self._queue.clear()
        self._readings.clear()
        return events


def _meter_of(event: ev.Event) -> _MeterKey | None:
    match event:
        case ev.ConnectorMetered():
            return ("connector", event.connector_id)
        case ev.NodeMetered():
            return ("node", event.node_id)
        case _:
            return None
