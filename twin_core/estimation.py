"""What the twin believes where nobody measured: base load, state of charge, what a session still needs.

Two kinds of belief are kept apart: a *bound* is safe to protect a fuse with, an *estimate* is good to plan with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from twin_core.models.charger import ConnectorSpec
from twin_core.models.ids import NodeId
from twin_core.models.quantities import NO_CURRENT, Instant, PhaseCurrents, add_currents, power_kw
from twin_core.models.session import Session
from twin_core.state import NodeState, TwinState


@dataclass(frozen=True, slots=True)
class EstimationSettings:
    """How cautious the beliefs are.

    Attributes:
        meter_stale_s: age from which a site meter is not believed any more.
        base_tolerance: part by which the base load may exceed what was seen.
        base_reserve_a: current by which it may rise between two samples.
        assumed_energy_kwh: what a session is thought to want still when nobody said.
        assumed_stay_h: how long it stays when nobody said; never ends before an hour from now.
        finish_early_min: count on being done this long before a departure, to make up for ramps and pauses ...
        finish_early_part: ... but on no more than this part of the stay that is left.
        charging_efficiency: energy into the battery per energy through the meter.
    """

    meter_stale_s: float = 15.0
    base_tolerance: float = 0.05
    base_reserve_a: float = 2.0
    assumed_energy_kwh: float = 30.0
    assumed_stay_h: float = 8.0
    finish_early_min: float = 3.0
    finish_early_part: float = 0.1
    charging_efficiency: float = 0.92


@dataclass(frozen=True, slots=True)
class BaseLoad:
    """Current through a node that no charger draws.

    Attributes:
        bound_a: what it may be; safe to protect a fuse with.
        estimate_a: what it probably is.
        trusted: False when the configured worst case stands in for a meter.
        net_kw: what a meter shows beside the chargers, export negative; None without a meter that is believed.
    """

    bound_a: PhaseCurrents
    estimate_a: PhaseCurrents
    trusted: bool
    net_kw: float | None = None


def base_loads(state: TwinState, now: Instant, settings: EstimationSettings) -> dict[NodeId, BaseLoad]:
    """Base load through every node, its whole subtree included.

    A fresh meter covers all below it. Without one, a node carries its configured worst case and its children's loads.
    Export is counted as nothing: a measurement can only lower what is handed out.
    """
    found: dict[NodeId, BaseLoad] = {}
    children: dict[NodeId, list[NodeId]] = {}
    for node in reversed(state.site.nodes):
        measured = _measured_base(state.nodes[node.id], now, settings) if node.metered else None
        if measured is None:
            worst = (node.base_load_worst_a,) * 3
            below = [found[child] for child in children.get(node.id, [])]
            bound, estimate = worst, worst
            for load in below:
                bound, estimate = add_currents(bound, load.bound_a), add_currents(estimate, load.estimate_a)
            measured = BaseLoad(bound, estimate, trusted=not node.metered and all(load.trusted for load in below))
        found[node.id] = measured
        if node.parent is not None:
            children.setdefault(node.parent, []).append(node.id)
    return found


def _measured_base(node: NodeState, now: Instant, settings: EstimationSettings) -> BaseLoad | None:
    if node.metered_at is None or node.repetition.stuck:
        return None
    if not now.monotonic_s - node.metered_at.monotonic_s <= settings.meter_stale_s:
        return None
    samples = node.base.believed(now.monotonic_s)
    if not samples:
        return None
    peak = [max(0.0, *(sample[phase] for sample in samples)) for phase in range(3)]
    bound = [value * (1 + settings.base_tolerance) + settings.base_reserve_a for value in peak]
    mean = [max(0.0, sum(sample[phase] for sample in samples) / len(samples)) for phase in range(3)]
    net_kw = power_kw(sum(map(sum, samples)) / len(samples), 1)
    return BaseLoad((bound[0], bound[1], bound[2]), (mean[0], mean[1], mean[2]), trusted=True, net_kw=net_kw)


def bounds(loads: Mapping[NodeId, BaseLoad]) -> dict[NodeId, PhaseCurrents]:
    """Only the bounds, as the envelope takes them."""
    return {node_id: load.bound_a for node_id, load in loads.items() if load.bound_a != NO_CURRENT}


def estimated_soc(session: Session, settings: EstimationSettings) -> float | None:
    """State of charge in [0, 1]: what the vehicle told, or else arrival plus delivered energy; None when unknowable."""
    vehicle, request = session.vehicle, session.request
    if session.soc is not None and session.soc != request.soc_at_arrival:
        return session.soc
    if vehicle.battery_kwh is None or request.soc_at_arrival is None:
        return None
    stored = session.energy_kwh * settings.charging_efficiency / vehicle.battery_kwh
    return min(1.0, request.soc_at_arrival + stored)


def remaining_kwh(session: Session, settings: EstimationSettings) -> float:
    """Energy a session still needs; a session that asked for nothing definite always needs the assumed energy."""
    if session.request.energy_kwh is None:
        return settings.assumed_energy_kwh
    return max(0.0, session.request.energy_kwh - session.energy_kwh)


def departure(session: Session, now: Instant, settings: EstimationSettings) -> datetime:
    """When a session ends: as announced, or assumed; a vehicle that is still here afterwards stays a little longer."""
    announced = session.request.departure
    if announced is not None:
        return announced if announced > now.utc else now.utc + timedelta(minutes=5)
    assumed = session.started_at + timedelta(hours=settings.assumed_stay_h)
    return max(assumed, now.utc + timedelta(hours=1))


def charging_time_h(session: Session, now: Instant, settings: EstimationSettings) -> float:
    """Hours that are left to charge in: until the departure, less what is kept in hand."""
    return less_in_hand_h((departure(session, now, settings) - now.utc).total_seconds() / 3600.0, settings)


def less_in_hand_h(stay_h: float, settings: EstimationSettings) -> float:
    """Hours of a stay that are counted on to charge in."""
    return stay_h - min(settings.finish_early_min / 60.0, settings.finish_early_part * stay_h)


def kw_per_a(session: Session) -> float:
    """Power per ampere of grant: on the phases the vehicle was seen to use, or else those its fleet entry names."""
    n_phases = len(session.phases) if session.phases else session.vehicle.n_phases
    return power_kw(1.0, n_phases)


def usable_current_a(session: Session, spec: ConnectorSpec, settings: EstimationSettings) -> float:
    """Current per phase that vehicle and connector can use now: ratings, and the battery's taper near full."""
    ceiling = min(spec.hardware_max_a, session.vehicle.max_current_a)
    soc = estimated_soc(session, settings)
    taper_soc = session.vehicle.taper_soc
    if soc is not None and soc > taper_soc:
        ceiling *= max(0.05, (1.0 - soc) / (1.0 - taper_soc))
    return ceiling
