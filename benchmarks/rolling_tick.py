"""One tick of the live twin, from the snapshot to the setpoints: problem, plan, envelope."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any

import numpy as np

from twin_core.cycle import Twin
from twin_core.models import events as ev
from twin_core.models.charger import ChargerAbilities, ChargerSpec, ConnectorSpec
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId, TransactionId
from twin_core.models.quantities import Instant
from twin_core.models.session import ChargingRequest
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.models.tariff import Tariff
from twin_core.planning.table import planner

EPOCH = datetime(2026, 6, 1, 7, 0, tzinfo=UTC)
PLANNERS = ("service_first", "power_allocation")
TICKS = 20


def tick_rows() -> Iterator[dict[str, Any]]:
    """One row a size and planner, the default one first: a vehicle at each connector, one limit that binds."""
    for n_vehicles in (100, 1200):
        for name in PLANNERS:
            yield _row(n_vehicles, name)


@dataclass(slots=True)
class _Parts:
    problem_ms: list[float]
    plan_ms: list[float]
    decide_ms: list[float]


def _row(n_vehicles: int, name: str) -> dict[str, Any]:
    twin, plans, gap = _busy_twin(n_vehicles), planner(name), 0.0
    parts = _Parts([], [], [])
    plans.plan(twin.problem(Instant(0.0, EPOCH)))
    for tick in range(1, TICKS + 1):
        now = Instant(60.0 * tick, EPOCH + timedelta(minutes=tick))
        begun_s = time.perf_counter()
        problem = twin.problem(now)
        asked_s = time.perf_counter()
        plan = plans.plan(problem)
        planned_s = time.perf_counter()
        twin.receive(ev.PlanAdopted(at=now, plan=plan))
        twin.tick(now)
        ended_s = time.perf_counter()
        parts.problem_ms.append((asked_s - begun_s) * 1e3)
        parts.plan_ms.append((planned_s - asked_s) * 1e3)
        parts.decide_ms.append((ended_s - planned_s) * 1e3)
        gap = max(gap, abs(plan.gap or 0.0))
    total_ms = np.sum([parts.problem_ms, parts.plan_ms, parts.decide_ms], axis=0).tolist()
    return {
        "problem": f"rolling tick, {n_vehicles} vehicles, snapshot to setpoints, {name}",
        "solver": plan.solver,
        "peer": "",
        "median_ms": round(median(total_ms), 1),
        "p95_ms": round(quantiles(total_ms, n=20, method="inclusive")[-1], 1),
        "objective_gap": gap if plan.gap is not None else None,
        "problem_ms": round(median(parts.problem_ms), 1),
        "plan_ms": round(median(parts.plan_ms), 1),
        "decide_ms": round(median(parts.decide_ms), 1),
        "sessions": len(plan.session_ids),
        "steps": plan.horizon.n_steps,
    }


def _busy_twin(n_vehicles: int) -> Twin:
    random = np.random.default_rng(3)
    grid = Node(NodeId("grid"), NodeKind.GRID, limit_a=9.0 * n_vehicles)
    nodes, chargers = [grid], []
    for number in range(n_vehicles):
        charger = ChargerId(f"cp-{number:04d}")
        chargers.append(ChargerSpec(charger, (ConnectorSpec(ConnectorId(charger, 1)),)))
        nodes.append(Node(NodeId(charger), NodeKind.CHARGER, grid.id, limit_a=32.0))
    hours = range(24)
    prices = tuple(0.2 + 0.08 * float(np.sin(hour / 3)) for hour in hours)
    tariff = Tariff(tuple(EPOCH + timedelta(hours=hour) for hour in hours), prices)
    twin = Twin(SiteTree("depot", tuple(nodes), tuple(chargers)), since=EPOCH, tariff=tariff)
    start = Instant(0.0, EPOCH)
    for charger in chargers:
        connector = charger.connectors[0].id
        twin.receive(ev.ChargerConnected(at=start, charger_id=charger.id))
        twin.receive(ev.ChargerCommissioned(at=start, charger_id=charger.id, abilities=ChargerAbilities()))
        twin.receive(ev.FallbackConfirmed(at=start, connector_id=connector, fallback_a=0.0))
        _plug_in(twin, charger.id, start, float(random.uniform(5, 50)), float(random.uniform(1, 9)))
    return twin


def _plug_in(twin: Twin, charger: ChargerId, at: Instant, energy_kwh: float, stay_h: float) -> None:
    tag = IdTag(f"tag-{charger}")
    request = ChargingRequest(energy_kwh, at.utc + timedelta(hours=stay_h))
    twin.receive(ev.RequestAnnounced(at=at, request=request, id_tag=tag))
    twin.receive(
        ev.TransactionStarted(
            at=at,
            connector_id=ConnectorId(charger, 1),
            transaction_id=TransactionId(int(charger[3:]) + 1),
            id_tag=tag,
            meter_start_kwh=0.0,
            started_at=at.utc,
        )
    )
