"""Notices a meter that repeats itself to the last digit while the chargers' draw moved. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from twin_core.base_load import SETTLE_S

STUCK_SAMPLES = 12
STUCK_CHANGE_A = 3.0


@dataclass(slots=True)
class StuckMeter:
    """Watches one node's meter; the chargers' reports are given time to catch up with its last change first.

    Attributes:
        stuck: it is not to be believed, until it says something else.
    """

    stuck: bool = False
    _unchanged: int = 0
    _changed_s: float = float("-inf")
    _drawn_a: float = 0.0

    def watch(self, *, changed: bool, drawn_a: float, now_s: float) -> None:
        """Take in that the meter reported.

        Args:
            changed: whether it said anything else than the time before.
            drawn_a: what the chargers below report to draw, on their highest phases.
            now_s: on the gateway's own clock.
        """
        if changed:
            self._unchanged, self._changed_s, self.stuck = 0, now_s, False
        self._unchanged += 1
        if now_s - self._changed_s <= SETTLE_S:
            self._drawn_a = drawn_a
        moved = abs(drawn_a - self._drawn_a) > STUCK_CHANGE_A
        self.stuck = self.stuck or (self._unchanged > STUCK_SAMPLES and moved)
