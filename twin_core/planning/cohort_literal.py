"""The thesis' cohort model as it stands (3.3), asked for a plan: for study, not for a depot; `cohort` is for that.

What the model needs beyond a planning problem is taken from it like this:

P₀  the mean of the sessions' highest powers.
Δ   the problem's shortest step, longer where the largest wish would need more than n steps at P₀.
x   a session wants i steps of P₀·Δ, to the nearest, at least one: that is its class. Who is here is there from the
    start; who arrives in a step charges from the next on.
α   of each class: how many of its sessions leave within the horizon, over the steps that they all stay.
β   1 for every class that wants something, as in the thesis.
γ   the mean shortfall price, raised as in `served_first`, times P₀·Δ: what a step's energy costs when it goes missing.
P̄   the tightest of the limits that everybody is below; those above a part of the site are not in the model.

The model does not know who leaves when, so it charges cars that have left and misses some that have not. Its charging
is therefore repaired: what it gives a class goes to those who want as much, then to others, who can wait least first,
as far as they are there, can take it and every limit lets it through. The notes say how much was lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.allocation import Scarcity, in_order, slowed
from twin_core.planning.assessment import assess
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.cohort import divided
from twin_core.planning.cohort_classes import CohortModel, CohortRun, thesis_dissatisfaction
from twin_core.planning.cohort_optimum import cheapest
from twin_core.planning.optimum import shortfall_prices
from twin_core.planning.reasons import explain

_NOTHING_KWH = 1e-9
_WORTH_TELLING_KWH = 0.005

_Classes = npt.NDArray[np.intp]
_Mask = npt.NDArray[np.bool_]


class CohortLiteral:
    """The optimum of model 3.3, repaired until it is a plan. Many sessions go short by it: the model prefers it so.

    Args:
        classes: n; more of them round wishes and steps less.
    """

    name = "cohort_literal"

    def __init__(self, classes: int = 10) -> None:
        self._classes = classes

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; FEASIBLE at best, with notes on where the model departs from what can happen."""
        bounds = bounds_of(problem)
        wants = (bounds.wanted_kwh > 0) & bounds.upper_kw.any(axis=1)
        if not wants.any():
            return assess(problem, np.zeros_like(bounds.upper_kw), self.name, PlanStatus.FEASIBLE)
        day = classified(problem, bounds, wants, self._classes)
        run = cheapest(day.model)
        repaired = _repaired(problem, bounds, day, run)
        plan = assess(problem, repaired.power_kw, self.name, PlanStatus.FEASIBLE, solver="highs")
        notes = tuple(_notes(day.model, run, repaired))
        return replace(plan, reasons=replace(explain(problem, plan), notes=notes))


@dataclass(frozen=True, slots=True)
class ClassifiedDay:
    """A problem as the cohort model sees it.

    Attributes:
        overlap_h: shape (n_steps, model.n_steps), hours that each step of the problem shares with each of the model's.
    """

    model: CohortModel
    overlap_h: Array

    def classes_of(self, wanted_kwh: Array) -> _Classes:
        """Class of each session by the energy it still wants, shape (n_sessions,); 0 where it wants nothing."""
        return _classes_of(wanted_kwh, self.model.car_step_kwh, self.model.n_classes - 1)


def _classes_of(wanted_kwh: Array, car_step_kwh: float, n: int) -> _Classes:
    nearest = np.floor(wanted_kwh / car_step_kwh + 0.5).astype(np.intp)
    return np.where(wanted_kwh > _NOTHING_KWH, np.clip(nearest, 1, n), 0)


def classified(problem: PlanningProblem, bounds: Bounds, wants: _Mask, n: int) -> ClassifiedDay:
    """The problem as classes, see the head of this file.

    Args:
        problem: what was asked.
        bounds: of the problem.
        wants: shape (n_sessions,), who wants something and could charge; at least one.
        n: classes that want something.
    """
    horizon = problem.horizon
    power_kw = float(bounds.upper_kw[wants].max(axis=1).mean())
    step_h = max(float(horizon.hours.min()), float(bounds.wanted_kwh[wants].max()) / (n * power_kw))
    edges_h = np.arange(max(1, np.ceil(horizon.edges_h[-1] / step_h - 1e-9)) + 1) * step_h
    begins_h, ends_h = horizon.edges_h[:-1, None], horizon.edges_h[1:, None]
    overlap_h = np.maximum(np.minimum(ends_h, edges_h[1:]) - np.maximum(begins_h, edges_h[:-1]), 0.0)
    part = overlap_h / overlap_h.sum(axis=0)
    sessions = [session for session, wanting in zip(problem.sessions, wants, strict=True) if wanting]
    classes = _classes_of(bounds.wanted_kwh[wants], power_kw * step_h, n)
    first, arrivals = _come(sessions, classes, edges_h, n)
    model = CohortModel(
        price_eur_per_kwh=problem.import_eur_per_kwh() @ part,
        arrivals=arrivals,
        leave=_leave(sessions, classes, edges_h, n),
        dissatisfaction=thesis_dissatisfaction(n),
        waiting_eur=float(shortfall_prices(problem)[wants].mean()) * power_kw * step_h,
        power_kw=power_kw,
        limit_kw=_limit_kw(bounds, wants) @ part,
        step_h=step_h,
        first=first,
    )
    return ClassifiedDay(model, overlap_h)


def _come(sessions: list[SessionNeed], classes: _Classes, edges_h: Array, n: int) -> tuple[Array, Array]:
    """Who is there at the start and who arrives in each step, by class."""
    first, arrivals = np.zeros(n + 1), np.zeros((edges_h.size - 1, n + 1))
    for session, i in zip(sessions, classes, strict=True):
        if session.arrival_h <= 0:
            first[i] += 1
        else:
            arrivals[np.searchsorted(edges_h, session.arrival_h, side="right") - 1, i] += 1
    return first, arrivals


def _leave(sessions: list[SessionNeed], classes: _Classes, edges_h: Array, n: int) -> Array:
    """Part of each class that leaves in a step; classes that nobody begins in leave like all together."""
    arrival_h = np.array([max(0.0, s.arrival_h) for s in sessions])
    departure_h = np.array([s.departure_h for s in sessions])
    leaves = departure_h <= edges_h[-1]
    stay_steps = np.maximum((np.minimum(departure_h, edges_h[-1]) - arrival_h) / edges_h[1], 1.0)
    rates: Array = np.full(n + 1, leaves.sum() / stay_steps.sum())
    for i in np.unique(classes):
        rates[i] = leaves[classes == i].sum() / stay_steps[classes == i].sum()
    return rates


def _limit_kw(bounds: Bounds, wants: _Mask) -> Array:
    """The tightest limit that everybody is below, in power of cars that load it alike, shape (n_steps,)."""
    load = bounds.load[:, wants]
    above_all = (load > 0).all(axis=1)
    if not above_all.any():
        return np.asarray(bounds.upper_kw[wants].sum(axis=0))
    limits_kw = bounds.limit[above_all] / load[above_all].mean(axis=1, keepdims=True)
    tightest: Array = limits_kw.min(axis=0)
    return tightest


@dataclass(frozen=True, slots=True)
class _Repaired:
    """What could be kept of the model's charging.

    Attributes:
        power_kw: shape (n_sessions, n_steps).
        nobody_kwh: given to classes when nobody was there who could take it.
        cut_kwh: more than limits, full batteries and slow rises let through that the model does not know.
    """

    power_kw: Array
    nobody_kwh: float
    cut_kwh: float


def _repaired(problem: PlanningProblem, bounds: Bounds, day: ClassifiedDay, run: CohortRun) -> _Repaired:
    departure_h = np.array([s.departure_h for s in problem.sessions])
    max_kw = np.maximum([s.max_kw for s in problem.sessions], 1e-9)

    def laxity_h(begins_h: float, remaining_kwh: Array) -> Array:
        return np.asarray(departure_h - begins_h - remaining_kwh / max_kw)

    least_laxity_first = in_order(lambda step: laxity_h(step.begins_h, step.remaining_kwh))
    anybody = np.zeros(len(problem.sessions), dtype=np.intp)
    # Energy before power: a step of the problem may share parts of several of the model's.
    given_kwh = day.overlap_h @ (run.charging * day.model.power_kw)
    remaining_kwh, power_kw = bounds.wanted_kwh.copy(), np.zeros_like(bounds.upper_kw)
    nobody_kwh = cut_kwh = 0.0
    for step, (begins_h, step_h) in enumerate(zip(problem.horizon.edges_h, problem.horizon.hours, strict=False)):
        wanted_kw = np.minimum(bounds.upper_kw[:, step], remaining_kwh / step_h)
        laxity, given_kw = laxity_h(float(begins_h), remaining_kwh), given_kwh[step] / step_h
        asked_kw = divided(wanted_kw, laxity, day.classes_of(remaining_kwh), given_kw)
        rest_kw = np.array([max(0.0, float(given_kw.sum() - asked_kw.sum()))])
        asked_kw = asked_kw + divided(wanted_kw - asked_kw, laxity, anybody, rest_kw)
        scarce = Scarcity(float(begins_h), asked_kw, remaining_kwh, bounds.load, bounds.limit[:, step])
        power_kw[:, step] = least_laxity_first(scarce)
        nobody_kwh += float(given_kw.sum() - asked_kw.sum()) * step_h
        cut_kwh += float((asked_kw - power_kw[:, step]).sum()) * step_h
        remaining_kwh = np.maximum(remaining_kwh - power_kw[:, step] * step_h, 0.0)
    kept_kw = slowed(problem, power_kw)
    slower_kwh = float(((power_kw - kept_kw) @ problem.horizon.hours).sum())
    return _Repaired(kept_kw, nobody_kwh, cut_kwh + slower_kwh)


def _notes(model: CohortModel, run: CohortRun, repaired: _Repaired) -> Iterator[str]:
    yield (
        f"the thesis' cohort model as printed: {model.n_classes - 1} classes of {model.car_step_kwh:.2f} kWh, steps of "
        f"{60 * model.step_h:.3g} min, all cars at {model.power_kw:.1f} kW; they leave at rates, not when they said"
    )
    yield (
        f"in the model {run.left_short:.1f} cars leave short and {run.unserved_kwh:.1f} of {model.wanted_kwh:.1f} kWh "
        "stay unserved: its objective gains from every car that leaves"
    )
    if repaired.nobody_kwh > _WORTH_TELLING_KWH:
        yield f"repaired: {repaired.nobody_kwh:.1f} kWh were meant for cars that had left, were full or not there yet"
    if repaired.cut_kwh > _WORTH_TELLING_KWH:
        yield f"repaired: {repaired.cut_kwh:.1f} kWh were above limits that the model does not know"
