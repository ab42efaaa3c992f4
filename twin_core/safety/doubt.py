"""Room kept for the one charger that turns out to keep no limit at all.

A charger is *unproven* until its draw was seen to come down to a lower limit. From the moment a vehicle is plugged in
there, any one of them may draw all it can, whatever it accepted. So on every row the envelope bears that one beside all
that counts::

    sum over c of W_c(t)  +  max over unproven u of (H_u - W_u(t))  +  B(t)  <=  L(t) - margin

One at a time: two that first show in the same minute that they obey nobody are more than this bears. And in time: the
others need some seconds to come down when a vehicle is plugged in, so who connects to chargers asks `Envelope.bears`
before it lets that vehicle charge.

The room is kept from raises, and asked back by decreases; it never counts as drawn. Two things are not kept:

- what no restraint of the others could bear, because the charger alone exceeds the row;
- the last `PROBE_A` on a row, for one unproven charger at a time: without them none could ever be proven.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twin_core.safety.exposure import Exposure
from twin_core.safety.rows import TOLERANCE, Array, SiteRows

PROBE_A = 11.0
"""What an unproven charger is offered first: enough to be seen drawing, and to be seen coming down from."""


@dataclass(slots=True)
class _Kept:
    """Room kept on one row: the most for any charger, for which one, and the most for any other."""

    most: float = 0.0
    charger: int = -1
    next: float = 0.0

    def note(self, charger: int, room: float) -> None:
        if room > self.most:
            self.most, self.charger, self.next = room, charger, self.most
        else:
            self.next = max(self.next, room)


@dataclass(slots=True)
class Kept:
    """Room kept on each row, in the unit of the row.

    Attributes:
        charger_of: charger of each connector.
        prober: see `Doubt`.
        prober_most: what may be kept from it at most, by row.
    """

    charger_of: Sequence[int]
    prober: int | None
    prober_most: Mapping[int, float]
    rows: dict[int, _Kept] = field(default_factory=dict)

    def from_connector(self, row: int, index: int) -> float:
        """Room that a connector may not rise into; what is kept for its own charger it may."""
        kept = self.rows.get(row)
        if kept is None:
            return 0.0
        room = kept.next if kept.charger == self.charger_of[index] else kept.most
        return min(room, self.prober_most[row]) if index == self.prober else room

    def by_row(self, n_rows: int) -> Array:
        """The most kept on each row, shape (n_rows,)."""
        found = np.zeros(n_rows)
        for row, kept in self.rows.items():
            found[row] = kept.most
        return found


class Doubt:
    """The unproven chargers of one decision.

    Attributes:
        unproven: their connectors, by charger.
        prober: the connector that may use the last `PROBE_A` of a row; None where no unproven one asks for anything.
    """

    def __init__(self, rows: SiteRows, exposures: Sequence[Exposure], room: Array) -> None:
        self._rows = rows
        self._exposures = exposures
        self._room = room
        self.prober: int | None = None
        self._strange = _by_charger(rows, exposures, lambda exposure: not exposure.proven)
        self.unproven = _by_charger(rows, exposures, lambda exposure: exposure.unproven)
        if self._strange:
            floor_a = np.array([exposure.floor_a for exposure in exposures])
            self._left = (room - rows.loads(floor_a)).tolist()

    def first(self, order: list[int], worst_a: Sequence[float]) -> list[int]:
        """The same order with unproven connectors first, those already drawing before the others.

        They ask for little and for a minute only, and until they are proven they cost the others more than that.
        """
        if not self.unproven:
            return order
        suspects = {index for indices in self.unproven.values() for index in indices}

        def rank(index: int) -> int:
            if index not in suspects:
                return 2
            return 0 if worst_a[index] > self._exposures[index].floor_a else 1

        found = sorted(order, key=rank)
        self.prober = found[0] if found and found[0] in suspects else None
        return found

    def kept(self, current_a: Sequence[float]) -> Kept:
        """Room to keep when every connector counts at `current_a`."""
        members = [] if self.prober is None else self._rows.members[self.prober]
        most = {row: max(0.0, self._left[row] - PROBE_A * weight) for row, weight in members}
        found = Kept(self._rows.charger_of, self.prober, most)
        for charger, indices in self.unproven.items():
            for row, surplus in self._surplus(charger, indices, current_a):
                found.rows.setdefault(row, _Kept()).note(charger, surplus)
        return found

    def unbearable(self, worst_a: Sequence[float]) -> frozenset[int]:
        """Chargers for which there is not room now for all they can draw; those without a vehicle included."""
        if not self._strange:
            return frozenset()
        spare = (self._room - self._rows.loads(np.array(worst_a))).tolist()
        return frozenset(
            charger
            for charger, indices in self._strange.items()
            if any(surplus > spare[row] + TOLERANCE for row, surplus in self._surplus(charger, indices, worst_a))
        )

    def _surplus(self, charger: int, indices: Sequence[int], current_a: Sequence[float]) -> Iterator[tuple[int, float]]:
        """What a charger may draw above `current_a` on each row that could bear it, the others at their fallbacks."""
        most_a = min(sum(self._exposures[index].doubted_a for index in indices), self._rows.supply_a(charger))
        surplus_a = most_a - sum(current_a[index] for index in indices)
        alone_a = most_a - sum(self._exposures[index].floor_a for index in indices)
        if not surplus_a > 0.0:
            return
        weights: dict[int, float] = {}
        for index in indices:
            for row, weight in self._rows.members[index]:
                weights[row] = max(weight, weights.get(row, 0.0))
        for row, weight in weights.items():
            if alone_a * weight <= self._left[row] + TOLERANCE:
                yield row, surplus_a * weight


def _by_charger(
    rows: SiteRows, exposures: Sequence[Exposure], wanted: Callable[[Exposure], bool]
) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for index, exposure in enumerate(exposures):
        if wanted(exposure):
            found.setdefault(rows.charger_of[index], []).append(index)
    return found
