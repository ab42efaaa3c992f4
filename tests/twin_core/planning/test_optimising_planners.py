"""What each optimising planner is for, as claims about its plans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import (
    car,
    depot,
    energy_kwh,
    limit,
    rich_problems,
    session_problems,
    site_problems,
    v2g_problems,
)
from twin_core.errors import ConfigurationError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, Cap, PlanningProblem, SiteBattery, SiteFlows, VehicleBattery
from twin_core.planning.accounting import bill, charged_kwh, grid_exchange_kw
from twin_core.planning.carbon import Carbon
from twin_core.planning.check import violations
from twin_core.planning.intelligent import Intelligent, Weights
from twin_core.planning.peak import Peak
from twin_core.planning.table import planner

LENSES = ["power_allocation", "carbon", "peak", "self_consumption", "intelligent", "v2g"]


def behind_a_meter(
    problem: PlanningProblem, pv_kw: list[float], export: float = 0.05, **other: object
) -> PlanningProblem:
    n = problem.horizon.n_steps
    site = SiteFlows(np.full(n, 2.0), np.array(pv_kw), np.full(n, export))
    return replace(problem, site=replace(site, **other))  # type: ignore[arg-type]


def imported_kwh(problem: PlanningProblem, plan: Plan) -> float:
    assert problem.site is not None
    exchange_kw = grid_exchange_kw(problem, problem.site, plan.power_kw, plan.battery_kw)
    return float(np.maximum(exchange_kw, 0.0) @ problem.horizon.hours)


def peak_kw(plan: Plan) -> float:
    return float(plan.power_kw.sum(axis=0).max())


@pytest.mark.parametrize("name", LENSES)
@settings(max_examples=15, deadline=None)
@given(problem=rich_problems())
def test_every_planner_answers_whatever_a_problem_holds_and_keeps_its_limits(
    name: str, problem: PlanningProblem
) -> None:
    plan = planner(name).plan(problem)
    assert violations(problem, plan.power_kw, battery_kw=plan.battery_kw) == []
    assert plan.status is PlanStatus.PROVED
    if name != "v2g":
        assert (plan.power_kw >= 0).all()


@pytest.mark.parametrize("name", [*LENSES, "cohort", "fair"])
def test_nothing_that_is_dear_is_worth_leaving_somebody_short(name: str) -> None:
    """Energy, its carbon and its peak all cost more than a shortfall is said to."""
    dear = depot([car("a", 10, shortfall_eur_per_kwh=0.1)], None, [2.0, 3.0])
    dear = replace(dear, carbon_kg_per_kwh=np.array([0.9, 0.9]), carbon_eur_per_kg=5.0)
    np.testing.assert_allclose(planner(name).plan(dear).unserved_kwh, 0, atol=1e-6)


@pytest.mark.parametrize("name", [*LENSES, "cohort", "fair"])
@pytest.mark.parametrize("direction", [1, -1])
def test_of_steps_that_cost_the_same_the_earlier_one_is_taken_whoever_solves(name: str, direction: int) -> None:
    """HiGHS takes any of them; the peak is paid for already, and the sun is left out."""
    cars = [car(f"car {i}", 6.0 + i, max_kw=4.0) for i in range(3)][::direction]
    problem = behind_a_meter(depot(cars, None, [0.2] * 8), [0.0] * 8, export=0.0, peak_so_far_kw=99.0)
    alone = Intelligent(Weights(1.0, 0.0, 0.0), adaptive=False, solver="highs")
    made = alone if name == "intelligent" else planner(name, "highs")
    together_kw = made.plan(problem).power_kw.sum(axis=0)
    np.testing.assert_allclose(together_kw, [12, 9, 0, 0, 0, 0, 0, 0], atol=1e-5)


@pytest.mark.parametrize("name", LENSES[1:5])
@settings(max_examples=15, deadline=None)
@given(problem=st.one_of(session_problems(), site_problems()))
def test_no_aim_is_worth_a_shortfall(name: str, problem: PlanningProblem) -> None:
    """Where vehicles do not taper: there an early kWh can cost more than one kWh later, which no price bounds."""
    assume(problem.sessions and problem.horizon.n_steps)
    equal = replace(problem, sessions=tuple(replace(s, shortfall_eur_per_kwh=1.0) for s in problem.sessions))
    equal = replace(equal, caps=tuple(c for c in equal.caps if set(c.load) <= {0.0, 1.0}))
    served = planner("power_allocation").plan(equal)
    plan = planner(name).plan(equal)
    assert plan.unserved_kwh.sum() == pytest.approx(served.unserved_kwh.sum(), abs=1e-4)


# Carbon.

CARBON = replace(
    depot([car("a", 10, departure_h=4)], None, [0.10, 0.12, 0.30, 0.20]),
    carbon_kg_per_kwh=np.array([0.9, 0.5, 0.1, 0.2]),
)


def test_the_dearer_carbon_is_the_cleaner_the_hours_at_equal_energy() -> None:
    plans = [Carbon(weight).plan(CARBON) for weight in (0.0, 1.0, 9.0)]
    assert [int(p.power_kw[0].argmax()) for p in plans] == [0, 1, 3]
    assert [energy_kwh(CARBON, p.power_kw) for p in plans] == [pytest.approx([10])] * 3
    assert plans[0].carbon_kg > plans[1].carbon_kg > plans[2].carbon_kg
    assert plans[0].cost_eur < plans[1].cost_eur < plans[2].cost_eur


def test_its_cost_is_money_and_its_objective_counts_carbon() -> None:
    plan = Carbon(9.0).plan(CARBON)
    assert plan.cost_eur == pytest.approx(2.0)
    assert plan.carbon_kg == pytest.approx(2.0)
    assert plan.objective_eur == pytest.approx(2.0 + 9 * 0.064 * 2.0, abs=1e-5)


def test_the_price_of_carbon_is_the_problems_own_where_it_has_one() -> None:
    dear = replace(CARBON, carbon_eur_per_kg=9 * 0.064)
    np.testing.assert_allclose(Carbon().plan(dear).power_kw, Carbon(9.0).plan(CARBON).power_kw, atol=1e-6)


def test_without_zero_weight_nothing_but_price_counts_and_unknown_carbon_is_said() -> None:
    unknown = replace(CARBON, carbon_kg_per_kwh=None)
    plan = Carbon(9.0).plan(unknown)
    np.testing.assert_allclose(plan.power_kw, planner("power_allocation").plan(unknown).power_kw)
    assert plan.reasons is not None
    assert any("carbon" in note for note in plan.reasons.notes)


# Peak.


def test_the_peak_is_shaved_where_prices_alone_would_pile_up() -> None:
    problem = depot([car("a", 10), car("b", 10), car("c", 10)], 30, [0.1, 0.2, 0.2, 0.2])
    cheap, shaved = planner("power_allocation").plan(problem), planner("peak").plan(problem)
    assert peak_kw(cheap) == pytest.approx(30)
    assert peak_kw(shaved) == pytest.approx(7.5)
    assert shaved.unserved_kwh.sum() == pytest.approx(0, abs=1e-6)
    assert shaved.cost_eur > cheap.cost_eur
    assert shaved.objective_eur == pytest.approx(shaved.cost_eur + 7.5, abs=1e-5)


def test_a_peak_that_was_already_paid_for_is_used() -> None:
    bare = depot([car("a", 10), car("b", 10)], 30, [0.1, 0.2, 0.2, 0.2])
    problem = behind_a_meter(bare, [0.0] * 4, peak_so_far_kw=12.0)
    exchange_kw = planner("peak").plan(problem).power_kw.sum(axis=0) + 2.0
    assert exchange_kw.max() == pytest.approx(12.0)


def test_a_demand_charge_of_the_problem_counts_and_not_the_planners() -> None:
    bare = depot([car("a", 10), car("b", 10)], 30, [0.1, 0.2, 0.2, 0.2])
    problem = behind_a_meter(bare, [0.0] * 4, demand_charge_eur_per_kw=0.01)
    np.testing.assert_allclose(Peak(5.0).plan(problem).power_kw.sum(axis=0), [20, 0, 0, 0], atol=1e-6)


# The own sun.


def test_the_own_sun_is_taken_before_a_cheaper_grid() -> None:
    sunny = behind_a_meter(depot([car("a", 10)], None, [0.01, 0.3, 0.3, 0.3]), [0, 0, 12, 0], export=0.2)
    cheap, own = planner("power_allocation").plan(sunny), planner("self_consumption").plan(sunny)
    np.testing.assert_allclose(cheap.power_kw, [[10, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(own.power_kw, [[0, 0, 10, 0]], atol=1e-6)
    assert imported_kwh(sunny, own) == pytest.approx(imported_kwh(sunny, cheap) - 10)
    assert own.cost_eur > cheap.cost_eur


@settings(max_examples=25, deadline=None)
@given(problem=rich_problems())
def test_no_planner_imports_less_at_equal_energy(problem: PlanningProblem) -> None:
    assume(problem.site is not None and problem.horizon.n_steps)
    own, cheap = planner("self_consumption").plan(problem), planner("power_allocation").plan(problem)
    assume(np.allclose(own.unserved_kwh, cheap.unserved_kwh, atol=1e-6))
    assert imported_kwh(problem, own) <= imported_kwh(problem, cheap) + 1e-4


def test_what_the_sun_gives_at_noon_waits_in_the_battery_for_the_evening() -> None:
    battery = SiteBattery(20, 0, 20, 20, charge_efficiency=1.0, discharge_efficiency=1.0)
    late = depot([car("a", 10, arrival_h=2)], None, [0.3, 0.3, 0.01, 0.01])
    sunny = behind_a_meter(late, [16, 2, 2, 2], export=0.2, battery=battery)
    own = planner("self_consumption").plan(sunny)
    assert imported_kwh(sunny, own) == pytest.approx(0, abs=1e-6)
    assert own.battery_kw is not None
    assert own.battery_kw[0] >= 10 - 1e-6


def test_without_sun_it_is_power_allocation_and_says_so() -> None:
    problem = depot([car("a", 10)], None, [0.3, 0.1, 0.2, 0.2])
    plan = planner("self_consumption").plan(problem)
    np.testing.assert_allclose(plan.power_kw, [[0, 10, 0, 0]], atol=1e-6)
    assert plan.reasons is not None
    assert any("no sun" in note for note in plan.reasons.notes)


# Vehicle to grid.


def willing(**other: float) -> VehicleBattery:
    return VehicleBattery(**{"capacity_kwh": 60, "stored_kwh": 30, "least_kwh": 12, "discharge_max_kw": 10, **other})


def stored_kwh(problem: PlanningProblem, power_kw: Array, row: int = 0) -> Array:
    battery = problem.sessions[row].battery
    assert battery is not None
    kept: Array = charged_kwh(problem, power_kw)[row].cumsum() * battery.charge_efficiency
    return battery.stored_kwh + kept


def test_a_willing_vehicle_earns_on_the_spread_and_leaves_with_what_it_wants() -> None:
    problem = depot([car("a", 5, battery=willing())], None, [0.5, 0.1, 0.1, 0.5])
    earned, charged = planner("v2g").plan(problem), planner("power_allocation").plan(problem)
    assert earned.cost_eur < charged.cost_eur
    assert earned.power_kw.min() == pytest.approx(-10)
    np.testing.assert_allclose(earned.unserved_kwh, 0, atol=1e-6)
    assert charged_kwh(problem, earned.power_kw).sum() == pytest.approx(5)


def test_a_spread_below_losses_and_wear_moves_nothing() -> None:
    for battery, prices in ((willing(), [0.21, 0.2]), (willing(wear_eur_per_kwh=0.5), [0.5, 0.1])):
        plan = planner("v2g").plan(depot([car("a", 5, battery=battery)], None, prices))
        assert (plan.power_kw >= -1e-9).all()


@settings(max_examples=30, deadline=None)
@given(problem=v2g_problems())
def test_no_battery_is_emptied_below_its_least_and_nobody_is_worse_off_for_it(problem: PlanningProblem) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    plan = planner("v2g").plan(problem)
    for row, session in enumerate(problem.sessions):
        if session.battery is not None and session.discharge_max_kw:
            assert stored_kwh(problem, plan.power_kw, row).min() >= session.battery.least_kwh - 1e-5


@pytest.mark.parametrize("name", [*LENSES[:5], "quick_charge", "service_first", "fair", "cohort", "cohort_literal"])
def test_nobody_but_v2g_takes_anything_out_of_a_vehicle(name: str) -> None:
    """Neither to sell it nor to spare the site's own load the grid."""
    both_ways = Cap("site", np.ones(1), np.full(4, 10.0), floor=np.full(4, -10.0))
    bare = depot([car("a", 5, battery=willing())], None, [9.0, 0.1, 0.1, 9.0], caps=[both_ways])
    for problem in (bare, behind_a_meter(bare, [0.0] * 4)):
        assert planner("v2g").plan(problem).power_kw.min() < -1
        plan = planner(name).plan(problem)
        assert (plan.power_kw >= 0).all()
        np.testing.assert_allclose(plan.unserved_kwh, 0, atol=1e-6)


@pytest.mark.parametrize("name", [*LENSES, "cohort", "round_robin", "as_late_as_possible"])
def test_a_vehicle_that_wants_more_than_fits_is_filled_and_no_more(name: str) -> None:
    problem = depot([car("a", 40, battery=willing(stored_kwh=50, charge_efficiency=1.0))], None, [0.2] * 6)
    plan = planner(name).plan(problem)
    np.testing.assert_allclose(plan.unserved_kwh, 30, atol=1e-5)


# Mixed aims.

AIMS = depot([car("a", 10), car("b", 10)], 40, [0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize(
    ("weights", "power_kw"),
    [
        (Weights(1.0, 0.0, 0.0), [0, 0, 0, 20]),
        (Weights(0.0, 1.0, 0.0), [20, 0, 0, 0]),
        (Weights(0.0, 0.0, 1.0), [5, 5, 5, 5]),
    ],
    ids=["energy", "downtime", "utilisation"],
)
def test_each_aim_alone_is_what_it_says(weights: Weights, power_kw: list[float]) -> None:
    plan = Intelligent(weights, adaptive=False).plan(AIMS)
    np.testing.assert_allclose(plan.power_kw.sum(axis=0), power_kw, atol=1e-5)


@pytest.mark.parametrize("parts", [(0.5, 0.4, 0.2), (1.2, -0.2, 0.0), (float("nan"), 0.5, 0.5)])
def test_weights_that_are_no_parts_of_one_are_refused(parts: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigurationError, match="together 1"):
        Weights(*parts)


@pytest.mark.parametrize(
    ("weights", "power_kw"),
    [
        # Waiting for the last step saves the whole range of prices and costs 3/4 of the horizon.
        (Weights(0.44, 0.56, 0.0), [0, 0, 0, 10]),
        (Weights(0.42, 0.58, 0.0), [10, 0, 0, 0]),
        # Half of it a step earlier costs a third of the range on 5 kWh and saves 5 kW of peak, at 10 kWh over 20 kW.
        (Weights(0.62, 0.0, 0.38), [0, 0, 0, 10]),
        (Weights(0.58, 0.0, 0.42), [0, 0, 5, 5]),
    ],
)
def test_between_two_aims_the_weights_decide_where_their_units_say(weights: Weights, power_kw: list[float]) -> None:
    little = depot([car("a", 5), car("b", 5)], 40, [0.4, 0.3, 0.2, 0.1])
    plan = Intelligent(weights, adaptive=False).plan(little)
    np.testing.assert_allclose(plan.power_kw.sum(axis=0), power_kw, atol=1e-5)


@pytest.mark.parametrize(
    ("prices", "carbon", "carbon_eur_per_kg", "step"),
    [([0.1, 0.2], [1.0, 0.0], 1.0, 1), ([0.0, 200.0], [1.0, 0.0], 100.0, 0)],
    ids=["counted", "counted once"],
)
def test_carbon_is_part_of_what_energy_costs_it(
    prices: list[float], carbon: list[float], carbon_eur_per_kg: float, step: int
) -> None:
    bare = depot([car("a", 10)], None, prices)
    problem = replace(bare, carbon_kg_per_kwh=np.array(carbon), carbon_eur_per_kg=carbon_eur_per_kg)
    assert Intelligent(Weights(1.0, 0.0, 0.0), adaptive=False).plan(problem).power_kw[0].argmax() == step


def test_with_all_the_weight_on_energy_it_is_the_cheapest_plan_behind_a_meter_too() -> None:
    """Where export pays, the battery wears and the peak has its price: all of them are money."""
    battery = SiteBattery(20, 10, 10, 10, wear_eur_per_kwh=0.1)
    late = depot([car("a", 20, departure_h=5)], None, [0.30, 0.12, 0.33, 0.35, 0.20, 0.31])
    for export, demand_eur in ((0.05, 0.0), (0.29, 0.0), (0.05, 0.2), (0.29, 0.2), (0.29, 5.0)):
        problem = behind_a_meter(
            late, [0, 0, 15, 9, 0, 0], export=export, battery=battery, demand_charge_eur_per_kw=demand_eur
        )
        mine = Intelligent(Weights(1.0, 0.0, 0.0), adaptive=False).plan(problem)
        best = planner("power_allocation").plan(problem)
        owed = [bill(problem, p.power_kw, battery_kw=p.battery_kw).objective_eur for p in (mine, best)]
        assert owed[0] == pytest.approx(owed[1], abs=1e-5)


def test_what_an_aim_is_worth_does_not_hang_on_the_unit_of_money() -> None:
    cents = replace(AIMS, price_eur_per_kwh=100 * AIMS.price_eur_per_kwh)
    for weights in (Weights(), Weights(0.5, 0.2, 0.3)):
        np.testing.assert_allclose(
            Intelligent(weights).plan(cents).power_kw, Intelligent(weights).plan(AIMS).power_kw, atol=1e-5
        )


def test_the_weights_stay_together_one_and_move_from_cheap_to_early_as_slack_runs_out() -> None:
    for urgency, energy in ((0.0, 0.4), (0.5, 0.2), (1.0, 0.0)):
        weights = Weights().under(urgency)
        assert weights.energy == pytest.approx(energy)
        assert weights.energy + weights.downtime + weights.utilisation == pytest.approx(1.0)


def test_adaptive_weights_finish_earlier_when_stays_are_short_of_slack() -> None:
    pressed = depot([car("a", 34, departure_h=4)], None, [0.4, 0.3, 0.2, 0.1])
    fixed = Intelligent(Weights(0.7, 0.3, 0.0), adaptive=False).plan(pressed)
    adaptive = Intelligent(Weights(0.7, 0.3, 0.0)).plan(pressed)
    assert fixed.power_kw[0, 0] < adaptive.power_kw[0, 0]


def test_its_cost_is_money_whatever_it_weighed() -> None:
    plan = planner("intelligent").plan(AIMS)
    assert plan.cost_eur == pytest.approx(float(plan.power_kw.sum(axis=0) @ AIMS.price_eur_per_kwh))


# A limit on the way.


def test_all_of_them_share_what_is_scarce_below_a_feeder() -> None:
    problem = depot([car("a", 40), car("b", 40)], None, [0.2] * 4, caps=[limit("feeder", [1, 1], [10] * 4)])
    for name in LENSES:
        assert planner(name).plan(problem).unserved_kwh.sum() == pytest.approx(40, abs=1e-5)


def test_rounding_errors_of_a_flat_price_are_no_price_differences() -> None:
    prices = [0.2, float(np.nextafter(0.2, 1.0)), 0.2]
    plan = planner("intelligent").plan(depot([car("a", 15, departure_h=2.5)], 12, prices))
    assert plan.unserved_kwh.sum() == pytest.approx(0.0, abs=1e-6)
