"""Set-up (c): the cohort model as 3.3 writes it, and FIFS among its classes in each way to read it.

The thesis does not say which cars its cohort FIFS may charge. All that the model's rows allow: then cars are charged in
the very step in which they leave, as the optimum's are. Or only who stays. Both are run, and a third comparison in
which neither of the two charges anybody who leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studies.prices import PriceHistory, by_step
from studies.thesis.outcome import Baseline, Outcome, Result
from studies.thesis.scenario import CohortSetUp
from twin_core.models.problem import Array
from twin_core.planning.cohort_classes import (
    CohortModel,
    CohortRun,
    first_served,
    thesis_dissatisfaction,
    thesis_leave,
)
from twin_core.planning.cohort_optimum import cheapest


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The cars of one seed.

    Attributes:
        by_class: shape (n_steps, n + 1), whole cars.
        rate_per_h: shape (n_steps,), λ(t).
        lost: cars that came by the Poisson draw and that the thesis' rounding by class dropped.
    """

    by_class: Array
    rate_per_h: Array
    lost: float


@dataclass(frozen=True, slots=True)
class CohortDay:
    """One seed in full, for the figures."""

    set_up: CohortSetUp
    arrivals: Arrivals
    model: CohortModel
    optimal: CohortRun
    fifs: CohortRun
    fifs_staying: CohortRun


def draw(set_up: CohortSetUp, seed: int) -> Arrivals:
    """The arrivals of one seed; the same seed gives the same ones."""
    n, step_h = set_up.classes, set_up.step_h
    rng = np.random.default_rng(seed)
    time_h = (np.arange(set_up.steps) + 0.5) * step_h
    rate = np.full(set_up.steps, set_up.base_cars_per_h)
    for peak in set_up.peaks:
        rate = rate + peak.cars_per_h * np.exp(-0.5 * ((time_h - peak.hour) / peak.width_h) ** 2)
    psi_per_h = rng.poisson(rate)
    share = np.concatenate([[0.0], np.arange(1, n + 1) + 1.0])
    share /= share.sum()
    by_class = np.floor(share * step_h * psi_per_h[:, None] + 0.5)
    return Arrivals(by_class, rate, float(step_h * psi_per_h.sum() - by_class.sum()))


def model_of(set_up: CohortSetUp, prices: PriceHistory, arrivals: Arrivals) -> CohortModel:
    """The set-up's model for these arrivals; α, β and n as in the thesis.

    Raises:
        ConfigurationError: the history has none of the set-up's days.
    """
    history = prices.between(set_up.prices.first, set_up.prices.last)
    return CohortModel(
        price_eur_per_kwh=by_step(history.hourly_mean(), set_up.steps),
        arrivals=arrivals.by_class,
        leave=thesis_leave(set_up.classes),
        dissatisfaction=thesis_dissatisfaction(set_up.classes),
        waiting_eur=set_up.waiting_eur,
        power_kw=set_up.max_kw,
        limit_kw=set_up.cap_kw,
        step_h=set_up.step_h,
        charge_then_depart=set_up.dynamics == "charge_then_depart",
    )


def study_day(set_up: CohortSetUp, prices: PriceHistory, seed: int) -> tuple[Outcome, CohortDay]:
    """One seed: the optimum at the published γ, cohort FIFS in each reading, and the optimum at the energy of each.

    Raises:
        PlanningError: no charging was found that keeps the model's own rows.
        ConfigurationError: the history has none of the set-up's days.
    """
    arrivals = draw(set_up, seed)
    model = model_of(set_up, prices, arrivals)
    staying = replace(model, only_who_stays=True)
    optimal, optimal_staying = cheapest(model), cheapest(staying)
    fifs, share, fifs_staying = first_served(model), first_served(model, "equally"), first_served(staying)
    like_fifs = cheapest(model, energy_kwh=fifs.delivered_kwh)
    like_share = like_fifs if _same(fifs, share) else cheapest(model, energy_kwh=share.delivered_kwh)
    like_staying = like_fifs if _same(fifs, fifs_staying) else cheapest(model, energy_kwh=fifs_staying.delivered_kwh)
    both_staying = cheapest(staying, energy_kwh=fifs_staying.delivered_kwh)
    as_soon = cheapest(model, energy_kwh=fifs.delivered_kwh, most_waiting=fifs.waiting_car_steps)
    proved = all(run.proved for run in (optimal, optimal_staying, like_fifs, like_share, like_staying, both_staying))
    outcome = Outcome(
        seed=seed,
        cars=float(model.arrivals.sum()),
        wanted_kwh=model.wanted_kwh,
        optimal=result(optimal),
        fifs=Baseline(result(fifs), result(like_fifs)),
        others={
            "equal_share": Baseline(result(share), result(like_share)),
            "fifs_staying": Baseline(result(fifs_staying), result(like_staying)),
            "both_staying": Baseline(result(fifs_staying), result(both_staying), result(optimal_staying)),
        },
        more={
            "optimal_left_short_cars": optimal.left_short,
            "fifs_left_short_cars": fifs.left_short,
            "fifs_staying_left_short_cars": fifs_staying.left_short,
            "optimal_waiting_car_steps": optimal.waiting_car_steps,
            "fifs_waiting_car_steps": fifs.waiting_car_steps,
            "ratio_equal_energy_and_waiting": as_soon.energy_eur / fifs.energy_eur,
            "arrivals_lost_by_rounding": arrivals.lost,
            "proved": float(proved and as_soon.proved),
        },
    )
    return outcome, CohortDay(set_up, arrivals, model, optimal, fifs, fifs_staying)


def result(run: CohortRun) -> Result:
    """What a run of the classes comes to."""
    return Result(
        cost_eur=run.energy_eur,
        delivered_kwh=run.delivered_kwh,
        unserved_kwh=run.unserved_kwh,
        peak_kw=float(run.power_kw.max()),
    )


def _same(one: CohortRun, other: CohortRun) -> bool:
    return np.allclose(one.charging, other.charging, rtol=0.0, atol=1e-9)
