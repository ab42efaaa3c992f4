"""Problems that nothing can meet in full: the nearest one that can be met, its plan, and what the asked one lacks.

A base load above a limit, a battery that is to end fuller than it can be: such things happen, and still somebody has to
decide who charges. Demand is soft everywhere; what is hard gives way here, in this order and no more than it must:
limits of the site last, what batteries are to hold before them. The planner is then asked the eased problem.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, Cap, PlanningProblem, SessionNeed, SiteBattery, VehicleBattery
from twin_core.planning.check import TOLERANCE
from twin_core.planning.planner import Planner
from twin_core.planning.reasons import explained, with_unmet
from twin_core.planning.soundness import require_sound

_KEPT = 1e-6
"""What an eased limit is wider than it need be, relative above 1: the solver that follows rounds as well."""


class _Means(Enum):
    """Who can help to keep a limit that the base load breaks: it depends on the planner, so that each is tried."""

    ALL = "the site's battery, and vehicles that give back"
    BATTERY = "the site's battery"
    NOBODY = "nobody: no power flows out of anything"


@dataclass(frozen=True, slots=True)
class BestPlan:
    """A plan, and the problem that it meets.

    Attributes:
        problem: the nearest to the asked one that can be met; the asked one where that can.
        plan: with its reasons; they tell what of the asked problem is not met.
    """

    problem: PlanningProblem
    plan: Plan


def best_plan(problem: PlanningProblem, planner: Planner) -> BestPlan:
    """The planner's plan, for the nearest problem that can be met where the asked one contradicts itself.

    Raises:
        PlanningError: the problem makes no sense, or the planner has no plan even for the eased problem.
    """
    if not _contradicts(problem):
        return BestPlan(problem, explained(problem, planner.plan(problem)))
    refused = PlanningError("no plan was found")
    for means in _Means:
        try:
            eased = _eased(problem, means)
            plan = planner.plan(eased)
        except PlanningError as error:
            # A rule lets no battery help, most planners no vehicle: then they cannot keep what others could.
            refused = error
        else:
            return BestPlan(eased, with_unmet(problem, explained(eased, plan)))
    raise refused


def _contradicts(problem: PlanningProblem) -> bool:
    """Whether doing nothing at all would break something that planners take for hard."""
    battery = None if problem.site is None else problem.site.battery
    if battery is not None and not max(battery.end_kwh, battery.least_kwh) <= battery.stored_kwh:
        return True
    if any(s.battery is not None and not s.battery.least_kwh <= s.battery.stored_kwh for s in problem.sessions):
        return True
    return any((_is_hard(cap) and (cap.limit < 0).any()) or _pushed(cap).any() for cap in problem.caps)


def _is_hard(cap: Cap) -> bool:
    """Whether a limit below 0 is taken as such, because something below it could give power back."""
    return cap.floor is not None or cap.battery_load > 0


def _pushed(cap: Cap) -> Array:
    """How much has to be taken for a floor to be kept, shape (n_steps,)."""
    return np.zeros_like(cap.limit) if cap.floor is None else np.maximum(cap.floor, 0.0)


def _eased(problem: PlanningProblem, means: _Means) -> PlanningProblem:
    """The nearest problem that can be met by these means.

    Raises:
        PlanningError: the problem makes no sense, or the solver failed.
    """
    started = _from_what_is_there(problem)
    require_sound(started)
    if means is _Means.NOBODY:
        caps = tuple(_raised(cap, np.maximum(-cap.limit, 0.0), _pushed(cap)) for cap in started.caps)
        return replace(_ending_at(started, 0.0), caps=caps)
    # Only where something has to give way is there a price for it; linear programmes take half a second to import.
    from twin_core.planning.easing import least_excess  # noqa: PLC0415

    helpers = started if means is _Means.ALL else replace(started, sessions=tuple(map(_kept, started.sessions)))
    over = least_excess(helpers)
    caps = tuple(
        _raised(cap, above, below) if above.any() or below.any() else cap
        for cap, above, below in zip(started.caps, over.above, over.below, strict=True)
    )
    return replace(_ending_at(started, over.end_kwh), caps=caps)


def _kept(session: SessionNeed) -> SessionNeed:
    if session.battery is None:
        return session
    return replace(session, battery=replace(session.battery, discharge_max_kw=0.0))


def _raised(cap: Cap, above: Array, below: Array) -> Cap:
    """The cap with so much room more on either side, and a hair for rounding where there is any."""
    spare = _KEPT * np.maximum(1.0, np.abs(cap.limit))
    limit = np.where(above > 0, np.minimum(cap.limit + above + spare, np.maximum(cap.limit, 0.0)), cap.limit)
    if cap.floor is None:
        return replace(cap, limit=limit)
    return replace(cap, limit=limit, floor=np.where(below > 0, np.maximum(cap.floor - below - spare, 0.0), cap.floor))


def _from_what_is_there(problem: PlanningProblem) -> PlanningProblem:
    """The problem in which no battery is to hold more at once than is in it; the site's has until the end to."""
    sessions = tuple(s if s.battery is None else replace(s, battery=_started(s.battery)) for s in problem.sessions)
    # A limit that nothing loads is there to be told of, and for no planner to keep.
    caps = tuple(cap for cap in problem.caps if cap.load.any() or cap.battery_load)
    problem, site = replace(problem, sessions=sessions, caps=caps), problem.site
    if site is None or site.battery is None:
        return problem
    battery = site.battery
    end_kwh = min(max(battery.end_kwh, battery.least_kwh), battery.capacity_kwh)
    mended = replace(battery, least_kwh=min(battery.least_kwh, battery.stored_kwh), end_kwh=end_kwh)
    return replace(problem, site=replace(site, battery=mended))


def _started(battery: VehicleBattery) -> VehicleBattery:
    return replace(battery, least_kwh=min(battery.least_kwh, battery.stored_kwh))


def _ending_at(problem: PlanningProblem, reached_kwh: float) -> PlanningProblem:
    """The problem in which the site's battery ends no fuller than it can, or than it is."""
    battery: SiteBattery | None = None if problem.site is None else problem.site.battery
    if problem.site is None or battery is None:
        return problem
    rounding_kwh = TOLERANCE * max(1.0, battery.end_kwh)
    if reached_kwh >= battery.end_kwh - rounding_kwh:
        return problem
    eased = replace(battery, end_kwh=max(min(battery.end_kwh, battery.stored_kwh), reached_kwh - rounding_kwh))
    return replace(problem, site=replace(problem.site, battery=eased))
