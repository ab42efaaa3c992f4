"""The thesis' cohort model as it stands (3.3): cars are numbers in classes of remaining energy, without deadlines.

min  Σ_t π_t·Δ·P₀·1ᵀc(t) + γ·Σ_t βᵀx(t)
     x(t+1) = A·x(t) + a(t) + B·c(t),  0 ≤ c(t) ≤ x(t),  x ≥ 0,  P₀·1ᵀc(t) ≤ P̄(t)

x: cars by class, c: those that charge, a: those that arrive, A: who stays in its class, B: who changes it by charging.
Class i still wants i steps at P₀. Cars are fractional, and x ≥ 0 is added: the thesis leaves it out. Class 0 wants
nothing and is not charged, which changes no cost. Who leaves does so at a rate of its class, charged or not, so that
most leave short, and the objective gains by it. The product form is `cohort`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.problem import Array

ROUNDING = 1e-6
"""Cars by which an answer may miss the model's rows, relative to the most there are in a class."""

Order = Literal["most_wanting", "equally"]
"""Who of the classes goes first below a limit; when somebody came, a class does not know."""


@dataclass(frozen=True, slots=True)
class CohortModel:
    """A day of classes; class 0 wants no more, class i wants i steps at `power_kw`.

    Attributes:
        price_eur_per_kwh: π, shape (n_steps,).
        arrivals: a, cars that arrive in each step by class, shape (n_steps, n_classes); they charge from the next on.
        leave: α, part of each class that leaves in a step, shape (n_classes,), in [0, 1].
        dissatisfaction: β, weight of a car that waits in each class, shape (n_classes,); class 0 does not wait: 0.
        waiting_eur: γ, price of a car of weight 1 for one step; multiply a price per hour by `step_h`.
        power_kw: P₀, of every car that charges.
        limit_kw: P̄, of all of them, shape (n_steps,) or one number.
        step_h: Δ in hours.
        first: cars by class at the start, shape (n_classes,); none if left out.
        charge_then_depart: who leaves is drawn from the classes after charging, x(t+1) = A·(x + B·c) + a. As published,
            x(t+1) = A·x + a + B·c, a car that leaves can be charged in the same step.
        only_who_stays: no such car is charged, c ≤ A·x; where charging comes before leaving, there is none.
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
    only_who_stays: bool = False

    def __post_init__(self) -> None:
        if self.dissatisfaction[0] != 0:
            raise PlanningError(f"cohort model: dissatisfaction[0] is {self.dissatisfaction[0]}, must be 0")

    @property
    def n_steps(self) -> int:
        """Number of steps of the day."""
        return len(self.price_eur_per_kwh)

    @property
    def n_classes(self) -> int:
        """Number of classes, class 0 included."""
        return len(self.leave)

    @property
    def limits_kw(self) -> Array:
        """P̄ in every step, shape (n_steps,)."""
        return np.full(self.n_steps, 1.0) * self.limit_kw

    @property
    def stays(self) -> Array:
        """Diagonal of A: part of each class that is still there a step later, shape (n_classes,)."""
        return 1.0 - self.leave

    @property
    def moves(self) -> Array:
        """What a charged car of each class (columns) adds to each class (rows) a step later; B unless some leave first.

        Shape (n_classes, n_classes); in class 0 nothing happens.
        """
        down = _down_one_class(self.n_classes)
        return self.stays[:, None] * down if self.charge_then_depart else down

    @property
    def chargeable(self) -> Array:
        """Part of each class that may charge, shape (n_classes,)."""
        part = self.stays if self.only_who_stays and not self.charge_then_depart else np.ones(self.n_classes)
        return np.where(np.arange(self.n_classes) > 0, part, 0.0)

    @property
    def car_step_kwh(self) -> float:
        """P₀·Δ: what a car takes in a step."""
        return self.power_kw * self.step_h

    @property
    def wanted_kwh(self) -> float:
        """Energy that everybody wants who is there at the start or arrives."""
        return float((self.start() + self.arrivals.sum(axis=0)) @ np.arange(self.n_classes)) * self.car_step_kwh

    def start(self) -> Array:
        """Cars by class at the start, shape (n_classes,)."""
        return np.zeros(self.n_classes) if self.first is None else self.first

    def after(self, step: int, x: Array, c: Array) -> Array:
        """Cars by class a step after `x`, when `c` of them charge; shape (n_classes,)."""
        later: Array = self.stays * x + self.arrivals[step] + self.moves @ c
        return later


@dataclass(frozen=True, slots=True)
class CohortRun:
    """What became of the classes.

    Attributes:
        waiting: x, cars by class, shape (n_steps + 1, n_classes).
        charging: c, cars that charge by class, shape (n_steps, n_classes).
        power_kw: of all cars, shape (n_steps,).
        energy_eur: cost of energy.
        waiting_eur: price of waiting, γ·Σβᵀx.
        delivered_kwh: energy into cars.
        unserved_kwh: wanted and not delivered.
        left_short: cars that left lacking something.
        waiting_car_steps: Σβᵀx, what γ multiplies.
        proved: whether nothing is better, by a check of our own; a rule proves nothing.
    """

    waiting: Array
    charging: Array
    power_kw: Array
    energy_eur: float
    waiting_eur: float
    delivered_kwh: float
    unserved_kwh: float
    left_short: float
    waiting_car_steps: float
    proved: bool = False

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


def first_served(model: CohortModel, order: Order = "most_wanting") -> CohortRun:
    """Cohort FIFS: everybody who may charge does, as far as the limit allows.

    The thesis' text has the classes served one after the other, its formula (2.8) all of them equally; both agree
    where the limit does not bind. Nobody charges who is not there: c ≤ x, and no more leave a class than are in it.
    """
    charging, x, moves = np.zeros((model.n_steps, model.n_classes)), model.start(), model.moves
    for step, limit_kw in enumerate(model.limits_kw):
        base = model.stays * x + model.arrivals[step]
        most = limit_kw / model.power_kw
        room = most if order == "most_wanting" else np.inf
        for i in range(model.n_classes - 1, 0, -1):
            come = moves[i, i + 1] * charging[step, i + 1] if i + 1 < model.n_classes else 0.0
            # Of whom nobody stays, none is left to be taken out of the class.
            left = (base[i] + come) / -moves[i, i] if moves[i, i] else np.inf
            charging[step, i] = max(0.0, min(model.chargeable[i] * x[i], left, room))
            room -= charging[step, i]
        if order == "equally":
            charging[step] *= min(1.0, most / max(float(charging[step].sum()), 1e-12))
        x = model.after(step, x, charging[step])
    return followed(model, charging)


def followed(model: CohortModel, charging: Array) -> CohortRun:
    """The classes followed through the day with who charges given, and what that comes to.

    Args:
        model: the day.
        charging: c, shape (n_steps, n_classes).

    Raises:
        PlanningError: the charging breaks one of the model's rows.
    """
    waiting = [model.start()]
    for step, c in enumerate(charging):
        waiting.append(model.after(step, waiting[-1], c))
    x = np.array(waiting)
    power_kw = model.power_kw * charging.sum(axis=1)
    _require_kept(model, x, charging, power_kw)
    present = x[:-1] + charging @ _down_one_class(model.n_classes).T if model.charge_then_depart else x[:-1]
    kwh = power_kw * model.step_h
    car_steps = float((x[:-1] @ model.dissatisfaction).sum())
    return CohortRun(
        waiting=x,
        charging=charging,
        power_kw=power_kw,
        energy_eur=float(model.price_eur_per_kwh @ kwh),
        waiting_eur=model.waiting_eur * car_steps,
        delivered_kwh=float(kwh.sum()),
        unserved_kwh=model.wanted_kwh - float(kwh.sum()),
        left_short=float((present * model.leave)[:, 1:].sum()),
        waiting_car_steps=car_steps,
    )


def _down_one_class(n: int) -> Array:
    """B: what a charged car of each class (columns) adds to each class (rows); in class 0 nothing happens."""
    moved: Array = np.eye(n, k=1) - np.eye(n)
    moved[:, 0] = 0.0
    return moved


def _require_kept(model: CohortModel, x: Array, charging: Array, power_kw: Array) -> None:
    worst = max(
        float((-charging).max(initial=0.0)),
        float((charging - model.chargeable * x[:-1]).max(initial=0.0)),
        float((-x).max()),
        float(((power_kw - model.limits_kw) / model.power_kw).max(initial=0.0)),
    )
    if not worst <= ROUNDING * max(1.0, float(x.max())):
        raise PlanningError(f"cohort model: the charging breaks its rows by {worst:.3g} cars")
