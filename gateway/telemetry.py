"""From cycle reports to telemetry: states every few seconds, verdicts and ended sessions at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.telemetry_points import (
    connector_points,
    node_points,
    plan_points,
    price_points,
    session_points,
    setpoint_points,
)
from twin_core.cycle import CycleReport
from twin_core.models.quantities import add_currents, power_kw
from twin_core.models.site import NodeKind
from twin_core.ports import Point, TelemetrySink


class Telemetry:
    """Watches the cycle and hands rows to every sink (CycleObserver).

    Args:
        every_s: time between two rows of the same state.

    Attributes:
        points: rows handed over so far.
    """

    def __init__(self, sinks: Sequence[TelemetrySink], *, every_s: float) -> None:
        self._sinks = tuple(sinks)
        self._every_s = every_s
        self._due_s = float("-inf")
        self.points = 0

    def on_cycle(self, report: CycleReport) -> None:
        """Write what this tick brought."""
        points = list(_happenings(report))
        now_s = report.snapshot.now.monotonic_s
        if now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            points.extend(_states(report))
        self.points += len(points)
        if points:
            for sink in self._sinks:
                sink.write(points)


def _happenings(report: CycleReport) -> Iterator[Point]:
    site, utc = report.snapshot.site.name, report.snapshot.now.utc
    for verification in report.verifications:
        yield from setpoint_points(
            site,
            verification.connector_id,
            verification.verdict,
            utc,
            limit_a=verification.limit_a,
            measured_a=verification.measured_a,
        )
    for session in report.ended:
        wanted = session.request.energy_kwh
        hours = None if session.stopped is None else (session.stopped.monotonic_s - session.started.monotonic_s) / 3600
        yield from session_points(
            site,
            session.connector_id,
            utc,
            energy_kwh=session.energy_kwh,
            requested_kwh=wanted,
            unserved_kwh=None if wanted is None else max(0.0, wanted - session.energy_kwh),
            duration_h=hours,
        )


def _states(report: CycleReport) -> Iterator[Point]:
    snapshot = report.snapshot
    site, utc = snapshot.site.name, snapshot.now.utc
    yield from price_points(site, utc, price_eur_per_kwh=snapshot.tariff.price_at(utc))
    yield from _connectors(report)
    yield from _nodes(report)
    plan = snapshot.plan
    if plan is not None:
        yield from plan_points(
            site,
            plan.planner,
            plan.status,
            utc,
            solve_ms=plan.solve_s * 1000.0,
            age_s=snapshot.plan_age_s,
            unserved_kwh=float(plan.unserved_kwh.sum()),
            cost_eur=plan.cost_eur,
            sessions=len(plan.session_ids),
        )


def _connectors(report: CycleReport) -> Iterator[Point]:
    snapshot = report.snapshot
    for view in snapshot.connectors:
        allotment = report.decision.allotments.get(view.spec.id)
        reading = view.reading
        yield from connector_points(
            snapshot.site.name,
            view.spec.id,
            snapshot.now.utc,
            power_kw=reading.power_kw if reading else None,
            limit_a=allotment.limit_a if allotment else None,
            wish_a=allotment.wish_a if allotment else None,
            worst_a=allotment.worst_a if allotment else None,
            current_a=reading.current_a if reading else None,
            energy_kwh=view.session.energy_kwh if view.session else None,
            soc=view.soc,
            status=view.status,
        )


def _nodes(report: CycleReport) -> Iterator[Point]:
    snapshot = report.snapshot
    for node_id, view in snapshot.nodes.items():
        if view.node.kind is NodeKind.CHARGER:
            continue
        margin = report.decision.margins.get(node_id)
        yield from node_points(
            snapshot.site.name,
            node_id,
            view.node.kind,
            snapshot.now.utc,
            power_kw=view.metered_kw,
            limit_kw=view.node.limit_kw,
            limit_a=view.node.limit_a,
            margin_a=margin.margin_a if margin else None,
            margin_kw=margin.margin_kw if margin else None,
            base_kw=power_kw(sum(view.base.estimate_a), 1),
            current_a=view.metered_a,
            worst_a=add_currents(margin.worst_a, margin.base_a) if margin else None,
        )
