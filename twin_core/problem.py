"""From a snapshot to the planning problem: what each session needs, and what the site has left for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

import numpy as np

from twin_core.estimation import (
    EstimationSettings,
    charging_time_h,
    estimated_soc,
    kw_per_a,
    less_in_hand_h,
    remaining_kwh,
    usable_current_a,
)
from twin_core.forecasting.foresight import Foresight
from twin_core.forecasting.site_flows import site_flows
from twin_core.forecasting.step_price import step_means, step_prices
from twin_core.forecasting.visitors import is_visitor, visitors
from twin_core.models.ids import ConnectorId, NodeId, SessionId
from twin_core.models.plan import Plan, Reasons
from twin_core.models.problem import Array, Cap, Horizon, PlanningProblem, SessionNeed, Taper
from twin_core.models.quantities import MINIMUM_CURRENT_A, Phase, power_kw
from twin_core.models.session import Session
from twin_core.models.site import Node, NodeKind
from twin_core.observation import STANDBY_KW
from twin_core.planning.accounting import bill
from twin_core.snapshot import ConnectorView, NodeView, Snapshot

NEGLIGIBLE_KWH = 0.01


WORTH_TELLING = timedelta(minutes=10)
"""A departure discounted by less is none that an operator would ask about."""


@dataclass(frozen=True, slots=True)
class PlanningSettings:
    """How far and how finely to plan.

    Attributes:
        step_min: length of a step.
        horizon_h: planned ahead at most; shorter when every session ends before.
        reserve_a: current per phase left unplanned where a base load moves, so that its noise cuts nobody off.
        shortfall_factor: price of a kWh not delivered, as a multiple of the dearest kWh in the horizon.
        shortfall_floor_eur_per_kwh: and at least this.
        supply_voltage_factor: power limits are kept at this part of nominal voltage above it, as the envelope does.
        grades_min: number and length in minutes of steps that grow, the last ones to the end of the horizon; where it
            is empty all steps are `step_min` long. Coarser is faster, and a little dearer.
        min_run_min: how long a vehicle that began to charge is kept at it, as far as the limits let it.
        offerable_steps: in this many steps from now on a session gets 0 or at least 6 A, in steps its charger takes.
    """

    step_min: float = 5.0
    horizon_h: float = 8.0
    reserve_a: float = 3.0
    shortfall_factor: float = 5.0
    shortfall_floor_eur_per_kwh: float = 1.0
    supply_voltage_factor: float = 1.1
    grades_min: tuple[tuple[int, float], ...] = ()
    min_run_min: float = 0.0
    offerable_steps: int = 1


def planning_problem(
    snapshot: Snapshot,
    reserved_a: Mapping[ConnectorId, float],
    settings: PlanningSettings,
    estimation: EstimationSettings,
    foresight: Foresight | None = None,
) -> PlanningProblem:
    """What the planners are asked.

    Args:
        reserved_a: worst-case current per phase of connectors that are not to be planned (no session, or not obeying).
        foresight: what was learned of earlier days; None takes announced departures at their word and expects nobody.
    """
    foresight = foresight or Foresight()
    planned = [(s, view) for s, view in snapshot.sessions() if view.spec.id not in reserved_a and view.online]
    needs: list[tuple[SessionNeed, ConnectorView]] = []
    for session, view in planned:
        stay = _stay(session, snapshot, estimation, foresight, settings.step_min / 60.0)
        need = _need(session, view, snapshot, estimation, stay, settings)
        if need is not None:
            needs.append((need, view))
    horizon = _horizon(snapshot.now.utc, [need for need, _ in needs], settings)
    needs += visitors(snapshot, foresight, float(horizon.edges_h[-1])) if needs else []
    price = step_prices(snapshot.tariff, horizon)
    shortfall = max(settings.shortfall_floor_eur_per_kwh, settings.shortfall_factor * float(price.max(initial=0.0)))
    sessions = tuple(replace(need, shortfall_eur_per_kwh=shortfall * need.priority) for need, _ in needs)
    caps = _caps(snapshot, needs, reserved_a, horizon, settings)
    carbon = snapshot.terms.carbon_kg_per_kwh
    return PlanningProblem(
        horizon,
        sessions,
        price,
        caps,
        carbon_kg_per_kwh=None if carbon is None else step_means(carbon, horizon),
        carbon_eur_per_kg=snapshot.terms.carbon_eur_per_kg,
        site=site_flows(snapshot, horizon),
        offerable_steps=settings.offerable_steps,
    )


def counted_until(snapshot: Snapshot, problem: PlanningProblem) -> dict[SessionId, datetime]:
    """When each vehicle is counted on to leave, for those whose announced departure is not believed to the full."""
    found = {}
    announced = {session.id: session.request.departure for session, _ in snapshot.sessions()}
    for need in problem.sessions:
        departure = announced.get(need.session_id)
        until = problem.horizon.start + timedelta(hours=need.departure_h)
        if departure is not None and until < departure - WORTH_TELLING:
            found[need.session_id] = until.replace(second=0, microsecond=0)
    return found


def known_only(problem: PlanningProblem, plan: Plan) -> Plan:
    """The plan without those who are only expected: what it delivers and costs is counted for who is here."""
    here = [row for row, session in enumerate(problem.sessions) if not is_visitor(session.session_id)]
    if len(here) == len(problem.sessions):
        return plan
    sessions = tuple(problem.sessions[row] for row in here)
    owed = bill(replace(problem, sessions=sessions, caps=()), plan.power_kw[here], battery_kw=plan.battery_kw)
    return replace(
        plan,
        session_ids=tuple(session.session_id for session in sessions),
        power_kw=plan.power_kw[here],
        unserved_kwh=owed.unserved_kwh,
        cost_eur=owed.cost_eur,
        carbon_kg=owed.carbon_kg,
        objective_eur=owed.objective_eur,
        bound_eur=None,
        reasons=None if plan.reasons is None else _known_reasons(plan.reasons),
        index={},
    )


def _known_reasons(reasons: Reasons) -> Reasons:
    return replace(
        reasons,
        sessions=tuple(reason for reason in reasons.sessions if not is_visitor(reason.session_id)),
        unmet=tuple(text for text in reasons.unmet if not is_visitor(SessionId(text))),
    )


@dataclass(frozen=True, slots=True)
class _Stay:
    """How long a vehicle is planned to charge for, and when it is likely to leave where that is not certain."""

    time_h: float
    likely_departure_h: float | None = None


def _stay(
    session: Session, snapshot: Snapshot, estimation: EstimationSettings, foresight: Foresight, step_h: float
) -> _Stay:
    """A timetable is taken at its word, a driver's announcement never believed to the full."""
    announced_h = charging_time_h(session, snapshot.now, estimation)
    if session.departure_is_firm:
        return _Stay(announced_h)
    departure, now = session.request.departure, snapshot.now.utc
    asked_kwh = session.request.energy_kwh
    wanted_kwh = estimation.assumed_energy_kwh if asked_kwh is None else asked_kwh
    left = foresight.time_left(session.started_at, now, wanted_kwh, departure)
    if left is None:
        return _Stay(announced_h)
    # Nobody is given up who is still here: at least a step is planned for.
    learned_h = max(less_in_hand_h(left.counted_on_h, estimation), step_h)
    still_announced = departure is not None and departure > now
    return _Stay(min(learned_h, announced_h) if still_announced else learned_h, left.likely_h)


def _need(
    session: Session,
    view: ConnectorView,
    snapshot: Snapshot,
    estimation: EstimationSettings,
    stay: _Stay,
    settings: PlanningSettings,
) -> SessionNeed | None:
    energy = remaining_kwh(session, estimation)
    if not energy > NEGLIGIBLE_KWH:
        return None
    per_a = kw_per_a(session)
    imposed_a = math.inf if view.imposed_a is None else view.imposed_a
    if not imposed_a >= MINIMUM_CURRENT_A:
        return None
    usable_a = min(max(usable_current_a(session, view.spec, estimation), MINIMUM_CURRENT_A), imposed_a)
    return SessionNeed(
        session_id=session.id,
        connector_id=view.spec.id,
        energy_kwh=energy,
        arrival_h=0.0,
        departure_h=stay.time_h,
        likely_departure_h=stay.likely_departure_h,
        max_kw=usable_a * per_a,
        min_kw=MINIMUM_CURRENT_A * per_a,
        kw_per_a=per_a,
        waited_h=(snapshot.now.monotonic_s - session.started.monotonic_s) / 3600.0,
        idle_h=None if session.charged is None else (snapshot.now.monotonic_s - session.charged.monotonic_s) / 3600.0,
        priority=session.request.priority,
        step_kw=view.spec.step_a * per_a,
        run_h=_run_h(session, snapshot, settings),
        now_kw=_drawn_kw(view),
        taper=_taper(session, usable_a * per_a, energy, estimation),
    )


def _run_h(session: Session, snapshot: Snapshot, settings: PlanningSettings) -> float:
    """Hours for which a vehicle that has just begun to charge is not to be switched off again."""
    if session.running_since is None:
        return 0.0
    run_h = (snapshot.now.monotonic_s - session.running_since.monotonic_s) / 3600.0
    return max(0.0, settings.min_run_min / 60.0 - run_h)


def _drawn_kw(view: ConnectorView) -> float:
    """What the vehicle was last seen to draw; 0 where it stands by."""
    reading = view.reading
    if reading is None:
        return 0.0
    drawn_kw = reading.power_kw
    if drawn_kw is None:
        drawn_kw = 0.0 if reading.current_a is None else power_kw(sum(reading.current_a), 1)
    return drawn_kw if drawn_kw > STANDBY_KW else 0.0


def _taper(session: Session, max_kw: float, energy_kwh: float, estimation: EstimationSettings) -> Taper | None:
    """How the battery takes less near full; None where nobody knows or the wanted energy does not reach that far.

    The line is drawn so that the last of the wanted energy can still be taken at the lowest current: a vehicle that
    takes less is offered that, and draws what it can.
    """
    soc, vehicle = estimated_soc(session, estimation), session.vehicle
    if soc is None or vehicle.battery_kwh is None or not vehicle.taper_soc < 1.0:
        return None
    meter_kwh = vehicle.battery_kwh / estimation.charging_efficiency
    flat_kwh = max(0.0, vehicle.taper_soc - soc) * meter_kwh
    if energy_kwh <= flat_kwh:
        return None
    least_part = MINIMUM_CURRENT_A * kw_per_a(session) / max_kw
    if not least_part < 1.0:
        return None
    full_kwh = max((1.0 - soc) * meter_kwh, flat_kwh + (energy_kwh - flat_kwh) / (1.0 - least_part))
    return Taper(flat_kwh, full_kwh)


def _horizon(now: datetime, needs: list[SessionNeed], settings: PlanningSettings) -> Horizon:
    step_h = settings.step_min / 60.0
    longest_h = min(max((need.departure_h for need in needs), default=step_h), settings.horizon_h)
    if not settings.grades_min:
        return Horizon(now, step_h, max(1, int(np.ceil(longest_h / step_h - 1e-9))))
    lengths_min = chain(
        chain.from_iterable(repeat(length_min, count) for count, length_min in settings.grades_min),
        repeat(settings.grades_min[-1][1]),
    )
    lengths_h: list[float] = []
    while not lengths_h or sum(lengths_h) < longest_h - 1e-9:
        lengths_h.append(next(lengths_min) / 60.0)
    return Horizon(now, lengths_h[0], len(lengths_h), tuple(lengths_h))


def _caps(
    snapshot: Snapshot,
    needs: list[tuple[SessionNeed, ConnectorView]],
    reserved_a: Mapping[ConnectorId, float],
    horizon: Horizon,
    settings: PlanningSettings,
) -> tuple[Cap, ...]:
    """Every limit that some session loads: per node and phase in A, per node in kW."""
    members: dict[NodeId, list[int]] = {}
    for row, (need, view) in enumerate(needs):
        path = snapshot.site.path_by_charger[view.spec.id.charger]
        for node in path[1:] if is_visitor(need.session_id) else path:
            members.setdefault(node.id, []).append(row)
    caps: list[Cap] = []
    for node_id, rows in members.items():
        at = snapshot.nodes[node_id]
        if at.node.kind is NodeKind.CHARGER and len(rows) == 1:
            continue  # the session's own ceiling already says this
        caps += _node_caps(at, rows, needs, _reserved_at(snapshot, at.node, reserved_a), horizon, settings)
    return tuple(caps)


def _reserved_at(snapshot: Snapshot, node: Node, reserved_a: Mapping[ConnectorId, float]) -> tuple[Array, float]:
    """What unplanned connectors may draw through a node: A by phase, and kW."""
    by_phase, total_kw = np.zeros(3), 0.0
    for charger in snapshot.site.chargers_below[node.id]:
        for spec in charger.connectors:
            current = reserved_a.get(spec.id, 0.0)
            by_phase += np.array(spec.footprint(current))
            total_kw += power_kw(current, len(spec.phases))
    return by_phase, total_kw


def _node_caps(
    view: NodeView,
    rows: list[int],
    needs: list[tuple[SessionNeed, ConnectorView]],
    reserved: tuple[Array, float],
    horizon: Horizon,
    settings: PlanningSettings,
) -> list[Cap]:
    node = view.node
    moving_a = settings.reserve_a if any(view.base.bound_a) else 0.0
    base = [current + moving_a for current in view.base.bound_a]
    caps = []
    if node.limit_a is not None:
        for phase in Phase:
            load = np.zeros(len(needs))
            for row in rows:
                need, connector = needs[row]
                load[row] = connector.spec.footprint(1.0)[phase] / need.kw_per_a
            room = max(0.0, node.limit_a - base[phase] - reserved[0][phase])
            if load.any():
                caps.append(Cap(f"{node.id} {phase.name}", load, np.full(horizon.n_steps, room)))
    if node.limit_kw is not None:
        load = np.zeros(len(needs))
        for row in rows:
            need, connector = needs[row]
            load[row] = power_kw(1.0, len(connector.spec.phases)) * settings.supply_voltage_factor / need.kw_per_a
        taken = (power_kw(1.0, 1) * sum(base) + reserved[1]) * settings.supply_voltage_factor
        caps.append(Cap(f"{node.id} kW", load, np.full(horizon.n_steps, max(0.0, node.limit_kw - taken))))
    return caps
