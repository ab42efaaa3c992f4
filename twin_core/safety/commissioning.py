"""What must be put right before a site may run: every fault names the field and the remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twin_core.models.charger import ConnectorSpec
from twin_core.models.ids import NodeId
from twin_core.models.quantities import MINIMUM_CURRENT_A, PhaseCurrents
from twin_core.models.site import Node, SiteTree
from twin_core.safety.parameters import EnvelopeParameters
from twin_core.safety.rows import TOLERANCE, SiteRows

TICKS_PER_LEASE = 3
"""A lease must outlive this many control steps, or one lost message already ends it (SMA: three times the interval)."""


@dataclass(frozen=True, slots=True)
class CommissioningFault:
    """One reason why a site may not run.

    Attributes:
        field: where it stands, such as "node feeder-a: limit_a".
        message: what is wrong and what to do.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def commissioning_faults(
    site: SiteTree, parameters: EnvelopeParameters, *, tick_s: float | None = None
) -> tuple[CommissioningFault, ...]:
    """Everything that would keep the envelope from holding on this site, or the site from ever charging.

    Args:
        site: the site as configured.
        parameters: the times and margins it is to run with.
        tick_s: length of the control step; checked against the lease where it is given.
    """
    faults = (*_parameter_faults(parameters, tick_s), *_node_faults(site), *_charger_faults(site))
    if faults:
        return faults  # sums of numbers that are wrong would only confuse
    return tuple(_silence_faults(site, parameters))


def _parameter_faults(parameters: EnvelopeParameters, tick_s: float | None) -> Iterator[CommissioningFault]:
    for field in ("ramp_s", "skew_s", "deadband_a", "margin_a"):
        if not 0.0 <= getattr(parameters, field) < math.inf:
            yield CommissioningFault(field, f"{getattr(parameters, field)} must be 0 or more, and finite")
    for field in ("lease_s", "guard_s"):
        if not 0.0 < getattr(parameters, field) < math.inf:
            yield CommissioningFault(field, f"{getattr(parameters, field)} must be above 0, and finite")
    if not 0.0 < parameters.renew_fraction < 1.0:
        yield CommissioningFault("renew_fraction", f"{parameters.renew_fraction} must lie between 0 and 1")
    if not 1.0 <= parameters.voltage_max_factor < 2.0:
        yield CommissioningFault("voltage_max_factor", f"{parameters.voltage_max_factor} must be 1 or more, below 2")
    if tick_s is not None and not parameters.lease_s >= TICKS_PER_LEASE * tick_s:
        needed_s = TICKS_PER_LEASE * tick_s
        yield CommissioningFault(
            "lease_s",
            f"{parameters.lease_s:g} s is shorter than {TICKS_PER_LEASE} control steps of {tick_s:g} s, so that one "
            f"lost message interrupts charging: set it to at least {needed_s:g} s, or shorten the step",
        )


def _node_faults(site: SiteTree) -> Iterator[CommissioningFault]:
    for node in site.nodes:
        for field, value in (("limit_a", node.limit_a), ("limit_kw", node.limit_kw)):
            if value is not None and not 0.0 < value < math.inf:
                yield CommissioningFault(
                    f"node {node.id}: {field}", f"{value} is no limit: set a number above 0, or leave it out for none"
                )
        if not 0.0 <= node.base_load_worst_a < math.inf:
            yield CommissioningFault(
                f"node {node.id}: base_load_worst_a", f"{node.base_load_worst_a} must be 0 or more, and finite"
            )
    if site.root.limit_a is None and site.root.limit_kw is None:
        yield CommissioningFault(
            f"node {site.root.id}: limit_a", "the grid connection has no limit: set limit_a to its fuse rating"
        )


def _charger_faults(site: SiteTree) -> Iterator[CommissioningFault]:
    for charger in site.chargers:
        if not MINIMUM_CURRENT_A <= charger.supply_max_a < math.inf:
            yield CommissioningFault(
                f"charger {charger.id}: supply_max_a",
                f"{charger.supply_max_a} must be at least {MINIMUM_CURRENT_A:g} A: set its fuse rating",
            )
        for connector in charger.connectors:
            yield from _connector_faults(connector)


def _connector_faults(connector: ConnectorSpec) -> Iterator[CommissioningFault]:
    where = f"connector {connector.id}"
    hardware_a, fallback_a, assumed_a = connector.hardware_max_a, connector.fallback_a, connector.assumed_a
    if not MINIMUM_CURRENT_A <= hardware_a < math.inf:
        yield CommissioningFault(
            f"{where}: hardware_max_a",
            f"{hardware_a} must be at least {MINIMUM_CURRENT_A:g} A: set the charger's rating",
        )
    if not (fallback_a == 0.0 or MINIMUM_CURRENT_A <= fallback_a <= hardware_a):
        yield CommissioningFault(
            f"{where}: fallback_a",
            f"{fallback_a} must be 0, or lie between {MINIMUM_CURRENT_A:g} A and hardware_max_a ({hardware_a:g} A): "
            f"a control pilot offers nothing between 0 and {MINIMUM_CURRENT_A:g} A",
        )
    if assumed_a is not None and not 0.0 <= assumed_a <= hardware_a:
        yield CommissioningFault(
            f"{where}: assumed_a",
            f"{assumed_a} must lie between 0 and hardware_max_a ({hardware_a:g} A), or be left out",
        )
    if not 0.0 < connector.step_a <= 1.0:
        yield CommissioningFault(f"{where}: step_a", f"{connector.step_a} must be above 0 and at most 1 A")
    if not connector.phases or len(set(connector.phases)) != len(connector.phases):
        yield CommissioningFault(f"{where}: phases", "must name each phase it is wired to once, and at least one")


def _silence_faults(site: SiteTree, parameters: EnvelopeParameters) -> Iterator[CommissioningFault]:
    """Limits that would be exceeded if nobody spoke to any charger for long enough, counted as the envelope counts."""
    rows = SiteRows(site, parameters)
    fallbacks = np.array([site.connector_by_id[connector_id].fallback_a for connector_id in rows.connector_ids])
    base_a = {node.id: _worst_base_a(site, node) for node in site.nodes}
    base_loads: dict[NodeId, PhaseCurrents] = {node_id: (base, base, base) for node_id, base in base_a.items()}
    loads, room = rows.loads(fallbacks), rows.room(base_loads)
    margins = rows.margins(loads, room, base_loads)
    for node in site.nodes:
        margin = margins[node.id]
        if margin.margin_a is not None and not margin.margin_a >= -TOLERANCE:
            yield _too_much(site, node, "limit_a", f"{-margin.margin_a:.1f} A on the fullest phase", base_a[node.id])
        if margin.margin_kw is not None and not margin.margin_kw >= -TOLERANCE:
            yield _too_much(site, node, "limit_kw", f"{-margin.margin_kw:.1f} kW", base_a[node.id])


def _worst_base_a(site: SiteTree, node: Node) -> float:
    """Worst-case current of everything below a node that is no charger; each load is stated at the node it hangs on."""
    below = {node.id}
    for other in site.nodes:  # parents come first
        if other.parent in below:
            below.add(other.id)
    return sum(other.base_load_worst_a for other in site.nodes if other.id in below)


def _too_much(site: SiteTree, node: Node, field: str, excess: str, base_a: float) -> CommissioningFault:
    chargers = site.chargers_below[node.id]
    table = [f"    {connector.id}  {connector.fallback_a:g} A" for c in chargers for connector in c.connectors]
    lines = (
        f"the fallbacks below and a base load of {base_a:g} A exceed it by {excess}, so it would be broken whenever "
        "the gateway is silent: lower fallback_a of these connectors (0 A is the safest), or correct the limit or "
        "base_load_worst_a",
        *table,
    )
    return CommissioningFault(f"node {node.id}: {field}", "\n".join(lines))
