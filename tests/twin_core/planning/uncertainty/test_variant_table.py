"""Every variant by its name, on every kind of small problem."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.twin_core.planning.problems import car, depot, problems
from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.problem import PlanningProblem
from twin_core.planning.check import violations
from twin_core.planning.uncertainty.table import VARIANTS, Outlook, variant
from twin_core.planning.uncertainty.two_stage import Future


def outlook(problem: PlanningProblem) -> Outlook:
    rng = np.random.default_rng(0)
    n_sessions, n_steps = len(problem.sessions), problem.horizon.n_steps
    root = 0.03 * rng.standard_normal((24, 24))
    return Outlook(
        prices_eur_per_kwh=0.2 + 0.1 * rng.standard_normal((6, n_steps)),
        hour_covariance=root @ root.T,
        base_load_sigma={cap.name: 2.0 for cap in problem.caps},
        left_h=[np.array([1.5, 4.0])] * n_sessions,
        futures=(Future(np.full(n_sessions, 1.5)), Future(np.full(n_sessions, 4.0))),
    )


@settings(max_examples=8, deadline=None)
@given(problem=problems())
def test_every_variant_keeps_every_limit(problem: PlanningProblem) -> None:
    known = outlook(problem)
    for name in VARIANTS:
        if name == "chance_caps" and not problem.caps:
            continue
        plan = variant(name, known).plan(problem)
        assert plan.planner == name
        assert violations(problem, plan.power_kw) == []


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(
    "problem",
    [
        depot([], site_kw=10),
        depot([], site_kw=10, prices=[]),
        depot([car("a", 10)], site_kw=10, prices=[]),
        depot([car("gone", 10, arrival_h=-5, departure_h=-1)], site_kw=9),
        depot([car("full", -0.5)], site_kw=9),
        depot([car("a", 10)], site_kw=-7),
    ],
    ids=["no cars", "nothing", "no steps", "gone", "full", "overdrawn"],
)
def test_where_nothing_can_be_done_nothing_is_planned(name: str, problem: PlanningProblem) -> None:
    plan = variant(name, outlook(problem)).plan(problem)
    assert plan.power_kw.shape == (len(problem.sessions), problem.horizon.n_steps)
    np.testing.assert_allclose(plan.power_kw, 0.0, atol=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
def test_nonsense_is_refused_by_the_name_of_its_field(name: str) -> None:
    problem = depot([car("a", float("nan"))], site_kw=10)
    with pytest.raises(PlanningError, match="session 'a': energy_kwh is nan"):
        variant(name, outlook(problem)).plan(problem)


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_variant_needs_and_was_not_given_is_asked_for(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"this variant needs .*: give "):
        variant(name, Outlook())


def test_an_unknown_variant_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="'magic' is not known: use one of saa_price, box_robust"):
        variant("magic", Outlook())
