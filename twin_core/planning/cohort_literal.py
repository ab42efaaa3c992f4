"""The thesis' cohort model as it stands (3.3): cars are numbers in classes of remaining energy, without deadlines.

min  Σ_t π_t·Δ·P₀·1ᵀc(t) + γ·Σ_t βᵀx(t)
     x(t+1) = A·x(t) + a(t) + B·c(t),  0 ≤ c(t) ≤ x(t),  x ≥ 0,  P₀·1ᵀc(t) ≤ P̄(t)

x: cars by class, c: those that charge, a: those that arrive, A: who stays in its class, B: who changes it by charging.
Class i still wants i steps at P₀. Kept for study, not for a depot: who leaves does so at a rate of its class, charged
or not, so that most leave short, and the objective gains by it. The product form is `cohort`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.problem import Array


@dataclass(frozen=True, slots=True)
class CohortModel:
    """A day of classes; class 0 wants no more, class i wants i steps at `power_kw`.

    Attributes:
        price_eur_per_kwh: π, shape (n_steps,).
        arrivals: a, cars that arrive in each step by class, shape (n_steps, n_classes).
        leave: α, part of each class that leaves in a step, shape (n_classes,), in [0, 1].
        dissatisfaction: β, weight of a car that waits in each class, shape (n_classes,).
        waiting_eur: γ, price of a car of weight 1 for one step; multiply a price per hour by `step_h`.
        power_kw: P₀, of every car that charges.
        limit_kw: P̄, of all of them, shape (n_steps,) or one number.
        step_h: Δ in hours.
        first: cars by class at the start, shape (n_classes,); none if left out.
        charge_then_depart: who leaves is drawn from the classes after charging, x(t+1) = A·(x + B·c) + a. As published,
            x(t+1) = A·x + a + B·c, a car that leaves can be charged in the same step.
    """

    price_eur_per_kwh: Array
    arrivals: Array
    leave: Array
    dissatisfaction: Array
    waiting_eur: float
    power_kw: float
    limit_kw: Array | float
    step_h: float
    first: Array | None = None
    charge_then_depart: bool = False

    @property
    def stays(self) -> Array:
        """A: diagonal, the part of each class that stays, shape (n_classes, n_classes)."""
        return np.diag(1.0 - self.leave)

    @property
    def moves(self) -> Array:
        """B: a car that charges goes down one class; in class 0 nothing happens, shape (n_classes, n_classes)."""
        n = len(self.leave)
        down = np.eye(n, k=1) - np.eye(n)
        down[:, 0] = 0.0
        return down

    @property
    def n_steps(self) -> int:
        """Number of steps of the day."""
        return len(self.price_eur_per_kwh)

    def start(self) -> Array:
        """Cars by class at the start, shape (n_classes,)."""
        return np.zeros(len(self.leave)) if self.first is None else self.first


@dataclass(frozen=True, slots=True)
class CohortRun:
    """What became of the classes.

    Attributes:
        waiting: x, cars by class, shape (n_steps + 1, n_classes).
        charging: c, cars that charge by class, shape (n_steps, n_classes).
        energy_eur: cost of energy.
        waiting_eur: price of waiting, γ·Σβᵀx.
        delivered_kwh: energy into cars.
        unserved_kwh: what cars lacked when they left, and what those lack that are there at the end.
        left_short: cars that left lacking something.
        proved: whether this is the optimum, rather than what a rule does.
    """

    waiting: Array
    charging: Array
    energy_eur: float
    waiting_eur: float
    delivered_kwh: float
    unserved_kwh: float
    left_short: float
    proved: bool = False
    power_kw: Array = field(default_factory=lambda: np.zeros(0))
    """Of all cars, shape (n_steps,)."""

    @property
    def objective_eur(self) -> float:
        """What the optimum minimises: energy and waiting."""
        return self.energy_eur + self.waiting_eur


def thesis_leave(n: int) -> Array:
    """α of the thesis' set-up (c): (n + 1 − i)/(n + 2) of class i leaves in a step, shape (n + 1,)."""
    return (n + 1 - np.arange(n + 1.0)) / (n + 2)


def thesis_dissatisfaction(n: int) -> Array:
    """β of the thesis' set-up (c): every car that still wants something counts the same, shape (n + 1,)."""
    return np.asarray(np.arange(n + 1.0) > 0, dtype=float)


def solve_cohort_literal(model: CohortModel, *, least_kwh: float | None = None) -> CohortRun:
    """The cheapest way to move the classes.

    Args:
        model: what to solve.
        least_kwh: deliver at least this much, to compare costs at equal energy; None leaves it to the objective.

    Raises:
        PlanningError: the solver found no optimum, such as when `least_kwh` cannot be delivered.
    """
    n_steps, n_classes = model.arrivals.shape
    x = cp.Variable((n_steps + 1, n_classes), nonneg=True)
    c = cp.Variable((n_steps, n_classes), nonneg=True)
    charged = c @ model.moves.T
    if model.charge_then_depart:
        later = (x[:-1] + charged) @ model.stays.T + model.arrivals
    else:
        later = x[:-1] @ model.stays.T + model.arrivals + charged
    rules = [x[0] == model.start(), x[1:] == later, c <= x[:-1], model.power_kw * cp.sum(c, axis=1) <= model.limit_kw]
    if least_kwh is not None:
        rules.append(cp.sum(c[:, 1:]) >= least_kwh / (model.power_kw * model.step_h))
    energy_eur = model.step_h * model.power_kw * (model.price_eur_per_kwh @ cp.sum(c, axis=1))
    asked = cp.Problem(cp.Minimize(energy_eur + model.waiting_eur * cp.sum(x[:-1] @ model.dissatisfaction)), rules)
    try:
        # With presolve, HiGHS stops without a status once the energy is given.
        asked.solve(solver=cp.HIGHS, warm_start=False, presolve="off")  # type: ignore[no-untyped-call]
    except cp.error.SolverError as error:
        raise PlanningError(f"the cohort model failed: {error}") from error
    if asked.status != cp.OPTIMAL:
        raise PlanningError(f"the cohort model has no optimum: {asked.status}")
    return _followed(model, np.maximum(np.asarray(c.value), 0.0), proved=True)


def cohort_fifs(model: CohortModel) -> CohortRun:
    """Everybody who is there and wants something charges; above the limit, the same part of every class.

    Classes know no order of arrival, so of first in, first served only "serve whoever is there" remains.
    """
    n_steps = model.n_steps
    limit_kw = np.full(n_steps, 1.0) * model.limit_kw
    charging, x = np.zeros_like(model.arrivals, dtype=float), model.start()
    for step in range(n_steps):
        wants = x if model.charge_then_depart else (1.0 - model.leave) * x
        wants = np.where(np.arange(wants.size) > 0, wants, 0.0)
        wanted_kw = model.power_kw * float(wants.sum())
        charging[step] = wants * (min(1.0, limit_kw[step] / wanted_kw) if wanted_kw > 0 else 0.0)
        x = _after(model, x, charging[step], model.arrivals[step])
    return _followed(model, charging, proved=False)


def _after(model: CohortModel, x: Array, c: Array, a: Array) -> Array:
    moved = model.moves @ c
    later: Array = model.stays @ (x + moved) + a if model.charge_then_depart else model.stays @ x + a + moved
    return later


def _followed(model: CohortModel, charging: Array, *, proved: bool) -> CohortRun:
    """The classes followed through the day with who charges given, and what that comes to."""
    waiting = [model.start()]
    for c, a in zip(charging, model.arrivals, strict=True):
        waiting.append(_after(model, waiting[-1], c, a))
    x = np.array(waiting)
    if not (x.min() >= -1e-6 and (charging - x[:-1]).max(initial=0.0) <= 1e-6):
        raise PlanningError("the cohort model was answered with more cars charging than there are")
    present = x[:-1] + charging @ model.moves.T if model.charge_then_depart else x[:-1]
    leaving = present * model.leave
    kwh_by_class = np.arange(x.shape[1]) * model.power_kw * model.step_h
    power_kw = model.power_kw * charging.sum(axis=1)
    return CohortRun(
        waiting=x,
        charging=charging,
        energy_eur=float(model.price_eur_per_kwh @ power_kw) * model.step_h,
        waiting_eur=model.waiting_eur * float((x[:-1] @ model.dissatisfaction).sum()),
        delivered_kwh=float(charging[:, 1:].sum()) * model.power_kw * model.step_h,
        unserved_kwh=float((leaving @ kwh_by_class).sum() + x[-1] @ kwh_by_class),
        left_short=float(leaving[:, 1:].sum()),
        proved=proved,
        power_kw=power_kw,
    )
