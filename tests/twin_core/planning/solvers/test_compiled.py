"""The compiled cvxpy model: built once for a structure, small in its parameters, never warm-started."""

from __future__ import annotations

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings

from tests.twin_core.planning.problems import car, depot, limit, problems, session_problems
from twin_core.errors import PlanningError
from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.solvers import compiled
from twin_core.planning.solvers.compiled import Compiled


def test_the_model_is_built_once_for_a_structure_and_never_warm_started(monkeypatch: pytest.MonkeyPatch) -> None:
    options = []
    solve = cp.Problem.solve
    monkeypatch.setattr(cp.Problem, "solve", lambda *a, **k: (options.append(k), solve(*a, **k))[1])
    kept = Compiled()
    models = []
    for price in (0.1, 0.2, 0.3):
        kept.solve(depot([car("a", 15), car("b", 10)], site_kw=12, prices=[price, 0.2]))
        models += kept._models.values()
    assert models == [models[0]] * 3
    assert options == [{"solver": cp.HIGHS, "warm_start": False}] * 3


def test_every_kept_model_is_small_in_its_parameters() -> None:
    """A model that is not DPP is compiled anew at every solve."""
    kept = Compiled()
    kept.solve(depot([car("a", 15), car("b", 10)], site_kw=12))
    (model,) = kept._models.values()
    assert model._problem.is_dcp(dpp=True)


def test_few_models_are_kept() -> None:
    kept = Compiled()
    for n in range(1, 9):
        kept.solve(depot([car(f"{i}", 5) for i in range(n)], site_kw=12))
    assert len(kept._models) == compiled._MODELS_KEPT


def test_other_lengths_of_steps_are_another_structure() -> None:
    kept, problem = Compiled(), depot([car("a", 15)], site_kw=12)
    kept.solve(problem)
    longer = replace(problem, horizon=replace(problem.horizon, lengths_h=(1.0, 1.0, 1.0, 2.0)))
    np.testing.assert_allclose(
        kept.solve(longer).power_kw @ longer.horizon.hours, Compiled().solve(longer).power_kw @ longer.horizon.hours
    )
    assert len(kept._models) == 2


def test_a_deadline_is_the_solvers_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    options = []
    solve = cp.Problem.solve
    monkeypatch.setattr(cp.Problem, "solve", lambda *a, **k: (options.append(k), solve(*a, **k))[1])
    Compiled().solve(depot([car("a", 15)], site_kw=12), deadline_s=7.0)
    assert options[0]["time_limit"] == 7.0


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_a_deadline_that_has_passed_is_an_error_and_no_plan_of_zeros() -> None:
    cars = [car(f"{i}", 40, departure_h=20 + i / 7) for i in range(30)]
    prices = [0.2 + 0.001 * (k % 17) for k in range(96)]
    with pytest.raises(PlanningError, match="user_limit"):
        Compiled().solve(depot(cars, 30, prices, 0.25), deadline_s=0.0)


@settings(max_examples=100, deadline=None)
@given(problem=session_problems())
def test_powers_keep_every_limit_and_meet_the_bound_of_our_own(problem: PlanningProblem) -> None:
    found = Compiled().solve(problem)
    assert violations(problem, found.power_kw) == []
    objective_eur = bill(problem, found.power_kw).objective_eur
    assert found.proved
    assert found.bound_eur == pytest.approx(objective_eur, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("nobody", [car("full", 0), car("shut", 7, max_kw=0), car("gone", 7, departure_h=-1)])
def test_where_nobody_charges_the_bound_is_what_is_missing(nobody: SessionNeed) -> None:
    found = Compiled().solve(depot([nobody], site_kw=9, prices=[-0.2, 0.3]))
    assert not found.power_kw.any()
    assert found.bound_eur == pytest.approx(nobody.energy_kwh)


def lagrangian_eur(problem: PlanningProblem, cap_price: Array) -> float:
    """Lowest objective of the sessions one by one when the caps are for sale: below the optimum at any price >= 0."""
    hours, inside = problem.horizon.hours, problem.availability()
    price = problem.import_eur_per_kwh() + sum(
        (np.outer(cap.load, row) for cap, row in zip(problem.caps, cap_price, strict=True)), np.zeros(inside.shape)
    )
    total = -sum(
        float((row * hours)[row > 0] @ np.maximum(cap.limit, 0.0)[row > 0])
        for cap, row in zip(problem.caps, cap_price, strict=True)
    )
    for row, session in enumerate(problem.sessions):
        left = max(0.0, session.energy_kwh)
        for step in np.argsort(price[row]):
            if price[row, step] < session.shortfall_eur_per_kwh:
                taken = min(left, session.max_kw * inside[row, step] * hours[step])
                total += taken * price[row, step]
                left -= taken
        total += left * session.shortfall_eur_per_kwh
    return total


@settings(max_examples=100, deadline=None)
@given(problem=problems())
def test_the_prices_of_the_caps_as_they_stand_prove_the_optimum(problem: PlanningProblem) -> None:
    """Also where several caps share a row, load one session only, or bind less than the sessions' own bounds."""
    found = Compiled().solve(problem)
    assert found.duals is not None
    assert (found.duals.cap >= 0).all()
    objective_eur = bill(problem, found.power_kw).objective_eur
    assert lagrangian_eur(problem, found.duals.cap) == pytest.approx(objective_eur, rel=1e-6, abs=1e-6)


def test_one_more_kilowatt_saves_what_the_dual_says() -> None:
    cars = [car("a", 20, departure_h=2), car("b", 6, departure_h=2)]
    phases = [limit("L1", [1, 1], [12, 12]), limit("L2", [1, 1], [13, 12])]
    problem = depot(cars, None, [0.1, 0.3], caps=phases)
    found = Compiled().solve(problem)
    assert found.duals is not None
    np.testing.assert_allclose(found.duals.cap, [[0.9, 0.7], [0, 0]], atol=1e-9)
