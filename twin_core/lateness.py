"""By how much a charger's report was held up on its way, beside the quickest of its reports of late. Pure."""

from __future__ import annotations

import math

KEPT = 64


class Lateness:
    """How long the latest reports of one charger were on their way, by its own clock, which may be wrong."""

    def __init__(self) -> None:
        # A list: there is one for every connector, and an empty deque is ten times as large.
        self._ways_s: list[float] = []
        self._quickest_s = math.inf

    def of(self, way_s: float) -> float:
        """Take in a report; by how many seconds it came later than the quickest of late, itself included.

        Args:
            way_s: from the moment that the report claims to speak of until it came.
        """
        ways_s = self._ways_s
        ways_s.append(way_s)
        self._quickest_s = min(self._quickest_s, way_s)
        if len(ways_s) > KEPT and ways_s.pop(0) <= self._quickest_s:
            self._quickest_s = min(ways_s)
        return way_s - self._quickest_s
