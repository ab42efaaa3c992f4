"""Planners by name, and the solver one asks for."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.twin_core.planning.problems import car, depot
from twin_core.errors import ConfigurationError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import PlanningProblem
from twin_core.planning.assessment import assess
from twin_core.planning.table import PLANNERS, planner

RULES = ["uncontrolled", "fifs", "equal_share", "edf", "llf", "round_robin", "as_late_as_possible"]
NO_SOLVER_OF_THE_BENCH = [*RULES, "cohort_literal"]
OPTIMISING = [name for name in PLANNERS if name not in NO_SOLVER_OF_THE_BENCH]


class Idle:
    """A planner of somebody's own that counts how often it is made."""

    name = "idle"
    made = 0
    asked_for: str | None = None

    def __init__(self, solver: str | None = None) -> None:
        type(self).made += 1
        type(self).asked_for = solver

    def plan(self, problem: PlanningProblem) -> Plan:
        shape = (len(problem.sessions), problem.horizon.n_steps)
        return assess(problem, np.zeros(shape), self.name, PlanStatus.FEASIBLE)


class Stubborn(Idle):
    def __init__(self) -> None:
        super().__init__()


def own(kind: type, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name under which the table finds a class of this file."""
    monkeypatch.setitem(sys.modules, "own_planners", sys.modules[__name__])
    monkeypatch.setattr(kind, "made", 0)
    return f"own_planners:{kind.__name__}"


@pytest.mark.parametrize("name", PLANNERS)
def test_every_planner_answers_under_its_own_name(name: str) -> None:
    plan = planner(name).plan(depot([car("a", 10), car("b", 5)], site_kw=10))
    assert plan.planner == name


@pytest.mark.parametrize("name", OPTIMISING)
def test_an_optimising_planner_uses_the_solver_it_is_told_to(name: str) -> None:
    plan = planner(name, "highs").plan(depot([car("a", 10), car("b", 5)], site_kw=10))
    assert plan.solver == "highs"
    with pytest.raises(ConfigurationError, match="'magic' is not known"):
        planner(name, "magic")


@pytest.mark.parametrize("name", NO_SOLVER_OF_THE_BENCH)
def test_a_planner_without_a_choice_of_solvers_refuses_one(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{name}' uses no solver"):
        planner(name, "highs")


def test_a_planner_of_ones_own_is_made_once_and_with_its_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    planner(own(Idle, monkeypatch), "highs")
    assert (Idle.made, Idle.asked_for) == (1, "highs")
    planner(own(Idle, monkeypatch))
    assert (Idle.made, Idle.asked_for) == (1, None)


def test_a_planner_of_ones_own_that_takes_no_solver_is_not_even_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="uses no solver"):
        planner(own(Stubborn, monkeypatch), "highs")
    assert Stubborn.made == 0


@pytest.mark.parametrize("name", ["best", "no.such.module:Class", "math:Class", ":"])
def test_a_name_that_leads_nowhere_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigurationError, match="use one of uncontrolled, fifs"):
        planner(name)


def test_the_table_alone_loads_no_solver() -> None:
    """A gateway that only checks a planner's name must not pay for HiGHS, cvxpy or numba."""
    heavy = ("highspy", "cvxpy", "numba")
    script = f"import sys, twin_core.planning.table; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
