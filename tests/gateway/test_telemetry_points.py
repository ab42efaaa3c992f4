"""The measurements this product writes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.influx.line_protocol import encode
from gateway.telemetry_points import (
    connector_points,
    node_points,
    plan_points,
    price_points,
    session_points,
    setpoint_points,
)
from tests.fakes import EPOCH
from twin_core.models.charger import ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.plan import PlanStatus
from twin_core.models.site import NodeKind

CP1 = ConnectorId(ChargerId("CP1"), 1)
number = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**40), 2**40))


def test_a_connector_becomes_one_point_and_one_more_for_each_phase() -> None:
    points = connector_points(
        "north", CP1, EPOCH, power_kw=11, limit_a=16.0, current_a=(15.9, 15.8, 0.0), status=ConnectorStatus.CHARGING
    )
    assert [p.measurement for p in points] == ["connector", *["connector_phase"] * 3]
    assert points[0].tags == {"site": "north", "charger": "CP1", "connector": "CP1/1"}
    assert points[0].fields == {"power_kw": 11.0, "limit_a": 16.0, "measured_a": 15.9, "status": "Charging"}
    assert [(p.tags["phase"], p.fields) for p in points[1:]] == [
        ("L1", {"current_a": 15.9}),
        ("L2", {"current_a": 15.8}),
        ("L3", {"current_a": 0.0}),
    ]


def test_what_is_not_known_is_left_out_and_a_point_of_nothing_is_not_made() -> None:
    assert connector_points("north", CP1, EPOCH) == []
    assert price_points("north", EPOCH, price_eur_per_kwh=None) == []
    assert connector_points("north", CP1, EPOCH, soc=0.0)[0].fields == {"soc": 0.0}


@given(power_kw=number, limit_a=number, energy_kwh=number)
def test_numbers_are_floats_whatever_they_came_as(**values: Any) -> None:
    for point in connector_points("north", CP1, EPOCH, **values):
        assert {type(v) for v in point.fields.values()} == {float}


@pytest.mark.parametrize(("limit_kw", "written"), [(40.0, 40.0), (None, 69.0)])
def test_every_limited_node_has_a_power_limit_to_be_drawn(limit_kw: float | None, written: float) -> None:
    (point,) = node_points("north", NodeId("grid"), NodeKind.GRID, EPOCH, limit_a=100.0, limit_kw=limit_kw)
    assert point.fields["limit_kw"] == pytest.approx(written)
    assert point.tags == {"site": "north", "node": "grid", "kind": "grid"}


def test_a_nodes_phases_carry_what_is_measured_and_what_is_counted() -> None:
    points = node_points(
        "north", NodeId("F1"), NodeKind.FEEDER, EPOCH, current_a=(1.0, 2.0, 3.0), worst_a=(4.0, 5.0, 6.0)
    )
    assert [p.fields for p in points] == [
        {"current_a": 1.0, "worst_a": 4.0},
        {"current_a": 2.0, "worst_a": 5.0},
        {"current_a": 3.0, "worst_a": 6.0},
    ]


def test_every_kind_of_point_can_be_written() -> None:
    points = [
        *price_points("north", EPOCH, price_eur_per_kwh=0.31),
        *plan_points("north", "power_allocation", PlanStatus.PROVED, EPOCH, solve_ms=12, age_s=3, sessions=4),
        *setpoint_points("north", CP1, Verdict.OBEYED, EPOCH, limit_a=16, measured_a=15.9),
        *session_points("north", CP1, EPOCH, energy_kwh=20, requested_kwh=22, unserved_kwh=2, duration_h=3),
    ]
    assert [encode(p).decode().rsplit(" ", 1)[0] for p in points] == [
        "price,site=north price_eur_per_kwh=0.31",
        "plan,planner=power_allocation,site=north,status=proved age_s=3.0,sessions=4.0,solve_ms=12.0",
        "setpoint,charger=CP1,connector=CP1/1,site=north,verdict=obeyed limit_a=16.0,measured_a=15.9",
        "session,charger=CP1,connector=CP1/1,site=north "
        "duration_h=3.0,energy_kwh=20.0,requested_kwh=22.0,unserved_kwh=2.0",
    ]
