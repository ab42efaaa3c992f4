"""As late as possible: the mirror image of earliest deadline first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, Cap, PlanningProblem, SessionNeed
from twin_core.planning.allocation import Scarcity, equally, fill, in_order
from twin_core.planning.assessment import assess
from twin_core.planning.optimum import charge_only
from twin_core.planning.soundness import require_sound


class AsLateAsPossible:
    """Everybody charges just before leaving; where that is too much at once, who came last keeps the late steps.

    Steps are filled from the last to the first, so what does not fit into a late step is moved to an earlier one
    rather than lost. Among those who came at the same time, who has the least slack left goes first. One that tapers or
    ramps takes of its late steps what it then can: a car that fills slowly at the end loses by starting late.
    """

    name = "as_late_as_possible"

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        require_sound(problem)
        seen = charge_only(problem)
        backwards = mirrored(seen)
        gone_h = np.array([s.departure_h for s in backwards.sessions], dtype=float)
        max_kw = np.array([s.max_kw for s in backwards.sessions], dtype=float)

        def rank(step: Scarcity) -> Array:
            needed_h = np.divide(step.remaining_kwh, max_kw, out=np.zeros_like(max_kw), where=max_kw > 0)
            ranks: Array = np.empty(gone_h.size)
            ranks[np.lexsort((-needed_h, gone_h))] = np.arange(gone_h.size)
            return ranks

        power_kw = _as_they_can(seen, fill(backwards, in_order(rank))[:, ::-1].copy())
        return assess(problem, power_kw, self.name, PlanStatus.FEASIBLE)


def _as_they_can(problem: PlanningProblem, power_kw: Array) -> Array:
    """The powers with those of tapering and ramping sessions cut to what their batteries take in that order."""
    rows = [r for r, s in enumerate(problem.sessions) if s.taper is not None or np.isfinite(s.ramp_kw_per_h)]
    if rows:
        sessions = tuple(problem.sessions[row] for row in rows)
        caps = tuple(Cap(f"late {r}", one, power_kw[r]) for r, one in zip(rows, np.eye(len(rows)), strict=True))
        power_kw[rows] = fill(replace(problem, sessions=sessions, caps=caps), equally)
    return power_kw


def mirrored(problem: PlanningProblem) -> PlanningProblem:
    """The problem as seen by somebody who lives from the end of the horizon to its start."""
    end_h = float(problem.horizon.edges_h[-1])
    return replace(
        problem,
        horizon=replace(problem.horizon, lengths_h=problem.horizon.lengths_h[::-1]),
        sessions=tuple(_mirrored_stay(session, end_h) for session in problem.sessions),
        price_eur_per_kwh=problem.price_eur_per_kwh[::-1],
        caps=tuple(_mirrored_cap(cap) for cap in problem.caps),
        carbon_kg_per_kwh=None,
        site=None,
    )


def _mirrored_stay(session: SessionNeed, end_h: float) -> SessionNeed:
    # What lies before now or beyond the horizon is out of reach: who came hours ago is like who came just now.
    arrival_h = end_h - min(session.departure_h, end_h)
    departure_h = end_h - max(session.arrival_h, 0.0)
    return replace(session, arrival_h=arrival_h, departure_h=departure_h, taper=None, ramp_kw_per_h=np.inf)


def _mirrored_cap(cap: Cap) -> Cap:
    return replace(cap, limit=cap.limit[::-1], floor=None if cap.floor is None else cap.floor[::-1])
