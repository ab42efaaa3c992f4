"""How rules fill a horizon: step by step, everybody who still wants energy, and one way to divide what is scarce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.bounds import bounds_of


@dataclass(frozen=True, slots=True)
class Scarcity:
    """One step in which not everybody can have what they want.

    Attributes:
        begins_h: hours from now until the step.
        wanted_kw: shape (n_sessions,), what each could take: its bound in this step and the energy it still wants.
        remaining_kwh: shape (n_sessions,), still wanted at the start of the step.
        load: shape (n_caps, n_sessions), see `Bounds`.
        limit: shape (n_caps,).
    """

    begins_h: float
    wanted_kw: Array
    remaining_kwh: Array
    load: Array
    limit: Array


Division = Callable[[Scarcity], Array]
"""Powers, shape (n_sessions,), that keep the limits of a scarce step and are nowhere above `wanted_kw`."""


def fill(problem: PlanningProblem, divide: Division) -> Array:
    """Powers that serve everybody as early as the limits allow, shape (n_sessions, n_steps).

    Raises:
        PlanningError: the problem makes no sense; the text names the field.
    """
    bounds = bounds_of(problem)
    changing = [
        (row, s) for row, s in enumerate(problem.sessions) if s.taper is not None or np.isfinite(s.ramp_kw_per_h)
    ]
    inside = problem.availability() > 0
    remaining_kwh = bounds.wanted_kwh.copy()
    delivered_kwh = np.zeros_like(remaining_kwh)
    before_kw = np.array([s.now_kw for s in problem.sessions], dtype=float)
    power_kw = np.zeros_like(bounds.upper_kw)
    hours, begins_h = problem.horizon.hours, problem.horizon.edges_h
    for step, step_h in enumerate(hours):
        upper_kw = bounds.upper_kw[:, step].copy()
        for row, session in changing:
            ceiling_kw = _ceiling_kw(session, float(delivered_kwh[row]), float(before_kw[row]), float(step_h))
            upper_kw[row] = min(upper_kw[row], ceiling_kw if inside[row, step] else 0.0)
        wanted_kw = np.minimum(upper_kw, remaining_kwh / step_h)
        limit = bounds.limit[:, step]
        if (bounds.load @ wanted_kw <= limit).all():
            power_kw[:, step] = wanted_kw
        else:
            power_kw[:, step] = divide(Scarcity(float(begins_h[step]), wanted_kw, remaining_kwh, bounds.load, limit))
        before_kw = power_kw[:, step]
        delivered_kwh = delivered_kwh + before_kw * step_h
        remaining_kwh = np.maximum(remaining_kwh - before_kw * step_h, 0.0)
    return power_kw


def slowed(problem: PlanningProblem, power_kw: Array) -> Array:
    """The powers cut, from the first step on, to what full batteries and slow rises allow; never raised."""
    kept_kw = power_kw.copy()
    for row, session in enumerate(problem.sessions):
        if session.taper is None and not np.isfinite(session.ramp_kw_per_h):
            continue
        delivered_kwh, before_kw = 0.0, session.now_kw
        for step, step_h in enumerate(problem.horizon.hours):
            before_kw = min(float(power_kw[row, step]), _ceiling_kw(session, delivered_kwh, before_kw, step_h))
            kept_kw[row, step] = before_kw
            delivered_kwh += before_kw * step_h
    return kept_kw


def highest_kw(problem: PlanningProblem) -> Array:
    """The most each session can get in the first step, limits of the site aside, shape (n_sessions,)."""
    inside, step_h = problem.availability()[:, 0], float(problem.horizon.hours[0])
    ceilings_kw = [
        _ceiling_kw(s, 0.0, s.now_kw, step_h) if part > 0 else 0.0
        for s, part in zip(problem.sessions, inside, strict=True)
    ]
    max_kw = np.array([s.max_kw for s in problem.sessions], dtype=float)
    highest: Array = np.minimum(max_kw * inside, ceilings_kw)
    return highest


def _ceiling_kw(session: SessionNeed, delivered_kwh: float, before_kw: float, step_h: float) -> float:
    """What a full battery and a slow rise allow a session in a step; infinite where they do not matter."""
    ceiling_kw = max(0.0, before_kw) + session.ramp_kw_per_h * step_h
    if session.taper is not None:
        part = (session.taper.full_kwh - delivered_kwh) / (session.taper.full_kwh - session.taper.flat_kwh)
        room_kw = max(0.0, session.taper.full_kwh - delivered_kwh) / step_h
        ceiling_kw = min(ceiling_kw, session.max_kw * min(1.0, max(0.0, part)), room_kw)
    return ceiling_kw


def in_order(key: Callable[[Scarcity], Array]) -> Division:
    """Who has the lowest key takes all it wants and the limits let through, then the next; equal keys as listed.

    Args:
        key: rank of each session in a step, shape (n_sessions,), lowest first.
    """

    def divide(step: Scarcity) -> Array:
        power_kw = np.zeros_like(step.wanted_kw)
        room = step.limit.copy()
        queue = np.argsort(key(step), kind="stable")
        queue = queue[step.wanted_kw[queue] > 0]
        while queue.size:
            # Everybody before the first who does not fit is served in full, at once.
            use = np.cumsum(step.load[:, queue] * step.wanted_kw[queue], axis=1)
            misfits = np.flatnonzero((use > room[:, None]).any(axis=0))
            n_full = int(misfits[0]) if misfits.size else queue.size
            full = queue[:n_full]
            power_kw[full] = step.wanted_kw[full]
            if n_full == queue.size:
                break
            room = np.maximum(room - step.load[:, full] @ step.wanted_kw[full], 0.0)

            # The one that does not fit takes what is left of its tightest limit, which is then shut for the others.
            first = queue[n_full]
            loaded = np.flatnonzero(step.load[:, first])
            left_kw = room[loaded] / step.load[loaded, first]
            power_kw[first] = min(step.wanted_kw[first], left_kw.min())
            room = np.maximum(room - step.load[:, first] * power_kw[first], 0.0)
            shut = loaded[np.argmin(left_kw)]
            queue = queue[n_full + 1 :]
            queue = queue[step.load[shut, queue] == 0]
        return power_kw

    return divide


def equally(step: Scarcity) -> Array:
    """Max-min fair powers: all rise together, and each stops when it has what it wants or a limit it loads is full."""
    power_kw = np.zeros_like(step.wanted_kw)
    room = step.limit.copy()
    rising = np.flatnonzero(step.wanted_kw > 0)
    while rising.size:
        rising = rising[np.argsort(step.wanted_kw[rising], kind="stable")]
        level_kw = _levels(step.wanted_kw[rising], step.load[:, rising], room)
        tightest = int(np.argmin(level_kw)) if level_kw.size else -1
        if tightest < 0 or np.isinf(level_kw[tightest]):
            power_kw[rising] = step.wanted_kw[rising]
            break
        stops = step.load[tightest, rising] > 0
        stopped = rising[stops]
        power_kw[stopped] = np.minimum(step.wanted_kw[stopped], level_kw[tightest])
        room = np.maximum(room - step.load[:, stopped] @ power_kw[stopped], 0.0)
        rising = rising[~stops]
    return power_kw


def _levels(wanted_kw: Array, load: Array, room: Array) -> Array:
    """Common power at which each limit is full when nobody takes more than it wants; infinite where that never happens.

    Args:
        wanted_kw: shape (n,), rising.
        load: shape (n_caps, n).
        room: shape (n_caps,).
    """
    sated_use = np.zeros((room.size, wanted_kw.size + 1))
    np.cumsum(load * wanted_kw, axis=1, out=sated_use[:, 1:])
    hungry_load = np.cumsum(load[:, ::-1], axis=1)[:, ::-1]
    full = sated_use[:, :-1] + hungry_load * wanted_kw > room[:, None]
    levels = np.full(room.shape, np.inf)
    caps = np.flatnonzero(full.any(axis=1))
    first = np.argmax(full[caps], axis=1)
    levels[caps] = np.maximum(room[caps] - sated_use[caps, first], 0.0) / hungry_load[caps, first]
    return levels


def in_proportion(step: Scarcity) -> Array:
    """The same part of what it wants for everybody below a limit; who is below several gets the smallest part."""
    use = step.load @ step.wanted_kw
    part = np.divide(step.limit, use, out=np.ones_like(use), where=use > step.limit)
    loads = step.load > 0
    smallest_part: Array = np.where(loads, part[:, None], 1.0).min(axis=0)
    return step.wanted_kw * smallest_part
