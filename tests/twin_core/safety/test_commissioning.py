"""A site that cannot be kept safe is refused, and the operator is told what to change."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.twin_core.safety.depots import GRID, PARAMETERS, connector, site
from twin_core.models.charger import ConnectorSpec
from twin_core.models.ids import NodeId
from twin_core.models.quantities import Phase
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.safety.commissioning import commissioning_faults
from twin_core.safety.envelope import EnvelopeParameters


def faults(tree: SiteTree, parameters: EnvelopeParameters = PARAMETERS) -> dict[str, str]:
    return {fault.field: fault.message for fault in commissioning_faults(tree, parameters, tick_s=10.0)}


def three(limit_a: float, fallback_a: float, **options: float) -> SiteTree:
    return site(limit_a, *(connector(name, fallback_a=fallback_a) for name in "abc"), **options)


def with_grid(tree: SiteTree, **changes: float | None) -> SiteTree:
    return SiteTree(tree.name, (replace(tree.root, **changes), *tree.nodes[1:]), tree.chargers)


def test_a_sound_site_has_no_fault() -> None:
    assert faults(three(18.0, 6.0)) == {}


def test_fallbacks_above_a_limit_are_refused_with_their_table() -> None:
    message = faults(three(17.9, 6.0))["node grid: limit_a"]
    assert "exceed it by 0.1 A" in message
    assert all(f"{name}/1  6 A" in message for name in "abc")
    assert "lower fallback_a" in message


def test_the_base_load_of_everything_below_counts_beside_the_fallbacks() -> None:
    assert faults(with_grid(three(30.0, 6.0), base_load_worst_a=12.0)) == {}
    assert "base load of 13 A" in faults(with_grid(three(30.0, 6.0), base_load_worst_a=13.0))["node grid: limit_a"]
    workshop = Node(NodeId("workshop"), NodeKind.FEEDER, GRID, base_load_worst_a=13.0)
    tree = three(30.0, 6.0)
    assert "node grid: limit_a" in faults(SiteTree("depot", (*tree.nodes, workshop), tree.chargers))


def test_fallbacks_are_added_phase_by_phase_and_as_power() -> None:
    phases = [connector(p.name, phases=(p,), fallback_a=6.0) for p in Phase]
    assert faults(site(6.0, *phases)) == {}
    assert "kW" in faults(site(6.0, *phases, limit_kw=4.5))["node grid: limit_kw"]  # 18 A at 253 V are 4.55 kW


def test_a_margin_is_kept_free() -> None:
    assert "node grid: limit_a" in faults(three(18.0, 6.0), replace(PARAMETERS, margin_a=1.0))


@pytest.mark.parametrize("limit_a", [0.0, -1.0, math.nan, math.inf])
def test_a_limit_that_is_none_is_refused(limit_a: float) -> None:
    assert "node grid: limit_a" in faults(with_grid(three(60.0, 0.0), limit_a=limit_a))


def test_a_grid_connection_without_a_limit_is_refused() -> None:
    assert "fuse rating" in faults(with_grid(three(60.0, 0.0), limit_a=None))["node grid: limit_a"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (connector("a", fallback_a=3.0), "fallback_a"),
        (connector("a", fallback_a=40.0), "fallback_a"),
        (connector("a", fallback_a=math.nan), "fallback_a"),
        (connector("a", hardware_max_a=5.0), "hardware_max_a"),
        (connector("a", hardware_max_a=math.nan), "hardware_max_a"),
        (connector("a", assumed_a=-1.0), "assumed_a"),
        (connector("a", step_a=0.0), "step_a"),
        (connector("a", phases=()), "phases"),
        (connector("a", phases=(Phase.L1, Phase.L1)), "phases"),
    ],
)
def test_a_connector_that_cannot_be_is_refused_by_field(spec: ConnectorSpec, field: str) -> None:
    assert f"connector a/1: {field}" in faults(site(60.0, spec))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lease_s": 29.0}, "lease_s"),
        ({"lease_s": math.nan}, "lease_s"),
        ({"ramp_s": -1.0}, "ramp_s"),
        ({"skew_s": math.inf}, "skew_s"),
        ({"guard_s": 0.0}, "guard_s"),
        ({"renew_fraction": 1.0}, "renew_fraction"),
        ({"voltage_max_factor": 0.9}, "voltage_max_factor"),
        ({"deadband_a": math.nan}, "deadband_a"),
        ({"margin_a": -1.0}, "margin_a"),
    ],
)
def test_a_parameter_under_which_nothing_holds_is_refused(changes: dict[str, float], field: str) -> None:
    assert field in faults(three(60.0, 0.0), replace(PARAMETERS, **changes))
