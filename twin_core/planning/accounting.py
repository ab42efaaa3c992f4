"""What powers deliver, what they cost, and the plan they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array, PlanningProblem, SiteFlows


@dataclass(frozen=True, slots=True)
class Bill:
    """What a set of powers costs over the horizon.

    Attributes:
        cost_eur: money for energy and peak: of the sessions, or of the whole site where its flows are known.
        carbon_kg: of the imported energy.
        objective_eur: what planners minimise: cost, carbon price, shortfall and wear.
        unserved_kwh: shape (n_sessions,), wanted and not delivered.
    """

    cost_eur: float
    carbon_kg: float
    objective_eur: float
    unserved_kwh: Array


def charged_kwh(problem: PlanningProblem, power_kw: Array) -> Array:
    """Energy that counts towards what each session wants, by step, at the meter; shape (n_sessions, n_steps).

    Energy given back takes more out of the battery than arrives at the meter, and it takes more at the meter again to
    put it back: both losses count.
    """
    energy_kwh = power_kw * problem.horizon.hours
    if not (power_kw < 0).any():
        return np.asarray(energy_kwh)
    losses = np.array(
        [
            1.0 if s.battery is None else s.battery.charge_efficiency * s.battery.discharge_efficiency
            for s in problem.sessions
        ]
    ).reshape(-1, 1)
    counted: Array = np.maximum(energy_kwh, 0.0) + np.minimum(energy_kwh, 0.0) / losses
    return counted


def grid_exchange_kw(problem: PlanningProblem, site: SiteFlows, power_kw: Array, battery_kw: Array | None) -> Array:
    """Exchange at the site's meter with the cheapest use of the sun, import positive, shape (n_steps,)."""
    most_kw = site.base_kw + power_kw.sum(axis=0) + (0.0 if battery_kw is None else battery_kw)
    least_kw = site.least_exchange_kw(most_kw)
    choices = np.stack([least_kw, np.clip(0.0, least_kw, most_kw), most_kw])
    cost = problem.import_eur_per_kwh() * np.maximum(choices, 0.0) - site.export_eur_per_kwh * np.maximum(-choices, 0.0)
    exchange: Array = np.take_along_axis(choices, cost.argmin(axis=0)[None], axis=0)[0]
    return exchange


def bill(
    problem: PlanningProblem, power_kw: Array, *, battery_kw: Array | None = None, grid_kw: Array | None = None
) -> Bill:
    """What the powers cost.

    Args:
        problem: what was asked.
        power_kw: shape (n_sessions, n_steps).
        battery_kw: shape (n_steps,), power into the site's battery.
        grid_kw: shape (n_steps,), exchange at the meter; the cheapest one that follows from the rest if None.
    """
    hours, site = problem.horizon.hours, problem.site
    if site is None:
        exchange_kw = power_kw.sum(axis=0)
        import_kwh, export_eur, demand_eur = exchange_kw * hours, 0.0, 0.0
    else:
        exchange_kw = grid_exchange_kw(problem, site, power_kw, battery_kw) if grid_kw is None else grid_kw
        import_kwh = np.maximum(exchange_kw, 0.0) * hours
        export_eur = float(site.export_eur_per_kwh @ (np.maximum(-exchange_kw, 0.0) * hours))
        above_kw = max(0.0, float(exchange_kw.max(initial=0.0)) - site.peak_so_far_kw)
        demand_eur = site.demand_charge_eur_per_kw * above_kw
    cost_eur = float(problem.price_eur_per_kwh @ import_kwh) - export_eur + demand_eur
    carbon_kg = 0.0 if problem.carbon_kg_per_kwh is None else float(problem.carbon_kg_per_kwh @ import_kwh)
    wanted_kwh = np.maximum(np.array([s.energy_kwh for s in problem.sessions], dtype=float), 0.0)
    unserved_kwh = np.maximum(wanted_kwh - charged_kwh(problem, power_kw).sum(axis=1), 0.0)
    shortfall_eur = float(np.array([s.shortfall_eur_per_kwh for s in problem.sessions]) @ unserved_kwh)
    wear_eur = _wear_eur(problem, power_kw, battery_kw)
    objective_eur = cost_eur + problem.carbon_eur_per_kg * carbon_kg + shortfall_eur + wear_eur
    return Bill(cost_eur, carbon_kg, objective_eur, unserved_kwh)


def _wear_eur(problem: PlanningProblem, power_kw: Array, battery_kw: Array | None) -> float:
    hours = problem.horizon.hours
    price = np.array([0.0 if s.battery is None else s.battery.wear_eur_per_kwh for s in problem.sessions])
    wear_eur = float(price @ (np.maximum(-power_kw, 0.0) @ hours)) if price.any() else 0.0
    if battery_kw is not None and problem.site is not None and problem.site.battery is not None:
        wear_eur += problem.site.battery.wear_eur_per_kwh * float(np.maximum(-battery_kw, 0.0) @ hours)
    return wear_eur
