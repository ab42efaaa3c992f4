"""Gambits of the adversary: moves that only hurt together, played in one go."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.twin_core.safety.adversary import Depot
from tests.twin_core.safety.world import HARDWARE_A, PARAMETERS


class Gambler(Depot):
    """A depot whose adversary thinks some moves ahead."""

    def greed(self, index: int, rival_a: float = HARDWARE_A) -> None:
        """Everybody but one connector takes what can be had."""
        wishes = {connector_id: rival_a for i, connector_id in enumerate(self.ids) if i != index}
        self.healthy_round(wishes, wishes)

    def hand_over(self, index: int, limit_a: float, lag_s: float) -> None:
        """A connector stops when told to, and the others take its place while its vehicle may still follow the past."""
        connector_id = self.ids[index]
        self.healthy_round({connector_id: limit_a}, [connector_id])
        self.healthy_round({connector_id: 0.0}, [connector_id])
        self.advance(lag_s)
        self.greed(index)

    def outlast(self, index: int, limit_a: float, lag_s: float, *, garbled: bool) -> None:
        """A connector gets a limit and falls silent; the others wait for the end of its lease, by its own clock."""
        connector_id = self.ids[index]
        self.decide({connector_id: limit_a})
        self.time_out(connector_id)
        self.send(connector_id)
        self.deliver(connector_id, -1, garbled=garbled)
        self.hear(connector_id, -1)
        if garbled:
            self.advance(PARAMETERS.release_s)
            self.greed(index)
        ends = [
            moment + lag_s for moment in self.true[connector_id].expiries() if self.now_s < moment + lag_s < math.inf
        ]
        if ends:
            self.advance(max(ends) - self.now_s)
        self.greed(index)

    def tangle(self, index: int, currents: Sequence[float], *, late: bool, swapped: bool) -> None:
        """Two grants cross: the first is given up on, and arrives before, after or long after the second."""
        connector_id = self.ids[index]
        for limit_a in currents:
            self.time_out(connector_id)
            self.decide({connector_id: limit_a})
            self.send(connector_id)
        if late:
            self.time_out(connector_id)
        for _ in range(1 if late else 2):
            self.deliver(connector_id, -1)
        for _ in range(2):
            self.hear(connector_id, -1 if swapped else 0)
        self.advance(PARAMETERS.release_s)
        self.greed(index)
        self.advance(1.0)
        self.deliver(connector_id, 0)
        self.settle()

    def swap(self, index: int, currents: Sequence[float], *, answered: bool) -> None:
        """One vehicle after another: what was set before a transaction shows again when it ends."""
        connector_id = self.ids[index]
        alive = [connector_id] if answered else []
        self.healthy_round({connector_id: currents[0]}, [connector_id])
        self.plug(connector_id)
        self.healthy_round({connector_id: currents[1]}, alive)
        self.advance(PARAMETERS.release_s)
        self.greed(index)
        self.plug(connector_id)
        self.advance(PARAMETERS.release_s)
        self.greed(index)
        self.advance(1.0)

    def squeeze(self, grid_a: float, feeder_a: float, base_a: float, wishes: Sequence[float]) -> None:
        """Less room, and everybody goes on wishing for the same until the envelope must have dealt with it."""
        wanted = dict(zip(self.ids, wishes, strict=False))
        self.healthy_round(wanted, wanted)
        self.change_room(grid_a, feeder_a, base_a)
        for _ in range(4):
            self.healthy_round(wanted, wanted)
            self.advance(20.0)

    def confirm_and_rush(self) -> None:
        """A fallback is read back, and the others take what its vehicle is only about to let go."""
        unsure = [index for index, connector_id in enumerate(self.ids) if connector_id not in self.confirmed]
        index = unsure[0] if unsure else 0
        self.confirm(self.ids[index])
        self.greed(index)
