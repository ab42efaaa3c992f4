"""Who goes first, where a plan leaves that open: powers exchanged between sessions, the sums kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.bounds import Bounds, bounds_of

_Rows = npt.NDArray[np.intp]


def first_in_line_now(problem: PlanningProblem, power_kw: Array, key: Array) -> Array:
    """The powers with as much of the first step as can be given to who comes first in line.

    Two sessions that load every limit alike may exchange energy: one takes the other's in the first step and gives it
    back later, in steps in which the other can take it. Each session's energy and each step's use of each limit stay
    as they are, and so does the cost. An exchange between steps of unequal length counts in energy.

    Args:
        problem: without ramps, tapers, batteries in vehicles or whole-numbered setpoints; any other comes back as is.
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
        for behind in members[:place:-1]:
            wish_kwh = min(upper_kwh[ahead, 0] - energy_kwh[ahead, 0], energy_kwh[behind, 0])
            if wish_kwh <= 1e-9:
                continue
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
    return [np.array(rows) for rows in groups.values() if len(rows) > 1]


def _exchangeable(problem: PlanningProblem) -> bool:
    return not problem.offerable_steps and all(
        s.taper is None and s.battery is None and s.single_phase is None and not np.isfinite(s.ramp_kw_per_h)
        for s in problem.sessions
    )
