"""The sun at the meter: what limits count on, what may flow out, and that the bill says the same as the limits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.problems.reading import parse_problem
from connectors.problems.translation import planning_problem
from twin_core.models.problem import PlanningProblem
from twin_core.planning.accounting import bill, grid_exchange_kw
from twin_core.planning.check import violations
from twin_core.planning.optimum import optimal_plan
from twin_core.planning.residual import after_first_step
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.table import planner


def sunny(**fields: Any) -> PlanningProblem:
    """A car that could take 11 kW, 6 kW of other load, 4 to 8 kW of sun and a connection of 10 kW."""
    written = {
        "horizon": {"start": "2026-06-20T10:00+02:00", "step_min": 60, "hours": 4},
        "price_eur_per_kwh": 0.3,
        "export_eur_per_kwh": 0.08,
        "pv_kw": [4, 8, 8, 4],
        "nodes": [{"id": "grid", "limit_kw": 10, "base_kw": 6}, {"id": "hall", "parent": "grid", "limit_kw": 9}],
        "sessions": [{"id": "a", "node": "hall", "energy_kwh": 44, "max_a": 16}],
        **fields,
    }
    return planning_problem(parse_problem(json.dumps(written)))


def limits(problem: PlanningProblem) -> dict[str, list[float]]:
    return {cap.name: cap.limit.tolist() for cap in problem.caps}


def test_limits_count_on_no_sun_unless_they_are_told_to() -> None:
    assert limits(sunny())["grid kW"] == [4, 4, 4, 4]


def test_a_limit_above_the_panels_sees_what_they_take_off_and_one_beside_them_does_not() -> None:
    assert limits(sunny(pv_counted=0.5)) == {"grid kW": [6, 8, 8, 6], "hall kW": [9] * 4}
    assert limits(sunny(pv_counted=1.0, pv_node="hall")) == {"grid kW": [8, 12, 12, 8], "hall kW": [13, 17, 17, 13]}


def test_on_each_phase_a_third_of_the_sun_counts() -> None:
    nodes = [{"id": "grid", "limit_a": {"L1": 20, "L2": 20}}]
    cars = [{"id": "a", "energy_kwh": 44, "max_a": 16}]
    found = limits(sunny(pv_counted=1.0, nodes=nodes, sessions=cars))
    assert found["grid L1"] == pytest.approx([20 + kw / 0.69 for kw in (4, 8, 8, 4)])


@pytest.mark.parametrize("name", ["power_allocation", "edf", "equal_share"])
def test_what_is_imported_keeps_the_limit_that_counted_on_the_sun(name: str) -> None:
    problem = sunny(pv_counted=1.0)
    plan = planner(name).plan(problem)
    assert problem.site is not None
    exchange_kw = grid_exchange_kw(problem, problem.site, plan.power_kw, plan.battery_kw)
    assert plan.power_kw.sum() > planner(name).plan(sunny()).power_kw.sum() + 10
    assert exchange_kw.max() == pytest.approx(10.0)


@settings(max_examples=60, deadline=None)
@given(
    prices=st.lists(st.sampled_from([-0.2, 0.0, 0.1, 0.4]), min_size=4, max_size=4),
    export_eur=st.sampled_from([-0.1, 0.0, 0.08, 0.5]),
    counted=st.sampled_from([0.0, 0.5, 1.0]),
    sun_kw=st.lists(st.sampled_from([0, 3, 30]), min_size=4, max_size=4),
    most_out_kw=st.sampled_from([None, 0, 5]),
)
def test_no_price_makes_the_bill_pass_a_limit_of_import_or_export(
    prices: list[float], export_eur: float, counted: float, sun_kw: list[float], most_out_kw: float | None
) -> None:
    nodes = [{"id": "grid", "limit_kw": 10, "base_kw": 6, "export_limit_kw": most_out_kw}]
    cars = [{"id": "a", "energy_kwh": 30, "max_a": 16}]
    given = {"price_eur_per_kwh": prices, "export_eur_per_kwh": export_eur, "pv_kw": sun_kw, "pv_counted": counted}
    problem = sunny(**given, nodes=nodes, sessions=cars)
    bench = {name: SolverBench(name) for name in ("highs", "oracle")}
    plans = {name: optimal_plan(name, problem, bench[name]) for name in bench}
    assert plans["highs"].objective_eur == pytest.approx(plans["oracle"].objective_eur, abs=1e-6)
    assert problem.site is not None
    for plan in (*plans.values(), planner("edf").plan(problem)):
        exchange_kw = grid_exchange_kw(problem, problem.site, plan.power_kw, plan.battery_kw)
        assert exchange_kw.max() <= 10 + 1e-5
        assert exchange_kw.min() >= -(10 if most_out_kw is None else most_out_kw) - 1e-5


def test_where_nothing_may_flow_out_the_sun_earns_nothing_there_and_is_used_at_home() -> None:
    nodes = [{"id": "grid", "limit_kw": 20, "export_limit_kw": 0}]
    cars = [{"id": "a", "energy_kwh": 8, "max_a": 16}]
    # Exporting would pay more than importing costs at night: only the limit keeps the car on the sun.
    given = {"nodes": nodes, "sessions": cars, "price_eur_per_kwh": [0.1, 0.3, 0.3, 0.3], "export_eur_per_kwh": 0.2}
    problem = sunny(**given, pv_kw=[0, 8, 0, 0])
    plan = planner("power_allocation").plan(problem)
    assert plan.power_kw[0] == pytest.approx([0, 8, 0, 0])
    assert plan.cost_eur == pytest.approx(0.0)
    assert bill(problem, np.zeros((1, 4))).cost_eur == 0.0


def test_an_exchange_that_feeds_out_more_sun_than_it_may_is_a_violation() -> None:
    problem = sunny(nodes=[{"id": "grid", "limit_kw": 20, "export_limit_kw": 1}], sessions=[])
    nobody = np.zeros((0, 4))
    assert violations(problem, nobody, grid_kw=np.array([-1.0, -1.0, -1.0, -1.0])) == []
    (told,) = violations(problem, nobody, grid_kw=np.array([-1.0, -2.0, -1.0, -1.0]))
    assert "more of the sun than may flow out" in told


def test_the_limit_on_what_flows_out_moves_on_with_the_steps() -> None:
    later = after_first_step(sunny(), np.array([4.0]))
    assert later.site is not None
    assert later.site.export_limit_kw is not None
    assert later.site.export_limit_kw.shape == (3,)
