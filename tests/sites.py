"""Small sites that tests talk about."""

from __future__ import annotations

from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.quantities import ALL_PHASES, Phase
from twin_core.models.site import Node, NodeKind, SiteTree


def connector_id(charger: str, number: int = 1) -> ConnectorId:
    return ConnectorId(ChargerId(charger), number)


def charger(
    name: str,
    *,
    connectors: int = 1,
    phases: tuple[Phase, ...] = ALL_PHASES,
    hardware_max_a: float = 32.0,
    fallback_a: float = 0.0,
    assumed_a: float | None = None,
) -> ChargerSpec:
    specs = tuple(
        ConnectorSpec(
            connector_id(name, number),
            hardware_max_a=hardware_max_a,
            fallback_a=fallback_a,
            phases=phases,
            assumed_a=assumed_a,
        )
        for number in range(1, connectors + 1)
    )
    return ChargerSpec(ChargerId(name), specs, supply_max_a=hardware_max_a * connectors)


def site(
    *chargers: ChargerSpec,
    limit_a: float | None = 63.0,
    limit_kw: float | None = None,
    base_load_worst_a: float = 0.0,
    metered: bool = False,
) -> SiteTree:
    """Chargers straight below one grid connection."""
    grid = Node(NodeId("grid"), NodeKind.GRID, None, limit_a, limit_kw, base_load_worst_a, metered)
    nodes = [Node(NodeId(c.id), NodeKind.CHARGER, NodeId("grid"), limit_a=c.supply_max_a) for c in chargers]
    return SiteTree("test", (grid, *nodes), chargers)
