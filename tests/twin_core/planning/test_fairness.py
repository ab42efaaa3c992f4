"""Who goes short when not everybody can be served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.twin_core.planning.problems import car, depot, energy_kwh, limit, problems
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.bounds import bounds_of
from twin_core.planning.check import violations
from twin_core.planning.fairness import fair_shares_kwh, jain, served_fraction
from twin_core.planning.table import planner


def test_what_is_scarce_is_shared_by_the_part_of_what_each_wants() -> None:
    problem = depot([car("little", 10), car("much", 30)], site_kw=5, prices=[0.2] * 4)
    plan = planner("fair").plan(problem)
    np.testing.assert_allclose(energy_kwh(problem, plan.power_kw), [5, 15], atol=1e-5)
    np.testing.assert_allclose(served_fraction(problem, plan), [0.5, 0.5], atol=1e-6)


def test_nobody_is_held_down_to_the_level_of_one_whom_nothing_can_help() -> None:
    short_stay = car("short stay", 20, departure_h=1)
    problem = depot([short_stay, car("a", 20), car("b", 20)], site_kw=10)
    np.testing.assert_allclose(fair_shares_kwh(problem), [10, 15, 15], atol=1e-5)


def test_a_feeder_s_shortage_stays_with_those_below_it() -> None:
    problem = depot([car("a", 20), car("b", 20), car("c", 20)], site_kw=40, caps=[limit("feeder", [1, 1, 0], [5] * 4)])
    np.testing.assert_allclose(fair_shares_kwh(problem), [10, 10, 20], atol=1e-5)


def test_no_energy_is_thrown_away_for_equality() -> None:
    """A car on one phase takes three times as much of the line for a kWh, and there is one line."""
    problem = depot([car("one", 20), car("three", 20)], caps=[limit("L1", [3, 1], [10] * 4)])
    np.testing.assert_allclose(fair_shares_kwh(problem), [20 / 3, 20], atol=1e-4)


def test_priority_two_misses_half_the_part_of_priority_one() -> None:
    problem = depot([car("doctor", 20, priority=2.0), car("guest", 20)], site_kw=6.25)
    np.testing.assert_allclose(20 - fair_shares_kwh(problem), [5, 10], atol=1e-5)


def test_of_equally_fair_plans_it_takes_the_cheapest() -> None:
    problem = depot([car("a", 5), car("b", 5)], site_kw=10, prices=[0.5, 0.1, 0.4, 0.3])
    np.testing.assert_allclose(planner("fair").plan(problem).power_kw, [[0, 5, 0, 0], [0, 5, 0, 0]], atol=1e-6)


@pytest.mark.parametrize(("parts", "index"), [([0.5, 0.5], 1.0), ([1.0, 0.0], 0.5), ([0.0, 0.0], 1.0), ([], 1.0)])
def test_jain_s_index(parts: list[float], index: float) -> None:
    assert jain(np.array(parts)) == pytest.approx(index)


@settings(max_examples=40, deadline=None)
@given(problem=problems())
def test_it_delivers_as_much_as_any_planner_and_breaks_no_limit(problem: PlanningProblem) -> None:
    plan = planner("fair").plan(problem)
    assert violations(problem, plan.power_kw) == []
    for rule in ("equal_share", "llf"):
        assert plan.unserved_kwh.sum() <= planner(rule).plan(problem).unserved_kwh.sum() + 1e-5


def literal_shares_kwh(problem: PlanningProblem) -> Array:
    """Lexicographic max-min as it is defined: lower the level of all who are open; who cannot go lower is decided.

    Dense rows in scipy, and who is stuck is found by asking, for each, whether it alone could go lower.
    """
    bounds, hours = bounds_of(problem), problem.horizon.hours
    n, n_steps = bounds.upper_kw.shape
    wanted, weight = bounds.wanted_kwh, np.array([s.priority for s in problem.sessions])
    energy = np.hstack([np.kron(np.eye(n), hours), np.zeros((n, 1))])
    caps = [np.append(np.kron(load, np.eye(n_steps)[k]), 0.0) for load in bounds.load for k in range(n_steps)]
    rows, right = np.vstack([*caps, energy]), np.concatenate([bounds.limit.ravel(), wanted])
    box = [(0.0, u) for u in bounds.upper_kw.ravel()] + [(0.0, None)]

    def best(cost: Array, more: list[Array], most: list[float]) -> float:
        found = linprog(
            cost, A_ub=np.vstack([rows, *more]), b_ub=np.concatenate([right, most]), bounds=box, method="highs"
        )
        assert found.status == 0, found.message
        return float(found.fun)

    most_kwh = -best(-energy.sum(axis=0), [], [])
    level_of: dict[int, float] = {i: 0.0 for i in range(n) if wanted[i] <= 0}
    slack = 1e-7 * max(1.0, most_kwh)
    while len(level_of) < n:
        more, most = [-energy.sum(axis=0)], [slack - most_kwh]
        for i in range(n):
            share = wanted[i] / weight[i]
            row = -energy[i].copy()
            row[-1] = 0.0 if i in level_of else -share
            more.append(row)
            most.append((min(share * level_of[i], wanted[i]) if i in level_of else 0.0) - wanted[i] + slack)
        level = best(np.append(np.zeros(n * n_steps), 1.0), more, most)
        at_level = [*more, np.append(np.zeros(n * n_steps), 1.0)]
        stuck = [
            i
            for i in range(n)
            if i not in level_of
            and wanted[i] + best(-energy[i], at_level, [*most, level + slack]) > level * wanted[i] / weight[i] - 1e-4
        ]
        level_of |= dict.fromkeys(stuck, level)
        assert stuck
    missed = np.array([min(level_of[i] * wanted[i] / weight[i], wanted[i]) for i in range(n)])
    return np.asarray(wanted - missed)


@settings(max_examples=50, deadline=None)
@given(problem=problems(), data=st.data())
def test_shares_are_those_of_the_definition(problem: PlanningProblem, data: st.DataObject) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    priorities = data.draw(st.lists(st.sampled_from([1.0, 2.0]), min_size=6, max_size=6))
    weighed = replace(
        problem, sessions=tuple(replace(s, priority=p) for s, p in zip(problem.sessions, priorities, strict=False))
    )
    np.testing.assert_allclose(fair_shares_kwh(weighed), literal_shares_kwh(weighed), atol=2e-3)


@settings(max_examples=40, deadline=None)
@given(
    wanted_kwh=st.lists(st.floats(1.0, 50.0), min_size=2, max_size=5),
    site_kw=st.floats(1.0, 30.0),
    feeder_kw=st.floats(0.5, 20.0),
)
def test_below_nested_limits_the_worst_off_is_as_well_off_as_it_can_be(
    wanted_kwh: list[float], site_kw: float, feeder_kw: float
) -> None:
    """Cars that stay throughout, below a feeder or not: the levels follow by hand."""
    cars = [car(f"car {i}", kwh, max_kw=100.0) for i, kwh in enumerate(wanted_kwh)]
    below = [float(i % 2) for i in range(len(cars))]
    problem = depot(cars, site_kw=site_kw, caps=[limit("feeder", below, [feeder_kw] * 4)])
    wanted, inside = np.array(wanted_kwh), np.array(below) > 0
    site_kwh, feeder_kwh = 4 * site_kw, 4 * feeder_kw
    common = min(1.0, site_kwh / wanted.sum())
    under = min(common, feeder_kwh / wanted[inside].sum())
    others = common
    if under < common:
        others = min(1.0, (site_kwh - under * wanted[inside].sum()) / wanted[~inside].sum())
    expected: Array = np.where(inside, under, others) * wanted
    np.testing.assert_allclose(fair_shares_kwh(problem), expected, atol=1e-4)
