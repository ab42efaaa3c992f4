"""A planning problem in JSON: what is written is what is planned, and every fault names its field and value."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from connectors.problems.plan_answer import PlanAnswer, plan_json
from connectors.problems.reading import parse_problem
from connectors.problems.translation import planning_problem
from twin_core.errors import ConfigurationError
from twin_core.models.problem import PlanningProblem
from twin_core.planning.table import planner


def written(**changes: Any) -> dict[str, Any]:
    """Two cars in one hall, four hours of an evening."""
    return {
        "horizon": {"start": "2026-11-20T18:00+01:00", "step_min": 60, "hours": 4},
        "price_eur_per_kwh": 0.3,
        "nodes": [
            {"id": "grid", "limit_kw": 30, "base_kw": 6},
            {"id": "hall", "parent": "grid", "limit_a": {"L1": 32, "L2": 20}},
        ],
        "sessions": [
            {"id": "a", "node": "hall", "energy_kwh": 10, "max_a": 16},
            {"id": "b", "node": "hall", "energy_kwh": 5, "max_a": 32, "phases": 1, "rotation": ["L2", "L3", "L1"]},
        ],
        **changes,
    }


def session(**changes: Any) -> dict[str, Any]:
    return written(sessions=[{"id": "a", "energy_kwh": 10, "max_a": 16, **changes}])


def problem(given: dict[str, Any]) -> PlanningProblem:
    return planning_problem(parse_problem(json.dumps(given)))


def test_a_car_loads_the_phases_it_is_wired_to_at_its_node_and_above() -> None:
    caps = {cap.name: cap for cap in problem(written()).caps}
    assert list(caps) == ["grid kW", "hall L1", "hall L2"]
    assert caps["grid kW"].load.tolist() == [1.0, 1.0]
    assert caps["hall L1"].load == pytest.approx([1 / 0.69, 0.0])
    assert caps["hall L2"].load == pytest.approx([1 / 0.69, 1 / 0.23])


def test_a_rotation_nobody_knows_counts_on_every_phase() -> None:
    cars = [{"id": "b", "node": "hall", "energy_kwh": 5, "max_a": 32, "phases": 1, "rotation": None}]
    assert [c.load[0] for c in problem(written(sessions=cars)).caps[1:]] == pytest.approx([1 / 0.23, 1 / 0.23])


def test_the_base_load_of_a_node_is_taken_off_it_and_off_what_feeds_it() -> None:
    nodes = [{"id": "grid", "limit_kw": 30, "base_kw": 6}, {"id": "hall", "parent": "grid", "limit_a": 40}]
    nodes[1]["base_kw"] = {"L1": 2.3, "L3": [0.0, 4.6, 0.0, 0.0]}
    caps = {cap.name: cap.limit.tolist() for cap in problem(written(nodes=nodes)).caps}
    assert caps["hall L1"] == pytest.approx([30, 30, 30, 30])
    assert caps["hall L2"] == pytest.approx([40, 40, 40, 40])
    assert caps["hall L3"] == pytest.approx([40, 20, 40, 40])
    assert caps["grid kW"] == pytest.approx([21.7, 17.1, 21.7, 21.7])


@pytest.mark.parametrize(
    ("series", "by_step"),
    [
        (0.2, [0.2, 0.2, 0.2, 0.2]),
        ([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]),
        ({"00:00": 0.1, "19:30": 0.5}, [0.1, 0.3, 0.5, 0.5]),
        ({"20:00": 0.7, "06:00": 0.2}, [0.2, 0.2, 0.7, 0.7]),
        ({"12:00": 0.4}, [0.4, 0.4, 0.4, 0.4]),
    ],
)
def test_a_price_is_one_number_or_one_a_step_or_one_from_a_time_on(series: Any, by_step: list[float]) -> None:
    assert problem(written(price_eur_per_kwh=series)).price_eur_per_kwh == pytest.approx(by_step)


def test_a_pattern_by_time_goes_on_after_midnight() -> None:
    horizon = {"start": "2026-11-20T22:00+01:00", "step_min": 120, "hours": 6}
    given = problem(written(horizon=horizon, price_eur_per_kwh={"01:00": 0.1, "21:00": 0.3}))
    assert given.price_eur_per_kwh == pytest.approx([0.3, 0.2, 0.1])


def test_times_and_hours_say_the_same_and_no_departure_is_no_end() -> None:
    need = problem(session(arrival="2026-11-20T18:00:00Z", departure="2026-11-20T23:30+01:00")).sessions[0]
    assert (need.arrival_h, need.departure_h) == (1.0, 5.5)
    assert problem(session()).sessions[0].departure_h == np.inf


def test_amperes_become_power_on_the_phases_in_use() -> None:
    need = problem(session(phases=2, step_a=1)).sessions[0]
    assert (need.max_kw, need.min_kw, need.step_kw) == pytest.approx((7.36, 2.76, 0.46))


def test_the_site_is_billed_as_a_whole_once_anything_but_the_cars_is_paid_for() -> None:
    assert problem(written()).site is None
    flows = problem(written(pv_kw=3)).site
    assert flows is not None
    assert flows.base_kw.tolist() == [6.0] * 4
    assert flows.pv_kw.tolist() == [3.0] * 4


def test_a_battery_and_a_car_that_gives_back_are_held_by_the_limits_both_ways() -> None:
    store = {"capacity_kwh": 20, "stored_kwh": 10, "discharge_max_kw": 5}
    given = written(site_battery={**store, "charge_max_kw": 5})
    caps = {cap.name: cap for cap in problem(given).caps}
    assert caps["grid kW"].battery_load == 1.0
    assert caps["grid kW"].floor is not None
    assert caps["grid kW"].floor.tolist() == [-36.0] * 4
    assert caps["hall L1"].floor is None
    given["sessions"][0]["battery"] = store
    assert [cap.floor is None for cap in problem(given).caps] == [False] * 3


STORE = {"capacity_kwh": 20, "stored_kwh": 10, "discharge_max_kw": 5}

BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown field": (written(prices=[1]), ("prices", "no such field")),
    "field missing": ({"horizon": {"start": "2026-11-20T18:00Z"}}, ("price_eur_per_kwh", "missing")),
    "no time zone": (written(horizon={"start": "2026-11-20T18:00"}), ("horizon.start", "time zone", "18:00")),
    "no hours": (written(horizon={"start": "2026-11-20T18:00Z", "hours": 0}), ("horizon.hours: ", "given: 0")),
    "odd steps": (written(horizon={"start": "2026-11-20T18:00Z", "step_min": 7, "hours": 1}), ("horizon", "7 min")),
    "endless": (written(horizon={"start": "2026-11-20T18:00Z", "step_min": 0.001}), ("horizon", "10000")),
    "negative energy": (session(energy_kwh=-5), ("sessions.0.energy_kwh", "-5", "greater than or equal to 0")),
    "not a number": (session(energy_kwh="lots"), ("sessions.0.energy_kwh", '"lots"')),
    "no power": (session(max_a=None), ("sessions.0", "max_a or max_kw")),
    "power twice": (session(max_kw=5), ("sessions.0", "max_a or max_kw")),
    "minimum above": (session(min_a=20), ("sessions.0", "13.8", "11.04")),
    "gone before": (session(arrival=3, departure=2), ("'a'", "departure 2", "arrival 3")),
    "phase twice": (session(rotation=["L1", "L1", "L2"]), ("sessions.0", "rotation L1-L1-L2")),
    "four phases": (session(phases=4), ("sessions.0.phases", "4")),
    "node unknown": (session(node="attic"), ("'a'", "'attic'")),
    "id twice": (written(sessions=written()["sessions"][:1] * 2), ("session 'a'", "twice")),
    "two roots": (written(nodes=[{"id": "x"}, {"id": "y"}], sessions=[]), ("x, y", "exactly one")),
    "a circle": (
        written(nodes=[{"id": "r"}, {"id": "x", "parent": "y"}, {"id": "y", "parent": "x"}], sessions=[]),
        ("'x'", "its own ancestor"),
    ),
    "orphan": (written(nodes=[{"id": "r"}, {"id": "x", "parent": "z"}], sessions=[]), ("'x'", "'z'")),
    "overfull": (
        session(battery={"capacity_kwh": 10, "stored_kwh": 20, "discharge_max_kw": 5}),
        ("sessions.0.battery", "stored_kwh 20", "capacity_kwh 10", "lower it"),
    ),
    "short list": (written(price_eur_per_kwh=[0.1, 0.2]), ("price_eur_per_kwh", "2 values for 4 steps")),
    "no time of day": (written(price_eur_per_kwh={"25:00": 1}), ("price_eur_per_kwh", "25:00")),
    "infinite": (session(departure=1e999), ("departure",)),
    "astronomic": (session(energy_kwh=1e300), ("sessions.0.energy_kwh", "1e+300", "1000000")),
    "number in quotes": (session(energy_kwh="10"), ("sessions.0.energy_kwh", '"10"', "without quotes")),
    "true for a number": (session(priority=True), ("sessions.0.priority", "true", "must be a number")),
    "limit below 0": (written(nodes=[{"id": "grid", "limit_kw": -5}], sessions=[]), ("nodes.0.limit_kw", "-5")),
    "one limit below 0": (
        written(nodes=[{"id": "grid", "limit_a": {"L1": [5, 5, -1, 5]}}], sessions=[]),
        ("nodes.0.limit_a.L1", "-1 is below 0"),
    ),
    "export below 0": (written(nodes=[{"id": "g", "export_limit_kw": -5}], sessions=[]), ("export_limit_kw", "-5")),
    "dark sun": (written(pv_kw={"00:00": -1}), ("pv_kw", "-1 is below 0")),
    "fourth phase": (
        written(nodes=[{"id": "grid", "limit_a": {"L4": 3}}], sessions=[]),
        ("nodes.0.limit_a.L4", "no such field"),
    ),
    "odd time of day": (written(price_eur_per_kwh={"7:00": 1}), ("price_eur_per_kwh.7:00", '"07:00"')),
    "ends too full": (
        written(site_battery={**STORE, "charge_max_kw": 5, "end_kwh": 25}),
        ("site_battery", "end_kwh 25", "capacity_kwh 20"),
    ),
    "no calendar": (written(horizon={"start": "9999-12-31T23:00Z", "hours": 4}), ("horizon", "9999-12-31")),
    "seconds since 1970": (written(horizon={"start": 1763650800}), ("horizon.start", "1763650800", "zone")),
    "only a date": (written(horizon={"start": "2026-11-20"}), ("horizon.start", "2026-11-20", "zone")),
    "soon": (session(departure="soon"), ("sessions.0.departure", "soon", "2026-11-21T18:30+01:00")),
    "unprintable": (session(id="a\nb"), ("sessions.0.id", "a\\nb", "visible")),
    "no lowest current": (session(switches_to_one_phase=True, min_a=0), ("sessions.0", "min_a 6")),
    "thousand faults": (written(price_eur_per_kwh=["x"] * 1000), ("1000 fault(s)", "and 980 more")),
}


@pytest.mark.parametrize("case", BAD)
def test_a_problem_that_makes_no_sense_is_refused_with_field_and_value(case: str) -> None:
    given, words = BAD[case]
    with pytest.raises(ConfigurationError) as refused:
        problem(given)
    for word in words:
        assert word in str(refused.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"2 fault"):
        problem(session(energy_kwh=-1, priority=0))


@pytest.mark.parametrize("text", ["[1, 2", "", "[" * 100_000, b"\xff\xfe", "NaN,"])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="JSON"):
        parse_problem(text)


def test_a_field_given_twice_is_refused_instead_of_guessed() -> None:
    text = json.dumps(written()).replace(
        '"price_eur_per_kwh": 0.3', '"price_eur_per_kwh": 0.3, "price_eur_per_kwh": 0.9'
    )
    with pytest.raises(ConfigurationError, match="'price_eur_per_kwh' is given twice"):
        parse_problem(text)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_problem(b"\xef\xbb\xbf" + json.dumps(written()).encode()).sessions[0].id == "a"


def test_a_plan_in_json_reads_back_with_every_session() -> None:
    plan = planner("edf").plan(problem(written()))
    answer = PlanAnswer.model_validate_json(plan_json(plan))
    assert [s.id for s in answer.sessions] == ["a", "b"]
    assert [s.delivered_kwh for s in answer.sessions] == pytest.approx([10, 5])
    assert len(answer.starts) == len(answer.hours) == len(answer.sessions[0].power_kw) == 4


@pytest.mark.parametrize("name", ["edf", "power_allocation"])
def test_a_base_load_above_the_limit_leaves_the_best_plan_there_is(name: str) -> None:
    nodes = [{"id": "grid", "limit_kw": 10, "base_kw": [4, 12, 4, 4]}]
    cars = [{"id": "a", "energy_kwh": 40, "max_a": 16}]
    plan = planner(name).plan(problem(written(nodes=nodes, sessions=cars)))
    assert plan.power_kw[0] == pytest.approx([6, 0, 6, 6])


def test_a_battery_relieves_a_limit_that_the_base_load_breaks() -> None:
    nodes = [{"id": "grid", "limit_kw": 10, "base_kw": [4, 12, 4, 4]}]
    cars = [{"id": "a", "energy_kwh": 5, "max_a": 16}]
    battery = {"capacity_kwh": 5, "stored_kwh": 0, "discharge_max_kw": 5, "charge_max_kw": 5}
    plan = planner("power_allocation").plan(problem(written(nodes=nodes, sessions=cars, site_battery=battery)))
    assert plan.battery_kw is not None
    assert plan.battery_kw[1] <= -2 + 1e-6
    assert plan.unserved_kwh.sum() == pytest.approx(0.0, abs=1e-6)


def test_service_first_keeps_what_the_sites_battery_feeds_in_beside_a_full_limit() -> None:
    given = written(
        nodes=[{"id": "grid", "limit_kw": 0}],
        sessions=[{"id": "a", "energy_kwh": 90, "max_a": 16}],
        site_battery={"capacity_kwh": 20, "stored_kwh": 10, "charge_max_kw": 0, "discharge_max_kw": 2},
    )
    assert planner("service_first").plan(problem(given)).power_kw.sum() == pytest.approx(8, abs=1e-3)
