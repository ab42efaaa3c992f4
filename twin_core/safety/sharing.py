"""Dividing what a set of rows leaves among connectors, in order of priority."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from twin_core.models.quantities import MINIMUM_CURRENT_A
from twin_core.safety.rows import Members


@dataclass(slots=True)
class Share:
    """Limits on their way from wish to grant; every stage only lowers them and says why.

    Attributes:
        limit_a: per connector; changed in place.
        bound_by: per connector that did not get its wish, the reason met last.
        usable: the highest limit a connector's charger takes that is not above a current.
    """

    limit_a: list[float]
    usable: Callable[[int, float], float]
    bound_by: dict[int, str] = field(default_factory=dict)

    def lower(self, index: int, ceiling_a: float, reason: str) -> None:
        """Lower one limit to what its charger can take of a ceiling; a higher ceiling changes nothing."""
        if self.limit_a[index] <= ceiling_a:
            return
        self.limit_a[index] = limit_a = self.usable(index, max(0.0, ceiling_a))
        too_little = limit_a == 0.0 and 0.0 < ceiling_a < MINIMUM_CURRENT_A
        self.bound_by[index] = f"minimum {MINIMUM_CURRENT_A:g} A" if too_little else reason

    def pour(
        self,
        order: Iterable[int],
        start_a: Sequence[float],
        spare: dict[int, float],
        members: Members,
        name: Callable[[int], str],
        kept: Callable[[int, int], float] = lambda row, index: 0.0,
    ) -> None:
        """Let connectors rise from where they count already, first come first served, as far as the rows allow.

        Args:
            order: connectors, highest priority first.
            start_a: what each connector counts at already, per phase; up to there a limit costs nothing.
            spare: what is left of each row that not everybody fits into together; changed in place.
            members: for each connector, its rows and weights.
            name: a row in words.
            kept: what is left of a row and yet not for this connector, by row and connector.
        """
        for index in order:
            begin_a = start_a[index]
            if self.limit_a[index] <= begin_a:
                continue
            rise_a, tightest = math.inf, -1
            for row, weight in members[index]:
                if row in spare and (left := spare[row] - kept(row, index)) < rise_a * weight:
                    rise_a, tightest = left / weight, row
            ceiling_a = begin_a + max(0.0, rise_a)
            if self.limit_a[index] > ceiling_a:
                self.lower(index, ceiling_a, name(tightest))
            taken_a = max(0.0, self.limit_a[index] - begin_a)
            for row, weight in members[index]:
                if row in spare:
                    spare[row] -= weight * taken_a
