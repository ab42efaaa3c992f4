"""From an objective of a variant's own to its checked plan, and what it has to say about itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus, Reasons
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import bill, grid_exchange_kw
from twin_core.planning.assessment import assess
from twin_core.planning.optimum import earlier_first
from twin_core.planning.reasons import explain
from twin_core.planning.solvers.certificate import is_proof
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.model import ChargingModel, served_at, solved
from twin_core.planning.uncertainty.told import Told, told


class PriceRisk(Protocol):
    """What energy costs in a variant's eyes: convex, and at least its cost at each price that the variant allows for.

    Energies are those of the sessions by step in kWh, shape (n_steps,); prices in €/kWh by step, with carbon.
    """

    def programme(self, energy_kwh: Any, price: Array) -> tuple[Any, list[Any]]:
        """The cost in € as a cvxpy expression, and the rows it needs."""

    def cost_eur(self, energy_kwh: Array, price: Array) -> float:
        """The same as a number."""

    def worst_price(self, energy_kwh: Array, price: Array) -> Array:
        """An allowed price, shape (n_steps,), at which these energies cost just that; asked once `programme` is solved.

        Where several do, the one whose own cheapest plan costs most: the solver's duals know it.
        """


CANNOT = "The uncertainty of prices cannot change this schedule"


def plan_at(
    name: str,
    problem: PlanningProblem,
    dearest_eur_per_kwh: Array,
    risk: PriceRisk,
    solver: str = cp.HIGHS,
    nominal_eur_per_kwh: Array | None = None,
) -> Plan:
    """The plan that minimises what energy costs in a variant's eyes, and shortfall and wear as ever.

    A plan of its own takes part in the proof: no plan costs less at the variant's worst price than the cheapest one
    for just that price, whose bound is therefore a bound here. Its reasons are those at that price.

    Args:
        name: of the variant.
        problem: see `ChargingModel` for what is covered.
        dearest_eur_per_kwh: shape (n_steps,), the highest price reckoned with; shortfall costs more.
        risk: the variant.
        solver: `cp.HIGHS`, or `cp.CLARABEL` where the cost is a cone.
        nominal_eur_per_kwh: shape (n_steps,), prices of the plan that it compares itself with; the problem's if None.

    Raises:
        PlanningError: the problem makes no sense, is not covered, or no plan was found that keeps the limits.
    """
    require_sound(problem)
    if is_empty(problem):
        return nothing(name, problem)
    seen = earlier_first(served_at(problem, dearest_eur_per_kwh))
    price = seen.import_eur_per_kwh()
    model = ChargingModel(seen)
    energy_eur, rows = risk.programme(model.energy_kwh, price)
    solved(energy_eur + model.beside_eur, [*model.rows, *rows], solver)
    plan = assess(problem, model.power_kw(), name, PlanStatus.FEASIBLE, solver=f"cvxpy {solver.lower()}")
    objective_eur = _objective_eur(seen, plan, risk)
    plan = replace(plan, objective_eur=objective_eur)
    if not any(s.discharge_max_kw > 0 for s in problem.sessions):
        plan = _proved(seen, plan, risk.worst_price(paid_kwh(seen, plan.power_kw), price))
    nominal_price = problem.import_eur_per_kwh() if nominal_eur_per_kwh is None else nominal_eur_per_kwh
    at_nominal = earlier_first(replace(seen, price_eur_per_kwh=nominal_price, carbon_kg_per_kwh=None))
    nominal = SolverBench().solver_for(at_nominal).solve(at_nominal)
    nominal_plan = assess(problem, nominal.power_kw, name, PlanStatus.FEASIBLE)
    return noted(plan, _comparison(objective_eur, _objective_eur(seen, nominal_plan, risk)))


def _objective_eur(seen: PlanningProblem, plan: Plan, risk: PriceRisk) -> float:
    """Energy in the variant's eyes, shortfall and wear, and what else the site's meter counts."""
    free = np.zeros(seen.horizon.n_steps)
    grid_kw = None if seen.site is None else grid_exchange_kw(seen, seen.site, plan.power_kw, None)
    beside = bill(replace(seen, price_eur_per_kwh=free, carbon_kg_per_kwh=None), plan.power_kw, grid_kw=grid_kw)
    return risk.cost_eur(paid_kwh(seen, plan.power_kw), seen.import_eur_per_kwh()) + beside.objective_eur


def paid_kwh(problem: PlanningProblem, power_kw: Array) -> Array:
    """What powers make one pay for by step in kWh, shape (n_steps,), see `ChargingModel.energy_kwh`."""
    paid_kw = power_kw.sum(axis=0)
    if problem.site is not None:
        paid_kw = np.maximum(grid_exchange_kw(problem, problem.site, power_kw, None), 0.0)
    energy_kwh: Array = paid_kw * problem.horizon.hours
    return energy_kwh


def _proved(seen: PlanningProblem, plan: Plan, worst_price: Array) -> Plan:
    at_worst = replace(seen, price_eur_per_kwh=worst_price, carbon_kg_per_kwh=None)
    found = SolverBench().solver_for(at_worst).solve(at_worst)
    proved = found.bound_eur is not None and is_proof(plan.objective_eur, found.bound_eur)
    return replace(
        plan,
        status=PlanStatus.PROVED if proved else PlanStatus.FEASIBLE,
        bound_eur=found.bound_eur,
        reasons=explain(at_worst, plan, found.duals),
    )


def _comparison(mine_eur: float, nominal_eur: float) -> str:
    if nominal_eur - mine_eur <= 1e-6 * max(1.0, abs(nominal_eur)):
        return f"{CANNOT}: {mine_eur:.2f} € at worst, shortfall included, as for the plan at the nominal prices."
    figures = f"{mine_eur:.2f} € at worst, shortfall included, against {nominal_eur:.2f} €"
    return f"Hedged: {figures} for the plan at the nominal prices."


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


def series(field: str, values: Told[Array] | float, problem: PlanningProblem) -> Array:
    """One value for each step, shape (n_steps,), from one for each or one for all.

    Raises:
        PlanningError: the shape is another, or a value is negative or not finite; the text names the field.
    """
    n_steps = problem.horizon.n_steps
    given = np.asarray(values if isinstance(values, int | float) else told(values, problem), dtype=float)
    if given.shape not in ((), (n_steps,)):
        raise PlanningError(f"{field} has shape {given.shape}, must be ({n_steps},) or one number")
    if not ((given >= 0) & np.isfinite(given)).all():
        raise PlanningError(f"{field} must be finite and not negative")
    return np.broadcast_to(given, (n_steps,))


def price_scenarios(prices_eur_per_kwh: Told[Array], problem: PlanningProblem) -> Array:
    """Prices by scenario, shape (n_scenarios, n_steps), known to fit the problem.

    Raises:
        PlanningError: the shape is another, or a price is not finite.
    """
    prices = np.asarray(told(prices_eur_per_kwh, problem), dtype=float)
    n_steps = problem.horizon.n_steps
    if prices.ndim != 2 or not prices.shape[0] or prices.shape[1] != n_steps or not np.isfinite(prices).all():
        raise PlanningError(
            f"price scenarios of shape {prices.shape}: must be finite, of shape (n_scenarios, {n_steps})"
        )
    return prices
