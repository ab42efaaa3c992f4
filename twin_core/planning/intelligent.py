"""Energy, downtime and utilisation weighed against each other, as one linear programme (after paper 002)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin_core.errors import ConfigurationError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.bounds import bounds_of
from twin_core.planning.optimum import charge_only, earlier_first, optimal_plan, served_first
from twin_core.planning.peak import metered
from twin_core.planning.solvers.table import SolverBench

FLAT_EUR_PER_KWH = 1e-6
"""Prices that differ by less are one price and its rounding errors."""

_ROUNDING = 1e-9
"""Weights that are 0 or together 1 but for this are so."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each aim counts; none below 0, together 1, else `ConfigurationError`.

    Attributes:
        energy: what the energy costs.
        downtime: how long vehicles wait for their energy.
        utilisation: how evenly the connection is used.
    """

    energy: float = 0.4
    downtime: float = 0.4
    utilisation: float = 0.2

    def __post_init__(self) -> None:
        parts = (self.energy, self.downtime, self.utilisation)
        if not (min(parts) >= -_ROUNDING and abs(sum(parts) - 1.0) <= _ROUNDING):
            raise ConfigurationError(f"weights {parts} must be 0 or more and together 1")

    def under(self, urgency: float) -> Weights:
        """The weights when vehicles need this part of what their stays allow, in [0, 1].

        The less slack there is, the more of the weight of cheap energy goes to being done early.
        """
        moved = urgency * self.energy
        return Weights(self.energy - moved, self.downtime + moved, self.utilisation)


class Intelligent:
    """min  w_e·Σ h·π·import/R + w_d·Σ h·t·import/H + w_u·E·peak/P + Σ γ·e  (prices of the paper's three aims, no MILP).

    π: price with its carbon and R its range over the horizon (1 €/kWh if flat), so the dearest step counts 1 more than
    the cheapest; t: hours until a step's end and H the length of the horizon, so energy at the end counts 1 more than
    at once; E: energy wanted and P the sessions' highest power together, so that using all of P throughout counts 1.
    With energy given, a lower peak is a higher load factor: that is what utilisation means for a connection.
    Where the site's flows are given, money paid for export, for the peak and for wear counts w_e/R as well, and energy
    from the own sun is waited for without being counted. Vehicles are served first, whatever the weights.

    Args:
        weights: how much each aim counts.
        adaptive: let urgency move weight from energy to downtime, see `Weights.under`.
        solver: the name of the one to use; None takes the fastest that covers a problem.
    """

    name = "intelligent"

    def __init__(self, weights: Weights = Weights(), *, adaptive: bool = True, solver: str | None = None) -> None:
        self._weights = weights
        self._adaptive = adaptive
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; cost is money, objective and bound are in the aims' common unit of kWh."""
        return optimal_plan(self.name, problem, self._bench, charge_only, self._weighed, served_first, earlier_first)

    def _weighed(self, problem: PlanningProblem) -> PlanningProblem:
        weights = self._weights.under(urgency(problem)) if self._adaptive else self._weights
        site, price = metered(problem), problem.import_eur_per_kwh()
        spread = float(np.ptp(price))
        money = weights.energy / (spread if spread > FLAT_EUR_PER_KWH else 1.0)
        edges_h = problem.horizon.edges_h
        late = weights.downtime * edges_h[1:] / edges_h[-1]
        wanted_kwh = sum(max(0.0, s.energy_kwh) for s in problem.sessions)
        highest_kw = sum(s.max_kw for s in problem.sessions) or 1.0
        battery = site.battery
        return replace(
            problem,
            price_eur_per_kwh=money * price + late,
            carbon_eur_per_kg=0.0,
            site=replace(
                site,
                export_eur_per_kwh=money * site.export_eur_per_kwh,
                demand_charge_eur_per_kw=money * site.demand_charge_eur_per_kw
                + weights.utilisation * wanted_kwh / highest_kw,
                battery=battery and replace(battery, wear_eur_per_kwh=money * battery.wear_eur_per_kwh),
            ),
        )


def urgency(problem: PlanningProblem) -> float:
    """Part of what the sessions could take during their stays that they need, in [0, 1]; limits they share left out."""
    bounds = bounds_of(problem)
    possible_kwh = bounds.upper_kw @ problem.horizon.hours
    most_kwh = float(possible_kwh.sum())
    return float(np.minimum(bounds.wanted_kwh, possible_kwh).sum()) / most_kwh if most_kwh > 0 else 0.0
