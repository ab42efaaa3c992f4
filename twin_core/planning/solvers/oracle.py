"""The planning problem as one reads it, in cvxpy: slow, complete, and what the fast solvers are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.problem import Array, Cap, PlanningProblem, SiteBattery, SiteFlows, VehicleBattery
from twin_core.planning.check import violations
from twin_core.planning.solvers.dust import swept_problem
from twin_core.planning.solvers.solver import Duals, Solution

_COST_SCALE = 1e4
"""Objective units per €. HiGHS takes reduced costs below 1e-7 for zero, which a cent in a megawatt hour must not be."""

_EXACT = {
    "mip_rel_gap": 1e-9,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_feasibility_tolerance": 1e-7,
}
"""Who judges answers to 1e-6 must not stop at HiGHS's own gap of 1e-4, nor add up a dozen excesses of 1e-7.

With whole numbers kept to 1e-9 HiGHS calls some problems infeasible.
"""

_FREE_EUR_PER_KWH = 1e-6
"""Energy this cheap may be burnt by a solver that takes reduced costs this small for zero."""


@dataclass(slots=True)
class _Model:
    """What has been written down so far."""

    problem: PlanningProblem
    rows: list[Any] = field(default_factory=list)
    cost: Any = 0.0
    has_integers: bool = False

    def keep(self, *rows: Any) -> None:
        self.rows += rows


class Oracle:
    """Every part of the problem but the whole-numbered setpoints, compiled anew for each call."""

    name = "oracle"

    def covers(self, problem: PlanningProblem) -> bool:
        """Whether it can solve this problem exactly."""
        return not problem.offerable_steps and not any(s.single_phase for s in problem.sessions)

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        """See `Solver.solve`."""
        if not (problem.sessions or problem.site):
            return _nothing_to_decide(problem)
        problem = swept_problem(problem)
        model = _Model(problem)
        power_kw = _sessions(model)
        stored_kw = _site_battery(model)
        cap_rows = [_cap(model, cap, power_kw, stored_kw) for cap in problem.caps]
        grid_kw = _meter(model, power_kw, stored_kw)
        asked = cp.Problem(cp.Minimize(_COST_SCALE * model.cost), model.rows)
        options = _EXACT if deadline_s is None else {**_EXACT, "time_limit": deadline_s}
        try:
            # cvxpy's warm start hands HiGHS a point without a basis, which makes a solve up to fifty times slower.
            asked.solve(solver=cp.HIGHS, warm_start=False, **options)  # type: ignore[no-untyped-call]
        except (cp.error.SolverError, ValueError) as error:
            raise PlanningError(f"the solver failed: {error}") from error
        if power_kw.value is None or asked.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            raise PlanningError(f"the solver found no plan: {asked.status}")
        return Solution(
            power_kw=np.asarray(power_kw.value),
            proved=asked.status == cp.OPTIMAL,
            battery_kw=None if stored_kw is None else np.asarray(stored_kw.value),
            grid_kw=None if grid_kw is None else np.asarray(grid_kw.value),
            duals=None if model.has_integers else _duals(problem, cap_rows),
        )


def _nothing_to_decide(problem: PlanningProblem) -> Solution:
    """Neither a session nor a meter: cvxpy cannot read an answer without a single number in it."""
    nothing = np.zeros((0, problem.horizon.n_steps))
    broken = violations(problem, nothing)
    if broken:
        raise PlanningError(f"nothing can be decided, and that breaks a limit: {broken[0]}")
    no_price = np.zeros((len(problem.caps), problem.horizon.n_steps))
    return Solution(nothing, proved=True, duals=Duals(no_price, no_price))


def _sessions(model: _Model) -> Any:
    """Power into each vehicle, shape (n_sessions, n_steps), and all that a session asks by itself."""
    problem = model.problem
    sessions, hours, inside = problem.sessions, problem.horizon.hours, problem.availability()
    shape = (len(sessions), problem.horizon.n_steps)
    into_kw = cp.Variable(shape, nonneg=True)
    shortfall_kwh = cp.Variable(shape[0], nonneg=True)
    wanted_kwh = np.array([max(0.0, s.energy_kwh) for s in sessions])
    max_kw = np.array([s.max_kw for s in sessions]).reshape(-1, 1)
    model.keep(into_kw <= max_kw * inside)
    power_kw, counted_kwh = into_kw, cp.multiply(into_kw, np.tile(hours, (shape[0], 1)))
    back_kw = np.array([s.discharge_max_kw for s in sessions]).reshape(-1, 1) * inside
    if back_kw.any():
        out_kw = cp.Variable(shape, nonneg=True)
        model.keep(out_kw <= back_kw)
        power_kw = into_kw - out_kw
        losses = np.array([1.0 if s.battery is None else _round_trip(s.battery) for s in sessions]).reshape(-1, 1)
        counted_kwh = counted_kwh - cp.multiply(out_kw, hours / losses)
        wear = np.array([0.0 if s.battery is None else s.battery.wear_eur_per_kwh for s in sessions])
        model.cost += wear @ (out_kw @ hours)
        _either_way(model, into_kw, out_kw, max_kw * inside, back_kw)
    for row, session in enumerate(sessions):
        if session.battery is not None and session.discharge_max_kw > 0:
            kept = session.battery.charge_efficiency * cp.cumsum(counted_kwh[row])
            model.keep(kept <= session.battery.capacity_kwh - session.battery.stored_kwh)
            model.keep(kept >= session.battery.least_kwh - session.battery.stored_kwh)
        if session.taper is not None:
            before_kwh = cp.cumsum(counted_kwh[row]) - counted_kwh[row]
            width_kwh = session.taper.full_kwh - session.taper.flat_kwh
            model.keep(power_kw[row] <= session.max_kw * (session.taper.full_kwh - before_kwh) / width_kwh)
            model.keep(before_kwh + counted_kwh[row] <= session.taper.full_kwh)
        if np.isfinite(session.ramp_kw_per_h):
            # Giving back may end at once: only charging has to rise slowly.
            now_kw = np.array([max(0.0, session.now_kw)])
            before_kw = cp.hstack([now_kw, into_kw[row, :-1]]) if shape[1] > 1 else now_kw
            rising = np.flatnonzero(inside[row] > 0)
            model.keep((into_kw[row] - before_kw)[rising] <= (session.ramp_kw_per_h * hours)[rising])
    model.keep(cp.sum(counted_kwh, axis=1) + shortfall_kwh == wanted_kwh)
    model.cost += np.array([s.shortfall_eur_per_kwh for s in sessions]) @ shortfall_kwh
    net_kw = cp.Variable(shape)
    model.keep(net_kw == power_kw)
    return net_kw


def _round_trip(battery: VehicleBattery) -> float:
    return battery.charge_efficiency * battery.discharge_efficiency


def _either_way(model: _Model, into_kw: Any, out_kw: Any, most_in_kw: Array, most_out_kw: Array) -> None:
    """In and out at once burns energy in losses, which pays where energy is worth less than nothing: not both there."""
    burning = _steps_that_pay_to_burn(model.problem)
    if burning.size:
        into = cp.Variable((into_kw.shape[0], burning.size), boolean=True)
        model.keep(into_kw[:, burning] <= cp.multiply(most_in_kw[:, burning], into))
        model.keep(out_kw[:, burning] <= cp.multiply(most_out_kw[:, burning], 1 - into))
        model.has_integers = True


def _steps_that_pay_to_burn(problem: PlanningProblem) -> Any:
    """Where energy is worth nothing, or where charging what is given back at once prepares a steep rise."""
    worth = problem.import_eur_per_kwh()
    if problem.site is not None:
        worth = np.minimum(worth, problem.site.export_eur_per_kwh)
    by_ramp = any(s.discharge_max_kw > 0 and np.isfinite(s.ramp_kw_per_h) for s in problem.sessions)
    # Burnt at any time, energy makes room for what is paid to be taken at another.
    return np.arange(worth.size if by_ramp or (worth <= _FREE_EUR_PER_KWH).any() else 0)


def _site_battery(model: _Model) -> Any:
    """Power into the site's battery, shape (n_steps,); None where there is none."""
    battery: SiteBattery | None = None if model.problem.site is None else model.problem.site.battery
    if battery is None:
        return None
    hours, n_steps = model.problem.horizon.hours, model.problem.horizon.n_steps
    into_kw, out_kw = cp.Variable(n_steps, nonneg=True), cp.Variable(n_steps, nonneg=True)
    net_kw = cp.Variable(n_steps)
    kept_kw = into_kw * battery.charge_efficiency - out_kw / battery.discharge_efficiency
    stored_kwh = battery.stored_kwh + cp.cumsum(cp.multiply(kept_kw, hours))
    model.keep(net_kw == into_kw - out_kw, into_kw <= battery.charge_max_kw, out_kw <= battery.discharge_max_kw)
    model.keep(stored_kwh <= battery.capacity_kwh, stored_kwh >= battery.least_kwh, stored_kwh[-1] >= battery.end_kwh)
    model.cost += battery.wear_eur_per_kwh * (out_kw @ hours)
    most = np.full((1, n_steps), battery.charge_max_kw), np.full((1, n_steps), battery.discharge_max_kw)
    _either_way(model, into_kw[None, :], out_kw[None, :], *most)
    return net_kw


def _cap(model: _Model, cap: Cap, power_kw: Any, stored_kw: Any) -> tuple[Any, Any]:
    use = cap.load @ power_kw + (0.0 if stored_kw is None else cap.battery_load * stored_kw)
    limit = np.maximum(cap.limit, 0.0) if cap.floor is None and not cap.battery_load else cap.limit
    # No limit at all is no row: an infinity has no place in one.
    finite = np.isfinite(limit)
    below = use[np.flatnonzero(finite)] <= limit[finite]
    above = None if cap.floor is None else use >= cap.floor
    model.keep(below, *([] if above is None else [above]))
    return (below, finite), above


def _meter(model: _Model, power_kw: Any, stored_kw: Any) -> Any:
    """Exchange at the site's meter, shape (n_steps,); None where the sessions' energy is all that is paid for."""
    problem, hours = model.problem, model.problem.horizon.hours
    price = problem.import_eur_per_kwh()
    site: SiteFlows | None = problem.site
    if site is None:
        model.cost += (price * hours) @ cp.sum(power_kw, axis=0)
        return None
    n_steps = problem.horizon.n_steps
    import_kw, export_kw = cp.Variable(n_steps, nonneg=True), cp.Variable(n_steps, nonneg=True)
    used_pv_kw, grid_kw = cp.Variable(n_steps, nonneg=True), cp.Variable(n_steps)
    battery_kw = 0.0 if stored_kw is None else stored_kw
    model.keep(
        grid_kw == import_kw - export_kw,
        grid_kw == site.base_kw + cp.sum(power_kw, axis=0) + battery_kw - used_pv_kw,
        used_pv_kw <= site.pv_kw,
    )
    if site.most_out_kw is not None:
        model.keep(export_kw <= site.most_out_kw)
    model.cost += (price * hours) @ import_kw - (site.export_eur_per_kwh * hours) @ export_kw
    dearer_out = np.flatnonzero(site.export_eur_per_kwh > price)
    if dearer_out.size:
        _one_direction(model, import_kw[dearer_out], export_kw[dearer_out], site, dearer_out)
    if site.demand_charge_eur_per_kw > 0:
        above_kw = cp.Variable(nonneg=True)
        model.keep(import_kw <= site.peak_so_far_kw + above_kw)
        model.cost += site.demand_charge_eur_per_kw * above_kw
    return grid_kw


def _one_direction(model: _Model, import_kw: Any, export_kw: Any, site: SiteFlows, steps: Any) -> None:
    """One meter cannot import and export at once; without this, it would pay where exporting is dearer."""
    sessions = model.problem.sessions
    most_kw = sum(s.max_kw for s in sessions) + np.abs(site.base_kw[steps])
    least_kw = sum(s.discharge_max_kw for s in sessions) + np.abs(site.base_kw[steps]) + site.pv_kw[steps]
    if site.battery is not None:
        most_kw, least_kw = most_kw + site.battery.charge_max_kw, least_kw + site.battery.discharge_max_kw
    importing = cp.Variable(steps.size, boolean=True)
    model.keep(import_kw <= cp.multiply(most_kw, importing), export_kw <= cp.multiply(least_kw, 1 - importing))
    model.has_integers = True


def _duals(problem: PlanningProblem, rows: list[tuple[Any, Any]]) -> Duals:
    shape = (len(problem.caps), problem.horizon.n_steps)
    cap, floor = np.zeros(shape), np.zeros(shape)
    for index, ((below, finite), above) in enumerate(rows):
        cap[index, finite] = np.maximum(below.dual_value, 0.0)
        if above is not None:
            floor[index] = np.maximum(above.dual_value, 0.0)
    scale = _COST_SCALE * problem.horizon.hours
    return Duals(cap / scale, floor / scale)
