"""Sessions below caps in cvxpy, compiled once for each structure and solved again with other numbers.

min Σ h·price·p + Σ γ·e  subject to  Σ h·p + e = L,  caps,  0 ≤ p ≤ upper,  e ≥ 0.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from twin_core.errors import PlanningError
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.solvers.certificate import bound_eur
from twin_core.planning.solvers.dust import swept
from twin_core.planning.solvers.solver import Duals, Solution

_COST_SCALE = 1e4
"""Objective units per €. HiGHS takes reduced costs below 1e-7 for zero; a step of a tie-break must be above that."""

_MODELS_KEPT = 4
"""Structures whose compiled model is kept: a plan every step and extra ones on plug-in and unplug alternate."""


class Compiled:
    """Sessions and caps only, with unequal steps and carbon.

    Only steps in which a session may charge have a variable. Models are kept by structure (who may charge when, which
    limits exist, how long steps are); prices, demands, bounds and limits are parameters of it, so solving again with
    other numbers compiles nothing.
    """

    name = "cvxpy"

    def __init__(self) -> None:
        self._models: OrderedDict[bytes, _Model] = OrderedDict()

    def covers(self, problem: PlanningProblem) -> bool:
        """Whether it can solve this problem exactly."""
        return (
            problem.site is None
            and not problem.offerable_steps
            and not any(cap.floor is not None or cap.battery_load for cap in problem.caps)
            and not any(
                s.discharge_max_kw or s.taper or s.single_phase or np.isfinite(s.ramp_kw_per_h)
                for s in problem.sessions
            )
        )

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        """See `Solver.solve`."""
        bounds = bounds_of(problem)
        price = problem.import_eur_per_kwh()
        shortfall_price = np.array([s.shortfall_eur_per_kwh for s in problem.sessions], dtype=float)
        if bounds.upper_kw.any() and bounds.wanted_kwh.any():
            model = self._model_for(bounds, problem.horizon.hours)
            found = model.solve(bounds, price, shortfall_price, deadline_s)
        else:
            found = _nobody_charges(bounds, price, shortfall_price)
        duals = _duals(problem, bounds, found)
        return Solution(found.power_kw, found.proved, duals=duals, bound_eur=bound_eur(problem, duals.cap, bounds))

    def _model_for(self, bounds: Bounds, hours: Array) -> _Model:
        structure = _Structure(bounds.upper_kw > 0, bounds.load, hours)
        key = structure.key()
        model = self._models.pop(key, None) or _Model(structure)
        self._models[key] = model
        if len(self._models) > _MODELS_KEPT:
            self._models.popitem(last=False)
        return model


@dataclass(frozen=True, slots=True)
class _Structure:
    """What a compiled model is made of.

    Attributes:
        may_charge: shape (n_sessions, n_steps).
        load: shape (n_caps, n_sessions).
        hours: shape (n_steps,).
    """

    may_charge: npt.NDArray[np.bool_]
    load: Array
    hours: Array

    def key(self) -> bytes:
        shape = np.array([*self.may_charge.shape, self.load.shape[0]])
        return b"".join(
            (shape.tobytes(), np.packbits(self.may_charge).tobytes(), self.load.tobytes(), self.hours.tobytes())
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """What a model answers.

    Attributes:
        power_kw: shape (n_sessions, n_steps).
        limit_price: shape (n_caps, n_steps), €/h for one more unit of a limit of `Bounds`.
        energy_price: shape (n_sessions,), € for one more kWh wanted.
    """

    power_kw: Array
    proved: bool
    limit_price: Array
    energy_price: Array


def _nobody_charges(bounds: Bounds, price: Array, shortfall_price: Array) -> _Found:
    """Where nobody can charge, one more kWh wanted is one more missing; where nobody wants to, it is there to buy."""
    energy_price = np.minimum(shortfall_price, price.min()) if bounds.upper_kw.any() else shortfall_price
    return _Found(np.zeros_like(bounds.upper_kw), True, np.zeros_like(bounds.limit), energy_price)


class _Model:
    """One compiled structure."""

    def __init__(self, structure: _Structure) -> None:
        n_sessions, n_steps = structure.may_charge.shape
        self._hours = structure.hours
        self._rows, self._steps = np.nonzero(structure.may_charge)
        n = self._rows.size
        columns = np.arange(n)
        hours = structure.hours[self._steps]
        energy_of_session = sp.csr_array((hours, (self._rows, columns)), (n_sessions, n))
        energy_in_step = sp.csr_array((hours, (self._steps, columns)), (n_steps, n))

        self._price = cp.Parameter(n_steps)
        self._shortfall_price = cp.Parameter(n_sessions)
        self._wanted_kwh = cp.Parameter(n_sessions)
        self._upper_kw = cp.Parameter(n)
        self._power_kw = cp.Variable(n, nonneg=True)
        shortfall_kwh = cp.Variable(n_sessions, nonneg=True)
        cost = self._price @ (energy_in_step @ self._power_kw) + self._shortfall_price @ shortfall_kwh
        self._demand = energy_of_session @ self._power_kw + shortfall_kwh == self._wanted_kwh
        constraints = [self._demand, self._power_kw <= self._upper_kw]

        # Row (cap, step) of one matrix over all caps, without the rows that nobody loads.
        cap, column = np.nonzero(structure.load[:, self._rows])
        self._cap_rows, row = np.unique(cap * n_steps + self._steps[column], return_inverse=True)
        self._limit = cp.Parameter(self._cap_rows.size) if self._cap_rows.size else None
        if self._limit is not None:
            use = sp.csr_array((structure.load[cap, self._rows[column]], (row, column)), shape=(self._cap_rows.size, n))
            self._caps = use @ self._power_kw <= self._limit
            constraints.append(self._caps)
        self._problem = cp.Problem(cp.Minimize(cost), constraints)

    def solve(self, bounds: Bounds, price: Array, shortfall_price: Array, deadline_s: float | None) -> _Found:
        """The cheapest powers with their prices.

        Raises:
            PlanningError: the solver failed or stopped without a point.
        """
        self._price.value = swept(_COST_SCALE * price)
        self._shortfall_price.value = swept(_COST_SCALE * shortfall_price)
        self._wanted_kwh.value = swept(bounds.wanted_kwh)
        self._upper_kw.value = swept(bounds.upper_kw[self._rows, self._steps])
        if self._limit is not None:
            self._limit.value = swept(bounds.limit.reshape(-1)[self._cap_rows])
        options = {} if deadline_s is None else {"time_limit": deadline_s}
        try:
            # cvxpy's warm start hands HiGHS a point without a basis, which makes a solve up to fifty times slower.
            self._problem.solve(solver=cp.HIGHS, warm_start=False, **options)  # type: ignore[no-untyped-call]
        except (cp.error.SolverError, ValueError) as error:
            raise PlanningError(f"the solver failed: {error}") from error
        values = self._power_kw.value
        if values is None or self._problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            raise PlanningError(f"the solver found no plan: {self._problem.status}")
        power_kw = np.zeros_like(bounds.upper_kw)
        # The solver keeps bounds to 1e-7 only; the clip takes that off and leaves NaN for the check to find.
        power_kw[self._rows, self._steps] = np.clip(values, 0.0, self._upper_kw.value)
        limit_price = np.zeros_like(bounds.limit)
        if self._limit is not None:
            limit_price.reshape(-1)[self._cap_rows] = np.maximum(self._caps.dual_value, 0.0) / _COST_SCALE
        # cvxpy prices `left == right` by what a rise of the left would save.
        energy_price = -np.asarray(self._demand.dual_value) / _COST_SCALE
        return _Found(power_kw, self._problem.status == cp.OPTIMAL, limit_price / self._hours, energy_price)


def _duals(problem: PlanningProblem, bounds: Bounds, found: _Found) -> Duals:
    """Prices of the problem's own caps: each step's goes to the first of the caps that set the limit there.

    Where a limit is no tighter than the sessions' own bounds below it, those bind and the limit is free. What one more
    kW of its own would save a session is the price of the cap that loads it alone, where that cap sets its bound.
    """
    prices = np.zeros((len(problem.caps), problem.horizon.n_steps))
    binding = np.where(bounds.limit < bounds.load @ bounds.upper_kw, found.limit_price, 0.0)
    row_of = {load.tobytes(): row for row, load in enumerate(np.asarray(bounds.load, dtype=float))}
    left = binding.copy()
    own_kw = np.array([s.max_kw for s in problem.sessions]).reshape(-1, 1) * problem.availability()
    worth = problem.import_eur_per_kwh() + bounds.load.T @ binding - found.energy_price.reshape(-1, 1)
    own_left = np.where(bounds.upper_kw < own_kw, np.maximum(-worth, 0.0), 0.0)
    for index, cap in enumerate(problem.caps):
        loaded, limit = np.flatnonzero(cap.load), np.maximum(cap.limit, 0.0)
        if loaded.size == 1:
            row = loaded[0]
            sets = limit / cap.load[row] <= bounds.upper_kw[row]
            prices[index] = np.where(sets, own_left[row], 0.0) / cap.load[row]
            own_left[row] = np.where(sets, 0.0, own_left[row])
        elif loaded.size > 1:
            row = row_of[np.asarray(cap.load, dtype=float).tobytes()]
            sets = limit <= bounds.limit[row]
            prices[index] = np.where(sets, left[row], 0.0)
            left[row] = np.where(sets, 0.0, left[row])
    return Duals(prices, np.zeros_like(prices))
