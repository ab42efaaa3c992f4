"""Mean and tail: a low expected cost of energy, and no day among the worst that is too dear."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, Reasons
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, paid_kwh, plan_at, price_scenarios
from twin_core.planning.uncertainty.expected_price import ExpectedPrice
from twin_core.planning.uncertainty.model import COST_SCALE
from twin_core.planning.uncertainty.told import Told


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

    def __init__(self, prices_eur_per_kwh: Told[Array], beta: float = 0.95, weight: float = 0.5) -> None:
        if not (0 < beta < 1 and 0 <= weight <= 1):
            raise PlanningError(f"beta {beta} must lie between 0 and 1, weight {weight} in [0, 1]")
        self._prices = prices_eur_per_kwh
        self._beta, self._weight = beta, weight

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its cost is that at the problem's prices, its notes compare the tail with the mean's."""
        require_sound(problem)
        prices = price_scenarios(self._prices, problem)
        carbon = problem.import_eur_per_kwh() - problem.price_eur_per_kwh
        # What is said of one step is said of its mean price: the rest of a scenario is how far it is off.
        expected = replace(problem, price_eur_per_kwh=prices.mean(axis=0))
        risk = _Tail(prices - prices.mean(axis=0), self._beta, self._weight)
        plan = plan_at(self.name, expected, prices.max(axis=0) + carbon, risk)
        cost_eur = bill(problem, plan.power_kw).cost_eur
        reasons = replace(plan.reasons or Reasons(), notes=())
        return noted(replace(plan, cost_eur=cost_eur, reasons=reasons), self._against_the_mean(problem, plan, prices))

    def _against_the_mean(self, problem: PlanningProblem, plan: Plan, prices: Array) -> str:
        neutral = ExpectedPrice(prices).plan(problem)
        mine, theirs = (prices @ paid_kwh(problem, p.power_kw) for p in (plan, neutral))
        tail, their_tail = tail_mean(mine, self._beta), tail_mean(theirs, self._beta)
        figures = (
            f"mean of the worst {1 - self._beta:.0%} of bills {tail:.2f} € against {their_tail:.2f} € for the plan at "
            f"the mean price, mean bill {mine.mean():.2f} € against {theirs.mean():.2f} €"
        )
        gained = their_tail - tail > 1e-6 * max(1.0, abs(their_tail))
        return f"Hedged: {figures}." if gained else f"The scenarios cannot change this schedule: {figures}."


class _Tail:
    """See `PriceRisk`: its prices are the means over any part of the scenarios that holds 1−β of their chance."""

    def __init__(self, off: Array, beta: float, weight: float) -> None:
        self._off, self._beta, self._weight = off, beta, weight
        self._row: Any = None

    def programme(self, energy_kwh: Any, price: Array) -> tuple[Any, list[Any]]:
        n_scenarios = self._off.shape[0]
        above_eur, quantile_eur = cp.Variable(n_scenarios, nonneg=True), cp.Variable()
        tail_eur = quantile_eur + cp.sum(above_eur) / ((1 - self._beta) * n_scenarios)
        self._row = above_eur >= self._off @ energy_kwh - quantile_eur
        return price @ energy_kwh + self._weight * tail_eur, [self._row]

    def cost_eur(self, energy_kwh: Array, price: Array) -> float:
        return float(price @ energy_kwh) + self._weight * tail_mean(self._off @ energy_kwh, self._beta)

    def worst_price(self, energy_kwh: Array, price: Array) -> Array:
        most = 1 / ((1 - self._beta) * self._off.shape[0])
        chance = np.asarray(self._row.dual_value) / COST_SCALE[cp.HIGHS] / max(self._weight, 1e-12)
        chance = np.clip(chance, 0.0, most)
        missing, room = 1.0 - float(chance.sum()), most - chance
        chance = (
            chance / float(chance.sum()) if missing < 0 else chance + missing * room / max(float(room.sum()), 1e-12)
        )
        worst: Array = price + self._weight * (chance @ self._off)
        return worst


def tail_mean(costs_eur: Array, beta: float) -> float:
    """CVaR: mean of the dearest (1−β) part of equally likely costs, the scenario at its edge counted in part."""
    dearest = np.sort(np.asarray(costs_eur, dtype=float))[::-1]
    tail = (1 - beta) * dearest.size
    share = np.clip(tail - np.arange(dearest.size), 0.0, 1.0)
    return float(share @ dearest / tail)
