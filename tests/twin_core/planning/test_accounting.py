"""What a plan costs, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin_core.planning.problems import NOON, car, depot
from twin_core.models.problem import Horizon, PlanningProblem, SiteBattery, SiteFlows, VehicleBattery
from twin_core.planning.accounting import bill, charged_kwh, grid_exchange_kw


def plain() -> PlanningProblem:
    """An hour and half an hour."""
    problem = depot([car("a", 10, shortfall_eur_per_kwh=2.0), car("b", -1.0)], None, [0.2, 0.4])
    carbon = replace(problem, carbon_kg_per_kwh=np.array([0.5, 0.1]), carbon_eur_per_kg=0.07)
    return replace(carbon, horizon=Horizon(NOON, 1.0, 2, (1.0, 0.5)))


def behind_a_meter() -> PlanningProblem:
    """Base load and sun, an export price, a demand charge, a battery and a vehicle that gives back."""
    store = SiteBattery(20.0, 9.0, 5.0, 4.0, wear_eur_per_kwh=0.03)
    flows = SiteFlows(np.array([5.0, 1.0]), np.array([0.0, 9.0]), np.array([0.1, 0.1]), 2.0, 8.0, store)
    vehicle = VehicleBattery(40.0, 20.0, 0.0, 9.0, 0.8, 0.5, 0.04)
    giving = car("b", 0.0, battery=vehicle, shortfall_eur_per_kwh=0.5)
    problem = plain()
    return replace(problem, sessions=(problem.sessions[0], giving), site=flows)


def test_energy_its_carbon_and_what_is_missing_are_counted_by_the_length_of_steps() -> None:
    owed = bill(plain(), np.array([[4.0, 6.0], [0.0, 0.0]]))
    assert owed.cost_eur == pytest.approx(4 * 0.2 + 3 * 0.4)
    assert owed.carbon_kg == pytest.approx(4 * 0.5 + 3 * 0.1)
    np.testing.assert_allclose(owed.unserved_kwh, [3.0, 0.0])
    assert owed.objective_eur == pytest.approx(2.0 + 0.07 * 2.3 + 2.0 * 3)


def test_what_is_given_back_costs_its_losses_both_ways_again() -> None:
    counted = charged_kwh(behind_a_meter(), np.array([[4.0, 6.0], [2.0, -4.0]]))
    np.testing.assert_allclose(counted, [[4.0, 3.0], [2.0, -2.0 / 0.4]])


def test_a_site_pays_for_imports_its_peak_and_wear_and_is_paid_for_exports() -> None:
    power_kw, battery_kw = np.array([[4.0, 0.0], [0.0, -4.0]]), np.array([3.0, -2.0])
    problem = behind_a_meter()
    assert problem.site is not None
    # 5 + 4 + 3 in the first hour; 1 - 4 - 2 less 9 of sun in the half hour after it.
    np.testing.assert_allclose(grid_exchange_kw(problem, problem.site, power_kw, battery_kw), [12.0, -14.0])
    owed = bill(problem, power_kw, battery_kw=battery_kw)
    assert owed.cost_eur == pytest.approx(12 * 0.2 - 7 * 0.1 + 2.0 * (12 - 8))
    assert owed.carbon_kg == pytest.approx(12 * 0.5)
    missing_eur = 2.0 * 6 + 0.5 * 2 / 0.4
    wear_eur = 0.03 * 2 * 0.5 + 0.04 * 4 * 0.5
    assert owed.objective_eur == pytest.approx(owed.cost_eur + 0.07 * 6 + missing_eur + wear_eur)


def test_a_peak_below_the_one_so_far_costs_nothing() -> None:
    assert bill(behind_a_meter(), np.array([[3.0, 0.0], [0.0, 0.0]])).cost_eur == pytest.approx(8 * 0.2 - 4 * 0.1)


@pytest.mark.parametrize(
    ("price", "paid_eur", "exchange_kw"),
    # The sun is sold, or used to the last and no more, or left where it is and energy taken that is paid for.
    [(0.2, 0.1, -5.0), (0.2, -0.1, 0.0), (-0.1, -0.2, 4.0)],
)
def test_the_sun_is_used_sold_or_curtailed_whatever_is_cheapest(
    price: float, paid_eur: float, exchange_kw: float
) -> None:
    flows = SiteFlows(np.array([1.0]), np.array([9.0]), np.array([paid_eur]))
    problem = replace(depot([car("a", 9)], None, [price]), site=flows)
    np.testing.assert_allclose(grid_exchange_kw(problem, flows, np.array([[3.0]]), None), [exchange_kw])


def test_a_given_exchange_is_what_is_paid_for() -> None:
    owed = bill(behind_a_meter(), np.zeros((2, 2)), grid_kw=np.array([5.0, 0.0]))
    assert owed.cost_eur == pytest.approx(5 * 0.2)
