"""Round robin: everybody in turn."""

from __future__ import annotations

import numpy as np

from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.allocation import Scarcity, fill, in_order
from twin_core.planning.assessment import assess
from twin_core.planning.optimum import charge_only
from twin_core.planning.soundness import require_sound

BEHIND_H = 1e-9
"""Who was served in a step queues up behind those who arrive as it begins."""


class RoundRobin:
    """Who waited longest for a turn gets all it can take, and then queues up behind the others.

    A car that arrives queues up at the end. Within a plan turns are counted in scarce steps; in the others there is no
    queue. Whose turn it is now does not live here: the problem says of every session how long ago it last charged, so
    that who is asked anew every few minutes goes on where it was.
    """

    name = "round_robin"

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        require_sound(problem)
        seen = charge_only(problem)
        queued_h = np.array([_queued_h(s) for s in seen.sessions], dtype=float)
        first_in_queue = in_order(lambda _: queued_h)

        def take_turns(step: Scarcity) -> Array:
            power_kw = first_in_queue(step)
            queued_h[power_kw > 0] = step.begins_h + BEHIND_H
            return power_kw

        return assess(problem, fill(seen, take_turns), self.name, PlanStatus.FEASIBLE)


def _queued_h(session: SessionNeed) -> float:
    """Hours from now at which it queued up, as a rule before now."""
    return session.arrival_h - session.waited_h if session.idle_h is None else BEHIND_H - session.idle_h
