"""Problems that contradict themselves: each gets a plan and the list of what it cannot meet, never a refusal."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.problems.reading import parse_problem
from connectors.problems.translation import planning_problem
from twin_core.planning.accounting import charged_kwh
from twin_core.planning.check import violations
from twin_core.planning.contradictions import BestPlan, best_plan
from twin_core.planning.table import PLANNERS, planner

MADE = {name: planner(name) for name in PLANNERS}
"""Kept between examples: what a planner compiles it compiles once."""

CAR: dict[str, Any] = {"id": "a", "energy_kwh": 10, "max_a": 16}
GIVES: dict[str, Any] = {"capacity_kwh": 20, "stored_kwh": 10, "discharge_max_kw": 5}
STORE: dict[str, Any] = {**GIVES, "charge_max_kw": 5}
OVER = [{"id": "grid", "limit_kw": 10, "base_kw": [4, 15, 12, 4]}]
BACK = [{"id": "grid", "limit_kw": 10, "export_limit_kw": 5, "base_kw": [-20, -3, 4, 4]}]


def best(name: str = "power_allocation", **fields: Any) -> BestPlan:
    written = {
        "horizon": {"start": "2026-11-20T18:00+01:00", "step_min": 60, "hours": 4},
        "price_eur_per_kwh": 0.3,
        "sessions": [CAR],
        **fields,
    }
    return best_plan(planning_problem(parse_problem(json.dumps(written))), MADE[name])


def unmet(found: BestPlan) -> str:
    assert found.plan.reasons is not None
    return "\n".join(found.plan.reasons.unmet)


CASES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "base load above its limit": (
        "power_allocation",
        {"nodes": OVER},
        ("grid kW: 5 kW over its limit 19:00–21:00 by the base load alone",),
    ),
    "base load far above, for a rule": ("edf", {"nodes": OVER}, ("5 kW over its limit 19:00–21:00",)),
    "twice above": (
        "edf",
        {"nodes": [{"id": "g", "limit_kw": 10, "base_kw": [12, 1, 11, 1]}]},
        ("2 kW over its limit 18:00–19:00", "1 kW over its limit 20:00–21:00"),
    ),
    "no limit left at all": (
        "power_allocation",
        {"nodes": [{"id": "g", "limit_kw": 0}]},
        ("a: 0.0 of 10.0 kWh by 22:00: g kW is full",),
    ),
    "above on one phase": (
        "power_allocation",
        {"nodes": [{"id": "g", "limit_a": 16, "base_kw": {"L1": 4.6}}]},
        ("g L1: 4 A over its limit 18:00–22:00 by the base load alone", "a: 0.0 of 10.0 kWh"),
    ),
    "a battery that is too small": (
        "power_allocation",
        {"nodes": OVER, "site_battery": {**STORE, "stored_kwh": 1}},
        ("0.769 kW over its limit 19:00–21:00, 5 kW without what the plan does about it",),
    ),
    "a battery that no rule uses": ("edf", {"nodes": OVER, "site_battery": STORE}, ("by the base load alone",)),
    "cars that could give back, for a planner that lets none": (
        "power_allocation",
        {"nodes": OVER, "sessions": [{**CAR, "battery": GIVES}]},
        ("5 kW over its limit 19:00–21:00 by the base load alone",),
    ),
    "cars that give back to keep the limit and go short": (
        "v2g",
        {"nodes": OVER, "sessions": [{**CAR, "battery": GIVES}]},
        ("a: 4.2 of 10.0 kWh by 22:00: grid kW is full, 5.8 kWh missing",),
    ),
    "rounded setpoints beside": (
        "power_allocation",
        {"nodes": OVER, "site_battery": {**STORE, "stored_kwh": 1}, "offerable_steps": 2},
        ("kW over its limit 19:00–21:00",),
    ),
    "feeds back more than it may": (
        "power_allocation",
        {"nodes": BACK},
        ("grid kW: 5 kW over its limit 18:00–19:00, 15 kW without what the plan does about it",),
    ),
    "a hall where nobody charges": (
        "power_allocation",
        {"nodes": [{"id": "grid", "limit_kw": 40}, {"id": "attic", "parent": "grid", "limit_a": 10, "base_kw": 9}]},
        ("attic L1: 3.04 A over its limit 18:00–22:00 by the base load alone",),
    ),
    "feeds back where nobody charges": (
        "power_allocation",
        {"nodes": [{"id": "grid", "limit_kw": 40, "base_kw": -50}], "sessions": [], "export_eur_per_kwh": 0.1},
        ("grid kW: 10 kW over its limit 18:00–22:00 by the base load alone",),
    ),
    "a battery that cannot be filled so far": (
        "power_allocation",
        {"site_battery": {**STORE, "end_kwh": 20, "charge_max_kw": 1}},
        ("site battery: 13.8 kWh at the end instead of 20.0",),
    ),
    "a battery that a rule does not fill": (
        "edf",
        {"site_battery": {**STORE, "end_kwh": 15}},
        ("site battery: 10.0 kWh at the end instead of 15.0",),
    ),
    "a battery below its least": (
        "power_allocation",
        {"site_battery": {**STORE, "least_kwh": 12}},
        ("site battery: 10.0 kWh, less than the 12.0 kWh it is to keep, until 19:00",),
    ),
    "a vehicle below its least": (
        "v2g",
        {"sessions": [{**CAR, "battery": {**GIVES, "least_kwh": 15}}]},
        ("a: its battery holds 10.0 kWh, less than the 15.0 kWh it is to keep",),
    ),
    "a vehicle that has no room for what it wants": (
        "power_allocation",
        {"sessions": [{**CAR, "battery": {**GIVES, "stored_kwh": 18}}]},
        ("a: 2.1 of 10.0 kWh by 22:00: no more fits into its battery",),
    ),
    "more than a stay can take": (
        "power_allocation",
        {"sessions": [{**CAR, "energy_kwh": 1000}]},
        ("a: 44.2 of 1000.0 kWh by 22:00: full power all along is no more",),
    ),
    "gone already": (
        "power_allocation",
        {"sessions": [{**CAR, "arrival": -5, "departure": -1}]},
        ("a: 0.0 of 10.0 kWh: gone since 17:00",),
    ),
    "comes too late": (
        "power_allocation",
        {"sessions": [{**CAR, "arrival": 9}]},
        ("a: 0.0 of 10.0 kWh: comes after the end of the plan at 22:00",),
    ),
    "a lowest current that does not fit below the limit": (
        "power_allocation",
        {"nodes": [{"id": "g", "limit_kw": 2}], "offerable_steps": 4},
        ("a: 0.0 of 10.0 kWh by 22:00: g kW is full",),
    ),
    "a rise too slow to begin": (
        "power_allocation",
        {"sessions": [{**CAR, "ramp_kw_per_h": 0.001}]},
        ("a: 0.0 of 10.0 kWh by 22:00",),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_contradiction_ends_in_a_plan_and_the_list_of_what_is_not_met(case: str) -> None:
    name, fields, words = CASES[case]
    told = unmet(best(name, **fields))
    for word in words:
        assert word in told


def test_a_limit_gives_way_by_no_more_than_it_must() -> None:
    # 5 + 2 kWh too much; 1 kWh is there, 6/1.1 kW can be taken in before, at 0.95 each way.
    found = best(nodes=OVER, site_battery={**STORE, "stored_kwh": 1})
    assert found.plan.battery_kw is not None
    assert found.plan.reasons is not None
    (overload,) = found.plan.reasons.overloads
    stored_kwh = 1 + 0.95 * min(5.0, float(found.plan.battery_kw[0]))
    assert found.plan.battery_kw[0] == pytest.approx(5.0, abs=1e-4)
    assert overload.over.sum() == pytest.approx(7 - 0.95 * stored_kwh, abs=1e-4)
    assert overload.over[1] == pytest.approx(overload.over[2], abs=1e-4)


def test_what_can_be_met_with_an_effort_is_no_contradiction() -> None:
    found = best(site_battery={**STORE, "end_kwh": 15})
    assert unmet(found) == ""
    assert found.plan.battery_kw is not None
    assert found.plan.battery_kw.sum() * 0.95 == pytest.approx(5.0)


def test_where_nothing_is_contradictory_the_problem_is_the_one_that_was_asked() -> None:
    problem = best(nodes=[{"id": "g", "limit_kw": 20, "base_kw": 5}]).problem
    assert best_plan(problem, MADE["edf"]).problem is problem


STORES = st.fixed_dictionaries(
    {
        "capacity_kwh": st.just(20),
        "stored_kwh": st.sampled_from([0, 3, 10, 20]),
        "discharge_max_kw": st.sampled_from([0, 2, 8]),
        "least_kwh": st.sampled_from([0, 5, 20]),
    }
)
NODES = st.fixed_dictionaries(
    {
        "base_kw": st.lists(st.sampled_from([-25, -3, 0, 6, 14, 40]), min_size=4, max_size=4),
        "limit_kw": st.sampled_from([0, 9, 20, None]),
        "limit_a": st.sampled_from([None, 16, {"L2": 10}]),
        "export_limit_kw": st.sampled_from([None, 0, 4]),
    }
)


@st.composite
def contradictions(draw: st.DrawFn) -> dict[str, Any]:
    """A hall below a grid, overloaded or feeding back at times, with batteries that are as good as any."""
    nodes = [{"id": "grid", **draw(NODES)}, {"id": "hall", "parent": "grid", **draw(NODES)}]
    cars = [
        {"id": "a", "node": "hall", "energy_kwh": draw(st.sampled_from([0, 8, 90])), "max_a": 16, "step_a": 1},
        {
            "id": "b",
            "energy_kwh": 6,
            "max_a": 32,
            "phases": 1,
            "arrival": -5,
            "departure": draw(st.sampled_from([-1, 0.5, 3])),
        },
    ]
    fields: dict[str, Any] = {"nodes": nodes, "sessions": cars, "offerable_steps": draw(st.sampled_from([0, 0, 1]))}
    if draw(st.booleans()):
        cars[0]["battery"] = draw(STORES)
    if draw(st.booleans()):
        store = {
            **draw(STORES),
            "charge_max_kw": draw(st.sampled_from([0, 6])),
            "end_kwh": draw(st.sampled_from([0, 20])),
        }
        fields["site_battery"] = {**store, "node": draw(st.sampled_from(["grid", "hall"]))}
    return fields


@pytest.mark.parametrize("name", ["power_allocation", "v2g", "edf", "equal_share", "peak", "service_first", "fair"])
@settings(max_examples=15, deadline=None)
@given(fields=contradictions())
def test_every_contradiction_the_schema_admits_has_a_plan_that_tells_all_it_breaks(
    name: str, fields: dict[str, Any]
) -> None:
    found = best(name, **fields)
    plan, problem = found.plan, found.problem
    assert plan.reasons is not None
    assert violations(problem, plan.power_kw, battery_kw=plan.battery_kw) == []
    written = {"horizon": {"start": "2026-11-20T18:00+01:00", "step_min": 60, "hours": 4}, "price_eur_per_kwh": 0.3}
    asked = planning_problem(parse_problem(json.dumps({**written, **fields})))
    told = {overload.name: overload.over for overload in plan.reasons.overloads}
    battery_kw = np.zeros(4) if plan.battery_kw is None else plan.battery_kw
    for cap in asked.caps:
        use = cap.load @ plan.power_kw + cap.battery_load * battery_kw
        floor = np.full(4, -np.inf) if cap.floor is None else cap.floor
        over = np.maximum(np.maximum(use - cap.limit, floor - use), 0.0)
        np.testing.assert_allclose(told.get(cap.name, np.zeros(4)), over, atol=2e-4)
    short = {s.session_id for s, kwh in zip(asked.sessions, plan.unserved_kwh, strict=True) if kwh > 1e-3}
    assert short <= {sentence.partition(":")[0] for sentence in plan.reasons.unmet}
    given_kwh = charged_kwh(asked, plan.power_kw).sum(axis=1)
    for row, session in enumerate(asked.sessions):
        assert plan.unserved_kwh[row] == pytest.approx(max(0.0, session.energy_kwh - given_kwh[row]), abs=1e-6)


def test_rounding_up_to_take_in_what_flows_back_never_overfills_a_vehicle() -> None:
    nodes = [
        {"id": "grid", "limit_kw": 0, "base_kw": [-25, -25, -25, -3]},
        {"id": "hall", "parent": "grid", "limit_kw": 0, "base_kw": [-25, -25, -25, 6]},
    ]
    car = {"id": "a", "node": "hall", "energy_kwh": 90, "max_a": 16, "step_a": 1}
    store = {**STORE, "stored_kwh": 0, "discharge_max_kw": 0, "charge_max_kw": 0}
    found = best(
        "peak",
        nodes=nodes,
        sessions=[{**car, "battery": {**GIVES, "discharge_max_kw": 2}}],
        site_battery=store,
        offerable_steps=1,
    )
    assert found.plan.power_kw.sum() * 0.95 <= 10 + 1e-6
