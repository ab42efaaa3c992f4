"""Why a plan is as it is: the reasons must follow from the plan, and the prices must hold when somebody tries them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin_core.planning.problems import car, depot, limit
from twin_core.models.plan import ReasonCode, Reasons, SessionReason
from twin_core.models.problem import PlanningProblem, SiteFlows, Taper, VehicleBattery
from twin_core.planning.lifting import lift
from twin_core.planning.optimum import optimal_plan
from twin_core.planning.reasons import explained
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.table import planner


def reasons(problem: PlanningProblem, name: str = "power_allocation") -> Reasons:
    found = explained(problem, planner(name).plan(problem)).reasons
    assert found is not None
    return found


def why(problem: PlanningProblem, name: str = "power_allocation") -> SessionReason:
    return reasons(problem, name).sessions[0]


def test_who_waits_for_a_lower_price_is_told_when_and_what_it_saves() -> None:
    told = why(depot([car("a", 10)], 10, [0.4, 0.3, 0.1, 0.2]))
    assert told.code is ReasonCode.CHEAPER_LATER
    assert told.text == "charges from 14:00 at 0.100 instead of 0.400 €/kWh"


def test_who_takes_all_it_can_is_told_so() -> None:
    assert why(depot([car("a", 40)])).code is ReasonCode.FULL_POWER
    assert why(depot([car("a", 3)])).text == "3.0 kW, all it still wants"


@pytest.mark.parametrize("name", ["power_allocation", "edf", "equal_share"])
def test_who_is_held_back_now_is_told_by_which_limit(name: str) -> None:
    problem = depot([car("a", 12), car("b", 12)], 30, caps=[limit("hall", [1, 1], [8] * 4)])
    for told in reasons(problem, name).sessions:
        assert told.code is ReasonCode.LIMITED or told.code is ReasonCode.FULL_POWER
    held = [told for told in reasons(problem, name).sessions if told.code is ReasonCode.LIMITED]
    assert {told.limit for told in held} == {"hall"}


def test_a_later_turn_by_a_rule_is_told_as_such() -> None:
    # Deferral without scarcity: only a rule of its own does that.
    problem = depot([car("a", 10)], 10)
    late = replace(planner("edf").plan(problem), power_kw=np.array([[0.0, 0.0, 0.0, 10.0]]))
    found = explained(problem, replace(late, reasons=None)).reasons
    assert found is not None
    assert found.sessions[0].code is ReasonCode.RULE


def test_too_short_a_stay_is_not_blamed_on_a_limit() -> None:
    problem = depot([car("a", 30, departure_h=2.0)], 50)
    told = why(problem)
    assert told.code is ReasonCode.STAY_TOO_SHORT
    assert told.limit == ""
    assert reasons(problem).unmet == ("a: 20.0 of 30.0 kWh by 14:00: full power all along is no more",)


def test_a_battery_that_tapers_counts_as_too_short_a_stay() -> None:
    problem = depot([car("a", 20, departure_h=2.0, taper=Taper(5.0, 25.0))], 50)
    assert why(problem).code is ReasonCode.STAY_TOO_SHORT


@pytest.mark.parametrize("name", ["power_allocation", "v2g", "fair", "service_first", "edf"])
def test_a_full_battery_is_not_blamed_on_a_limit_that_is_full_for_others(name: str) -> None:
    full = car("full", 30, battery=VehicleBattery(30.0, 25.0, 25.0, 5.0, charge_efficiency=1.0))
    problem = depot([full, car("b", 20)], 10, prices=(0.1, 0.2, 0.3, 0.4))
    told = why(problem, name)
    assert (told.limit, told.code) == ("", ReasonCode.STAY_TOO_SHORT)
    assert told.text == "5.0 of 30.0 kWh by 16:00: no more fits into its battery"


def test_of_what_a_limit_leaves_missing_the_part_its_battery_has_no_room_for_is_told_apart() -> None:
    problem = depot([car("full", 30, battery=VehicleBattery(30.0, 20.0, 0.0, 5.0, charge_efficiency=1.0))], 2)
    told = why(problem)
    assert told.limit == "site"
    assert told.text.endswith("site is full, 22.0 kWh missing, of which 20.0 kWh that its battery has no room for")


def test_the_limit_that_leaves_somebody_short_is_named_and_the_worst_comes_first() -> None:
    problem = depot(
        [car("a", 20), car("b", 30)], 100, caps=[limit("hall", [0, 1], [3] * 4), limit("x", [1, 0], [4] * 4)]
    )
    found = reasons(problem)
    assert [told.limit for told in found.sessions] == ["x", "hall"]
    assert [sentence[:2] for sentence in found.unmet] == ["b:", "a:"]


def test_who_is_not_here_and_who_wants_nothing_are_told_apart() -> None:
    told = reasons(depot([car("a", 5, arrival_h=2.5), car("b", 0)])).sessions
    assert [reason.code for reason in told] == [ReasonCode.NOT_HERE_YET, ReasonCode.DONE]
    assert told[0].text == "expected at 14:30"


def test_a_base_load_above_the_limit_is_the_first_thing_not_met() -> None:
    found = reasons(depot([car("a", 40), car("b", 40)], [5, -3, 5, 5]))
    assert found.unmet[0] == "site: 3 over its limit 13:00–14:00 by the base load alone"


def test_the_price_of_a_limit_is_what_a_little_more_of_it_saves() -> None:
    caps = [limit("hall", [1.0, 2.0, 0.0], [9, 7, 9, 8]), limit("site", [1, 1, 1], [14, 16, 12, 15])]
    cars = [car("a", 14, departure_h=3), car("b", 12), car("c", 18, arrival_h=0.5)]
    problem = depot(cars, None, [0.31, 0.12, 0.22, 0.41], caps=caps)
    bench = SolverBench("oracle")
    plan = optimal_plan("test", problem, bench)
    assert plan.reasons is not None
    priced = {found.name: found.price for found in plan.reasons.limits}
    assert any(price.any() for price in priced.values())
    for row, cap in enumerate(caps):
        for step in range(4):
            more = cap.limit.copy()
            more[step] += 1e-3
            wider = tuple(replace(c, limit=more) if i == row else c for i, c in enumerate(caps))
            saved = plan.objective_eur - optimal_plan("test", replace(problem, caps=wider), bench).objective_eur
            assert saved == pytest.approx(priced.get(cap.name, np.zeros(4))[step] * 1e-3, abs=1e-7)


@pytest.mark.parametrize("solver", ["kernel", "highs", "cvxpy", "oracle"])
@pytest.mark.parametrize("wanted_kwh", [7.0, 40.0])
def test_a_limit_of_one_car_alone_has_its_price_whoever_solves(solver: str, wanted_kwh: float) -> None:
    problem = depot([car("a", wanted_kwh)], None, [0.4, 0.1, 0.2, 0.3], caps=[limit("plug", [2.0], [8.0] * 4)])
    bench = SolverBench(solver)
    plan = optimal_plan("test", problem, bench)
    assert plan.reasons is not None
    (plug,) = plan.reasons.limits
    for step in np.flatnonzero(plan.power_kw[0] >= 4.0 - 1e-6):
        more = problem.caps[0].limit.copy()
        more[step] += 1e-3
        wider = replace(problem, caps=(replace(problem.caps[0], limit=more),))
        saved = plan.objective_eur - optimal_plan("test", wider, bench).objective_eur
        assert saved == pytest.approx(plug.price[step] * 1e-3, abs=1e-8)
    free = optimal_plan("test", replace(problem, caps=()), bench)
    assert plug.cost_eur >= plan.objective_eur - free.objective_eur - 1e-9


def test_the_price_of_the_next_kwh_is_what_it_then_costs() -> None:
    problem = depot([car("a", 8), car("b", 15, departure_h=2)], 12, [0.4, 0.2, 0.3, 0.25])
    bench = SolverBench("oracle")
    plan = optimal_plan("test", problem, bench)
    assert plan.reasons is not None
    for row, told in enumerate(plan.reasons.sessions):
        hungrier = list(problem.sessions)
        hungrier[row] = replace(hungrier[row], energy_kwh=hungrier[row].energy_kwh + 0.01)
        dearer = optimal_plan("test", replace(problem, sessions=tuple(hungrier)), bench).objective_eur
        assert (dearer - plan.objective_eur) / 0.01 == pytest.approx(told.marginal_eur_per_kwh, abs=1e-5)


def test_lifting_a_limit_saves_at_most_what_its_price_says() -> None:
    cars = [car("a", 20, departure_h=3), car("b", 20)]
    problem = depot(cars, 9, [0.3, 0.1, 0.2, 0.4])
    bench = SolverBench("oracle")
    plan, free = (optimal_plan("test", p, bench) for p in (problem, replace(problem, caps=())))
    assert plan.reasons is not None
    assert 0 < plan.objective_eur - free.objective_eur <= plan.reasons.limits[0].cost_eur + 1e-9


def test_lifting_tells_money_and_energy_apart() -> None:
    problem = depot([car("a", 20)], 4, [0.1, 0.1, 0.1, 0.1])
    made = planner("power_allocation")
    found = lift(problem, made.plan(problem), made, ["site"])
    assert (found.saves_eur, found.delivers_kwh) == pytest.approx((-0.4, 4.0))


def test_the_sun_makes_the_next_kwh_as_cheap_as_what_feeding_it_back_earns() -> None:
    sun = SiteFlows(base_kw=np.zeros(2), pv_kw=np.array([0.0, 8.0]), export_eur_per_kwh=np.array([0.05, 0.05]))
    told = why(replace(depot([car("a", 5)], None, [0.3, 0.3]), site=sun))
    assert told.code is ReasonCode.CHEAPER_LATER
    assert told.marginal_eur_per_kwh == pytest.approx(0.05, abs=1e-6)


def test_a_slack_limit_is_not_among_those_that_bind() -> None:
    assert reasons(depot([car("a", 10)], 500)).limits == ()


@pytest.mark.parametrize("name", ["power_allocation", "edf"])
def test_a_depot_without_cars_or_steps_has_no_reasons_to_give(name: str) -> None:
    assert reasons(depot([], 10), name).sessions == ()
    assert len(reasons(depot([car("a", 5)], 10, []), name).sessions) == 1


WHOLE = {"max_kw": 11.04, "min_kw": 4.14, "kw_per_a": 0.69, "step_kw": 0.69}


def rounded(site_kw: float = 9.0) -> PlanningProblem:
    """Two cars and a limit that is no whole number of steps; a third comes later."""
    cars = [car("a", 40, departure_h=4, **WHOLE), car("b", 4, arrival_h=2.0, departure_h=4, **WHOLE)]
    return replace(depot(cars, site_kw, [0.4, 0.1, 0.2, 0.3]), offerable_steps=1)


def test_who_gets_less_now_because_its_charger_cannot_offer_it_is_told_what_is_carried_over() -> None:
    problem = depot([car("a", 26, departure_h=3, **WHOLE)], 9.0, [0.1, 0.2, 0.3])
    plan = planner("power_allocation").plan(replace(problem, offerable_steps=1))
    assert plan.reasons is not None
    assert plan.power_kw[0, 0] == pytest.approx(13 * 0.69)
    told = plan.reasons.sessions[0]
    assert told.code is ReasonCode.ROUNDED
    assert told.text == (
        "8.97 kW, rounded down from 9.00 to what can be offered (0 or from 4.14 kW in steps of 0.69): "
        "0.03 kWh is carried over"
    )
    assert "marginal prices" in plan.reasons.notes[-1]


def test_reasons_of_a_rounded_plan_are_those_of_the_plan_returned() -> None:
    problem = rounded()
    before = planner("power_allocation").plan(replace(problem, offerable_steps=0))
    plan = planner("power_allocation").plan(problem)
    assert before.reasons is not None
    assert plan.reasons is not None
    assert np.abs(plan.power_kw[:, 0] - before.power_kw[:, 0]).max() > 1e-3
    use = plan.power_kw.sum(axis=0)
    site = {found.name: found for found in plan.reasons.limits}["site"]
    # While only whole steps can be offered, a limit without room for the next one is full.
    assert site.bound_h == pytest.approx(np.count_nonzero(use >= 9.0 - np.array([0.69, 0, 0, 0]) - 1e-6))
    short = {session.session_id for session, kwh in zip(problem.sessions, plan.unserved_kwh, strict=True) if kwh > 1e-3}
    assert {sentence.partition(":")[0] for sentence in plan.reasons.unmet} == short
    kept = {reason.session_id: reason.marginal_eur_per_kwh for reason in before.reasons.sessions}
    assert {r.session_id: r.marginal_eur_per_kwh for r in plan.reasons.sessions} == kept
