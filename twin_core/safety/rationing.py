"""One decision: what counts now, what is wished for, and how far each wish can be met.

Where the worst case exceeds a limit already, nothing may rise (`freeze`). Then two questions are put to every wish,
each answered by pouring out what the rows leave in the order of the wishes:

1. `settle`: if everybody kept to the new limits, would everything fit? What does not is a decrease, asked for at once.
2. `release`: does it fit now, beside all that may still be in force? What does not has to wait.

Decreases are free in the second question, so nobody's increase waits for more than the currents it really needs.
Both leave room for one charger that may keep no limit at all (`twin_core.safety.doubt`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from twin_core.models.ids import NodeId
from twin_core.models.quantities import MINIMUM_CURRENT_A, PhaseCurrents
from twin_core.safety.decision import NodeMargin, Wish
from twin_core.safety.doubt import Doubt
from twin_core.safety.exposure import Exposure
from twin_core.safety.rows import TOLERANCE, Array, Members, SiteRows
from twin_core.safety.sharing import Share

NOT_VERIFIED = "not verified"
HARDWARE = "hardware"
MINIMUM = f"minimum {MINIMUM_CURRENT_A:g} A"
RESTART = "restart"


class Ration:
    """The state of one decision; connectors are numbers, in the order of `rows`.

    Attributes:
        worst_a: what each connector counts at, grants made in this decision included.
        wish_a: what was wished for each, 0 for the others.
        order: connectors to decide on, highest priority first.
        share: their limits, and what bound them.
        overloaded: rows on which the worst case exceeds the limit.
        pressed: connectors that load one of them.
    """

    def __init__(
        self,
        rows: SiteRows,
        exposures: Sequence[Exposure],
        base_loads: Mapping[NodeId, PhaseCurrents],
        now_s: float,
    ) -> None:
        self._rows = rows
        self._exposures = exposures
        self._now_s = now_s
        self._base_loads = base_loads
        self._room = rows.room(base_loads)
        self.worst_a = [exposure.worst_a(now_s) for exposure in exposures]
        self._doubt = Doubt(rows, exposures, self._room)
        self.overloaded = self._exceeded(self.worst_a)
        self.pressed = self._loading(self.overloaded)
        self.wish_a = [0.0] * len(exposures)
        self.order: list[int] = []
        self.share = Share([0.0] * len(exposures), lambda index, current_a: exposures[index].usable_a(current_a))

    def take(self, wishes: Sequence[Wish]) -> None:
        """Put the wishes in order; the first of two for one connector counts, an unknown connector is passed over.

        A connector nobody wishes for is left to its lease, and asked to stop only where waiting for that is not good
        enough: it loads a row that is overloaded, or its charger ends no lease.
        """
        taken: set[int] = set()
        for wish in wishes:
            index = self._rows.index.get(wish.connector_id)
            if index is not None and index not in taken:
                taken.add(index)
                self.order.append(index)
                self._want(index, wish.limit_a)
        for index, exposure in enumerate(self._exposures):
            if index not in taken and exposure.holds_grants and (index in self.pressed or not exposure.forgets):
                self.order.append(index)
        self.order = self._doubt.first(self.order, self.worst_a)

    def _want(self, index: int, wish_a: float) -> None:
        """What is not a current, or below 0, is a wish for nothing."""
        if not 0.0 < wish_a < math.inf:
            return
        self.wish_a[index] = wish_a
        hardware_max_a = self._exposures[index].spec.hardware_max_a
        limit_a = self._exposures[index].usable_a(min(wish_a, hardware_max_a))
        self.share.limit_a[index] = limit_a
        if limit_a == 0.0:
            self.share.bound_by[index] = MINIMUM
        elif wish_a > hardware_max_a:
            self.share.bound_by[index] = HARDWARE

    def freeze(self, *, everywhere: bool) -> None:
        """Let nothing rise that loads an overloaded row.

        Args:
            everywhere: let nothing rise at all.
        """
        for index in range(len(self._exposures)) if everywhere else sorted(self.pressed):
            self.share.lower(index, self._exposures[index].standing_a, self._reason(index, self.overloaded))

    def settle(self) -> None:
        """Lower the limits to what fits once everybody keeps them; the last in the order give way first."""
        floor_a = [exposure.floor_a for exposure in self._exposures]
        self._give_up(self._exceeded(floor_a))
        if self._rows.supplies_shared:
            self._pour_supplies([exposure.fallback_a for exposure in self._exposures])
        self._pour_site(floor_a)
        while self._doubt.unproven:
            # Room is kept for what a charger may draw beyond its limit, so lowering that limit keeps more.
            before = list(self.share.limit_a)
            self._pour_site(floor_a, np.maximum(floor_a, before).tolist())
            if self.share.limit_a == before:
                break

    def _give_up(self, hopeless: frozenset[int]) -> None:
        """Where not even silence keeps a limit, ask for the fallback at most, or for nothing if that is too much.

        Such rows carry connectors that count at their hardware maximum, or a limit below what commissioning saw.
        """
        if not hopeless:
            return
        fallback_a = [exposure.fallback_a for exposure in self._exposures]
        unbearable = self._loading(self._exceeded(fallback_a))
        for index in sorted(self._loading(hopeless)):
            self.share.lower(index, 0.0 if index in unbearable else fallback_a[index], self._reason(index, hopeless))

    def release(self) -> None:
        """Lower the limits to what fits beside all that may still be in force."""
        if self._rows.supplies_shared:
            self._pour_supplies([exposure.permitted_a(self._now_s) for exposure in self._exposures])
        self._pour_site(self.worst_a, self.worst_a)

    def margins(self) -> dict[NodeId, NodeMargin]:
        """How close the worst case comes to every limit."""
        return self._rows.margins(self._rows.loads(np.array(self.worst_a)), self._room, self._base_loads)

    def unbearable(self) -> frozenset[int]:
        """Chargers, by position, that could exceed a row though with the others at their fallbacks they could not."""
        return self._doubt.unbearable(self.worst_a)

    def row_name(self, row: int) -> str:
        """A row in words."""
        return self._rows.name(row)

    def _pour_site(self, start_a: list[float], doubted_from_a: list[float] | None = None) -> None:
        """Pour out what the site's rows leave.

        Args:
            start_a: what each connector counts at already.
            doubted_from_a: what an unproven one may draw beyond this is kept for it; None to keep nothing.
        """
        before = np.array(start_a)
        after = np.maximum(before, self.share.limit_a)
        spare = self._room - self._rows.loads(before)
        if doubted_from_a is None or not self._doubt.unproven:
            tight = np.flatnonzero(self._rows.loads(after) > self._room + TOLERANCE)
            self._pour(start_a, tight.tolist(), spare, self._rows.members)
            return
        kept = self._doubt.kept(doubted_from_a)
        tight = np.flatnonzero(self._rows.loads(after) + kept.by_row(len(spare)) > self._room + TOLERANCE)
        left = {row: float(spare[row]) for row in tight.tolist()}
        self.share.pour(self.order, start_a, left, self._rows.members, self._rows.name, kept.from_connector)

    def _pour_supplies(self, start_a: list[float]) -> None:
        """Connectors of one charger are asked for no more, together, than its supply carries."""
        before = np.array(start_a)
        after = np.maximum(before, self.share.limit_a)
        tight = np.flatnonzero(self._rows.supply_loads(after) > self._rows.supply_room + TOLERANCE)
        spare = self._rows.supply_room - self._rows.supply_loads(before)
        self._pour(start_a, tight.tolist(), spare, self._rows.supply_members)

    def _pour(self, start_a: list[float], tight: list[int], spare: Array, members: Members) -> None:
        """Only rows that not everybody fits into can bind, so the others are left out of the walk."""
        if tight:
            name = self._rows.name if members is self._rows.members else self._rows.supply_name
            self.share.pour(self.order, start_a, {row: float(spare[row]) for row in tight}, members, name)

    def _exceeded(self, current_a: list[float]) -> frozenset[int]:
        """Rows that these currents exceed."""
        return frozenset(np.flatnonzero(self._rows.loads(np.array(current_a)) > self._room + TOLERANCE).tolist())

    def _loading(self, rows: frozenset[int]) -> frozenset[int]:
        """Connectors that load one of these rows."""
        if not rows:
            return frozenset()
        members = enumerate(self._rows.members)
        return frozenset(index for index, loaded in members if any(row in rows for row, _ in loaded))

    def _reason(self, index: int, rows: frozenset[int]) -> str:
        if not self._exposures[index].verified:
            return NOT_VERIFIED
        return next((self._rows.name(row) for row, _ in self._rows.members[index] if row in rows), RESTART)
