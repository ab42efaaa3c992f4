"""The oracle: it knows what truly flows through every node and compares it with what may flow."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from simulators.depot import DepotSimulation
from simulators.limits import Limits
from twin_core.models.ids import NodeId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, Phase, PhaseCurrents
from twin_core.models.site import Node, NodeKind
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

_TOLERANCE_A = 1e-6
_TOLERANCE_KW = 1e-6


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that was exceeded.

    Attributes:
        phase: None where power was the limit.
        over_kw: by how much, as the power of a balanced load.
        elapsed_s: seconds into the run.
    """

    node: NodeId
    phase: Phase | None
    over_kw: float
    elapsed_s: float


class LimitWatch:
    """Samples true currents each second of the run against the limits in force.

    Attributes:
        grace_s: time after a decrease of a limit during which the old one still counts.
        samples: how often it looked.
        violations: how many looks found a node above a limit, each node counted once a look.
        min_margin_kw: least room there ever was above the level of chargers, as the power of a balanced load:
            negative after a breach, infinite while it has not looked or nothing is limited.
        min_margin_node: where that was.
        worst: the worst breach.
    """

    def __init__(self, depot: DepotSimulation, clock: Clock, *, grace_s: float = 30.0) -> None:
        self._depot = depot
        self._clock = clock
        self._limits = Limits(depot.site, depot.scenario.limit_changes)
        self.grace_s = grace_s
        self.samples = 0
        self.violations = 0
        self.min_margin_kw = float("inf")
        self.min_margin_node: NodeId | None = None
        self.worst: Breach | None = None

    async def run(self) -> None:
        """Look once a second until cancelled."""
        next_s = self._clock.now().monotonic_s
        while True:
            self.look()
            next_s = max(next_s + 1.0, self._clock.now().monotonic_s)
            await asyncio.sleep(max(0.0, next_s - self._clock.now().monotonic_s))

    def look(self) -> None:
        """Compare once."""
        self.samples += 1
        currents = self._depot.true_currents()
        elapsed_s = self._depot.elapsed_s
        for node in self._depot.site.nodes:
            self._compare(node, currents[node.id], elapsed_s)

    def _compare(self, node: Node, current: PhaseCurrents, elapsed_s: float) -> None:
        limit_a, limit_kw = self._limits.tolerated(node.id, elapsed_s, self.grace_s)
        breach: Breach | None = None
        if limit_a is not None:
            phase = max(Phase, key=lambda phase: current[phase])
            margin_kw = (limit_a - current[phase]) * 3 * NOMINAL_VOLTAGE_V / 1000
            self._note_margin(node, margin_kw)
            if not current[phase] <= limit_a + _TOLERANCE_A:
                breach = Breach(node.id, phase, -margin_kw, elapsed_s)
        if limit_kw is not None:
            margin_kw = limit_kw - sum(current) * NOMINAL_VOLTAGE_V / 1000
            self._note_margin(node, margin_kw)
            if not margin_kw >= -_TOLERANCE_KW and (breach is None or -margin_kw > breach.over_kw):
                breach = Breach(node.id, None, -margin_kw, elapsed_s)
        if breach is not None:
            self._note_breach(breach)

    def _note_margin(self, node: Node, margin_kw: float) -> None:
        if node.kind is not NodeKind.CHARGER and margin_kw < self.min_margin_kw:
            self.min_margin_kw = margin_kw
            self.min_margin_node = node.id

    def _note_breach(self, breach: Breach) -> None:
        self.violations += 1
        if self.worst is None:
            logger.warning(
                "limit exceeded",
                extra={"node": breach.node, "over_kw": round(breach.over_kw, 3), "at_s": round(breach.elapsed_s, 1)},
            )
        if self.worst is None or breach.over_kw > self.worst.over_kw:
            self.worst = breach
