"""What a charge point means to do later: one small table by name instead of a task for each timer."""

from __future__ import annotations

import math
from collections.abc import Callable

_RESOLUTION_S = 1e-3
"""What is due within this is due now: a clock that is read as a float may never show the exact moment."""


class Agenda:
    """Actions with the moment each is due; a name stands at most once."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, tuple[float, Callable[[], object]]] = {}

    @property
    def next_s(self) -> float:
        """When the first action is due, on the monotonic clock; infinite when there is none."""
        return min((at_s for at_s, _ in self._entries.values()), default=math.inf)

    def put(self, name: str, at_s: float, act: Callable[[], object]) -> None:
        """Do something at a moment on the monotonic clock, in place of what stood under that name."""
        self._entries[name] = (at_s, act)

    def cancel(self, name: str) -> None:
        """Strike an action, if it stands there."""
        self._entries.pop(name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def run_due(self, now_s: float) -> None:
        """Do what is due, the earliest first; what that puts on the agenda for now is done as well."""
        while self.next_s <= now_s + _RESOLUTION_S:
            name = min(self._entries, key=lambda name: self._entries[name][0])
            _, act = self._entries.pop(name)
            act()
