"""The proof needs no trust in who found the powers or the prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, problems
from twin_core.models.problem import PlanningProblem, VehicleBattery
from twin_core.planning.accounting import bill
from twin_core.planning.solvers.certificate import bound_eur, certify, has_bound, is_proof
from twin_core.planning.solvers.kernel import Kernel
from twin_core.planning.solvers.oracle import Oracle
from twin_core.planning.solvers.solver import Duals


def optimum_eur(problem: PlanningProblem) -> float:
    return bill(problem, Oracle().solve(problem).power_kw).objective_eur


@settings(max_examples=80, deadline=None)
@given(problem=problems(), seed=st.integers(0, 2**32 - 1))
def test_no_prices_make_a_bound_above_the_optimum(problem: PlanningProblem, seed: int) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    rng = np.random.default_rng(seed)
    shape = (len(problem.caps), problem.horizon.n_steps)
    prices = rng.exponential(0.3, shape) * rng.integers(0, 2, shape)
    prices[rng.random(shape) < 0.1] = np.nan
    prices[rng.random(shape) < 0.1] = -1.0
    optimum = optimum_eur(problem)
    assert bound_eur(problem, prices) <= optimum + 1e-6 * max(1.0, abs(optimum))


@settings(max_examples=80, deadline=None)
@given(problem=problems())
def test_the_prices_of_an_optimum_prove_it_below_several_limits(problem: PlanningProblem) -> None:
    assume(problem.sessions and problem.horizon.n_steps)
    best = Oracle().solve(problem)
    assert best.duals is not None
    assert certify(problem, np.maximum(best.power_kw, 0.0), best.duals).proves


def tight_site() -> tuple[PlanningProblem, np.ndarray, Duals]:
    problem = depot([car("a", 12.0), car("b", 12.0, 0.0, 3.0)], 9.0, [0.3, 0.1, 0.2, 0.4])
    best = Kernel().solve(problem)
    assert best.duals is not None
    return problem, best.power_kw, best.duals


def test_an_optimum_is_certified() -> None:
    problem, power_kw, duals = tight_site()
    certificate = certify(problem, power_kw, duals)
    assert certificate.proves
    assert certificate.bound_eur == pytest.approx(certificate.objective_eur)


@pytest.mark.parametrize(
    ("row", "step", "change_kw"), [(0, 1, 0.01), (0, 1, -0.01), (0, 3, 0.01), (1, 2, -0.01), (1, 3, 0.01)]
)
def test_a_plan_with_one_power_changed_is_not(row: int, step: int, change_kw: float) -> None:
    problem, power_kw, duals = tight_site()
    power_kw = power_kw.copy()
    power_kw[row, step] += change_kw
    assert not certify(problem, power_kw, duals).proves


def test_an_optimum_with_wrong_prices_is_not_proved() -> None:
    problem, power_kw, duals = tight_site()
    assert not certify(problem, power_kw, replace(duals, cap=duals.cap * 1.5 + 0.05)).proves
    assert not certify(problem, power_kw, replace(duals, cap=np.zeros_like(duals.cap))).proves


def test_what_is_not_a_number_proves_nothing() -> None:
    assert not is_proof(float("nan"), 1.0)
    assert not is_proof(1.0, float("nan"))


def test_only_sessions_that_charge_below_caps_have_a_bound() -> None:
    problem, _, _ = tight_site()
    assert has_bound(problem)
    giving = replace(problem.sessions[0], battery=VehicleBattery(50.0, 20.0, discharge_max_kw=5.0))
    assert not has_bound(replace(problem, sessions=(giving, problem.sessions[1])))
