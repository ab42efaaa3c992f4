"""The engine, on programs on which HiGHS was seen to fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csc_matrix, csr_matrix

from twin_core.planning.solvers.highs_engine import Engine
from twin_core.planning.solvers.linear_program import LinearProgram

LOST_WAY = Path(__file__).with_name("lost_way.npz")
"""A recorded afternoon on three lines: HiGHS 1.15's simplex method without presolve answers "Unknown" to it."""


def saved(path: Path) -> LinearProgram:
    with np.load(path) as held:
        shape = (held["row_lower"].size, held["cost"].size)
        return LinearProgram(
            cost=held["cost"],
            matrix=csc_matrix(csr_matrix((held["data"], held["indices"], held["indptr"]), shape)),
            row_lower=held["row_lower"],
            row_upper=held["row_upper"],
            lower=held["lower"],
            upper=held["upper"],
            integer=np.zeros(held["cost"].size, dtype=bool),
        )


def test_where_the_simplex_method_loses_its_way_another_one_finds_it() -> None:
    lp = saved(LOST_WAY)
    found = Engine().relaxed(lp)
    assert (lp.row_lower == -np.inf).all()
    peer = linprog(lp.cost, lp.matrix, lp.row_upper, bounds=np.column_stack([lp.lower, lp.upper]), method="highs-ipm")
    assert found.proved
    assert lp.cost @ found.x == pytest.approx(peer.fun, rel=1e-9)
