"""Set-ups whose cars are planned one by one: (a) Power Allocation and (b) Emission CO2."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studies.prices import PriceHistory
from studies.thesis.fleet import carbon_eur_per_kg, draw
from studies.thesis.outcome import Baseline, Outcome, Result, Row
from studies.thesis.scenario import CarsSetUp, EmissionSetUp
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import bill, charged_kwh
from twin_core.planning.equal_share import EqualShare
from twin_core.planning.fifs import FirstInFirstServed
from twin_core.planning.optimum import optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench


@dataclass(frozen=True, slots=True)
class CarsDay:
    """One seed in full, for the figures."""

    set_up: CarsSetUp
    problem: PlanningProblem
    optimal: Plan
    fifs: Plan
    equal_share: Plan


def study_day(set_up: CarsSetUp, prices: PriceHistory, seed: int, bench: SolverBench) -> tuple[Outcome, CarsDay]:
    """One seed: the optimum at the published settings, both readings of FIFS, and the optimum at the energy of each.

    Raises:
        PlanningError: no plan was found.
        ConfigurationError: the history has none of the set-up's days.
    """
    problem = draw(set_up, prices, seed)
    # γ counts as it is printed; the Emission model has none, so that there everybody is served as far as can be.
    lenses = (served_first,) if isinstance(set_up, EmissionSetUp) else ()
    optimal = optimal_plan("optimal", problem, bench, *lenses)
    fifs, equal_share = FirstInFirstServed().plan(problem), EqualShare().plan(problem)
    optimal_like_fifs = at_energy_of(problem, fifs, bench)
    same = np.allclose(_each_kwh(problem, fifs), _each_kwh(problem, equal_share), rtol=0.0, atol=1e-9)
    optimal_like_share = optimal_like_fifs if same else at_energy_of(problem, equal_share, bench)
    plans = (optimal, optimal_like_fifs, optimal_like_share)
    outcome = Outcome(
        seed=seed,
        cars=len(problem.sessions),
        wanted_kwh=sum(session.energy_kwh for session in problem.sessions),
        optimal=result(problem, optimal),
        fifs=Baseline(result(problem, fifs), result(problem, optimal_like_fifs)),
        others={"equal_share": Baseline(result(problem, equal_share), result(problem, optimal_like_share))},
        more={"proved": float(all(plan.status is PlanStatus.PROVED for plan in plans))},
    )
    return outcome, CarsDay(set_up, problem, optimal, fifs, equal_share)


def at_energy_of(problem: PlanningProblem, rule: Plan, bench: SolverBench) -> Plan:
    """The cheapest way to give every car exactly what a rule gave it; there is one, as the rule found one."""
    delivered = _each_kwh(problem, rule)
    sessions = tuple(
        replace(session, energy_kwh=float(kwh)) for session, kwh in zip(problem.sessions, delivered, strict=True)
    )
    return optimal_plan("optimal", replace(problem, sessions=sessions), bench, served_first)


def result(problem: PlanningProblem, plan: Plan) -> Result:
    """What a plan comes to against what was asked at first."""
    owed = bill(problem, plan.power_kw)
    return Result(
        cost_eur=owed.cost_eur,
        delivered_kwh=float(_each_kwh(problem, plan).sum()),
        unserved_kwh=float(owed.unserved_kwh.sum()),
        peak_kw=float(plan.power_kw.sum(axis=0).max(initial=0.0)),
        carbon_kg=None if problem.carbon_kg_per_kwh is None else owed.carbon_kg,
    )


def pareto(day: CarsDay, bench: SolverBench) -> list[Row]:
    """Cost and carbon at each weight λ of an Emission set-up, every car given what FIFS gave it; else nothing.

    With the energy free, a large enough weight would end in charging nothing at all.
    """
    if not isinstance(day.set_up, EmissionSetUp):
        return []
    rows: list[Row] = []
    for weight in sorted(day.set_up.carbon.pareto):
        weighed = replace(day.problem, carbon_eur_per_kg=carbon_eur_per_kg(day.set_up, weight))
        found = result(day.problem, at_energy_of(weighed, day.fifs, bench))
        assert found.carbon_kg is not None
        rows.append(
            {
                "weight": weight,
                "cost_eur": found.cost_eur,
                "carbon_kg": found.carbon_kg,
                "delivered_kwh": found.delivered_kwh,
            }
        )
    return rows


def _each_kwh(problem: PlanningProblem, plan: Plan) -> Array:
    delivered: Array = charged_kwh(problem, plan.power_kw).sum(axis=1)
    return delivered
