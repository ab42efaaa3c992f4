"""The measurements this product writes: what the twin knows, as rows of telemetry.

Pure functions from plain values to points; `docs/telemetry.md` holds the same table for people. What is not known is
left out, never written as zero, and a point without any field is not made. Numbers are always written as floats: the
server fixes a field's type at its first value and refuses every other type from then on.

Tags carry small, bounded sets only. A connector's tag is its whole name (`CP01/1`), so that it identifies the
connector without its charger.
"""

from __future__ import annotations

from datetime import datetime

from twin_core.models.charger import ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.ids import ConnectorId, NodeId
from twin_core.models.plan import PlanStatus
from twin_core.models.quantities import ALL_PHASES, PhaseCurrents
from twin_core.models.quantities import power_kw as power_of_current
from twin_core.models.site import NodeKind
from twin_core.ports import Point

Fields = dict[str, float | int | bool | str]


def connector_points(
    site: str,
    connector_id: ConnectorId,
    utc: datetime,
    *,
    power_kw: float | None = None,
    limit_a: float | None = None,
    wish_a: float | None = None,
    worst_a: float | None = None,
    current_a: PhaseCurrents | None = None,
    energy_kwh: float | None = None,
    soc: float | None = None,
    status: ConnectorStatus | None = None,
) -> list[Point]:
    """A connector at one moment: `connector`, and `connector_phase` for each phase when currents are known.

    Fields:
        limit_a: the grant in force, per phase.
        wish_a: what the planner would give, per phase.
        worst_a: what the safety envelope counts, per phase.
        current_a: measured on each grid phase; its highest is the field `measured_a`.
        energy_kwh: delivered to the running session.
        soc: state of charge in [0, 1], reported or estimated.
    """
    tags = _connector_tags(site, connector_id)
    fields = _known(
        power_kw=power_kw,
        limit_a=limit_a,
        wish_a=wish_a,
        worst_a=worst_a,
        measured_a=None if current_a is None else max(current_a),
        energy_kwh=energy_kwh,
        soc=soc,
    )
    if status is not None:
        fields["status"] = status.value
    return [*_point("connector", tags, fields, utc), *_phase_points("connector_phase", tags, utc, current_a=current_a)]


def node_points(
    site: str,
    node_id: NodeId,
    kind: NodeKind,
    utc: datetime,
    *,
    power_kw: float | None = None,
    limit_kw: float | None = None,
    limit_a: float | None = None,
    margin_a: float | None = None,
    margin_kw: float | None = None,
    base_kw: float | None = None,
    current_a: PhaseCurrents | None = None,
    worst_a: PhaseCurrents | None = None,
) -> list[Point]:
    """A node of the site at one moment: `node`, and `node_phase` for each phase when currents are known.

    Fields:
        power_kw: measured through the node, import positive.
        limit_kw: total power it may carry; where only currents are limited, what `limit_a` allows on three balanced
            phases is written instead, so that every limited node has a power limit to be drawn.
        margin_a: limit less worst case on the tightest phase; negative would be a breach.
        margin_kw: limit less worst case of the total power.
        base_kw: everything below the node that is no charger.
        current_a: measured on each phase.
        worst_a: what the safety envelope counts on each phase, base load included.
    """
    if limit_kw is None and limit_a is not None:
        limit_kw = power_of_current(limit_a, len(ALL_PHASES))
    tags = {"site": site, "node": node_id, "kind": kind.value}
    fields = _known(
        power_kw=power_kw,
        limit_kw=limit_kw,
        limit_a=limit_a,
        margin_a=margin_a,
        margin_kw=margin_kw,
        base_kw=base_kw,
    )
    phases = _phase_points("node_phase", tags, utc, current_a=current_a, worst_a=worst_a)
    return [*_point("node", tags, fields, utc), *phases]


def price_points(site: str, utc: datetime, *, price_eur_per_kwh: float | None) -> list[Point]:
    """The import price in force at one moment: `price`."""
    return _point("price", {"site": site}, _known(price_eur_per_kwh=price_eur_per_kwh), utc)


def plan_points(
    site: str,
    planner: str,
    status: PlanStatus,
    utc: datetime,
    *,
    solve_ms: float | None = None,
    age_s: float | None = None,
    unserved_kwh: float | None = None,
    cost_eur: float | None = None,
    sessions: int | None = None,
) -> list[Point]:
    """The plan in force at one moment: `plan`.

    Fields:
        solve_ms: time the planner took, on the wall.
        age_s: time since the plan was made.
        unserved_kwh: wanted energy that the plan does not deliver, all sessions together.
        cost_eur: energy cost over the horizon.
        sessions: number of sessions it covers.
    """
    tags = {"site": site, "planner": planner, "status": status.value}
    fields = _known(solve_ms=solve_ms, age_s=age_s, unserved_kwh=unserved_kwh, cost_eur=cost_eur, sessions=sessions)
    return _point("plan", tags, fields, utc)


def setpoint_points(
    site: str,
    connector_id: ConnectorId,
    verdict: Verdict,
    utc: datetime,
    *,
    limit_a: float | None,
    measured_a: float | None = None,
) -> list[Point]:
    """What a connector's draw says of its grant: `setpoint`, written when a verdict is given or changes."""
    tags = {**_connector_tags(site, connector_id), "verdict": verdict.value}
    return _point("setpoint", tags, _known(limit_a=limit_a, measured_a=measured_a), utc)


def session_points(
    site: str,
    connector_id: ConnectorId,
    utc: datetime,
    *,
    energy_kwh: float | None = None,
    requested_kwh: float | None = None,
    unserved_kwh: float | None = None,
    duration_h: float | None = None,
) -> list[Point]:
    """A session that ended at `utc`: `session`."""
    fields = _known(
        energy_kwh=energy_kwh, requested_kwh=requested_kwh, unserved_kwh=unserved_kwh, duration_h=duration_h
    )
    return _point("session", _connector_tags(site, connector_id), fields, utc)


def _connector_tags(site: str, connector_id: ConnectorId) -> dict[str, str]:
    return {"site": site, "charger": connector_id.charger, "connector": str(connector_id)}


def _phase_points(
    measurement: str, tags: dict[str, str], utc: datetime, **currents_a: PhaseCurrents | None
) -> list[Point]:
    """One point for each phase with the fields that are known."""
    known = {name: currents for name, currents in currents_a.items() if currents is not None}
    return [
        point
        for phase in ALL_PHASES
        for point in _point(
            measurement,
            {**tags, "phase": phase.name},
            {name: float(currents[phase]) for name, currents in known.items()},
            utc,
        )
    ]


def _known(**values: float | None) -> Fields:
    return {name: float(value) for name, value in values.items() if value is not None}


def _point(measurement: str, tags: dict[str, str], fields: Fields, utc: datetime) -> list[Point]:
    return [Point(measurement, tags, fields, utc)] if fields else []
