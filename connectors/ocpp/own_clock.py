"""A charger's own clock as its timestamps show it, to tell reports of now from reports of long ago. Pure.

Nothing is ever controlled by it. The freshest of its latest reports says how far its clock leads; what lies far behind
that is a report the charger kept while nobody could hear it.
"""

from __future__ import annotations

from datetime import datetime

from twin_core.models.quantities import Instant

STALE_S = 60.0
FORGET_S = 300.0
"""After so long the freshest report counts no more: the charger's clock may have been set since."""

STEADY_S = 2.0
REPORTS_NEEDED = 3


class OwnClock:
    """What is known of one charger's clock over one link.

    Attributes:
        age_s: how much older the report last taken in is than the freshest.
    """

    def __init__(self) -> None:
        self._lead_s: float | None = None
        self._at_s = 0.0
        self._begun_s: float | None = None
        self._reports = 0
        self.age_s = 0.0

    def is_stale(self, reported: datetime | None, at: Instant) -> bool:
        """Take in a report's own timestamp; whether the report speaks of long ago. One without a timestamp does not."""
        if reported is None:
            return False
        lead_s = (reported - at.utc).total_seconds()
        now_s = at.monotonic_s
        self._reports += 1
        if self._lead_s is None or lead_s > self._lead_s + STEADY_S:
            # Reports kept from before catch up with the present step by step; only what stands still is the clock.
            self._begun_s, self._reports = now_s, 1
        if self._lead_s is None or lead_s >= self._lead_s or now_s >= self._at_s + FORGET_S:
            self._lead_s, self._at_s = lead_s, now_s
        self.age_s = self._lead_s - lead_s
        return self.age_s > STALE_S

    def is_fresh(self, now_s: float) -> bool:
        """Whether the report last taken in surely speaks of now."""
        return self.lead_s(now_s) is not None and self.age_s <= STEADY_S

    def lead_s(self, now_s: float, *, settle_s: float = 20.0) -> float | None:
        """How far the charger's clock is ahead, negative where it is behind; None while too little was heard."""
        if self._begun_s is None or self._reports < REPORTS_NEEDED or now_s < self._begun_s + settle_s:
            return None
        return self._lead_s

    def is_settling(self, now_s: float) -> bool:
        """Whether `lead_s` will have something to say though nothing more is heard."""
        return self._reports >= REPORTS_NEEDED and self.lead_s(now_s) is None

    def forget(self) -> None:
        """The charger has just been told the time."""
        self._lead_s, self._begun_s, self._reports = None, None, 0
