"""Every variant by its name, on every kind of small problem."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings

from tests.twin_core.planning.problems import NOON, car, depot, problems
from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.problem import Array, Horizon, PlanningProblem
from twin_core.planning.check import violations
from twin_core.planning.uncertainty.outlook import Outlook
from twin_core.planning.uncertainty.table import VARIANTS, variant
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


def offered(problem: PlanningProblem) -> PlanningProblem:
    """The same, where the first two steps must be such as a control pilot can offer."""
    sessions = tuple(replace(s, min_kw=4.14, step_kw=0.69) for s in problem.sessions)
    return replace(problem, sessions=sessions, offerable_steps=2)


SHARED = depot(
    [car("a", 9, departure_h=3.0), car("b", 8), car("c", 7)], site_kw=[9.5, 8.3, 20, 9.1], prices=(0.2, 0.1, 0.3, 0.25)
)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_can_be_offered_where_its_outlook_says_which_steps_it_speaks_of(name: str) -> None:
    problem = offered(SHARED)
    plan = variant(name, replace(outlook(problem), horizon=problem.horizon)).plan(problem)
    assert violations(problem, plan.power_kw) == []
    assert plan.power_kw[:, :2].any()


def test_an_outlook_is_read_from_where_a_later_problem_begins() -> None:
    known = replace(outlook(SHARED), horizon=SHARED.horizon, base_load_sigma={"site": np.array([1.0, 2.0, 3.0, 4.0])})
    later = replace(SHARED, horizon=Horizon(NOON + timedelta(minutes=90), 0.5, 4))
    at_noon, at_half_past_one = known.at(SHARED), known.at(later)
    np.testing.assert_allclose(at_noon.prices(), known.prices())
    np.testing.assert_allclose(at_half_past_one.prices(), known.prices()[:, [1, 2, 2, 3]])
    np.testing.assert_allclose(at_half_past_one.base_load_sigma["site"], [2, 3, 3, 4])  # type: ignore[arg-type]
    assert [list(left) for left in at_half_past_one.left_h or ()] == [[0.0, 2.5]] * 3  # type: ignore[union-attr]
    assert at_half_past_one.futures[1].departure_h.tolist() == [2.5] * 3  # type: ignore[index]
    with pytest.raises(PlanningError, match="outside the horizon"):
        known.at(replace(SHARED, horizon=Horizon(NOON + timedelta(hours=1), 1.0, 4)))
    with pytest.raises(PlanningError, match="3 values by step for a horizon of 4 steps"):
        replace(known, prices_eur_per_kwh=np.ones((2, 3))).at(SHARED)


def test_what_is_told_may_be_made_for_each_problem() -> None:
    asked: list[int] = []

    def prices(problem: PlanningProblem) -> Array:
        asked.append(problem.horizon.n_steps)
        made: Array = np.tile(problem.price_eur_per_kwh, (3, 1))
        return made

    plan = variant("mean_cvar", Outlook(prices_eur_per_kwh=prices)).plan(offered(SHARED))
    assert asked == [4, 3, 2]
    assert violations(offered(SHARED), plan.power_kw) == []
