"""Service first: the most energy, then the most drivers served in full, then the least money."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import charged_kwh
from twin_core.planning.allocation import fill, in_order, slowed
from twin_core.planning.assessment import assess
from twin_core.planning.bounds import bounds_of
from twin_core.planning.check import violations
from twin_core.planning.optimum import charge_only, earlier_first, optimal_plan, served_first
from twin_core.planning.precedence import alike_caps, first_in_line_now, line
from twin_core.planning.quick_charge import energy_only, sooner_first
from twin_core.planning.reach import battery_room_kwh
from twin_core.planning.solvers.table import SolverBench

_Mask = npt.NDArray[np.bool_]

_FULL_KWH = 1e-5
"""A session that lacks no more than this, relative above 1 kWh, is served in full."""

_SAME_ENERGY_KWH = 1e-6
"""Totals this close, relative above 1 kWh, are the same energy."""

_PREFERENCE = 0.02
"""Weight of the first in the queue above the last: enough for a solver to see, and cut where it costs energy."""

_ROUNDS = 4
"""Each round sets one who cannot be served in full aside, all at once; real days need two or three."""


EXPECTED_PRIORITY = 1e-3
"""A session of at most this priority is a forecast, nobody who is to be served."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """Who could get what.

    Attributes:
        energy_kwh: shape (n_sessions,).
        full: shape (n_sessions,), who is served in full.
        worth: summed priority of those.
    """

    power_kw: Array
    energy_kwh: Array
    full: _Mask
    worth: float
    battery_kw: Array | None = None

    @property
    def total_kwh(self) -> float:
        return float(self.energy_kwh.sum())


class ServiceFirst:
    """Lexicographic: energy delivered, then priority of those served in full, then cost.

    1. The most energy the limits let through is found with every kWh worth the same.
    2. Where that leaves somebody short, it is decided who: those who want least for their priority come first, and
       who cannot be served in full beside them is set aside, so that a shortfall falls on few. On limits that are
       nested, any set that can be served in full can be so at the most energy, and each round is one solve; on
       others, a choice that would cost energy is not taken.
    3. Where the limits leave nobody short, the plan is the cheapest. Where they do, capacity is dearer than energy, and
       below the limits that are full the same energies are delivered as early as possible: an hour put off is lost if a
       car leaves early or more come. Who loads none of these limits is charged as cheaply as possible.
       (On recorded days, the cheapest way to the same energies saved 0.02 % and lost up to 0.1 points of energy.)

    Choosing the largest set is as hard as packing; the rounds find a good one, and never a worse one than step 1 did.
    Where capacity is short and nobody knows for certain when cars leave (`SessionNeed.likely_departure_h`), choosing
    who is to be full by a plan loses more than it wins, as the chosen leave before they are full. Limits are used as
    in step 1, who is first in line is served, see `line`, and nobody waits for cheap hours.

    A session expected but not here yet is put in with a priority of at most `EXPECTED_PRIORITY`: nothing is put off
    into an hour that will be crowded. Where capacity is short anyway, room kept for a guess is energy lost (more than
    a point on recorded days on three lines), and only those who are known are planned for.
    """

    name = "service_first"

    def __init__(self, solver: str | None = None) -> None:
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; PROVED only where the limits leave nobody short and the cost is proved."""
        if not problem.sessions or problem.horizon.n_steps == 0:
            return optimal_plan(self.name, problem, self._bench, charge_only, served_first, earlier_first)
        cheapest = optimal_plan(self.name, problem, self._bench, charge_only, served_first, earlier_first)
        charging = charge_only(problem)
        reachable = np.minimum(_wanted(charging), _alone(charging))
        if not _lacks(_delivered(problem, cheapest.power_kw), reachable).any():
            return cheapest
        here = _without_expected(charging)
        most = self._offer(here, sooner_first(energy_only(here)))
        if any(session.likely_departure_h is not None for session in here.sessions):
            return self._in_line(problem, here, most)
        plan = self._soonest(problem, self._fewest_short(here, most))
        return self._cheapest_elsewhere(problem, plan, cheapest, reachable)

    def _cheapest_elsewhere(self, problem: PlanningProblem, plan: Plan, cheapest: Plan, reachable: Array) -> Plan:
        """The plan, but who shares no full limit with anybody short is charged in the cheapest hours."""
        crowded = _crowded(problem, plan.power_kw, _lacks(_delivered(problem, plan.power_kw), reachable))
        if problem.site is not None or crowded.all():
            return plan
        power_kw = np.where(crowded[:, None], plan.power_kw, cheapest.power_kw)
        short = _lacks(_delivered(problem, power_kw), np.minimum(reachable, _delivered(problem, plan.power_kw)))
        if short.any() or violations(problem, power_kw):
            return plan
        return assess(problem, power_kw, self.name, PlanStatus.FEASIBLE)

    def _in_line(self, problem: PlanningProblem, here: PlanningProblem, most: _Offer) -> Plan:
        """What the offer gives to those who load every limit alike, given to the first in line of them."""
        shared = replace(here, caps=alike_caps(here, most.power_kw))
        power_kw = fill(shared, in_order(line(here)))
        return assess(problem, power_kw, self.name, PlanStatus.FEASIBLE, battery_kw=most.battery_kw)

    def _fewest_short(self, problem: PlanningProblem, most: _Offer) -> _Offer:
        """An offer of the same energy that serves more in full, or the one given."""
        wanted, priority = _wanted(problem), np.array([s.priority for s in problem.sessions])
        queue = wanted / priority
        hopeful = ~_short(problem, _alone(problem)) & (wanted > 0)
        best, kept, aside = most, np.zeros_like(hopeful), ~hopeful
        preference = _PREFERENCE
        for _ in range(_ROUNDS):
            rank = np.lexsort((queue, aside, ~kept))
            weight = np.ones(len(queue))
            weight[rank] += preference * np.linspace(1.0, 0.0, len(queue))
            weight[aside] = 1.0
            found = self._offer(problem, _weighed(sooner_first(energy_only(problem)), weight))
            if not _as_much(found, most):
                preference /= 10
                continue
            if found.worth > best.worth + 1e-9:
                best = found
            kept = found.full & hopeful
            partly = ~kept & ~aside & (found.energy_kwh > _FULL_KWH)
            if not partly.any() or (kept | aside).all():
                break
            aside = aside | partly
        return best

    def _soonest(self, problem: PlanningProblem, chosen: _Offer) -> Plan:
        """The offer, as early as it was found, with the front of the line first."""
        power_kw = first_in_line_now(problem, chosen.power_kw, _line(problem, chosen))
        return assess(problem, power_kw, self.name, PlanStatus.FEASIBLE, battery_kw=chosen.battery_kw)

    def _offer(self, problem: PlanningProblem, seen: PlanningProblem) -> _Offer:
        found = self._bench.solver_for(seen).solve(seen)
        if not np.isfinite(found.power_kw).all():
            raise PlanningError(f"{self.name}: the solver gave powers that are not numbers")
        energy_kwh = np.minimum(_delivered(problem, found.power_kw), _wanted(problem))
        full = ~_short(problem, energy_kwh) & (_wanted(problem) > 0)
        worth = float(np.array([s.priority for s in problem.sessions])[full].sum())
        return _Offer(found.power_kw, np.maximum(energy_kwh, 0.0), full, worth, found.battery_kw)


def _crowded(problem: PlanningProblem, power_kw: Array, short: _Mask) -> _Mask:
    """Who goes short, and all who load a full limit with one of these, and with those, and so on."""
    bounds, here = bounds_of(problem), problem.availability() > 0
    full = bounds.load @ power_kw >= bounds.limit * (1 - _FULL_KWH) - _FULL_KWH
    crowded = short.copy()
    while True:
        contested = full & ((bounds.load[:, crowded] != 0) @ here[crowded].astype(float) > 0)
        more = (((bounds.load != 0).T @ contested.astype(float) > 0) & here).any(axis=1) & ~crowded
        if not more.any():
            return crowded
        crowded |= more


def _without_expected(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which those who are only expected want nothing."""
    sessions = tuple(replace(s, energy_kwh=0.0) if s.priority <= EXPECTED_PRIORITY else s for s in problem.sessions)
    return replace(problem, sessions=sessions)


def _wanted(problem: PlanningProblem) -> Array:
    return np.array([max(0.0, s.energy_kwh) for s in problem.sessions], dtype=float)


def _delivered(problem: PlanningProblem, power_kw: Array) -> Array:
    energy_kwh: Array = charged_kwh(problem, power_kw).sum(axis=1)
    return energy_kwh


def _alone(problem: PlanningProblem) -> Array:
    """Energy each could take were it alone below all limits, shape (n_sessions,).

    Who wants more goes short whatever the others do: that says nothing about capacity.
    """
    bounds = bounds_of(problem)
    own_kw = bounds.upper_kw
    for load, limit in zip(bounds.load, bounds.limit, strict=True):
        below = np.flatnonzero(load)
        own_kw[below] = np.minimum(own_kw[below], limit / load[below, None])
    reach_kwh: Array = np.minimum(slowed(problem, own_kw) @ problem.horizon.hours, battery_room_kwh(problem))
    return reach_kwh


def _short(problem: PlanningProblem, energy_kwh: Array) -> _Mask:
    return _lacks(energy_kwh, _wanted(problem))


def _lacks(energy_kwh: Array, due_kwh: Array) -> _Mask:
    lacks: _Mask = ~(energy_kwh >= due_kwh - _FULL_KWH * np.maximum(1.0, due_kwh))
    return lacks


def _line(problem: PlanningProblem, chosen: _Offer) -> Array:
    """Rank in line: who will be full first, of these who leaves first.

    Who is soonest done would be full sooner, but those who are left then are few and want much: they cannot use all
    there is when others have gone (0.6 points of the energy of recorded days).
    """
    departure_h = np.array([s.departure_h for s in problem.sessions])
    rank = np.empty(len(departure_h))
    rank[np.lexsort((departure_h, ~chosen.full))] = np.arange(len(departure_h))
    return rank


def _weighed(problem: PlanningProblem, weight: Array) -> PlanningProblem:
    sessions = tuple(
        replace(session, shortfall_eur_per_kwh=float(w)) for session, w in zip(problem.sessions, weight, strict=True)
    )
    return replace(problem, sessions=sessions)


def _as_much(found: _Offer, most: _Offer) -> bool:
    return found.total_kwh >= most.total_kwh - _SAME_ENERGY_KWH * max(1.0, most.total_kwh)
