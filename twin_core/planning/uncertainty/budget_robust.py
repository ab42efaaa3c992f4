"""Budget-robust prices (Bertsimas and Sim): the lowest cost when the worst few prices move against the plan."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, plan_at, series
from twin_core.planning.uncertainty.model import COST_SCALE
from twin_core.planning.uncertainty.told import Told

NOMINAL = "A budget of 0 steps lets no price move: this is the plan at the nominal prices."
BOX = "A budget of every step lets all prices move at once: this is the box-robust plan."


class BudgetRobust:
    """min πᵀE + γᵀe + max {Σ δ_k·|E_k| : |δ_k| ≤ d_k, Σ |δ_k|/d_k ≤ Γ}, by its dual a linear programme.

    Bertsimas & Sim, "The price of robustness", Operations Research 52 (2004): the maximum is the minimum of
    Γ·θ + Σ q_k over θ, q ≥ 0 with θ + q_k ≥ d_k·|E_k|. The adversary picks the steps where most energy is bought at
    once, so that the plan spreads it.

    Args:
        deviation_eur_per_kwh: how far each price may be off, shape (n_steps,) or one for all, >= 0.
        budget_steps: Γ, how many of them may be fully off at once, >= 0.
    """

    name = "budget_robust"

    def __init__(self, deviation_eur_per_kwh: Told[Array] | float, budget_steps: float) -> None:
        if not budget_steps >= 0:
            raise PlanningError(f"budget_steps is {budget_steps}, must be 0 or more")
        self._deviation = deviation_eur_per_kwh
        self._budget_steps = budget_steps

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its cost is that at the problem's prices, its objective that of the worst case."""
        require_sound(problem)
        deviation = series("deviation_eur_per_kwh", self._deviation, problem)
        n_steps = problem.horizon.n_steps
        risk = _Budget(deviation, min(self._budget_steps, float(n_steps)))
        plan = plan_at(self.name, problem, problem.import_eur_per_kwh() + deviation, risk)
        if self._budget_steps == 0:
            return noted(plan, NOMINAL)
        return noted(plan, BOX) if self._budget_steps >= n_steps else plan


class _Budget:
    """See `PriceRisk`."""

    def __init__(self, deviation: Array, budget: float) -> None:
        self._deviation, self._budget = deviation, budget
        self._row: Any = None

    def programme(self, energy_kwh: Any, price: Array) -> tuple[Any, list[Any]]:
        theta, beyond = cp.Variable(nonneg=True), cp.Variable(self._deviation.size, nonneg=True)
        self._row = theta + beyond >= cp.multiply(self._deviation, cp.abs(energy_kwh))
        return price @ energy_kwh + self._budget * theta + cp.sum(beyond), [self._row]

    def cost_eur(self, energy_kwh: Array, price: Array) -> float:
        off_eur = np.sort(self._deviation * np.abs(energy_kwh))[::-1]
        share = np.clip(self._budget - np.arange(off_eur.size), 0.0, 1.0)
        return float(price @ energy_kwh + share @ off_eur)

    def worst_price(self, energy_kwh: Array, price: Array) -> Array:
        part = np.clip(np.asarray(self._row.dual_value) / COST_SCALE[cp.HIGHS], 0.0, 1.0)
        part *= min(1.0, self._budget / max(float(part.sum()), 1e-12))
        worst: Array = price + part * self._deviation
        return worst
