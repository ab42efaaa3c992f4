"""The site as a tree: grid connection → transformer → feeder → charger → connector, each with limits per phase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from twin_core.errors import ConfigurationError
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.ids import ChargerId, ConnectorId, NodeId


class NodeKind(StrEnum):
    """Level of a node in the site."""

    GRID = "grid"
    TRANSFORMER = "transformer"
    FEEDER = "feeder"
    CHARGER = "charger"


@dataclass(frozen=True, slots=True)
class Node:
    """A point of the installation that a fuse, a contract or a rating limits.

    Attributes:
        parent: the node that feeds it; None for the grid connection.
        limit_a: current per phase it may carry; None where only its parent limits.
        limit_kw: total power it may carry; None where only current limits.
        base_load_worst_a: current per phase of everything below it that is no charger, assumed when no meter can be
            trusted. It belongs to this node: a load is stated once, at the node it hangs on.
        metered: True when a meter measures the whole current through this node.
    """

    id: NodeId
    kind: NodeKind
    parent: NodeId | None = None
    limit_a: float | None = None
    limit_kw: float | None = None
    base_load_worst_a: float = 0.0
    metered: bool = False


@dataclass(frozen=True)
class SiteTree:
    """The whole installation; immutable, adopting a charger makes a new one.

    Nodes come parents first and the first is the grid connection. Every charger is a node of its own, named like it.

    Attributes:
        nodes: with the limits in force, which imposed ones may hold below those of the installation.
        installed: with the limits of the installation; the same as `nodes` when nothing is imposed.

    Raises:
        ConfigurationError: a parent is missing or named later, a name is used twice, or there is no single root.
    """

    name: str
    nodes: tuple[Node, ...]
    chargers: tuple[ChargerSpec, ...] = ()
    installed: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        if not self.installed:
            object.__setattr__(self, "installed", self.nodes)
        seen: set[NodeId] = set()
        for position, node in enumerate(self.nodes):
            if node.id in seen:
                raise ConfigurationError(f"node {node.id!r} is defined twice: give each node its own id")
            if (node.parent is None) != (position == 0):
                raise ConfigurationError(f"node {node.id!r}: the first node, and only it, is the grid connection")
            if node.parent is not None and node.parent not in seen:
                raise ConfigurationError(f"node {node.id!r}: parent {node.parent!r} is not defined before it")
            seen.add(node.id)
        for charger in self.chargers:
            if NodeId(charger.id) not in seen:
                raise ConfigurationError(f"charger {charger.id!r} has no node in the tree")

    @property
    def root(self) -> Node:
        """The grid connection."""
        return self.nodes[0]

    @cached_property
    def node_by_id(self) -> dict[NodeId, Node]:
        """Nodes by name."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def charger_by_id(self) -> dict[ChargerId, ChargerSpec]:
        """Chargers by name."""
        return {charger.id: charger for charger in self.chargers}

    @cached_property
    def connector_by_id(self) -> dict[ConnectorId, ConnectorSpec]:
        """Connectors by name, in the order of the site."""
        return {connector.id: connector for charger in self.chargers for connector in charger.connectors}

    @cached_property
    def path_by_charger(self) -> dict[ChargerId, tuple[Node, ...]]:
        """Nodes that carry a charger's current, its own first and the grid connection last."""
        return {charger.id: tuple(self._upwards(NodeId(charger.id))) for charger in self.chargers}

    def _upwards(self, node_id: NodeId | None) -> Iterator[Node]:
        while node_id is not None:
            node = self.node_by_id[node_id]
            yield node
            node_id = node.parent

    @cached_property
    def chargers_below(self) -> dict[NodeId, tuple[ChargerSpec, ...]]:
        """Chargers whose current flows through each node."""
        below: dict[NodeId, list[ChargerSpec]] = {node.id: [] for node in self.nodes}
        for charger in self.chargers:
            for node in self.path_by_charger[charger.id]:
                below[node.id].append(charger)
        return {node_id: tuple(chargers) for node_id, chargers in below.items()}

    def with_charger(self, charger: ChargerSpec, parent: NodeId | None = None) -> SiteTree:
        """The same site with one charger more, below `parent` or else the grid connection."""
        node = Node(NodeId(charger.id), NodeKind.CHARGER, parent=parent or self.root.id, limit_a=charger.supply_max_a)
        return SiteTree(self.name, (*self.nodes, node), (*self.chargers, charger), (*self.installed, node))

    def with_limit(self, node_id: NodeId, limit_a: float | None, limit_kw: float | None) -> SiteTree:
        """The same site with limits imposed on one node, never above those of the installation; None lifts."""
        imposed = {
            node.id: replace(node, limit_a=_lower(node.limit_a, limit_a), limit_kw=_lower(node.limit_kw, limit_kw))
            for node in self.installed
            if node.id == node_id
        }
        nodes = tuple(imposed.get(node.id, node) for node in self.nodes)
        return SiteTree(self.name, nodes, self.chargers, self.installed)


def _lower(installed: float | None, imposed: float | None) -> float | None:
    """The lower of two limits, where None is no limit; an imposed one that is no number counts as 0."""
    if imposed is None:
        return installed
    imposed = imposed if imposed >= 0 else 0.0
    return imposed if installed is None else min(installed, imposed)
