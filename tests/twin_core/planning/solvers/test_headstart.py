"""Where HiGHS begins: a point inside all limits, and one that can only cost time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, limit, session_problems
from twin_core.models.problem import PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.solvers.headstart import near_optimum
from twin_core.planning.solvers.highs import Apart, Highs, write
from twin_core.planning.solvers.highs_engine import Engine


@settings(max_examples=80, deadline=None)
@given(problem=session_problems())
def test_the_beginning_keeps_every_limit(problem: PlanningProblem) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    assert violations(problem, near_optimum(problem)) == []


def test_the_beginning_is_the_end_where_nobody_has_to_make_way() -> None:
    problem = depot([car("a", 8.0), car("b", 8.0)], 10.0, [0.1, 0.4, 0.2], caps=[limit("b", [0.0, 2.0], [9.0] * 3)])
    found = Highs(headstart=False).solve(problem)
    began, ended = (bill(problem, kw).objective_eur for kw in (near_optimum(problem), found.power_kw))
    assert began == pytest.approx(ended)


def test_energy_dearer_than_its_absence_is_not_begun_with() -> None:
    assert not near_optimum(depot([car("a", 8.0, shortfall_eur_per_kwh=0.2)], 10.0, [0.3, 0.2])).any()


@settings(max_examples=40, deadline=None)
@given(problem=session_problems(), seed=st.integers(0, 99))
def test_a_bad_beginning_costs_nothing_but_time(problem: PlanningProblem, seed: int) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    lp = write(problem, Apart.nowhere(problem)).lp
    assume(lp.cost.size)
    anywhere = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, np.nan], lp.cost.size) * lp.upper
    cold, begun = Engine().relaxed(lp), Engine().relaxed(lp, anywhere)
    assert lp.cost_eur(begun.x) == pytest.approx(lp.cost_eur(cold.x), rel=1e-9, abs=1e-9)
