"""From a plan to wishes: what current each connector shall have now, the most urgent first.

A plan speaks of mean power over a step; a control pilot knows 0 or at least 6 A. What is planned below that minimum is
wished at the minimum, and the last energy of a session within minutes: it comes sooner, and the next plan sees it.
(Spread evenly over a step, with a new plan every minute, the last of it would never arrive.) A vehicle that has no time
to lose is wished all it takes. Where the site has no room for that, the envelope serves the most urgent first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from twin_core.car_limits import Offer
from twin_core.estimation import EstimationSettings, charging_time_h, kw_per_a, remaining_kwh, usable_current_a
from twin_core.models.ids import ConnectorId
from twin_core.models.plan import Plan
from twin_core.models.quantities import MINIMUM_CURRENT_A
from twin_core.models.session import Session
from twin_core.safety.decision import Wish
from twin_core.snapshot import ConnectorView, Snapshot

_ANYTHING = Offer(MINIMUM_CURRENT_A, math.inf)

NEGLIGIBLE_KW = 0.01

LAST_H = 3 / 60
"""The last energy is wished within this time, and less laxity than this is urgency."""

LEAST_PRESENCE = 0.05
"""A step's energy is never squeezed into less than this part of the step."""


@dataclass(frozen=True, slots=True)
class _Target:
    wish: Wish
    laxity_h: float


@dataclass(frozen=True, slots=True)
class _CurrentStep:
    """The step of the plan that it is now, and how far into it."""

    plan: Plan
    step: int
    length_h: float
    elapsed_h: float

    def planned_kw(self, session: Session, time_h: float) -> float:
        """Planned power now; in the step of a departure, the step's mean is spread over the part that is left.

        Args:
            time_h: until the session is to be done.
        """
        row = self.plan.index.get(session.id)
        if row is None:
            return 0.0
        present = (self.elapsed_h + time_h) / self.length_h
        return float(self.plan.power_kw[row, self.step]) / min(1.0, max(LEAST_PRESENCE, present))


def wishes(
    snapshot: Snapshot,
    offers: Mapping[ConnectorId, Offer],
    estimation: EstimationSettings,
    probes_a: Mapping[ConnectorId, float] | None = None,
) -> tuple[Wish, ...]:
    """One wish for every connector with a session, least laxity first.

    Args:
        offers: what is worth offering to the vehicles of which something is known, see `car_limits`.
        probes_a: what chargers that have yet to show that they keep a limit are to be offered, whatever is planned.
    """
    current, probes_a = _current_step(snapshot), probes_a or {}
    targets = [
        _target(session, view, snapshot, current, offers.get(view.spec.id), probes_a.get(view.spec.id), estimation)
        for session, view in snapshot.sessions()
        if view.online
    ]
    targets.sort(key=lambda target: (target.laxity_h, target.wish.connector_id))
    return tuple(target.wish for target in targets)


def _target(
    session: Session,
    view: ConnectorView,
    snapshot: Snapshot,
    current: _CurrentStep | None,
    offer: Offer | None,
    probe_a: float | None,
    estimation: EstimationSettings,
) -> _Target:
    per_a = kw_per_a(session)
    usable_a = usable_current_a(session, view.spec, estimation)
    time_h = charging_time_h(session, snapshot.now, estimation)
    left_kwh = remaining_kwh(session, estimation)
    laxity_h = time_h - left_kwh / (usable_a * per_a)
    planned_kw = 0.0 if current is None else current.planned_kw(session, time_h)
    wanted_a, reason = planned_kw / per_a, "plan"
    if planned_kw > NEGLIGIBLE_KW:
        soon_a = usable_a if laxity_h < LAST_H else min(usable_a, left_kwh / LAST_H / per_a)
        if soon_a > wanted_a and left_kwh <= usable_a * per_a * LAST_H:
            wanted_a, reason = soon_a, "finishing"
    least_a, most_a = offer or _ANYTHING
    if planned_kw > NEGLIGIBLE_KW and wanted_a < least_a:
        wanted_a, reason = least_a, "minimum current"
    most_a = min(most_a, view.spec.hardware_max_a)
    if wanted_a > most_a:
        wanted_a, reason = most_a, "car limit"
    if probe_a is not None:
        wanted_a, reason = min(probe_a, view.spec.hardware_max_a), "not seen to keep a limit yet"
    if view.imposed_a is not None and not wanted_a <= view.imposed_a:
        wanted_a, reason = view.imposed_a, "imposed limit"
    return _Target(Wish(view.spec.id, wanted_a, reason), laxity_h)


def _current_step(snapshot: Snapshot) -> _CurrentStep | None:
    """None without a plan, and where the plan is of another time."""
    plan, now = snapshot.plan, snapshot.now.utc
    step = None if plan is None else plan.horizon.step_at(now)
    if plan is None or step is None:
        return None
    begins_h, ends_h = plan.horizon.edges_h[step : step + 2].tolist()
    since_start_h = (now - plan.horizon.start).total_seconds() / 3600.0
    return _CurrentStep(plan, step, ends_h - begins_h, since_start_h - begins_h)
