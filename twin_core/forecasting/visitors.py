"""Vehicles that are expected and not here yet, as sessions a planner can keep room for."""

from __future__ import annotations

from collections.abc import Iterator

from twin_core.forecasting.arrivals import ExpectedArrivals
from twin_core.forecasting.foresight import Foresight
from twin_core.models.ids import NodeId, SessionId
from twin_core.models.problem import SessionNeed
from twin_core.models.quantities import power_kw
from twin_core.snapshot import ConnectorView, Snapshot

VISITOR_PRIORITY = 1e-6
"""Who is not here yet is nobody to be served in full."""

_MARK = "expected at "
"""No session of a charger is called so: its identity has no space."""


def is_visitor(session_id: SessionId) -> bool:
    """Whether a session is one that is only expected."""
    return session_id.startswith(_MARK)


def visitors(snapshot: Snapshot, foresight: Foresight, until_h: float) -> list[tuple[SessionNeed, ConnectorView]]:
    """Expected vehicles, one session for each hour and each node with free connectors, shared by their number.

    Each comes with a free connector that stands for those of its node. Where none is free, nobody can come.

    Args:
        until_h: length of the horizon; what is wanted beyond it is left out.
    """
    free: dict[NodeId, list[ConnectorView]] = {}
    for view in snapshot.connectors:
        if view.session is None and view.online:
            feeding = snapshot.site.path_by_charger[view.spec.id.charger][1]
            free.setdefault(feeding.id, []).append(view)
    coming = [hour for hour in foresight.still_to_come(snapshot.now.utc) if hour.arrival_h < until_h]
    return [pair for hour in coming for pair in _of_hour(hour, free, until_h)]


def _of_hour(
    hour: ExpectedArrivals, free: dict[NodeId, list[ConnectorView]], until_h: float
) -> Iterator[tuple[SessionNeed, ConnectorView]]:
    stay_h = hour.departure_h - hour.arrival_h
    if not (hour.energy_kwh > 0 and stay_h > 0):
        return
    inside = min(1.0, (until_h - hour.arrival_h) / stay_h)
    connectors = sum(len(views) for views in free.values())
    for node_id, views in free.items():
        part, spec = len(views) / connectors, views[0].spec
        at_once = min(max(1.0, hour.count * part), len(views))
        need = SessionNeed(
            session_id=SessionId(f"{_MARK}{node_id} in {hour.arrival_h:.2f} h"),
            connector_id=spec.id,
            energy_kwh=hour.energy_kwh * part * inside,
            arrival_h=hour.arrival_h,
            departure_h=min(hour.departure_h, until_h),
            max_kw=at_once * power_kw(spec.hardware_max_a, len(spec.phases)),
            min_kw=0.0,
            kw_per_a=power_kw(1.0, len(spec.phases)),
            priority=VISITOR_PRIORITY,
        )
        yield need, views[0]
