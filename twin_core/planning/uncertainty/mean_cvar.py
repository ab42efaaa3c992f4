"""Mean and tail: a low expected cost of energy, and no day among the worst that is too dear."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, plan_at, price_scenarios
from twin_core.planning.uncertainty.expected_price import ExpectedPrice


class MeanCvar:
    """min (1−w)·mean_s(c_s) + w·CVaR_β(c_s) + γᵀe with c_s = π_sᵀE, the energy bill of scenario s.

    Rockafellar & Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2 (2000): CVaR is the minimum
    of v + Σ_s max(0, c_s − v) / ((1−β)·S) over v. The scenarios see the energy of the site by step, not of every car.

    Args:
        prices_eur_per_kwh: shape (n_scenarios, n_steps), equally likely; they take the place of the problem's.
        beta: the tail begins at this quantile, in (0, 1).
        weight: w, of the tail against the mean, in [0, 1].
    """

    name = "mean_cvar"

    def __init__(self, prices_eur_per_kwh: Array, beta: float = 0.95, weight: float = 0.5) -> None:
        if not (0 < beta < 1 and 0 <= weight <= 1):
            raise PlanningError(f"beta {beta} must lie between 0 and 1, weight {weight} in [0, 1]")
        self._prices = prices_eur_per_kwh
        self._beta, self._weight = beta, weight

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its cost is that at the problem's prices, its notes compare the tail with the mean's."""
        require_sound(problem)
        prices = price_scenarios(self._prices, problem)
        carbon = problem.import_eur_per_kwh() - problem.price_eur_per_kwh

        def energy_cost(energy_kwh: Any, price: Array) -> tuple[Any, list[Any]]:
            tie_break = price - problem.import_eur_per_kwh()
            n_scenarios = prices.shape[0]
            above_eur, quantile_eur = cp.Variable(n_scenarios, nonneg=True), cp.Variable()
            tail_eur = quantile_eur + cp.sum(above_eur) / ((1 - self._beta) * n_scenarios)
            mean_eur = (prices.mean(axis=0) + carbon + tie_break) @ energy_kwh
            money_eur = prices.mean(axis=0) @ energy_kwh
            objective = mean_eur + self._weight * (tail_eur - money_eur)
            return objective, [above_eur >= prices @ energy_kwh - quantile_eur]

        plan = plan_at(self.name, problem, prices.max(axis=0) + carbon, energy_cost)
        return noted(plan, self._against_the_mean(problem, plan, prices))

    def _against_the_mean(self, problem: PlanningProblem, plan: Plan, prices: Array) -> str:
        neutral = ExpectedPrice(prices).plan(problem)
        hours = problem.horizon.hours
        mine, theirs = (prices @ (p.power_kw.sum(axis=0) * hours) for p in (plan, neutral))
        tail, their_tail = tail_mean(mine, self._beta), tail_mean(theirs, self._beta)
        figures = (
            f"mean of the worst {1 - self._beta:.0%} of bills {tail:.2f} € against {their_tail:.2f} € for the plan at "
            f"the mean price, mean bill {mine.mean():.2f} € against {theirs.mean():.2f} €"
        )
        gained = their_tail - tail > 1e-6 * max(1.0, abs(their_tail))
        return f"Hedged: {figures}." if gained else f"The scenarios cannot change this schedule: {figures}."


def tail_mean(costs_eur: Array, beta: float) -> float:
    """CVaR: mean of the dearest (1−β) part of equally likely costs, the scenario at its edge counted in part."""
    dearest = np.sort(np.asarray(costs_eur, dtype=float))[::-1]
    tail = (1 - beta) * dearest.size
    share = np.clip(tail - np.arange(dearest.size), 0.0, 1.0)
    return float(share @ dearest / tail)
