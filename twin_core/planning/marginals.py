"""A plan seen as prices: how full every limit is, and what a further kWh costs in each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import grid_exchange_kw
from twin_core.planning.check import TOLERANCE
from twin_core.planning.solvers.solver import Duals

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Marginals:
    """Prices at a plan, by session and by cap.

    Attributes:
        upper_kw: shape (n_sessions, n_steps), the most each session could take by itself, its battery and ramp along
            the plan included.
        load: shape (n_caps, n_sessions).
        full: shape (n_caps, n_steps), True where a cap has no room left for power in.
        room_wanted: shape (n_caps, n_steps), how much more the sessions could put on a cap at most, >= 0.
        cap_eur: shape (n_caps, n_steps), price of one more unit of a cap for an hour; 0 everywhere without duals.
        energy_eur_per_kwh: shape (n_steps,), what one more kWh through the site's meter counts.
        marginal_eur_per_kwh: shape (n_sessions, n_steps), the same into each session, limits included; infinite where
            it can take no more.
    """

    upper_kw: Array
    load: Array
    full: Mask
    room_wanted: Array
    cap_eur: Array
    energy_eur_per_kwh: Array
    marginal_eur_per_kwh: Array


def marginals_of(problem: PlanningProblem, plan: Plan, duals: Duals | None) -> Marginals:
    """The prices at a plan.

    Without duals a full limit has no price: what would have to give way for a kWh more is then unknown, and the step
    counts as one in which no more can be taken.
    """
    n_caps, shape = len(problem.caps), (len(problem.sessions), problem.horizon.n_steps)
    upper_kw = _upper_kw(problem, plan.power_kw)
    load = np.array([cap.load for cap in problem.caps], dtype=float).reshape(n_caps, shape[0])
    limit = np.array([cap.limit for cap in problem.caps], dtype=float).reshape(n_caps, shape[1])
    shared, single = _kinds(load)
    use = _on_caps(load, plan.power_kw, shared, single)
    if plan.battery_kw is not None:
        use += np.array([[cap.battery_load] for cap in problem.caps]).reshape(n_caps, 1) * plan.battery_kw
    room_wanted = np.maximum(_on_caps(load, upper_kw, shared, single) - np.maximum(limit, 0.0), 0.0)
    full = np.isfinite(limit)
    full[full] = use[full] >= limit[full] - TOLERANCE * np.maximum(1.0, np.abs(limit[full]))
    energy = _energy_eur_per_kwh(problem, plan)
    has_room = plan.power_kw < upper_kw - TOLERANCE
    if duals is None:
        blocked = _below(load, full.astype(float), shared, single) > 0
        marginal = np.where(has_room & ~blocked, energy, np.inf)
        return Marginals(upper_kw, load, full, room_wanted, np.zeros_like(limit), energy, marginal)
    # Below a limit of its own a session can push nobody aside.
    has_room &= ~(_below(load, full.astype(float), shared[:0], single) > 0)
    price = energy + _below(load, duals.cap - duals.floor, shared, single)
    unpriced = full & (room_wanted > TOLERANCE) & (duals.cap <= 0)
    cap_eur = _with_own_limits(problem, plan, duals.cap, unpriced, load, single, price)
    return Marginals(upper_kw, load, full, room_wanted, cap_eur, energy, np.where(has_room, price, np.inf))


def _with_own_limits(
    problem: PlanningProblem,
    plan: Plan,
    cap_eur: Array,
    unpriced: Mask,
    load: Array,
    single: npt.NDArray[np.intp],
    price: Array,
) -> Array:
    """Prices of caps, those included that one session alone loads: solvers that take them for bounds give them none.

    A kWh more below such a limit is one less in the dearest step that the session uses, or one less that it lacks.

    Args:
        unpriced: shape (n_caps, n_steps), where a cap binds and has no price.
        price: shape (n_sessions, n_steps), what a kWh into each session costs, shared limits included.
    """
    rows = single[unpriced[single].any(axis=1)]
    if not rows.size:
        return cap_eur
    session = np.argmax(load[rows] > 0, axis=1)
    shortfall = np.array([problem.sessions[row].shortfall_eur_per_kwh for row in session])
    power_kw, prices = plan.power_kw[session], price[session]
    dearest = np.where(power_kw > TOLERANCE, prices, -np.inf).max(axis=1, initial=-np.inf)
    worth = np.where(plan.unserved_kwh[session] > TOLERANCE, shortfall, dearest)
    saved = np.maximum(worth[:, None] - prices, 0.0) / load[rows, session][:, None]
    found = cap_eur.copy()
    found[rows] = np.where(unpriced[rows], saved, cap_eur[rows])
    return found


def _upper_kw(problem: PlanningProblem, power_kw: Array) -> Array:
    """The most each session could take in a step, given what the plan gives it before; shape (n_sessions, n_steps)."""
    sessions, hours = problem.sessions, problem.horizon.hours
    upper = np.array([s.max_kw for s in sessions]).reshape(-1, 1) * problem.availability()
    for row, session in enumerate(sessions):
        if session.taper is not None:
            before_kwh = np.cumsum(power_kw[row] * hours) - power_kw[row] * hours
            room_kwh = np.maximum(session.taper.full_kwh - before_kwh, 0.0)
            part = np.minimum(room_kwh / (session.taper.full_kwh - session.taper.flat_kwh), 1.0)
            upper[row] = np.minimum(upper[row], np.minimum(session.max_kw * part, room_kwh / hours))
        if np.isfinite(session.ramp_kw_per_h):
            before_kw = np.concatenate(([session.now_kw], power_kw[row, :-1]))
            upper[row] = np.minimum(upper[row], before_kw + session.ramp_kw_per_h * hours)
    return upper


def _kinds(load: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Caps that several sessions load, and those that one loads: a site has thousands of these, each a cheap row."""
    loaded = np.count_nonzero(load, axis=1)
    return np.flatnonzero(loaded > 1), np.flatnonzero(loaded == 1)


def _on_caps(load: Array, power_kw: Array, shared: npt.NDArray[np.intp], single: npt.NDArray[np.intp]) -> Array:
    """What powers put on each cap, shape (n_caps, n_steps)."""
    use = np.zeros((load.shape[0], power_kw.shape[1]))
    use[shared] = load[shared] @ power_kw
    if single.size:
        row = np.argmax(load[single] > 0, axis=1)
        use[single] = load[single, row][:, None] * power_kw[row]
    return use


def _below(load: Array, price: Array, shared: npt.NDArray[np.intp], single: npt.NDArray[np.intp]) -> Array:
    """What prices on caps come to for a kW of each session, shape (n_sessions, n_steps)."""
    priced = shared[np.any(price[shared] != 0, axis=1)]
    felt: Array = load[priced].T @ price[priced]
    alone = single[np.any(price[single] != 0, axis=1)]
    if alone.size:
        row = np.argmax(load[alone] > 0, axis=1)
        np.add.at(felt, row, load[alone, row][:, None] * price[alone])
    return felt


def _energy_eur_per_kwh(problem: PlanningProblem, plan: Plan) -> Array:
    """What one more kWh costs where the site meets the grid: less while it feeds back, more at its peak."""
    bought = problem.import_eur_per_kwh()
    site = problem.site
    if site is None:
        return bought
    grid_kw = grid_exchange_kw(problem, site, plan.power_kw, plan.battery_kw)
    most_kw = site.base_kw + plan.power_kw.sum(axis=0) + (0.0 if plan.battery_kw is None else plan.battery_kw)
    curtailed = grid_kw > most_kw - site.pv_kw + TOLERANCE
    price = np.where(grid_kw < -TOLERANCE, site.export_eur_per_kwh, bought)
    price = np.where(curtailed & (grid_kw <= TOLERANCE), np.minimum(price, 0.0), price)
    peak_kw = max(site.peak_so_far_kw, float(grid_kw.max(initial=0.0)))
    at_peak = (grid_kw >= peak_kw - TOLERANCE) & (grid_kw > TOLERANCE)
    raised: Array = price + np.where(at_peak, site.demand_charge_eur_per_kw / problem.horizon.hours, 0.0)
    return raised
