"""The charging problem in cvxpy, as compact as it gets: what variants with an objective of their own are built on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cvxpy as cp
import numpy as np
import numpy.typing as npt
from scipy import sparse

from twin_core.errors import PlanningError
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.optimum import served_first
from twin_core.planning.uncertainty.meter import Meter

DEADLINE_S = 60.0
"""A solver that takes longer than this has lost its way: the largest of these models takes a few seconds."""

LEAST_KW = 1e-9
"""Mean power below which a cell is left out: HiGHS may run forever on bounds that are hardly numbers any more."""

COST_SCALE = {cp.HIGHS: 1e4, cp.CLARABEL: 1.0}
"""Objective units per €. HiGHS takes reduced costs below 1e-7 for zero, which a cent in a megawatt hour must not be;
Clarabel's tolerances are relative, and with costs so far above the powers it ends short of them."""


@dataclass(frozen=True, slots=True)
class _Cells:
    """What can flow at all: one entry for each direction, session and step in which it can.

    Attributes:
        sign: +1 into the vehicle, −1 out of it.
        upper_kw: the most of it.
        counted_h: energy towards what the session wants for each kW, in h; negative for what flows out.
    """

    session: npt.NDArray[np.intp]
    step: npt.NDArray[np.intp]
    sign: Array
    upper_kw: Array
    counted_h: Array

    def summed(self, group: npt.NDArray[np.intp], weight: Array, n_groups: int) -> Any:
        """Sparse matrix that adds weighted cells up by group, shape (n_groups, n_cells)."""
        return sparse.csr_matrix((weight, (group, np.arange(group.size))), shape=(n_groups, group.size))


class ChargingModel:
    """Variables and rows of a problem without the price of its energy.

    Attributes:
        flow_kw: variable, shape (n_cells,), >= 0, one entry for each cell.
        energy_kwh: variable, shape (n_steps,), what is paid for by step: net energy of all sessions, or what the site
            imports where its flows are known. Whatever is said about prices is said about this, so that a scenario adds
            a row of n_steps numbers and not of n_sessions × n_steps.
        beside_eur: expression, shortfall and wear, less what is exported and with the demand charge.
        rows: constraints.

    Raises:
        PlanningError: the problem makes no sense, or has parts that this model does not know; the text names them.
    """

    def __init__(self, problem: PlanningProblem) -> None:
        _require_covered(problem)
        self.problem = problem
        bounds = bounds_of(problem)
        self._bounds = bounds
        self.cells = cells = _cells(problem, bounds)
        n_sessions, n_steps = bounds.upper_kw.shape
        self.flow_kw = cp.Variable(cells.step.size, nonneg=True)
        self.energy_kwh = cp.Variable(n_steps)
        short_kwh = cp.Variable(n_sessions, nonneg=True)
        net_kwh = cells.summed(cells.step, cells.sign * problem.horizon.hours[cells.step], n_steps)
        counted_kwh = cells.summed(cells.session, cells.counted_h, n_sessions)
        self.rows: list[Any] = [
            self.flow_kw <= cells.upper_kw,
            counted_kwh @ self.flow_kw + short_kwh == bounds.wanted_kwh,
            *self._caps(bounds),
            *self._batteries(),
            *self._tapers_and_ramps(),
        ]
        shortfall = np.array([s.shortfall_eur_per_kwh for s in problem.sessions])
        wear = np.array([0.0 if s.battery is None else s.battery.wear_eur_per_kwh for s in problem.sessions])
        wear_eur = wear[cells.session] * problem.horizon.hours[cells.step] * (cells.sign < 0)
        self.beside_eur: Any = shortfall @ short_kwh + wear_eur @ self.flow_kw
        if problem.site is None:
            self.rows.append(self.energy_kwh == net_kwh @ self.flow_kw)
        else:
            meter = Meter(problem.site, problem.horizon.hours, net_kwh @ self.flow_kw, self.energy_kwh)
            self.rows += meter.rows
            self.beside_eur = self.beside_eur + meter.beside_eur

    def _caps(self, bounds: Bounds) -> list[Any]:
        n_steps = bounds.upper_kw.shape[1]
        rows = []
        for load, limit in zip(bounds.load, bounds.limit, strict=True):
            used = self.cells.summed(self.cells.step, load[self.cells.session] * self.cells.sign, n_steps)
            rows.append(used @ self.flow_kw <= limit)
        for cap in self.problem.caps:
            if cap.floor is not None and (self.cells.sign < 0).any():
                used = self.cells.summed(self.cells.step, cap.load[self.cells.session] * self.cells.sign, n_steps)
                rows.append(used @ self.flow_kw >= cap.floor)
        return rows

    def _batteries(self) -> list[Any]:
        """A vehicle that gives energy back is never emptier than it may be, nor fuller."""
        rows = []
        for index, session in enumerate(self.problem.sessions):
            battery = session.battery
            if battery is not None and session.discharge_max_kw > 0:
                mine = np.flatnonzero(self.cells.session == index)
                so_far = self.cells.step[mine] <= np.arange(self.problem.horizon.n_steps).reshape(-1, 1)
                kept_kwh = (so_far * self.cells.counted_h[mine] * battery.charge_efficiency) @ self.flow_kw[mine]
                rows.append(kept_kwh <= battery.capacity_kwh - battery.stored_kwh)
                rows.append(kept_kwh >= battery.least_kwh - battery.stored_kwh)
        return rows

    def _tapers_and_ramps(self) -> list[Any]:
        rows, hours = [], self.problem.horizon.hours
        for index, session in enumerate(self.problem.sessions):
            mine = np.flatnonzero((self.cells.session == index) & (self.cells.sign > 0))
            step = self.cells.step[mine]
            if session.taper is not None and mine.size:
                all_mine = np.flatnonzero(self.cells.session == index)
                earlier = self.cells.step[all_mine] < step.reshape(-1, 1)
                before_kwh = (earlier * self.cells.counted_h[all_mine]) @ self.flow_kw[all_mine]
                slope = session.max_kw / (session.taper.full_kwh - session.taper.flat_kwh)
                rows.append(self.flow_kw[mine] <= slope * (session.taper.full_kwh - before_kwh))
                step_h = self.cells.counted_h[mine]
                rows.append(cp.multiply(step_h, self.flow_kw[mine]) <= session.taper.full_kwh - before_kwh)
            if np.isfinite(session.ramp_kw_per_h) and mine.size:
                previous = (step.reshape(-1, 1) - 1 == step).astype(float)
                start_kw = np.where(step == 0, session.now_kw, 0.0)
                most_kw = start_kw + session.ramp_kw_per_h * hours[step]
                rows.append(self.flow_kw[mine] <= previous @ self.flow_kw[mine] + most_kw)
        return rows

    def power_kw(self) -> Array:
        """Powers of the point found, shape (n_sessions, n_steps), rid of what an interior point leaves over a limit."""
        power_kw = np.zeros_like(self._bounds.upper_kw)
        flow_kw = np.clip(np.asarray(self.flow_kw.value), 0.0, self.cells.upper_kw)
        np.add.at(power_kw, (self.cells.session, self.cells.step), self.cells.sign * flow_kw)
        return power_kw if (self.cells.sign < 0).any() else within(self._bounds, power_kw, self.problem.horizon.hours)


def _cells(problem: PlanningProblem, bounds: Bounds) -> _Cells:
    hours, inside = problem.horizon.hours, problem.availability()
    back_kw = np.array([s.discharge_max_kw for s in problem.sessions]).reshape(-1, 1) * inside
    losses = np.array(
        [
            1.0 if s.battery is None else s.battery.charge_efficiency * s.battery.discharge_efficiency
            for s in problem.sessions
        ]
    )
    can_take = bounds.upper_kw > LEAST_KW
    if not can_take.any():
        # cvxpy has no variables without entries: cells that are all 0 do as well.
        can_take = np.ones_like(can_take)
    session, step = np.nonzero(can_take)
    back_session, back_step = np.nonzero(back_kw > LEAST_KW)
    return _Cells(
        session=np.concatenate([session, back_session]),
        step=np.concatenate([step, back_step]),
        sign=np.concatenate([np.ones(session.size), -np.ones(back_session.size)]),
        upper_kw=np.concatenate([bounds.upper_kw[session, step], back_kw[back_session, back_step]]),
        counted_h=np.concatenate([hours[step], -hours[back_step] / losses[back_session]]),
    )


def within(bounds: Bounds, power_kw: Array, hours: Array) -> Array:
    """Powers made smaller, by rounding only, until no energy wanted and no cap is exceeded."""
    power_kw = power_kw * _part(bounds.wanted_kwh, power_kw @ hours).reshape(-1, 1)
    for load, limit in zip(bounds.load, bounds.limit, strict=True):
        power_kw = np.where(load.reshape(-1, 1) > 0, power_kw * _part(limit, load @ power_kw), power_kw)
    return power_kw


def _part(most: Array, used: Array) -> Array:
    """What part of each use is within its limit, at most 1."""
    return np.divide(most, used, out=np.ones_like(used), where=used > most)


def _require_covered(problem: PlanningProblem) -> None:
    """Refuse what these models do not know, by name."""
    unknown = {
        "batteries of the site": problem.site is not None and problem.site.battery is not None,
        "setpoints that must be offerable": problem.offerable_steps > 0,
        "vehicles that give back and rise slowly": any(
            s.discharge_max_kw > 0 and s.ramp_kw_per_h < np.inf for s in problem.sessions
        ),
        "single-phase switching": any(s.single_phase is not None for s in problem.sessions),
        "vehicles that give back at negative prices": any(s.discharge_max_kw for s in problem.sessions)
        and not problem.import_eur_per_kwh().min(initial=0.0) >= 0,
        "an export that pays more than import costs": problem.site is not None
        and not (problem.site.export_eur_per_kwh <= problem.import_eur_per_kwh()).all(),
        "negative prices behind the site's meter": problem.site is not None
        and not problem.import_eur_per_kwh().min(initial=0.0) >= 0,
    }
    found = [what for what, there in unknown.items() if there]
    if found:
        raise PlanningError(f"this variant does not know {', '.join(found)}")


def require_only_charging(name: str, problem: PlanningProblem) -> None:
    """Refuse what has no part in a plan against departures.

    Raises:
        PlanningError: vehicles give back, or the site's own flows are part of the problem.
    """
    unknown = {
        "vehicles that give back": any(s.discharge_max_kw > 0 for s in problem.sessions),
        "the site's own flows": problem.site is not None,
    }
    found = [what for what, there in unknown.items() if there]
    if found:
        raise PlanningError(f"{name} does not know {', '.join(found)}")


def solved(objective_eur: Any, rows: list[Any], solver: str = cp.HIGHS) -> float:
    """The least value of an objective in €; the variables hold the point.

    Args:
        objective_eur: a convex cvxpy expression.
        solver: `cp.HIGHS` for linear models, `cp.CLARABEL` for cones.

    Raises:
        PlanningError: the solver failed or proved no optimum.
    """
    asked = cp.Problem(cp.Minimize(COST_SCALE[solver] * objective_eur), rows)
    try:
        # cvxpy's warm start hands HiGHS a point without a basis, which makes a solve up to fifty times slower.
        asked.solve(solver=solver, warm_start=False, time_limit=DEADLINE_S)  # type: ignore[no-untyped-call]
    except (cp.error.SolverError, ValueError) as error:
        raise PlanningError(f"the solver failed: {error}") from error
    if asked.status != cp.OPTIMAL:
        raise PlanningError(f"the solver found no plan: {asked.status}")
    return float(asked.value) / COST_SCALE[solver]


def served_at(problem: PlanningProblem, dearest_eur_per_kwh: Array) -> PlanningProblem:
    """The problem with shortfall prices above the dearest that energy may become; its prices stay.

    Args:
        dearest_eur_per_kwh: shape (n_steps,), the highest price that a variant reckons with in each step.
    """
    at_worst = served_first(replace(problem, price_eur_per_kwh=dearest_eur_per_kwh, carbon_kg_per_kwh=None))
    return replace(problem, sessions=at_worst.sessions)
