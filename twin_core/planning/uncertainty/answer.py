"""From an objective of a variant's own to its checked plan, and what it has to say about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus, Reasons
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.assessment import assess
from twin_core.planning.optimum import earlier_first
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.model import ChargingModel, served_at, solved

EnergyCost = Callable[[Any, Array], tuple[Any, list[Any]]]
"""What energy costs in €, convex, and the rows it needs: from the energy by step (an expression in kWh, shape
(n_steps,)) and the price of each step (€/kWh, carbon and tie-break included)."""


def plan_at(
    name: str, problem: PlanningProblem, dearest_eur_per_kwh: Array, energy_cost: EnergyCost, solver: str = cp.HIGHS
) -> Plan:
    """The plan that minimises what energy costs in a variant's eyes, and shortfall and wear as ever.

    PROVED when a simplex says it is optimal; an interior point's answer is rounded back into the limits: FEASIBLE.

    Args:
        name: of the variant.
        problem: without flows of the site, see `ChargingModel`.
        dearest_eur_per_kwh: shape (n_steps,), the highest price reckoned with; shortfall costs more.
        energy_cost: the variant.
        solver: `cp.HIGHS`, or `cp.CLARABEL` where the cost is a cone.

    Raises:
        PlanningError: the problem makes no sense, is not covered, or no plan was found that keeps the limits.
    """
    require_sound(problem)
    if is_empty(problem):
        return nothing(name, problem)
    seen = earlier_first(served_at(problem, dearest_eur_per_kwh))
    model = ChargingModel(seen)
    energy_eur, rows = energy_cost(model.energy_kwh, seen.import_eur_per_kwh())
    objective_eur = solved(energy_eur + model.beside_eur, [*model.rows, *rows], solver)
    status = PlanStatus.PROVED if solver == cp.HIGHS else PlanStatus.FEASIBLE
    plan = assess(problem, model.power_kw(), name, status, solver=f"cvxpy {solver.lower()}")
    return replace(plan, objective_eur=objective_eur)


def is_empty(problem: PlanningProblem) -> bool:
    """Whether there is nobody or no time to plan for."""
    return not problem.sessions or problem.horizon.n_steps == 0


def nothing(name: str, problem: PlanningProblem) -> Plan:
    """The plan where there is nothing to plan."""
    return assess(problem, np.zeros((len(problem.sessions), problem.horizon.n_steps)), name, PlanStatus.PROVED)


def noted(plan: Plan, *notes: str) -> Plan:
    """The plan with sentences its reader should know."""
    reasons = plan.reasons or Reasons()
    return replace(plan, reasons=replace(reasons, notes=(*reasons.notes, *notes)))


def series(field: str, values: Array | float, problem: PlanningProblem) -> Array:
    """One value for each step, shape (n_steps,), from one for each or one for all.

    Raises:
        PlanningError: the shape is another, or a value is negative or not finite; the text names the field.
    """
    n_steps, given = problem.horizon.n_steps, np.asarray(values, dtype=float)
    if given.shape not in ((), (n_steps,)):
        raise PlanningError(f"{field} has shape {given.shape}, must be ({n_steps},) or one number")
    if not ((given >= 0) & np.isfinite(given)).all():
        raise PlanningError(f"{field} must be finite and not negative")
    return np.broadcast_to(given, (n_steps,))


def price_scenarios(prices_eur_per_kwh: Array, problem: PlanningProblem) -> Array:
    """Prices by scenario, shape (n_scenarios, n_steps), known to fit the problem.

    Raises:
        PlanningError: the shape is another, or a price is not finite.
    """
    prices = np.asarray(prices_eur_per_kwh, dtype=float)
    n_steps = problem.horizon.n_steps
    if prices.ndim != 2 or not prices.shape[0] or prices.shape[1] != n_steps or not np.isfinite(prices).all():
        raise PlanningError(
            f"price scenarios of shape {prices.shape}: must be finite, of shape (n_scenarios, {n_steps})"
        )
    return prices
