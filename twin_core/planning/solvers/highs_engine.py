"""HiGHS itself: options by structure, a deadline, and no point that was not checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import highspy
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.problem import Array
from twin_core.planning.solvers.dust import swept
from twin_core.planning.solvers.linear_program import LinearProgram, infeasibility

_COST_SCALE = 1e4
"""Objective units per €. HiGHS takes reduced costs below 1e-7 for zero, which a cent in a megawatt hour must not be."""

_FEASIBLE = 1e-6
"""Largest excess of a point over a row, absolute or relative, that is taken for rounding."""

_MIP_GAP = 1e-7
"""Relative gap at which a search for whole numbers ends: a tenth of what a proved plan may have."""


_AT_LIMIT = 1e-7
"""A value this near to a limit is at it, for a basis to begin with."""

_STATUS = np.array(
    [highspy.HighsBasisStatus.kLower, highspy.HighsBasisStatus.kUpper, highspy.HighsBasisStatus.kBasic], dtype=object
)

_METHOD = "simplex"
"""For programs without whole numbers: mostly two to three times faster than the interior point where measured.

On 1,200 sessions x 96 steps: tree of 73 limits 0.30 against 0.59 s, demand charge 0.18 against 0.59 s, both 0.38
against 1.35 s. Written with a shortfall as a column of its own and an unbounded peak, a demand charge took
it 42 s.
"""

_WAYS_OUT = ((_METHOD, False), (_METHOD, True), ("ipm", False))
"""Method and presolve, from no start, in turn where HiGHS answers "Unknown".

The simplex method can lose its way from a start that was near, and without presolve also from none: 1 of some
5,000 problems of recorded days on three lines, with duals wrong by 2e-5.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked point.

    Attributes:
        proved: HiGHS says that nothing is cheaper.
        row_duals: in €; empty where there were whole numbers.
        column_duals: in €; empty where there were whole numbers.
    """

    x: Array
    proved: bool
    row_duals: Array
    column_duals: Array


class Engine:
    """One HiGHS, kept between problems: making it costs more than a small solve. No basis is kept.

    A compact problem has other columns at every tick; and where prices all move, a hot basis on a fixed grid is slower
    than a cold start on the compact one.
    """

    def __init__(self) -> None:
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in {
            "output_flag": False,
            "threads": 1,
            "mip_rel_gap": _MIP_GAP,
            "mip_abs_gap": 0.0,
            "mip_feasibility_tolerance": 1e-7,
        }.items():
            self._highs.setOptionValue(option, value)
        self._until: float | None = None

    def allow(self, deadline_s: float | None) -> None:
        """Time for all that is asked until the next call of this; None for as long as it takes.

        Counted by HiGHS, which adds up the time it ran since it was made, and counts its limit from there too.
        """
        self._until = None if deadline_s is None else self._highs.getRunTime() + deadline_s

    def relaxed(self, lp: LinearProgram, start: Array | None = None, *, interior: bool = False) -> Answer:
        """The cheapest point, whole numbers or not.

        Args:
            lp: what to solve.
            start: shape (n_columns,), a point near it where one is known; a bad one costs time and nothing else.
            interior: by the interior point method. Where each step's columns follow from those of the step before, the
                simplex method loses digits from step to step (rows broken by up to 1e-3 were seen over 144 steps).

        Raises:
            PlanningError: there is none, or no time to find it: a point on the way there is worth nothing.
        """
        plain = replace(lp, integer=np.zeros_like(lp.integer))
        if not plain.cost.size and infeasibility(plain, np.zeros(0)) <= _FEASIBLE:
            return Answer(np.zeros(0), True, np.zeros_like(lp.row_lower), np.zeros(0))
        status = self._run(plain, "ipm" if interior else _METHOD, start)
        for method, presolve in _WAYS_OUT:
            if status != highspy.HighsModelStatus.kUnknown:
                break
            self._highs.clearSolver()
            status = self._run(plain, method, presolve=presolve)
        if status != highspy.HighsModelStatus.kOptimal:
            raise PlanningError(f"the solver found no plan: {self._highs.modelStatusToString(status)}")
        return self._checked(plain, proved=True)

    def whole(self, lp: LinearProgram) -> Answer:
        """The cheapest point with whole numbers where they must be, or the best one in time.

        Raises:
            PlanningError: there is none, or none was found in time.
        """
        status = self._run(lp, "choose")
        text = self._highs.modelStatusToString(status)
        proved = status == highspy.HighsModelStatus.kOptimal
        stopped = status in (highspy.HighsModelStatus.kTimeLimit, highspy.HighsModelStatus.kInterrupt)
        found = self._highs.getInfo().primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
        if not (found and (proved or stopped)):
            raise PlanningError(f"the solver found no plan: {text}")
        point = self._point()
        if not proved and not point.any():
            raise PlanningError(f"the solver found no plan: {text}, and no more than doing nothing")
        self._checked(lp, proved=proved)
        # A binary that is whole to a millionth leaves powers that are almost nothing; with all of them fixed, none do.
        whole = np.round(point)
        fixed = replace(
            lp,
            lower=np.where(lp.integer, whole, lp.lower),
            upper=np.where(lp.integer, whole, lp.upper),
            integer=np.zeros_like(lp.integer),
        )
        self._until = None
        cleaned = self.relaxed(fixed)
        return Answer(cleaned.x, proved, np.zeros(0), np.zeros(0))

    def _run(self, lp: LinearProgram, method: str, start: Array | None = None, *, presolve: bool | None = None) -> Any:
        until = np.inf if self._until is None else self._until
        if not until > self._highs.getRunTime():
            raise PlanningError("the solver found no plan: no time left")
        if self._highs.passModel(_model(lp)) == highspy.HighsStatus.kError:
            raise PlanningError("the solver does not take the problem")
        if start is not None:
            self._highs.setBasis(_basis_at(lp, start))
        # Presolve pays for whole numbers only: without them rows and columns are as few as can be said before.
        presolve = bool(lp.integer.any()) if presolve is None else presolve
        self._highs.setOptionValue("presolve", "choose" if presolve else "off")
        self._highs.setOptionValue("solver", method)
        self._highs.setOptionValue("time_limit", until)
        if self._highs.run() == highspy.HighsStatus.kError:
            # Another user of HiGHS in this process may have set up its threads for more than one.
            highspy.Highs.resetGlobalScheduler(True)
            if self._highs.run() == highspy.HighsStatus.kError:
                raise PlanningError("the solver failed")
        return self._highs.getModelStatus()

    def _point(self) -> Array:
        return np.array(self._highs.getSolution().col_value, dtype=float)

    def _checked(self, lp: LinearProgram, *, proved: bool) -> Answer:
        point = self._point()
        excess = infeasibility(lp, point)
        if not excess <= _FEASIBLE:
            raise PlanningError(f"the solver's answer breaks the problem's rows by {excess:.3g}")
        solution = self._highs.getSolution()
        row_duals = np.array(solution.row_dual, dtype=float) / _COST_SCALE
        column_duals = np.array(solution.col_dual, dtype=float) / _COST_SCALE
        return Answer(np.clip(point, lp.lower, lp.upper), proved, row_duals, column_duals)


def _basis_at(lp: LinearProgram, point: Array) -> Any:
    """The basis in which what lies between its limits is basic; HiGHS mends it where that is too much or too little."""
    basis = highspy.HighsBasis()
    basis.col_status = _statuses(point, lp.lower, lp.upper)
    basis.row_status = _statuses(lp.matrix @ point, lp.row_lower, lp.row_upper)
    basis.valid = basis.alien = True
    return basis


def _statuses(value: Array, lower: Array, upper: Array) -> list[Any]:
    at_lower, at_upper = value <= lower + _AT_LIMIT, value >= upper - _AT_LIMIT
    return cast("list[Any]", _STATUS[np.where(at_lower, 0, np.where(at_upper, 1, 2))].tolist())


def _model(lp: LinearProgram) -> Any:
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = lp.matrix.shape
    model.col_cost_, model.offset_ = swept(lp.cost * _COST_SCALE), lp.offset_eur * _COST_SCALE
    model.col_lower_, model.col_upper_ = swept(lp.lower), swept(lp.upper)
    model.row_lower_, model.row_upper_ = swept(lp.row_lower), swept(lp.row_upper)
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.start_, matrix.index_, matrix.value_ = lp.matrix.indptr, lp.matrix.indices, lp.matrix.data
    if lp.integer.any():
        model.integrality_ = [
            highspy.HighsVarType.kInteger if whole else highspy.HighsVarType.kContinuous for whole in lp.integer
        ]
    return model
