"""Every solver against every other: equal objectives, all limits kept, on whatever a problem can hold."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import (
    rich_problems,
    session_problems,
    single_cap_problems,
    site_problems,
    tree_problems,
    v2g_problems,
)
from twin_core.models.problem import PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.optimum import charge_only, earlier_first, served_first
from twin_core.planning.solvers.solver import Solution
from twin_core.planning.solvers.table import SOLVERS, solver

AGREEMENT = 1e-6
"""Largest difference between objectives, relative, or in € where they are below 1."""


def objective_eur(problem: PlanningProblem, found: Solution) -> float:
    return bill(problem, found.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw).objective_eur


def agree_on(problem: PlanningProblem) -> None:
    """All that cover the problem keep its limits, come to one objective and prove no more than that."""
    assume(problem.horizon.n_steps)
    objectives = {}
    for name in SOLVERS:
        made = solver(name)
        if not made.covers(problem):
            continue
        found = made.solve(problem)
        assert found.proved, name
        kept = violations(problem, found.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw)
        assert kept == [], (name, kept)
        objectives[name] = objective_eur(problem, found)
        if found.bound_eur is not None:
            assert found.bound_eur <= objectives[name] + AGREEMENT * max(1.0, abs(objectives[name])), name
    assert objectives
    for name, objective in objectives.items():
        assert objective == pytest.approx(objectives["oracle"], rel=AGREEMENT, abs=AGREEMENT), (name, objectives)


@settings(max_examples=60, deadline=None)
@given(problem=single_cap_problems())
def test_on_the_plain_site(problem: PlanningProblem) -> None:
    agree_on(problem)


@settings(max_examples=60, deadline=None)
@given(problem=tree_problems())
def test_on_stations_below_a_feeder_below_a_site(problem: PlanningProblem) -> None:
    agree_on(problem)


@settings(max_examples=60, deadline=None)
@given(problem=session_problems())
def test_on_any_caps_with_unequal_steps_and_carbon(problem: PlanningProblem) -> None:
    agree_on(problem)


@settings(max_examples=60, deadline=None)
@given(problem=site_problems())
def test_behind_a_meter_with_sun_battery_and_demand_charge(problem: PlanningProblem) -> None:
    agree_on(problem)


@settings(max_examples=40, deadline=None)
@given(problem=v2g_problems())
def test_where_vehicles_give_back(problem: PlanningProblem) -> None:
    agree_on(problem)


@settings(max_examples=40, deadline=None)
@given(problem=rich_problems())
def test_on_everything_together(problem: PlanningProblem) -> None:
    agree_on(problem)


@settings(max_examples=40, deadline=None)
@given(problem=st.one_of(session_problems(), site_problems()))
def test_through_the_lenses_that_planners_look_through(problem: PlanningProblem) -> None:
    agree_on(earlier_first(served_first(charge_only(problem))))
