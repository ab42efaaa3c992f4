"""From the schema to the planner's problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from connectors.problems.problem_file import ByPhase, NodePart, ProblemFile, SessionPart
from connectors.problems.series import laid_out
from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import (
    Array,
    Cap,
    Horizon,
    PlanningProblem,
    SessionNeed,
    SinglePhase,
    SiteBattery,
    SiteFlows,
    Taper,
    VehicleBattery,
)
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, Phase

KW_PER_A = NOMINAL_VOLTAGE_V / 1000.0
"""Power per ampere on one phase."""


def planning_problem(file: ProblemFile) -> PlanningProblem:
    """What the planners are asked.

    Raises:
        ConfigurationError: a list has another length than the horizon; the text names the field.
    """
    horizon = file.horizon.horizon()
    carbon = file.carbon_kg_per_kwh
    return PlanningProblem(
        horizon=horizon,
        sessions=tuple(need_of(file, session) for session in file.sessions),
        price_eur_per_kwh=laid_out("price_eur_per_kwh", file.price_eur_per_kwh, horizon),
        caps=tuple(_caps(file, horizon)),
        carbon_kg_per_kwh=None if carbon is None else laid_out("carbon_kg_per_kwh", carbon, horizon),
        carbon_eur_per_kg=file.carbon_eur_per_kg,
        site=_site(file, horizon),
        offerable_steps=file.offerable_steps,
    )


def need_of(file: ProblemFile, session: SessionPart) -> SessionNeed:
    """What a session needs, as planners see it."""
    battery, taper = session.battery, session.taper
    one_phase = None
    if session.switches_to_one_phase:
        one_phase = SinglePhase(session.highest_kw / session.phases, session.lowest_kw / session.phases)
    return SessionNeed(
        session_id=SessionId(session.id),
        connector_id=ConnectorId(ChargerId(session.id), 1),
        energy_kwh=session.energy_kwh,
        arrival_h=file.hours_of(session.arrival),
        departure_h=np.inf if session.departure is None else file.hours_of(session.departure),
        max_kw=session.highest_kw,
        min_kw=session.lowest_kw,
        kw_per_a=session.kw_per_a,
        waited_h=session.waited_h or max(0.0, -file.hours_of(session.arrival)),
        shortfall_eur_per_kwh=session.shortfall_eur_per_kwh,
        priority=session.priority,
        step_kw=session.step_a * session.kw_per_a,
        now_kw=session.now_kw,
        ramp_kw_per_h=np.inf if session.ramp_kw_per_h is None else session.ramp_kw_per_h,
        run_h=session.minimum_run_h,
        taper=None if taper is None else Taper(taper.flat_kwh, taper.full_kwh),
        battery=None if battery is None else VehicleBattery(**battery.model_dump()),
        single_phase=one_phase,
    )


def _site(file: ProblemFile, horizon: Horizon) -> SiteFlows | None:
    """The flows at the site's meter, where anything but the sessions' own energy is paid for."""
    told = (file.export_eur_per_kwh, file.pv_kw, file.site_battery, file.demand_charge_eur_per_kw or None)
    if all(part is None for part in told):
        return None
    battery = file.site_battery
    return SiteFlows(
        base_kw=sum((_base_kw(node, horizon).sum(axis=0) for node in file.nodes), np.zeros(horizon.n_steps)),
        pv_kw=laid_out("pv_kw", file.pv_kw or 0.0, horizon),
        export_eur_per_kwh=laid_out("export_eur_per_kwh", file.export_eur_per_kwh or 0.0, horizon),
        demand_charge_eur_per_kw=file.demand_charge_eur_per_kw,
        peak_so_far_kw=file.peak_so_far_kw,
        battery=None if battery is None else SiteBattery(**battery.model_dump(exclude={"node"})),
        export_limit_kw=_meter_export_kw(file, horizon),
    )


def _meter_export_kw(file: ProblemFile, horizon: Horizon) -> Array | None:
    """The most that may flow out at the root: its export limit, or what fits through its limits of import."""
    root = next((node for node in file.nodes if node.parent is None), None)
    if root is None:
        return None
    if root.export_limit_kw is not None:
        return laid_out(f"node {root.id!r}: export_limit_kw", root.export_limit_kw, horizon)
    return None if root.limit_kw is None else laid_out(f"node {root.id!r}: limit_kw", root.limit_kw, horizon)


def _counted_sun_kw(file: ProblemFile, horizon: Horizon) -> Array:
    """The sun that limits of import may count on, shape (n_steps,); none where importing is paid for.

    There the sun is curtailed, so that more is imported: a limit that counted on it would be passed.
    """
    if file.pv_kw is None or not file.pv_counted:
        return np.zeros(horizon.n_steps)
    sun = laid_out("pv_kw", file.pv_kw, horizon) * file.pv_counted
    price = laid_out("price_eur_per_kwh", file.price_eur_per_kwh, horizon)
    if file.carbon_kg_per_kwh is not None:
        price = price + file.carbon_eur_per_kg * laid_out("carbon_kg_per_kwh", file.carbon_kg_per_kwh, horizon)
    return np.where(price >= 0, sun, 0.0)


def _base_kw(node: NodePart, horizon: Horizon) -> Array:
    """The node's own load on each phase, shape (3, n_steps); a number for all three is spread evenly."""
    load, field = node.base_kw, f"node {node.id!r}: base_kw"
    if isinstance(load, ByPhase):
        return np.array([laid_out(f"{field}.{p.name}", getattr(load, p.name) or 0.0, horizon) for p in Phase])
    return np.tile(laid_out(field, load, horizon) / 3.0, (3, 1))


def _limit_a(node: NodePart, phase: Phase, horizon: Horizon) -> Array | None:
    """The node's limit on a phase, shape (n_steps,); None where it has none."""
    limit, field = node.limit_a, f"node {node.id!r}: limit_a"
    if isinstance(limit, ByPhase):
        limit, field = getattr(limit, phase.name), f"{field}.{phase.name}"
    return None if limit is None else laid_out(field, limit, horizon)


@dataclass(frozen=True, slots=True)
class _Below:
    """What hangs below a node: the sessions by row, base load by phase, the site's battery, the sun counted on."""

    rows: Array
    base_kw: Array
    battery: bool
    sun_kw: Array


def _caps(file: ProblemFile, horizon: Horizon) -> Iterator[Cap]:
    """Every limit that a session or the battery loads, or the base load breaks: per phase in A, per node in kW."""
    below = {node.id: _below(file, node, horizon) for node in file.nodes}
    for node in file.nodes:
        for cap in (
            *_current_caps(file, node, below[node.id], horizon),
            *_power_caps(file, node, below[node.id], horizon),
        ):
            if cap.load.any() or cap.battery_load or (cap.limit < 0).any() or (_floor_of(cap) > 0).any():
                yield cap


def _floor_of(cap: Cap) -> Array:
    return np.full_like(cap.limit, -np.inf) if cap.floor is None else cap.floor


def _below(file: ProblemFile, node: NodePart, horizon: Horizon) -> _Below:
    parents = {n.id: n.parent for n in file.nodes}
    root = next(name for name, parent in parents.items() if parent is None)

    def is_below(place: str | None) -> bool:
        at: str | None = place or root
        while at is not None and at != node.id:
            at = parents[at]
        return at == node.id

    base = [_base_kw(n, horizon) for n in file.nodes if is_below(n.id)]
    rows = np.array([is_below(s.node) for s in file.sessions], dtype=float)
    sun_kw = _counted_sun_kw(file, horizon) * is_below(file.pv_node)
    has_battery = file.site_battery is not None and is_below(file.site_battery.node)
    return _Below(rows, np.sum(base, axis=0), has_battery, sun_kw)


def _current_caps(file: ProblemFile, node: NodePart, under: _Below, horizon: Horizon) -> Iterator[Cap]:
    switches = any(s.switches_to_one_phase for s in file.sessions)
    for phase in Phase:
        limit = _limit_a(node, phase, horizon)
        if limit is None:
            continue
        yield Cap(
            name=f"{node.id} {phase.name}",
            load=under.rows * [_a_per_kw(s, phase, s.phases) for s in file.sessions],
            limit=limit - (under.base_kw[phase] - under.sun_kw / 3.0) / KW_PER_A,
            # Current flows back through the same fuse, while the base load takes some of it up.
            floor=_floor(file, under, -limit - under.base_kw[phase] / KW_PER_A),
            battery_load=1.0 / (3.0 * KW_PER_A) if under.battery else 0.0,
            single_phase_load=under.rows * [_a_per_kw(s, phase, 1) for s in file.sessions] if switches else None,
        )


def _power_caps(file: ProblemFile, node: NodePart, under: _Below, horizon: Horizon) -> Iterator[Cap]:
    base_kw = under.base_kw.sum(axis=0)
    battery_load = 1.0 if under.battery else 0.0
    name = f"node {node.id!r}"
    back = None
    if node.export_limit_kw is not None:
        back = -laid_out(f"{name}: export_limit_kw", node.export_limit_kw, horizon)
    if node.limit_kw is not None:
        limit = laid_out(f"{name}: limit_kw", node.limit_kw, horizon)
        floor = _floor(file, under, (-limit if back is None else back) - base_kw)
        yield Cap(f"{node.id} kW", under.rows, limit - base_kw + under.sun_kw, floor, battery_load)
    elif back is not None and (floor := _floor(file, under, back - base_kw)) is not None:
        yield Cap(f"{node.id} export", under.rows, np.full(horizon.n_steps, np.inf), floor, battery_load)


def _floor(file: ProblemFile, under: _Below, floor: Array) -> Array | None:
    """A limit on what flows back, where anything can, or where a base load below zero feeds back too much already."""
    gives = [s.battery is not None and s.battery.discharge_max_kw > 0 for s in file.sessions]
    can_give = under.battery or (under.rows * gives).any()
    return floor if can_give or (floor > 0).any() else None


def _a_per_kw(session: SessionPart, phase: Phase, used: int) -> float:
    """Amperes on a phase of the grid per kW of a session that uses so many of its phases.

    Where the rotation is unknown, whatever is used counts on every phase.
    """
    lines = Phase.__members__ if session.rotation is None else session.rotation[:used]
    return 1.0 / (KW_PER_A * used) if phase.name in lines else 0.0
