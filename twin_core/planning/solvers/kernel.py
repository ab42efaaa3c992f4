"""The plain site problem, sessions below limits that all load alike, solved exactly in milliseconds."""

from __future__ import annotations

import numpy as np

from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.accounting import bill
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.solvers.certificate import bound_eur, is_proof
from twin_core.planning.solvers.kernel_loops import network, place_cheapest
from twin_core.planning.solvers.kernel_prices import worth_of_room
from twin_core.planning.solvers.solver import Duals, Solution


class Kernel:
    """Fills ends in ascending price, see `kernel_loops`, and proves by its own duals that nothing is cheaper.

    Covers sessions that only charge, below any number of limits that each bind one session or load all of them alike.
    """

    name = "kernel"

    def __init__(self) -> None:
        self._read: tuple[PlanningProblem, Bounds] | None = None

    def covers(self, problem: PlanningProblem) -> bool:
        """Whether it can solve this problem exactly."""
        if not only_charges(problem):
            return False
        bounds = self._bounds(problem)
        return bool((bounds.load == bounds.load[:, :1]).all())

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        """See `Solver.solve`; a deadline is not looked at, it takes milliseconds."""
        bounds, hours = self._bounds(problem), problem.horizon.hours
        self._read = None
        price = problem.import_eur_per_kwh()
        shortfall = np.array([s.shortfall_eur_per_kwh for s in problem.sessions], dtype=float)
        limit_kw = _limit_kw(bounds)
        prices = (price, shortfall, np.argsort(price, kind="stable"), np.argsort(shortfall, kind="stable"))
        net = network(bounds.upper_kw * hours, bounds.wanted_kwh, limit_kw * hours)
        place_cheapest(net, *prices)
        worth = np.maximum(worth_of_room(net, *prices) - price, 0.0)
        power_kw = net.placed_kwh
        power_kw /= hours
        np.clip(power_kw, 0.0, bounds.upper_kw, out=power_kw)
        duals = _duals(problem, worth, limit_kw)
        bound = bound_eur(problem, duals.cap, bounds)
        objective_eur = bill(problem, power_kw).objective_eur
        return Solution(power_kw, is_proof(objective_eur, bound), duals=duals, bound_eur=bound)

    def _bounds(self, problem: PlanningProblem) -> Bounds:
        if self._read is None or self._read[0] is not problem:
            self._read = problem, bounds_of(problem)
        return self._read[1]


def only_charges(problem: PlanningProblem) -> bool:
    """Whether nothing but windows, highest powers and caps decides what sessions can get."""
    if problem.site is not None or problem.offerable_steps or not all(map(_is_plain, problem.sessions)):
        return False
    return not any(cap.floor is not None and (cap.floor > 0).any() for cap in problem.caps)


def _is_plain(session: SessionNeed) -> bool:
    return (
        session.taper is None
        and session.single_phase is None
        and session.discharge_max_kw == 0
        and session.ramp_kw_per_h == np.inf
    )


def _limit_kw(bounds: Bounds) -> Array:
    """What all sessions may get together, shape (n_steps,)."""
    if not bounds.load.size:
        return np.asarray(bounds.upper_kw.sum(axis=0))
    return np.asarray((bounds.limit / bounds.load[:, :1]).min(axis=0))


def _duals(problem: PlanningProblem, worth: Array, limit_kw: Array) -> Duals:
    """The worth of room, put on the tightest of the caps that all load, by step."""
    shape = (len(problem.caps), problem.horizon.n_steps)
    cap_eur, tightest_kw = np.zeros(shape), np.full(shape[1], np.inf)
    taken = np.full(shape[1], -1)
    for index, cap in enumerate(problem.caps):
        if cap.load.size > 1 and cap.load[0] > 0 and (cap.load == cap.load[0]).all():
            own_kw = np.maximum(cap.limit, 0.0) / cap.load[0]
            tighter = own_kw < tightest_kw
            tightest_kw[tighter], taken[tighter] = own_kw[tighter], index
    steps = np.flatnonzero((worth > 0) & (taken >= 0) & (tightest_kw <= limit_kw * (1 + 1e-9)))
    cap_eur[taken[steps], steps] = worth[steps] / np.array([problem.caps[c].load[0] for c in taken[steps]])
    return Duals(cap_eur, np.zeros(shape))
