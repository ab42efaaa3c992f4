"""The rule that steps in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import NOON, car, depot, limit, problems
from twin_core.errors import PlanningError
from twin_core.models.plan import PlanStatus
from twin_core.models.problem import Horizon, PlanningProblem, SiteFlows
from twin_core.planning.fallback import rescue
from twin_core.planning.table import planner

NAN = float("nan")


def test_it_shares_equally_and_says_why() -> None:
    problem = depot([car("a", 20), car("b", 20)], site_kw=12)
    plan = rescue(problem, "late")
    assert (plan.status, plan.reason, plan.planner) == (PlanStatus.FALLBACK, "late", "equal_share")
    np.testing.assert_array_equal(plan.power_kw, planner("equal_share").plan(problem).power_kw)


def test_a_price_nobody_knows_stops_nobody() -> None:
    plan = rescue(replace(depot([car("a", 20)], site_kw=12), price_eur_per_kwh=np.full(4, NAN)), "refused")
    np.testing.assert_allclose(plan.power_kw[0, :2], [10, 10])
    assert "price_eur_per_kwh" in plan.reason


@pytest.mark.parametrize(
    "unknown",
    [
        {"site": SiteFlows(np.full(4, NAN), np.zeros(4), np.zeros(4))},
        {"carbon_kg_per_kwh": np.full(4, NAN)},
        {"carbon_eur_per_kg": NAN},
        {"sessions": (car("a", 20, likely_departure_h=NAN),)},
    ],
    ids=lambda unknown: next(iter(unknown)),
)
def test_what_an_equal_share_need_not_know_stops_nobody_but_a_planner(unknown: dict[str, Any]) -> None:
    problem = replace(depot([car("a", 20)], site_kw=12), **unknown)
    with pytest.raises(PlanningError, match="nan"):
        planner("service_first").plan(problem)
    np.testing.assert_allclose(rescue(problem, "refused").power_kw[0, :2], [10, 10])


def test_one_broken_session_stops_only_itself() -> None:
    plan = rescue(depot([car("a", 20), car("b", 20, arrival_h=NAN)], site_kw=12), "refused")
    np.testing.assert_allclose(plan.power_kw[:, 0], [10, 0])
    assert "arrival_h is nan" in plan.reason


def test_a_limit_nobody_knows_counts_as_zero() -> None:
    plan = rescue(depot([car("a", 40)], site_kw=[12, NAN, 12, 12]), "refused")
    np.testing.assert_allclose(plan.power_kw, [[10, 0, 10, 10]])


@pytest.mark.parametrize(
    "hopeless",
    [
        depot([car("a", 20)], caps=[limit("L1", [1, 1], [12] * 4)]),
        depot([car("a", 20)], caps=[limit("L1", [NAN], [12] * 4)]),
        replace(depot([car("a", NAN)]), horizon=Horizon(NOON, 1.0, 7)),
    ],
)
def test_where_the_problem_is_beyond_mending_nobody_charges(hopeless: PlanningProblem) -> None:
    plan = rescue(hopeless, "refused")
    assert plan.status is PlanStatus.FALLBACK
    assert not plan.power_kw.any()


@settings(max_examples=150, deadline=None)
@given(problem=problems(), data=st.data())
def test_it_cannot_fail_whatever_is_not_a_number(problem: PlanningProblem, data: st.DataObject) -> None:
    fields = ["energy_kwh", "arrival_h", "departure_h", "max_kw", "waited_h", "idle_h", "shortfall_eur_per_kwh"]
    bad = st.sampled_from([NAN, float("inf"), -float("inf"), -1.0])
    spoilt = tuple(
        replace(s, **{data.draw(st.sampled_from(fields)): data.draw(bad)}) if data.draw(st.booleans()) else s
        for s in problem.sessions
    )
    caps = tuple(replace(c, limit=np.where(np.arange(c.limit.size) % 2, c.limit, NAN)) for c in problem.caps)
    plan = rescue(replace(problem, sessions=spoilt, caps=caps), "spoilt")
    assert plan.status is PlanStatus.FALLBACK
    assert np.isfinite(plan.power_kw).all()
    assert np.isfinite(plan.unserved_kwh).all()
    for cap in caps:
        allowed = np.where(np.isnan(cap.limit), 0.0, np.maximum(cap.limit, 0.0))
        assert (cap.load @ plan.power_kw <= allowed + 1e-6).all()
