"""Who goes first, where a plan leaves that open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from twin_core.models.problem import Array, Cap, PlanningProblem
from twin_core.planning.allocation import Scarcity
from twin_core.planning.bounds import Bounds, bounds_of

_Rows = npt.NDArray[np.intp]

_NEGLIGIBLE_KWH: Final = 1e-9
"""Less is not worth an exchange."""

_FEW: Final = -0.6
_CROWD: Final = 0.42
_MOST_CROWDED: Final = 6.0
"""What an hour of charging still needed counts in the line, beside 1 for an hour left.

`_FEW` where everybody just fits, `_CROWD` more for each time again that all want what there is. Tuned on 58 recorded
days of two sites before 2021: more for who is soon done serves more in full and loses energy, less the other way.
"""


def line(problem: PlanningProblem) -> Callable[[Scarcity], Array]:
    """Rank in line where nobody knows for certain when vehicles leave, lowest first, for `allocation.in_order`.

    Who is likely to leave first goes first. Where few want energy now, of two who leave together the one that needs
    longer does: those who are left later are then enough to use all there is. In a crowd the one that is soon done
    does, as enough will be left anyway, and more are served in full. A priority of 2 counts as leaving twice as soon.
    """
    departure_h = np.array(
        [s.departure_h if s.likely_departure_h is None else s.likely_departure_h for s in problem.sessions]
    )
    max_kw = np.array([s.max_kw for s in problem.sessions])
    priority = np.array([s.priority for s in problem.sessions])
    needed_counts = _FEW + _CROWD * (_crowd(problem) - 1.0)

    def rank(step: Scarcity) -> Array:
        needed_h = np.divide(step.remaining_kwh, max_kw, out=np.zeros_like(max_kw), where=max_kw > 0)
        place_h: Array = (departure_h - step.begins_h) / priority + needed_counts * needed_h
        return place_h

    return rank


def _crowd(problem: PlanningProblem) -> float:
    """How many times what the tightest limit carries now is wanted of it, within 1 and `_MOST_CROWDED`."""
    bounds = bounds_of(problem)
    if not bounds.load.size or not problem.horizon.n_steps:
        return 1.0
    wanted_kw = np.minimum(bounds.upper_kw[:, 0], bounds.wanted_kwh / problem.horizon.hours[0])
    use, limit = bounds.load @ wanted_kw, bounds.limit[:, 0]
    times = np.divide(use, limit, out=np.full_like(use, _MOST_CROWDED), where=limit > 0)
    return float(np.clip(times.max(), 1.0, _MOST_CROWDED))


def alike_caps(problem: PlanningProblem, power_kw: Array) -> tuple[Cap, ...]:
    """Limits at what these powers give to each group of sessions that load every shared limit alike.

    Whoever of a group gets its power, the problem's own shared limits are kept as the powers given keep them; limits
    that bind one session only are returned beside them.
    """
    bounds = bounds_of(problem)
    own = [cap for cap in problem.caps if np.count_nonzero(cap.load) == 1]
    groups = [
        Cap(f"group {index}", np.isin(np.arange(len(power_kw)), rows).astype(float), power_kw[rows].sum(axis=0))
        for index, rows in enumerate(_alike(bounds))
    ]
    return (*own, *groups)


def first_in_line_now(problem: PlanningProblem, power_kw: Array, key: Array) -> Array:
    """The powers with as much of the first step as can be given to who comes first in line.

    Two sessions that load every limit alike may exchange energy: one takes the other's in the first step and gives it
    back later, in steps in which the other can take it. Each session's energy and each step's use of each limit stay
    as they are, and so does the cost. An exchange between steps of unequal length counts in energy.

    Args:
        problem: without ramps, tapers, batteries or whole-numbered setpoints; any other comes back as is.
        power_kw: shape (n_sessions, n_steps), keeps the problem's limits.
        key: shape (n_sessions,), rank in line, lowest first.

    Returns:
        Powers of the same shape.
    """
    if power_kw.shape[1] < 2 or not _exchangeable(problem):
        return power_kw
    bounds = bounds_of(problem)
    energy_kwh = np.clip(power_kw, 0.0, bounds.upper_kw) * problem.horizon.hours
    upper_kwh = bounds.upper_kw * problem.horizon.hours
    line = np.argsort(key, kind="stable")
    for group in _alike(bounds):
        members = line[np.isin(line, group)]
        _advance(energy_kwh, upper_kwh, members)
    moved: Array = energy_kwh / problem.horizon.hours
    return moved


def _advance(energy_kwh: Array, upper_kwh: Array, members: _Rows) -> None:
    """Move energy of the first step, in place, from the end of the line to its front."""
    for place, ahead in enumerate(members):
        if upper_kwh[ahead, 0] - energy_kwh[ahead, 0] <= _NEGLIGIBLE_KWH or not energy_kwh[ahead, 1:].any():
            continue
        after = members[:place:-1]
        for behind in after[energy_kwh[after, 0] > _NEGLIGIBLE_KWH]:
            wish_kwh = min(upper_kwh[ahead, 0] - energy_kwh[ahead, 0], energy_kwh[behind, 0])
            if wish_kwh <= _NEGLIGIBLE_KWH:
                break
            room_kwh = np.minimum(energy_kwh[ahead, 1:], upper_kwh[behind, 1:] - energy_kwh[behind, 1:])
            so_far = np.minimum(np.cumsum(np.maximum(room_kwh, 0.0)), wish_kwh)
            given_kwh = np.diff(so_far, prepend=0.0)
            energy_kwh[ahead, 1:] -= given_kwh
            energy_kwh[behind, 1:] += given_kwh
            energy_kwh[ahead, 0] += so_far[-1]
            energy_kwh[behind, 0] -= so_far[-1]


def _alike(bounds: Bounds) -> list[_Rows]:
    """Rows of sessions that load every limit alike."""
    groups: dict[bytes, list[int]] = {}
    for row in range(bounds.load.shape[1]):
        groups.setdefault(np.ascontiguousarray(bounds.load[:, row]).tobytes(), []).append(row)
    return [np.array(rows) for rows in groups.values()]


def _exchangeable(problem: PlanningProblem) -> bool:
    # What a battery of the site feeds in makes room that the bounds of a session do not know of.
    stored = problem.site is not None and problem.site.battery is not None
    return not (problem.offerable_steps or stored) and all(
        s.taper is None and s.battery is None and s.single_phase is None and not np.isfinite(s.ramp_kw_per_h)
        for s in problem.sessions
    )
