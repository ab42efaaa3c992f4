"""Ellipsoid-robust prices: the lowest cost when prices move against the plan together, as they did in the past."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.hours import HOURS_A_DAY, hour_shares
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, plan_at

NOMINAL = "An ellipsoid of size 0 lets no price move: this is the plan at the nominal prices."
ALIKE = (
    "Every hour varies alike and all move together: every kWh gets dearer alike, and the schedule is that of the "
    "nominal prices."
)


class EllipsoidRobust:
    """min πᵀE + γᵀe + κ·‖Σ^½·H·E‖₂, a second-order cone on the 24 energies of the hours of the day.

    The worst case over {π + Σ^½u : ‖u‖ ≤ κ}; with Gaussian prices also the (Φ(κ))-quantile of the cost. Energies are
    added up by hour before the norm is taken: steps within an hour share one price, and the cone has 25 rows whatever
    the steps. Beyond a day, the same hour of two days counts as one risk: both are off alike.

    Args:
        hour_covariance: Σ, shape (24, 24), of prices by the hour of the day in the time zone of the horizon's start,
            in (€/kWh)², see `forecasting.scenarios.shrunk_covariance`.
        kappa: size of the ellipsoid in standard deviations, >= 0.
    """

    name = "ellipsoid_robust"

    def __init__(self, hour_covariance: Array, kappa: float = 1.645) -> None:
        covariance = np.asarray(hour_covariance, dtype=float)
        if covariance.shape != (HOURS_A_DAY, HOURS_A_DAY) or not np.isfinite(covariance).all():
            raise PlanningError(f"hour_covariance of shape {covariance.shape}: must be finite, of shape (24, 24)")
        if not 0 <= kappa < np.inf:
            raise PlanningError(f"kappa is {kappa}, must be finite and not negative")
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        if not values.min() >= -1e-9 * max(1e-12, float(values.max())):
            raise PlanningError("hour_covariance has a negative eigenvalue: it is no covariance")
        self._root: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        # One common factor and nothing else: every pair of hours covaries alike.
        self._alike = float(np.ptp(covariance)) <= 1e-9 * float(np.abs(covariance).max())
        self._kappa = kappa

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its cost is that at the problem's prices, its objective that of the worst case."""
        require_sound(problem)
        to_hours = hour_shares(problem.horizon) / problem.horizon.hours
        spread = self._root @ to_hours

        risk = _Ellipsoid(self._kappa * spread)
        dearest = problem.import_eur_per_kwh() + self._kappa * np.linalg.norm(spread, axis=0)
        plan = plan_at(self.name, problem, dearest, risk, cp.CLARABEL)
        if self._kappa == 0:
            return noted(plan, NOMINAL)
        return noted(plan, ALIKE) if self._alike else plan


class _Ellipsoid:
    """See `PriceRisk`; the norm is differentiable but at 0, where every price of the ellipsoid costs the same."""

    def __init__(self, spread: Array) -> None:
        self._spread = spread

    def programme(self, energy_kwh: Any, price: Array) -> tuple[Any, list[Any]]:
        return price @ energy_kwh + cp.norm(self._spread @ energy_kwh, 2), []

    def cost_eur(self, energy_kwh: Array, price: Array) -> float:
        return float(price @ energy_kwh + np.linalg.norm(self._spread @ energy_kwh))

    def worst_price(self, energy_kwh: Array, price: Array) -> Array:
        off = self._spread @ energy_kwh
        worst: Array = price + self._spread.T @ off / max(float(np.linalg.norm(off)), 1e-12)
        return worst
