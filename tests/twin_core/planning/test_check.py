"""The last word on every plan, and the problems that get none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.twin_core.planning.problems import NOON, car, depot, limit
from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.plan import PlanStatus
from twin_core.models.problem import Cap, Horizon, PlanningProblem, SiteBattery, SiteFlows, Taper, VehicleBattery
from twin_core.planning.assessment import assess
from twin_core.planning.check import violations
from twin_core.planning.soundness import require_sound
from twin_core.planning.table import PLANNERS, planner

NAN, INF = float("nan"), float("inf")
PROBLEM = depot([car("a", 15, departure_h=3.5), car("b", 10)], site_kw=12)


@pytest.mark.parametrize(
    ("power_kw", "says"),
    [
        ([[10, 5, 0, 0], [2, 0, 0, 0]], None),
        ([[10, 5 + 1e-7, 0, 0], [2, -1e-7, 0, 0]], None),
        ([[10, 0, 0, 0], [3, 0, 0, 0]], "cap 'site' step 0: 13 against 12"),
        ([[11, 0, 0, 0], [0, 0, 0, 0]], "session 'a' step 0: 11 against 10 (kW, more than it can take"),
        ([[0, 0, 0, 6], [0, 0, 0, 0]], "session 'a' step 3: 6 against 5"),
        ([[0, 0, 0, 0], [9, 9, 0, 0]], "session 'b' step 0: 18 against 10 (kWh"),
        ([[0, -1, 0, 0], [0, 0, 0, 0]], "kW below zero"),
        ([[0, NAN, 0, 0], [0, 0, 0, 0]], "1 powers are not finite"),
        ([[0, INF, 0, 0], [0, 0, 0, 0]], "1 powers are not finite"),
        ([[0, 0, 0, 0]], "shape (1, 4), must be (2, 4)"),
    ],
)
def test_every_broken_limit_is_named_with_its_worst_case(power_kw: list[list[float]], says: str | None) -> None:
    found = violations(PROBLEM, np.array(power_kw, dtype=float))
    assert (not found) if says is None else (len(found) == 1 and says in found[0])


def test_a_plan_that_breaks_a_limit_cannot_be_made() -> None:
    with pytest.raises(PlanningError, match="mine broke 1 kinds of limits: cap 'site'"):
        assess(PROBLEM, np.full((2, 4), 8.0) * [1, 0, 0, 0], "mine", PlanStatus.PROVED)


def test_a_limit_that_is_not_a_number_is_kept_by_nobody() -> None:
    problem = depot([car("a", 15)], site_kw=[12, NAN, 12, 12])
    assert violations(problem, np.zeros((1, 4)))


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    ("broken", "field"),
    [
        (lambda p: replace(p, price_eur_per_kwh=np.array([0.1, NAN, 0.1, 0.1])), r"price_eur_per_kwh\[1\] is nan"),
        (lambda p: replace(p, price_eur_per_kwh=np.ones(3)), r"price_eur_per_kwh has shape \(3,\), must be \(4,\)"),
        (lambda p: depot([car("a", NAN)]), "session 'a': energy_kwh is nan"),
        (lambda p: depot([car("a", 1, arrival_h=NAN)]), "session 'a': arrival_h is nan"),
        (lambda p: depot([car("a", 1, departure_h=NAN)]), "session 'a': departure_h is nan"),
        (lambda p: depot([car("b", 1), car("a", 1, max_kw=-1.0)]), "session 'a': max_kw is -1.0"),
        (lambda p: depot([car("a", 1, shortfall_eur_per_kwh=INF)]), "session 'a': shortfall_eur_per_kwh is inf"),
        (lambda p: depot([car("a", 1, waited_h=NAN)]), "session 'a': waited_h is nan"),
        (lambda p: depot([car("a", 1)], site_kw=[1, 2, 3, NAN]), r"cap 'site': limit\[3\] is nan"),
        (lambda p: depot([car("a", 1)], caps=[limit("L1", [-1], [1] * 4)]), r"cap 'L1': load\[0\] is -1.0"),
        (lambda p: depot([car("a", 1)], caps=[limit("L1", [1, 1], [1] * 4)]), r"cap 'L1': load has shape \(2,\)"),
        (lambda p: replace(p, horizon=Horizon(NOON, NAN, 4)), "horizon: 4 steps of nan h"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_field(
    name: str, broken: Callable[[PlanningProblem], PlanningProblem], field: str
) -> None:
    with pytest.raises(PlanningError, match=field):
        planner(name).plan(broken(PROBLEM))


@pytest.mark.parametrize("name", PLANNERS)
@pytest.mark.parametrize(
    "problem",
    [
        depot([], site_kw=10),
        depot([], site_kw=10, prices=[]),
        depot([car("a", 10)], site_kw=10, prices=[]),
        depot([car("gone", 10, arrival_h=-5, departure_h=-1)]),
        depot([car("full", -0.5)]),
        depot([car("a", 10)], site_kw=0),
        depot([car("a", 10)], site_kw=-7),
        depot([car("a", 10, max_kw=0.0)], prices=[0.2]),
        depot([car("a", 10), car("b", 10)], site_kw=[0, -1, 0, 0]),
    ],
    ids=["no cars", "nothing", "no steps", "gone", "full", "shut", "overdrawn", "no power", "shut to two"],
)
def test_where_nothing_can_be_done_nothing_is_planned(name: str, problem: PlanningProblem) -> None:
    plan = planner(name).plan(problem)
    assert plan.power_kw.shape == (len(problem.sessions), problem.horizon.n_steps)
    assert not plan.power_kw.any()
    assert plan.cost_eur == 0


@pytest.mark.parametrize("name", PLANNERS)
def test_a_single_step_with_no_departure_known_is_a_problem_like_any_other(name: str) -> None:
    plan = planner(name).plan(depot([car("a", 4, departure_h=INF)], site_kw=[INF], prices=[-0.1]))
    np.testing.assert_allclose(plan.power_kw, [[4]], atol=1e-6)


def test_an_unknown_planner_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'magic' is not known: use one of uncontrolled, fifs, .*power_alloc"):
        planner("magic")
    with pytest.raises(ConfigurationError, match="no_such_module"):
        planner("no_such_module:Planner")


def test_the_names_in_the_table_are_those_the_planners_bear() -> None:
    assert {name: planner(name).name for name in PLANNERS} == {name: name for name in PLANNERS}


def behind_a_meter() -> PlanningProblem:
    """A vehicle that gives back and rises slowly, beside a battery, a base load of 5 kW and up to 8 kW of sun."""
    vehicle = VehicleBattery(40.0, 20.0, 14.0, 9.0, 0.8, 0.9)
    slow = car("a", 12.0, now_kw=4.0, ramp_kw_per_h=3.0, battery=vehicle)
    store = SiteBattery(20.0, 9.0, 5.0, 4.0, 2.0, 6.0, 0.9, 0.8)
    feed = Cap("feed", np.ones(1), np.full(4, 8.0), np.full(4, -5.0), battery_load=1.0)
    flows = SiteFlows(np.full(4, 5.0), np.full(4, 8.0), np.zeros(4), battery=store)
    problem = replace(depot([slow], caps=[feed]), site=flows)
    return replace(problem, horizon=Horizon(NOON, 1.0, 4, (1.0, 0.5, 1.0, 1.0)))


@pytest.mark.parametrize(
    ("power_kw", "battery_kw", "grid_kw", "says"),
    [
        ([7, 0, 0, 0], [0, 0, 0, 0], None, None),
        ([7.1, 0, 0, 0], [0, 0, 0, 0], None, "step 0: 3.1 against 3 (kW, too steep a rise)"),
        ([6, 7.5, 0, 0], [0, 0, 0, 0], None, None),
        ([6, 7.6, 0, 0], [0, 0, 0, 0], None, "step 1: 1.6 against 1.5 (kW, too steep a rise)"),
        # Giving back begins and ends at once: only charging has to rise slowly.
        ([-4, 1.5, 0, 0], [0, 0, 0, 0], None, None),
        # 4 kWh at the meter take 4.44 out of the battery, of which 6 may be taken.
        ([-4, -2, 0, 0], [0, 0, 0, 0], None, None),
        ([-4, -3, 0, 0], [0, 0, 0, 0], None, "kWh, too empty"),
        ([6, 7, 8, 0], [0, 0, 0, 0], None, "17.5 against 12 (kWh in all, more than wanted)"),
        ([6, 0, 0, 0], [2, 0, 0, 0], None, None),
        ([6, 0, 0, 0], [3, 0, 0, 0], None, "cap 'feed' step 0: 9 against 8 (over the limit)"),
        ([-3, 0, 0, 0], [-2, 0, 0, 0], None, None),
        ([-3, 0, 0, 0], [-2.1, 0, 0, 0], None, "cap 'feed' step 0: 5.1 against 5 (below the floor)"),
        # 2.4 kWh out take 3 out of the battery, which must end with 6 of its 9.
        ([0, 0, 0, 0], [-2.4, 0, 0, 0], None, None),
        ([0, 0, 0, 0], [-2.5, 0, 0, 0], None, "too empty at the end"),
        ([0, 0, 0, 0], [-4, -4, 5, 5], None, "kWh, too empty"),
        ([0, 0, 0, 0], [5, 5, 5, 1], None, "kWh, overfull"),
        ([0, 0, 0, 0], [-4.1, 0, 5, 0], None, "4.1 against 4 (kW out)"),
        ([0, 0, 0, 0], [5.1, 0, 0, 0], None, "5.1 against 5 (kW in)"),
        ([6, 0, 0, 0], [0, 0, 0, 0], [11, 5, 5, 5], None),
        ([6, 0, 0, 0], [0, 0, 0, 0], [3, -3, -3, -3], None),
        ([6, 0, 0, 0], [0, 0, 0, 0], [2.9, 0, 0, 0], "more than import and the sun give"),
        ([6, 0, 0, 0], [0, 0, 0, 0], [11.1, 0, 0, 0], "more than the site uses"),
    ],
)
def test_every_limit_behind_the_meter_is_named_where_it_breaks_and_not_before(
    power_kw: list[float], battery_kw: list[float], grid_kw: list[float] | None, says: str | None
) -> None:
    problem = behind_a_meter()
    require_sound(problem)
    grid = None if grid_kw is None else np.array(grid_kw, dtype=float)
    found = violations(problem, np.array([power_kw], dtype=float), battery_kw=np.array(battery_kw, float), grid_kw=grid)
    assert (not found) if says is None else (len(found) == 1 and says in found[0]), found


def test_a_battery_near_full_takes_less_by_what_is_in_at_the_start_of_a_step() -> None:
    problem = depot([car("a", 30, taper=Taper(4.0, 24.0))])
    assert violations(problem, np.array([[9.0, 7.5, 0, 0]])) == []
    (found,) = violations(problem, np.array([[9.0, 7.6, 0, 0]]))
    assert "step 1: 7.6 against 7.5 (kW, more than a battery this full can take" in found


def test_nothing_goes_into_a_battery_beyond_full_however_long_the_step() -> None:
    problem = depot([car("a", 30, taper=Taper(0.0, 9.0))])
    assert violations(problem, np.array([[9.0, 0, 0, 0]])) == []
    (found,) = violations(problem, np.array([[9.1, 0, 0, 0]]))
    assert "9.1 against 9 (kWh by then, more than its battery holds" in found
