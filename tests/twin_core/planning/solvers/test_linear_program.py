"""What is proved about a linear program does not depend on who solved it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import csc_matrix

from twin_core.planning.solvers.linear_program import LinearProgram, infeasibility, is_whole, lower_bound


@st.composite
def programs(draw: st.DrawFn) -> LinearProgram:
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    n_rows, n_columns = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    matrix = random.normal(size=(n_rows, n_columns)) * (random.random((n_rows, n_columns)) < 0.6)
    lower = random.normal(size=n_columns)
    upper = lower + random.random(n_columns) * 5
    inside = matrix @ (lower + (upper - lower) * random.random(n_columns))
    row_upper = np.where(random.random(n_rows) < 0.7, inside + random.random(n_rows), np.inf)
    row_lower = np.where(random.random(n_rows) < 0.5, inside - random.random(n_rows), -np.inf)
    whole = np.zeros(n_columns, dtype=bool)
    cost, offset_eur = random.normal(size=n_columns), float(random.normal())
    return LinearProgram(cost, csc_matrix(matrix), row_lower, row_upper, lower, upper, whole, offset_eur)


def optimum(lp: LinearProgram) -> tuple[float, np.ndarray]:
    """Least cost and the duals of the rows, by somebody else."""
    dense, has_upper, has_lower = lp.matrix.toarray(), np.isfinite(lp.row_upper), np.isfinite(lp.row_lower)
    found = linprog(
        lp.cost,
        A_ub=np.vstack([dense[has_upper], -dense[has_lower]]),
        b_ub=np.concatenate([lp.row_upper[has_upper], -lp.row_lower[has_lower]]),
        bounds=list(zip(lp.lower, lp.upper, strict=True)),
    )
    duals, n_upper = np.zeros(lp.row_upper.size), int(has_upper.sum())
    duals[has_upper] += found.ineqlin.marginals[:n_upper]
    duals[has_lower] -= found.ineqlin.marginals[n_upper:]
    return float(found.fun) + lp.offset_eur, duals


@settings(max_examples=100, deadline=None)
@given(lp=programs(), seed=st.integers(0, 1000))
def test_no_duals_whatever_make_the_bound_more_than_the_optimum(lp: LinearProgram, seed: int) -> None:
    best, duals = optimum(lp)
    random = np.random.default_rng(seed)
    for wrong in (random.normal(size=duals.size) * 3, duals + random.normal(size=duals.size) * 0.1, -duals):
        assert lower_bound(lp, wrong) <= best + 1e-9


@settings(max_examples=100, deadline=None)
@given(lp=programs())
def test_the_duals_of_the_optimum_make_the_bound_the_optimum(lp: LinearProgram) -> None:
    best, duals = optimum(lp)
    assert lower_bound(lp, duals) == pytest.approx(best, abs=1e-7)


def small(integer: bool = False) -> LinearProgram:
    """Min -x - y with x + y <= 3 and both in [0, 2]."""
    none = np.array([-np.inf])
    return LinearProgram(
        np.array([-1.0, -1.0]),
        csc_matrix(np.ones((1, 2))),
        none,
        np.array([3.0]),
        np.zeros(2),
        np.full(2, 2.0),
        np.array([integer, False]),
    )


def test_duals_that_are_no_numbers_prove_nothing() -> None:
    assert lower_bound(small(), np.array([np.nan])) == -np.inf
    assert lower_bound(small(), np.zeros(4)) == -np.inf


@pytest.mark.parametrize(
    ("point", "excess"),
    [((1.0, 2.0), 0.0), ((2.0, 2.0), 1 / 3), ((2.5, 0.0), 0.25), ((-0.5, 0.0), 0.5), ((np.nan, 0.0), np.inf)],
)
def test_a_point_is_as_infeasible_as_its_worst_excess(point: tuple[float, float], excess: float) -> None:
    assert infeasibility(small(), np.array(point)) == pytest.approx(excess)


def test_half_a_whole_number_is_none() -> None:
    assert infeasibility(small(integer=True), np.array([0.5, 0.0])) == 0.5
    assert not is_whole(small(integer=True), np.array([0.5, 0.0]))
    assert is_whole(small(integer=True), np.array([1.0, 0.5]))
