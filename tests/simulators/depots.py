"""Small depots for tests of the simulators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.scenario_file import find_site
from gateway.site_file import site_tree
from simulators.scenario import Scenario, load_scenario
from tests.simulators.chargers import charger
from twin_core.models.ids import NodeId
from twin_core.models.site import Node, NodeKind, SiteTree


def scenario(**changes: Any) -> Scenario:
    return load_scenario({"start": "2026-06-01T14:00:00", "minutes": 60, **changes})


def small_site(chargers: int = 3, *, limit_a: float = 100.0, base_a: float = 20.0) -> SiteTree:
    specs = tuple(charger(f"CP{n}") for n in range(1, chargers + 1))
    grid = Node(NodeId("grid"), NodeKind.GRID, limit_a=limit_a, base_load_worst_a=base_a, metered=True)
    feeder = Node(NodeId("feeder"), NodeKind.FEEDER, NodeId("grid"), limit_a=limit_a)
    leaves = (Node(NodeId(s.id), NodeKind.CHARGER, NodeId("feeder"), limit_a=s.supply_max_a) for s in specs)
    return SiteTree("small", (grid, feeder, *leaves), specs)


def shipped(name: str) -> tuple[SiteTree, Scenario]:
    """A shipped scenario as the demo reads it."""
    site, table = find_site(name)
    assert table is not None
    return site_tree(site), load_scenario(table)


@dataclass
class Published:
    """A broker that keeps everything."""

    messages: list[tuple[str, bytes, bool]] = field(default_factory=list)

    async def __call__(self, topic: str, payload: bytes, retain: bool) -> None:
        self.messages.append((topic, payload, retain))

    def on(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in self.messages if name == topic]
