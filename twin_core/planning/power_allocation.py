"""Power Allocation: the cheapest way to serve everybody, as a linear programme (thesis, model 3.1)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from twin_core.errors import PlanningError
from twin_core.models.plan import Array, Plan, PlanningProblem, PlanStatus
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.check import assess

TIE_BREAK_EUR_PER_KWH = 1e-7
"""The last step looks dearer than the first by this much, so that of equal prices the earlier one is taken.

A plan costs at most this much more per kWh delivered than the cheapest one: 0.1 € in a million kWh.
"""

SHORTFALL_OVER_PRICE = 4.0
"""A kWh left undelivered costs at least this many times the dearest step.

The model charges nothing at all once energy costs more than its absence. One time would do on a single limit; across
phases, a single-phase car can push aside three times its energy in three-phase cars, all of it to dearer steps.
"""

_COST_SCALE = 1e4
"""Objective units per €. HiGHS takes reduced costs below 1e-7 for zero; a step of the tie-break must be above that."""

_MODELS_KEPT = 4
"""Structures whose compiled model is kept: a plan every step and extra ones on plug-in and unplug alternate."""


class PowerAllocation:
    """min Σ price·δ·Y + Σ γ·e  subject to  δ·ΣY + e = L,  caps,  0 ≤ Y ≤ upper,  e ≥ 0.

    Demand is soft: a shortfall e is paid at the session's price γ, so the model is feasible whatever the limits, and
    the equality keeps negative prices from overcharging. Only steps in which a session may charge have a variable.
    Models are kept by structure (who may charge when, which limits exist); prices, demands, bounds and limits are
    parameters of it, so solving again with other numbers compiles nothing.
    """

    name = "power_allocation"

    def __init__(self) -> None:
        self._models: OrderedDict[bytes, _Model] = OrderedDict()

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; PROVED when the solver found the optimum and the plan keeps every limit."""
        bounds = bounds_of(problem)
        if not (bounds.upper_kw.any() and bounds.wanted_kwh.any()):
            return assess(problem, np.zeros_like(bounds.upper_kw), self.name, PlanStatus.PROVED)
        model = self._model_for(bounds, problem.horizon.step_h)
        power_kw, proved = model.solve(bounds, _step_prices(problem), shortfall_prices(problem))
        return assess(problem, power_kw, self.name, PlanStatus.PROVED if proved else PlanStatus.FEASIBLE)

    def _model_for(self, bounds: Bounds, step_h: float) -> _Model:
        structure = _Structure(bounds.upper_kw > 0, bounds.load, step_h)
        key = structure.key()
        model = self._models.pop(key, None) or _Model(structure)
        self._models[key] = model
        if len(self._models) > _MODELS_KEPT:
            self._models.popitem(last=False)
        return model


def _step_prices(problem: PlanningProblem) -> Array:
    """Prices with the tie-break, in €/kWh, shape (n_steps,)."""
    n_steps = problem.horizon.n_steps
    tie_break: Array = TIE_BREAK_EUR_PER_KWH * np.arange(n_steps) / n_steps
    return problem.price_eur_per_kwh + tie_break


def shortfall_prices(problem: PlanningProblem) -> Array:
    """Price of a kWh not delivered to each session in €/kWh, shape (n_sessions,), above any price of energy.

    Where some session's own price is below `SHORTFALL_OVER_PRICE` times the dearest step, all are raised by the same
    amount, so that their order holds.
    """
    own = np.array([s.shortfall_eur_per_kwh for s in problem.sessions])
    floor = SHORTFALL_OVER_PRICE * max(0.0, float(problem.price_eur_per_kwh.max()))
    return own if own.min() >= max(floor, 2 * TIE_BREAK_EUR_PER_KWH) else own + floor + TIE_BREAK_EUR_PER_KWH * 2


@dataclass(frozen=True, slots=True)
class _Structure:
    """What a compiled model is made of: shape (n_sessions, n_steps) of who may charge when, and the caps' loads."""

    may_charge: npt.NDArray[np.bool_]
    load: Array
    step_h: float

    def key(self) -> bytes:
        shape = np.array([*self.may_charge.shape, self.load.shape[0], self.step_h])
        return shape.tobytes() + np.packbits(self.may_charge).tobytes() + self.load.tobytes()


class _Model:
    """One compiled structure."""

    def __init__(self, structure: _Structure) -> None:
        n_sessions, n_steps = structure.may_charge.shape
        self._rows, self._steps = np.nonzero(structure.may_charge)
        n = self._rows.size
        columns = np.arange(n)
        energy_of_session = sp.csr_array((np.full(n, structure.step_h), (self._rows, columns)), (n_sessions, n))
        energy_in_step = sp.csr_array((np.full(n, structure.step_h), (self._steps, columns)), (n_steps, n))

        self._price = cp.Parameter(n_steps)
        self._shortfall_price = cp.Parameter(n_sessions)
        self._wanted_kwh = cp.Parameter(n_sessions)
        self._upper_kw = cp.Parameter(n)
        self._power_kw = cp.Variable(n, nonneg=True)
        shortfall_kwh = cp.Variable(n_sessions, nonneg=True)
        cost = self._price @ (energy_in_step @ self._power_kw) + self._shortfall_price @ shortfall_kwh
        constraints = [
            energy_of_session @ self._power_kw + shortfall_kwh == self._wanted_kwh,
            self._power_kw <= self._upper_kw,
        ]

        # Row (cap, step) of one matrix over all caps, without the rows that nobody loads.
        cap, column = np.nonzero(structure.load[:, self._rows])
        self._cap_rows, row = np.unique(cap * n_steps + self._steps[column], return_inverse=True)
        self._limit = cp.Parameter(self._cap_rows.size) if self._cap_rows.size else None
        if self._limit is not None:
            use = sp.csr_array((structure.load[cap, self._rows[column]], (row, column)), shape=(self._cap_rows.size, n))
            constraints.append(use @ self._power_kw <= self._limit)
        self._problem = cp.Problem(cp.Minimize(cost), constraints)

    def solve(self, bounds: Bounds, price: Array, shortfall_price: Array) -> tuple[Array, bool]:
        """Powers of shape (n_sessions, n_steps), and whether the solver proved them optimal.

        Raises:
            PlanningError: the solver failed or stopped without a point.
        """
        self._price.value = _COST_SCALE * price
        self._shortfall_price.value = _COST_SCALE * shortfall_price
        self._wanted_kwh.value = bounds.wanted_kwh
        self._upper_kw.value = bounds.upper_kw[self._rows, self._steps]
        if self._limit is not None:
            self._limit.value = bounds.limit.reshape(-1)[self._cap_rows]
        try:
            # cvxpy's warm start hands HiGHS a point without a basis, which makes a solve up to fifty times slower.
            self._problem.solve(solver=cp.HIGHS, warm_start=False)  # type: ignore[no-untyped-call]
        except (cp.error.SolverError, ValueError) as error:
            raise PlanningError(f"the solver failed: {error}") from error
        values = self._power_kw.value
        if values is None or self._problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            raise PlanningError(f"the solver found no plan: {self._problem.status}")
        power_kw = np.zeros_like(bounds.upper_kw)
        # The solver keeps bounds to 1e-7 only; the clip takes that off and leaves NaN for the check to find.
        power_kw[self._rows, self._steps] = np.clip(values, 0.0, self._upper_kw.value)
        return power_kw, self._problem.status == cp.OPTIMAL
