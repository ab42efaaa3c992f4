"""A linear program as plain arrays, and what can be proved about it without trusting who solved it.

min cost·x + offset  with  row_lower <= matrix @ x <= row_upper,  lower <= x <= upper,  x whole where `integer`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix

from twin_core.models.problem import Array

Mask = npt.NDArray[np.bool_]

INTEGER_TOLERANCE = 1e-6
"""How far from whole a number may be that stands for a whole one; solvers use the same."""


@dataclass(frozen=True, slots=True)
class LinearProgram:
    """Costs in €, everything else in the units of the rows.

    Attributes:
        cost: shape (n_columns,).
        matrix: shape (n_rows, n_columns).
        row_lower: shape (n_rows,), minus infinite where nothing limits.
        row_upper: shape (n_rows,).
        lower: shape (n_columns,), finite: a box is what makes `lower_bound` possible.
        upper: shape (n_columns,), finite.
        integer: shape (n_columns,).
        offset_eur: part of the cost that nothing decides.
    """

    cost: Array
    matrix: csc_matrix
    row_lower: Array
    row_upper: Array
    lower: Array
    upper: Array
    integer: Mask
    offset_eur: float = 0.0

    def cost_eur(self, x: Array) -> float:
        """Objective of a point."""
        return float(self.cost @ x) + self.offset_eur


def lower_bound(lp: LinearProgram, row_duals: Array) -> float:
    """A cost that no point of the box that keeps the rows can go below, by weak duality.

    For any y:  cost·x = (cost - Aᵀy)·x + y·Ax >= the least of each of the two terms alone. So this holds for whatever
    duals a solver reports; wrong ones only make the bound worse, and duals of the optimum make it the optimum.

    Args:
        row_duals: shape (n_rows,), marginal cost of each row, > 0 where its lower limit binds and < 0 where its upper.
    """
    if not (np.shape(row_duals) == lp.row_lower.shape and np.isfinite(row_duals).all()):
        return -np.inf
    has_sense = np.where(row_duals > 0, np.isfinite(lp.row_lower), np.isfinite(lp.row_upper))
    duals = np.where(has_sense, row_duals, 0.0)
    binding = np.where(duals > 0, lp.row_lower, lp.row_upper)
    # An infinite limit times a dual of zero is nothing, not NaN.
    of_rows = float(duals @ np.where(duals == 0, 0.0, binding))
    reduced = lp.cost - lp.matrix.T @ duals
    of_box = float(reduced @ np.where(reduced > 0, lp.lower, lp.upper))
    return of_rows + of_box + lp.offset_eur


def infeasibility(lp: LinearProgram, x: Array) -> float:
    """How far a point is from keeping every row, box and whole number: the worst excess, infinite for nonsense.

    Excess over a limit above 1 counts relative to it. Whole numbers are compared as such.
    """
    if not (np.shape(x) == lp.cost.shape and np.isfinite(x).all()):
        return np.inf
    use = lp.matrix @ x
    fraction = np.abs(x - np.round(x))[lp.integer]
    return max(
        _excess(use, lp.row_upper),
        _excess(-use, -lp.row_lower),
        _excess(x, lp.upper),
        _excess(-x, -lp.lower),
        float(fraction.max(initial=0.0)),
    )


def is_whole(lp: LinearProgram, x: Array) -> bool:
    """Whether the columns that must be whole are."""
    whole = x[lp.integer]
    return bool((np.abs(whole - np.round(whole)) <= INTEGER_TOLERANCE).all())


def _excess(value: Array, limit: Array) -> float:
    limited = np.isfinite(limit)
    over = (value[limited] - limit[limited]) / np.maximum(1.0, np.abs(limit[limited]))
    # An upper limit of minus infinity can be kept by nothing.
    return np.inf if (limit == -np.inf).any() else float(over.max(initial=0.0))
