"""Cohorts: vehicles alike planned as one, for depots too large to plan one by one (product form of thesis 3.3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, Cap, PlanningProblem, SessionNeed
from twin_core.planning.accounting import bill
from twin_core.planning.allocation import Scarcity, in_order
from twin_core.planning.assessment import assess
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.optimum import charge_only, earlier_first, served_first
from twin_core.planning.solvers.solver import Solution
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound

Cohorts = list[list[int]]
"""Rows of the sessions in each cohort."""


class Cohort:
    """Sessions of one deadline, arrival and energy bucket below the same limits share one variable a step.

    Unlike the thesis' classes, cohorts leave when their members do, nobody is served who is gone, and all that a
    cohort gets is divided among its members, who is least able to wait first. What a member cannot take goes to
    whoever can still use it, in the cheapest steps with room.

    The cohorts' optimum is a bound on the sessions': whatever the sessions can do, their cohorts can. So `Plan.gap`
    says what the buckets cost; a cohort of one car is that car. Status is FEASIBLE at best.

    Args:
        deadline_h: width of a bucket of departures, and of arrivals that are still to come.
        energy_kwh: width of a bucket of energy wanted.
        solver: the name of the one to use; None takes the fastest that covers the cohorts.
    """

    name = "cohort"

    def __init__(self, deadline_h: float = 0.5, energy_kwh: float = 10.0, solver: str | None = None) -> None:
        self._deadline_h = deadline_h
        self._energy_kwh = energy_kwh
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        require_sound(problem)
        seen = earlier_first(served_first(charge_only(problem)))
        bounds = bounds_of(replace(seen, caps=tuple(cap for cap in seen.caps if not _is_shared(cap))))
        if not bounds.upper_kw.size:
            return assess(problem, bounds.upper_kw, self.name, PlanStatus.FEASIBLE)
        cohorts = self._cohorts(seen, bounds)
        together = aggregated(seen, bounds, cohorts)
        taken = self._bench.solver_for(together)
        found = taken.solve(together)
        power_kw = disaggregated(seen, bounds, cohorts, found)
        plan = assess(
            problem,
            power_kw,
            self.name,
            PlanStatus.FEASIBLE,
            battery_kw=found.battery_kw,
            bound_eur=_bound_eur(seen, bounds, found),
            solver=taken.name,
        )
        return replace(plan, objective_eur=bill(seen, power_kw, battery_kw=found.battery_kw).objective_eur)

    def _cohorts(self, problem: PlanningProblem, bounds: Bounds) -> Cohorts:
        """Sessions by what they have in common; one that tapers or ramps is alone, as its limits are its own."""
        end_h = float(problem.horizon.edges_h[-1])
        loads = np.array([cap.load for cap in problem.caps if _is_shared(cap)])
        members: dict[tuple[object, ...], list[int]] = {}
        for row, session in enumerate(problem.sessions):
            alone = session.taper is not None or np.isfinite(session.ramp_kw_per_h)
            key = (
                int(min(session.departure_h, end_h) / self._deadline_h),
                int(max(session.arrival_h, 0.0) / self._deadline_h),
                int(bounds.wanted_kwh[row] / self._energy_kwh),
                session.shortfall_eur_per_kwh,
                loads[:, row].tobytes() if loads.size else b"",
                row if alone else -1,
            )
            members.setdefault(key, []).append(row)
        return list(members.values())


def _is_shared(cap: Cap) -> bool:
    """Whether it is more than the own limit of one session."""
    return bool(np.count_nonzero(cap.load) != 1 or cap.battery_load)


def aggregated(problem: PlanningProblem, bounds: Bounds, cohorts: Cohorts) -> PlanningProblem:
    """The problem in which each cohort is one session that can take what its members can take together."""
    wanted_kwh = np.minimum(bounds.wanted_kwh, bounds.upper_kw @ problem.horizon.hours)
    sessions, own_limits = [], []
    for index, rows in enumerate(cohorts):
        first, upper_kw = problem.sessions[rows[0]], bounds.upper_kw[rows].sum(axis=0)
        sessions.append(_one_for_all(problem.sessions, rows, float(wanted_kwh[rows].sum())))
        load = np.zeros(len(cohorts))
        load[index] = 1.0
        own_limits.append(Cap(f"cohort of {first.session_id}", load, upper_kw))
    firsts = [rows[0] for rows in cohorts]
    shared = tuple(
        replace(cap, load=cap.load[firsts], single_phase_load=None) for cap in problem.caps if _is_shared(cap)
    )
    return replace(problem, sessions=tuple(sessions), caps=(*shared, *own_limits), offerable_steps=0)


def _one_for_all(sessions: tuple[SessionNeed, ...], rows: list[int], wanted_kwh: float) -> SessionNeed:
    members = [sessions[row] for row in rows]
    return replace(
        members[0],
        energy_kwh=wanted_kwh,
        arrival_h=min(s.arrival_h for s in members),
        departure_h=max(s.departure_h for s in members),
        max_kw=sum(s.max_kw for s in members),
        now_kw=sum(s.now_kw for s in members),
        single_phase=None,
    )


def disaggregated(problem: PlanningProblem, bounds: Bounds, cohorts: Cohorts, found: Solution) -> Array:
    """Powers of the sessions, shape (n_sessions, n_steps): each cohort's own, divided by least laxity, then the rest.

    Limits that sessions share are kept, since the members of a cohort load them alike.
    """
    hours, begins_h = problem.horizon.hours, problem.horizon.edges_h
    max_kw = np.array([s.max_kw for s in problem.sessions])
    departure_h = np.array([s.departure_h for s in problem.sessions])
    cohort_of = np.empty(len(problem.sessions), dtype=np.intp)
    for index, rows in enumerate(cohorts):
        cohort_of[rows] = index
    remaining_kwh, power_kw = bounds.wanted_kwh.copy(), np.zeros_like(bounds.upper_kw)
    for step, step_h in enumerate(hours):
        wanted_kw = np.minimum(bounds.upper_kw[:, step], remaining_kwh / step_h)
        laxity_h = departure_h - begins_h[step] - remaining_kwh / np.maximum(max_kw, 1e-9)
        power_kw[:, step] = divided(wanted_kw, laxity_h, cohort_of, np.maximum(found.power_kw[:, step], 0.0))
        remaining_kwh = np.maximum(remaining_kwh - power_kw[:, step] * step_h, 0.0)
    _top_up(problem, bounds_of(_beside_the_battery(problem, found.battery_kw)), power_kw, remaining_kwh)
    return power_kw


def divided(wanted_kw: Array, laxity_h: Array, cohort_of: npt.NDArray[np.intp], given_kw: Array) -> Array:
    """What each session gets of its cohort's power, least laxity first, all cohorts at once; shape (n_sessions,).

    Args:
        wanted_kw: shape (n_sessions,), no session gets more.
        laxity_h: shape (n_sessions,), how long each can wait.
        cohort_of: shape (n_sessions,), cohort of each; a cohort may be empty.
        given_kw: shape (n_cohorts,).
    """
    queue = np.lexsort((laxity_h, cohort_of))
    wanted = wanted_kw[queue]
    before = np.cumsum(wanted) - wanted
    first_of_cohort = np.searchsorted(cohort_of[queue], np.arange(given_kw.size))
    ahead = before - before[first_of_cohort[cohort_of[queue]]]
    power_kw = np.empty_like(wanted_kw)
    power_kw[queue] = np.clip(given_kw[cohort_of[queue]] - ahead, 0.0, wanted)
    return power_kw


def _top_up(problem: PlanningProblem, bounds: Bounds, power_kw: Array, remaining_kwh: Array) -> None:
    """Give who is still short what room there is, in the cheapest steps first; changes `power_kw`.

    Who tapers or ramps is left as the solver has it.
    """
    alone = np.array([s.taper is not None or np.isfinite(s.ramp_kw_per_h) for s in problem.sessions], dtype=bool)
    remaining_kwh = np.where(alone | (remaining_kwh < 1e-9), 0.0, remaining_kwh)
    departure_h = np.array([s.departure_h for s in problem.sessions])
    earliest_deadline = in_order(lambda _: departure_h)
    for step in np.argsort(problem.import_eur_per_kwh(), kind="stable"):
        if not remaining_kwh.any():
            return
        step_h = float(problem.horizon.hours[step])
        wanted_kw = np.minimum(np.maximum(bounds.upper_kw[:, step] - power_kw[:, step], 0.0), remaining_kwh / step_h)
        room = np.maximum(bounds.limit[:, step] - bounds.load @ power_kw[:, step], 0.0)
        begins_h = float(problem.horizon.edges_h[step])
        more_kw = earliest_deadline(Scarcity(begins_h, wanted_kw, remaining_kwh, bounds.load, room))
        power_kw[:, step] += more_kw
        remaining_kwh = np.maximum(remaining_kwh - more_kw * step_h, 0.0)


def _beside_the_battery(problem: PlanningProblem, battery_kw: Array | None) -> PlanningProblem:
    """The problem with the battery's power taken off the limits that it loads."""
    if battery_kw is None:
        return problem
    caps = tuple(replace(cap, limit=cap.limit - cap.battery_load * battery_kw) for cap in problem.caps)
    return replace(problem, caps=caps)


def _bound_eur(problem: PlanningProblem, bounds: Bounds, found: Solution) -> float | None:
    """No plan of the sessions has a lower objective; what no session could ever take is missing in any of them."""
    if found.bound_eur is None:
        return None
    out_of_reach = np.maximum(bounds.wanted_kwh - bounds.upper_kw @ problem.horizon.hours, 0.0)
    return found.bound_eur + float(np.array([s.shortfall_eur_per_kwh for s in problem.sessions]) @ out_of_reach)
