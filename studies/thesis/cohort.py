"""Set-up (c): the cohort model as 3.3 writes it, and FIFS among its classes.

min  Σ_t π_t·Δ·P₀·1ᵀc(t) + γ·Σ_t βᵀx(t)
with x(t+1) = A·x(t) + a(t) + B·c(t),  0 ≤ c ≤ x,  x ≥ 0,  P₀·1ᵀc(t) ≤ P̄.

x_i: cars of class i, which still want i times P₀·Δ. A: who stays, 1 − α_i with α_i = (n+1−i)/(n+2) a step, whatever its
length. B: a charged car moves down one class. β = (0, 1, …, 1). Cars are fractional, and x ≥ 0 is added: the thesis
leaves it out. Class 0 wants nothing and is not charged, which changes no cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from studies.prices import PriceHistory, by_step
from studies.thesis.outcome import Baseline, Outcome, Result
from studies.thesis.scenario import CohortSetUp
from twin_core.errors import PlanningError
from twin_core.models.problem import Array

_TOLERANCE = 1e-6
_OPTIONS = {"presolve": False}
"""HiGHS' presolve eliminates the states along the dynamics and has left rows broken by 7e-3 cars that way; its simplex
without presolve stops unfinished on some seeds; interior point with crossover kept the rows on every seed tried."""


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The model's data for one seed.

    Attributes:
        price_eur_per_kwh: shape (n_steps,).
        arrivals: shape (n_steps, n + 1), whole cars.
        rate_per_h: shape (n_steps,), λ(t).
        lost: cars that came by the Poisson draw and that the thesis' rounding by class dropped.
        stays: shape (n + 1,), part of each class that is still there a step later.
        moved: shape (n + 1, n + 1), what one charged car of each class (columns) adds to each class (rows).
        charge_first: cars charged in a step leave, if they do, after it; else it is as if they left before.
        n_at_once: cars the site can charge at once, P̄ / P₀.
        car_step_kwh: what a car takes in a step, P₀·Δ.
    """

    price_eur_per_kwh: Array
    arrivals: Array
    rate_per_h: Array
    lost: float
    stays: Array
    moved: Array
    charge_first: bool
    n_at_once: float
    car_step_kwh: float
    waiting_eur: float

    @property
    def wanted_kwh(self) -> float:
        """Energy that all arrivals want."""
        return float(self.arrivals.sum(axis=0) @ np.arange(self.stays.size)) * self.car_step_kwh

    def states(self, charged: Array) -> Array:
        """Cars in each class before each step and after the last, shape (n_steps + 1, n + 1).

        Args:
            charged: shape (n_steps, n + 1), cars charged.
        """
        x = np.zeros((self.arrivals.shape[0] + 1, self.stays.size))
        for step, (arriving, c) in enumerate(zip(self.arrivals, charged, strict=True)):
            x[step + 1] = self.stays * x[step] + arriving + self.moved @ c
        return x


@dataclass(frozen=True, slots=True)
class CohortDay:
    """One seed in full, for the figures; what is charged in cars, shape (n_steps, n + 1)."""

    set_up: CohortSetUp
    cohorts: Cohorts
    optimal: Array
    fifs: Array


def draw(set_up: CohortSetUp, prices: PriceHistory, seed: int) -> Cohorts:
    """The arrivals of one seed; the same seed gives the same ones.

    Raises:
        ConfigurationError: the history has none of the set-up's days.
    """
    n, step_h = set_up.classes, set_up.step_h
    rng = np.random.default_rng(seed)
    time_h = (np.arange(set_up.steps) + 0.5) * step_h
    rate = np.full(set_up.steps, set_up.base_cars_per_h)
    for peak in set_up.peaks:
        rate = rate + peak.cars_per_h * np.exp(-0.5 * ((time_h - peak.hour) / peak.width_h) ** 2)
    psi_per_h = rng.poisson(rate)
    share = np.concatenate([[0.0], np.arange(1, n + 1) + 1.0])
    share /= share.sum()
    arrivals = np.floor(share * step_h * psi_per_h[:, None] + 0.5)
    stays = 1.0 - (n + 1 - np.arange(n + 1)) / (n + 2)
    charge_first = set_up.dynamics == "charge_then_depart"
    moved = _down_one_class(n + 1)
    history = prices.between(set_up.prices.first, set_up.prices.last)
    return Cohorts(
        price_eur_per_kwh=by_step(history.hourly_mean(), set_up.steps),
        arrivals=arrivals,
        rate_per_h=rate,
        lost=float(step_h * psi_per_h.sum() - arrivals.sum()),
        stays=stays,
        moved=stays[:, None] * moved if charge_first else moved,
        charge_first=charge_first,
        n_at_once=set_up.cap_kw / set_up.max_kw,
        car_step_kwh=set_up.max_kw * step_h,
        waiting_eur=set_up.waiting_eur,
    )


def study_day(set_up: CohortSetUp, prices: PriceHistory, seed: int) -> tuple[Outcome, CohortDay]:
    """One seed: the optimum at the published γ, both readings of cohort FIFS, and the optimum at the energy of each.

    Raises:
        PlanningError: no charging was found that keeps the model's own rows.
        ConfigurationError: the history has none of the set-up's days.
    """
    cohorts = draw(set_up, prices, seed)
    optimal = cheapest(cohorts)
    fifs, share = first_served(cohorts), equally_served(cohorts)
    like_fifs = cheapest(cohorts, like=fifs)
    like_share = like_fifs if np.allclose(fifs, share, rtol=0.0, atol=1e-9) else cheapest(cohorts, like=share)
    as_soon = cheapest(cohorts, like=fifs, no_longer_waiting=True)
    more = {
        "optimal_left_short_cars": left_short(cohorts, optimal),
        "fifs_left_short_cars": left_short(cohorts, fifs),
        "optimal_waiting_car_steps": waiting(cohorts, optimal),
        "fifs_waiting_car_steps": waiting(cohorts, fifs),
        "ratio_equal_energy_and_waiting": result(cohorts, as_soon).cost_eur / result(cohorts, fifs).cost_eur,
        "arrivals_lost_by_rounding": cohorts.lost,
        "proved": 1.0,
    }
    outcome = Outcome(
        seed=seed,
        cars=float(cohorts.arrivals.sum()),
        wanted_kwh=cohorts.wanted_kwh,
        optimal=result(cohorts, optimal),
        fifs=Baseline(result(cohorts, fifs), result(cohorts, like_fifs)),
        equal_share=Baseline(result(cohorts, share), result(cohorts, like_share)),
        more=more,
    )
    return outcome, CohortDay(set_up, cohorts, optimal, fifs)


def cheapest(cohorts: Cohorts, *, like: Array | None = None, no_longer_waiting: bool = False) -> Array:
    """Cars charged by class at the least cost, shape (n_steps, n + 1).

    Args:
        cohorts: the model's data.
        like: what another way charges: exactly its energy is delivered and only money counts; None for 3.3 as it is.
        no_longer_waiting: besides, no more car-steps above class 0 than there.

    Raises:
        PlanningError: the solver found none, or one that does not keep the model's rows.
    """
    n_steps, m = cohorts.arrivals.shape
    here, after = sparse.eye(n_steps, n_steps + 1), sparse.eye(n_steps, n_steps + 1, k=1)
    one_class, all_steps = sparse.eye(m), sparse.eye(n_steps)
    beta = np.concatenate([[0.0], np.ones(m - 1)])
    money = np.repeat(cohorts.price_eur_per_kwh * cohorts.car_step_kwh, m)
    counted = np.concatenate([np.tile(beta, n_steps), np.zeros(m)])  # x(T) is after the day
    dynamics = sparse.hstack(
        [
            -sparse.kron(all_steps, cohorts.moved),
            sparse.kron(after, one_class) - sparse.kron(here, sparse.diags(cohorts.stays)),
        ]
    )
    n_x = (n_steps + 1) * m
    equal, equals = [dynamics], [cohorts.arrivals.ravel()]
    below = [
        sparse.hstack([sparse.eye(n_steps * m), -sparse.kron(here, one_class)]),
        sparse.hstack([sparse.kron(all_steps, np.ones((1, m))), sparse.csr_matrix((n_steps, n_x))]),
    ]
    limits = [np.zeros(n_steps * m), np.full(n_steps, cohorts.n_at_once)]
    if like is not None:
        equal.append(sparse.csr_matrix(np.concatenate([np.ones(n_steps * m), np.zeros(n_x)])[None]))
        equals.append(np.array([like.sum()]))
        if no_longer_waiting:
            below.append(sparse.csr_matrix(np.concatenate([np.zeros(n_steps * m), counted])[None]))
            limits.append(np.array([waiting(cohorts, like) + _TOLERANCE]))
    upper = np.concatenate([np.tile(np.where(beta > 0, np.inf, 0.0), n_steps), np.zeros(m), np.full(n_x - m, np.inf)])
    found = linprog(
        np.concatenate([money, (0.0 if like is not None else cohorts.waiting_eur) * counted]),
        A_ub=sparse.vstack(below, format="csr"),
        b_ub=np.concatenate(limits),
        A_eq=sparse.vstack(equal, format="csr"),
        b_eq=np.concatenate(equals),
        bounds=np.column_stack([np.zeros(upper.size), upper]),
        method="highs-ipm",
        options=_OPTIONS,
    )
    if found.status != 0:
        raise PlanningError(f"cohort: the solver found no charging ({found.message})")
    charged: Array = np.asarray(found.x[: n_steps * m]).reshape(n_steps, m)
    _require_kept(cohorts, charged)
    return charged


def _require_kept(cohorts: Cohorts, charged: Array) -> None:
    x = cohorts.states(charged)
    worst = max(
        float((-charged).max()),
        float((charged - x[:-1]).max()),
        float((-x).max()),
        float((charged.sum(axis=1) - cohorts.n_at_once).max()),
    )
    if not worst <= _TOLERANCE * max(1.0, float(x.max())):
        raise PlanningError(f"cohort: the solver's charging breaks the model's rows by {worst:.3g} cars")


def first_served(cohorts: Cohorts) -> Array:
    """Cohort FIFS in strict order: the class that wants most is charged in full, then the next, shape (n_steps, n + 1).

    As many as the model's own rows allow are charged: c ≤ x, and nobody leaves that is not there.
    """
    return _filled(cohorts, equally=False)


def equally_served(cohorts: Cohorts) -> Array:
    """Cohort FIFS by the formula of 2.8: all classes get the same part of what they could take."""
    return _filled(cohorts, equally=True)


def _filled(cohorts: Cohorts, *, equally: bool) -> Array:
    n_steps, m = cohorts.arrivals.shape
    charged = np.zeros((n_steps, m))
    x = np.zeros(m)
    for step, arriving in enumerate(cohorts.arrivals):
        base = cohorts.stays * x + arriving
        room = np.inf if equally else cohorts.n_at_once
        for i in range(m - 1, 0, -1):
            left = base[i] + (cohorts.moved[i, i + 1] * charged[step, i + 1] if i + 1 < m else 0.0)
            charged[step, i] = min(x[i], left / -cohorts.moved[i, i], room)
            room -= charged[step, i]
        if equally:
            charged[step] *= min(1.0, cohorts.n_at_once / max(float(charged[step].sum()), 1e-12))
        x = base + cohorts.moved @ charged[step]
    return charged


def result(cohorts: Cohorts, charged: Array) -> Result:
    """What charging comes to: energy by class and step times its price."""
    kwh = charged.sum(axis=1) * cohorts.car_step_kwh
    step_h = 24.0 / kwh.size
    return Result(
        cost_eur=float(cohorts.price_eur_per_kwh @ kwh),
        delivered_kwh=float(kwh.sum()),
        unserved_kwh=cohorts.wanted_kwh - float(kwh.sum()),
        peak_kw=float(kwh.max()) / step_h,
    )


def waiting(cohorts: Cohorts, charged: Array) -> float:
    """Cars above class 0, summed over the steps of the day: what γ multiplies."""
    return float(cohorts.states(charged)[:-1, 1:].sum())


def left_short(cohorts: Cohorts, charged: Array) -> float:
    """Cars that left during the day wanting more."""
    before_leaving = cohorts.states(charged)[:-1]
    if cohorts.charge_first:
        before_leaving = before_leaving + charged @ _down_one_class(cohorts.stays.size).T
    return float(((1.0 - cohorts.stays) * before_leaving)[:, 1:].sum())


def _down_one_class(m: int) -> Array:
    """B: what one charged car of each class (columns) adds to each class (rows), shape (m, m)."""
    moved: Array = np.eye(m, k=1) - np.eye(m)
    return moved
