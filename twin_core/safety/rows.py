"""The site as rows of numbers: what every connector's current puts on every limit.

A row is one limit of one node: current on L1, L2 or L3, or power. Row `4·n + k` belongs to node n in the order of the
site; k is 0, 1, 2 for the phases and 3 for power in kW at the highest voltage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from twin_core.models.charger import ChargerSpec
from twin_core.models.ids import ConnectorId, NodeId
from twin_core.models.quantities import NO_CURRENT, Phase, PhaseCurrents
from twin_core.models.site import SiteTree
from twin_core.safety.decision import NodeMargin
from twin_core.safety.parameters import EnvelopeParameters

Array = npt.NDArray[np.float64]

Members = Sequence[Sequence[tuple[int, float]]]
"""For each connector, the rows it loads and what one ampere of it puts on each."""

ROWS_PER_NODE = 4
TOLERANCE = 1e-6
"""Ampere or kW by which a sum of floats may miss its limit."""


class SiteRows:
    """Loads and limits of a site whose connectors are numbered in the order of `connector_ids`.

    Attributes:
        members: for each connector, the rows its current counts on and what one ampere per phase puts on each.
        chargers: in the order of their positions.
        charger_of: for each connector, the position of its charger.
        supply_members: the same for the chargers' own supplies; their rows are `3·charger + phase`.
        supply_room: what each supply carries.
        supplies_shared: whether any charger's connectors could together ask more of its supply than it carries.
    """

    def __init__(self, site: SiteTree, parameters: EnvelopeParameters) -> None:
        self._site = site
        self._kw_per_a = parameters.kw_per_a
        self._node_index = {node.id: index for index, node in enumerate(site.nodes)}
        chargers = self._depth_first()
        self.connector_ids: tuple[ConnectorId, ...] = tuple(c.id for charger in chargers for c in charger.connectors)
        self.index = {connector_id: index for index, connector_id in enumerate(self.connector_ids)}
        self._weights = self._connector_weights(chargers)
        self._charger_ends = np.cumsum([0] + [len(charger.connectors) for charger in chargers])
        self._node_starts, self._node_ends = self._node_ranges(chargers)
        self._supply_a = np.array([_limit(charger.supply_max_a) for charger in chargers]).reshape(-1, 1)
        self._limits = self._node_limits(parameters.margin_a)
        self.chargers = chargers
        self.charger_of = [position for position, charger in enumerate(chargers) for _ in charger.connectors]
        self.members: Members = self._site_members(chargers)
        self.supply_members: Members = self._supply_members(chargers)
        self.supply_room: Array = np.repeat(self._supply_a, 3)
        hardware_a = np.array([connector.hardware_max_a for charger in chargers for connector in charger.connectors])
        self.supplies_shared = bool((self.supply_loads(hardware_a) > self.supply_room).any())

    # What a set of currents does.

    def loads(self, current_a: Array) -> Array:
        """Load of every row, shape (n_rows,), when each connector draws its entry of `current_a` per phase.

        Connectors of one charger share its supply, so a charger counts at most at what the supply can carry.
        """
        by_charger = _range_sums(self._weights * current_a[:, None], self._charger_ends[:-1], self._charger_ends[1:])
        by_charger[:, :3] = np.minimum(by_charger[:, :3], self._supply_a)
        by_charger[:, 3] = np.minimum(by_charger[:, 3], by_charger[:, :3].sum(axis=1))
        by_node = _range_sums(by_charger, self._node_starts, self._node_ends)
        by_node[:, 3] *= self._kw_per_a
        flat: Array = by_node.ravel()
        return flat

    def supply_a(self, charger: int) -> float:
        """Current per phase that a charger's supply carries, by the charger's position."""
        return float(self._supply_a[charger, 0])

    def supply_loads(self, current_a: Array) -> Array:
        """Load of every charger's own supply, shape (n_chargers · 3,), unlimited by that supply."""
        by_charger = _range_sums(self._weights * current_a[:, None], self._charger_ends[:-1], self._charger_ends[1:])
        flat: Array = by_charger[:, :3].ravel()
        return flat

    def room(self, base_loads: Mapping[NodeId, PhaseCurrents]) -> Array:
        """What each row leaves to the chargers, shape (n_rows,); infinite where there is no limit.

        A base load that is not a number leaves nothing; a negative one (generation) is not handed out.
        """
        base = np.zeros_like(self._limits)
        for node_id, currents in base_loads.items():
            index = self._node_index.get(node_id)
            if index is not None:
                base[index, :3] = [_base(value) for value in currents]
        base[:, 3] = base[:, :3].sum(axis=1) * self._kw_per_a
        with np.errstate(invalid="ignore"):
            left: Array = np.where(np.isfinite(self._limits), self._limits - base, math.inf)
        return left.ravel()

    def margins(
        self, loads: Array, room: Array, base_loads: Mapping[NodeId, PhaseCurrents]
    ) -> dict[NodeId, NodeMargin]:
        """Loads of the rows beside what they have room for, node by node."""
        by_node = loads.reshape(-1, ROWS_PER_NODE)
        left = room.reshape(-1, ROWS_PER_NODE) - by_node
        currents, power = left[:, :3].min(axis=1).tolist(), left[:, 3].tolist()
        return {
            node.id: NodeMargin(
                node.limit_a,
                node.limit_kw,
                (worst[0], worst[1], worst[2]),
                base_loads.get(node.id, NO_CURRENT),
                None if node.limit_a is None else margin_a,
                None if node.limit_kw is None else margin_kw,
            )
            for node, worst, margin_a, margin_kw in zip(
                self._site.nodes, by_node.tolist(), currents, power, strict=True
            )
        }

    def name(self, row: int) -> str:
        """A row in words: "grid L1", "feeder-a kW"."""
        node, kind = divmod(row, ROWS_PER_NODE)
        return f"{self._site.nodes[node].id} {'kW' if kind == 3 else Phase(kind).name}"

    def supply_name(self, row: int) -> str:
        """A row of a charger's own supply in words."""
        charger, phase = divmod(row, 3)
        return f"{self.chargers[charger].id} supply {Phase(phase).name}"

    # The site in numbers.

    def _depth_first(self) -> list[ChargerSpec]:
        """Chargers ordered so that those below any node stand side by side."""
        place: dict[NodeId, tuple[int, ...]] = {}
        for index, node in enumerate(self._site.nodes):
            place[node.id] = (*(() if node.parent is None else place[node.parent]), index)
        return sorted(self._site.chargers, key=lambda charger: place[NodeId(charger.id)])

    def _connector_weights(self, chargers: Sequence[ChargerSpec]) -> Array:
        """Shape (n_connectors, 4): on which phases one ampere counts, and on how many at once."""
        rows = [(*c.footprint(1.0), float(len(c.phases))) for charger in chargers for c in charger.connectors]
        return np.array(rows, dtype=np.float64).reshape(-1, ROWS_PER_NODE)

    def _node_ranges(self, chargers: Sequence[ChargerSpec]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        starts = np.zeros(len(self._site.nodes), dtype=np.int64)
        ends = np.zeros(len(self._site.nodes), dtype=np.int64)
        for position, charger in enumerate(chargers):
            for node in self._site.path_by_charger[charger.id]:
                index = self._node_index[node.id]
                starts[index] = position if ends[index] == 0 else starts[index]
                ends[index] = position + 1
        return starts, ends

    def _node_limits(self, margin_a: float) -> Array:
        limits = np.empty((len(self._site.nodes), ROWS_PER_NODE))
        for index, node in enumerate(self._site.nodes):
            limits[index, :3] = _limit(node.limit_a) - margin_a
            limits[index, 3] = _limit(node.limit_kw) - 3 * margin_a * self._kw_per_a
        return limits

    def _site_members(self, chargers: Sequence[ChargerSpec]) -> Members:
        scale = (1.0, 1.0, 1.0, self._kw_per_a)
        weights = iter(self._weights.tolist())
        members = []
        for charger in chargers:
            nodes = [self._node_index[node.id] for node in self._site.path_by_charger[charger.id]]
            limited = [(n, k) for n in nodes for k in range(ROWS_PER_NODE) if math.isfinite(self._limits[n, k])]
            for _, weight in zip(charger.connectors, weights, strict=False):
                members.append([(ROWS_PER_NODE * n + k, weight[k] * scale[k]) for n, k in limited if weight[k] > 0])
        return members

    def _supply_members(self, chargers: Sequence[ChargerSpec]) -> Members:
        return [
            [(3 * position + phase, 1.0) for phase, weight in enumerate(connector.footprint(1.0)) if weight > 0]
            for position, charger in enumerate(chargers)
            for connector in charger.connectors
        ]


def _range_sums(values: Array, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Array:
    """Sums of the rows [start, end) of `values`, one for each pair."""
    running = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=running[1:])
    sums: Array = running[ends] - running[starts]
    return sums


def _limit(value: float | None) -> float:
    """A limit to count with: none is infinite; one that is not a number, or negative, allows nothing."""
    if value is None:
        return math.inf
    return value if value > 0 else 0.0


def _base(value: float) -> float:
    """A base load to count with: what is not a number could be anything."""
    if math.isnan(value):
        return math.inf
    return max(value, 0.0)
