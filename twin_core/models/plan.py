"""The planning problem, plain enough to send to another process, and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from twin_core.models.ids import ConnectorId, SessionId

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Horizon:
    """Steps of equal length from now on, half-open: step k is [start + k·step, start + (k+1)·step)."""

    start: datetime
    step_h: float
    n_steps: int

    @property
    def step(self) -> timedelta:
        """Length of one step."""
        return timedelta(hours=self.step_h)

    def times(self) -> tuple[datetime, ...]:
        """Start of every step."""
        return tuple(self.start + k * self.step for k in range(self.n_steps))


@dataclass(frozen=True, slots=True)
class SessionNeed:
    """What one session still needs, seen from the start of the horizon.

    Attributes:
        arrival_h: hours from now until it may charge; 0 for a vehicle that is here.
        departure_h: hours from now until it leaves.
        energy_kwh: still wanted.
        max_kw: power that vehicle and connector can take.
        min_kw: power at the lowest current the control pilot can offer.
        kw_per_a: power per ampere of grant, i.e. phases in use times voltage.
        waited_h: hours since it arrived; orders first come, first served.
        shortfall_eur_per_kwh: price of a kWh not delivered by departure.
    """

    session_id: SessionId
    connector_id: ConnectorId
    energy_kwh: float
    arrival_h: float
    departure_h: float
    max_kw: float
    min_kw: float
    kw_per_a: float
    waited_h: float = 0.0
    shortfall_eur_per_kwh: float = 1.0


@dataclass(frozen=True, slots=True)
class Cap:
    """One linear limit on the sessions' powers: `load @ power_kw[:, k] <= limit[k]`.

    Attributes:
        load: shape (n_sessions,), what one kW of each session puts on the limit, >= 0.
        limit: shape (n_steps,), in the unit that `load` leads to (A or kW), base load already taken off.
    """

    name: str
    load: Array
    limit: Array


@dataclass(frozen=True, slots=True)
class PlanningProblem:
    """All a planner sees.

    Attributes:
        price_eur_per_kwh: shape (n_steps,).
        caps: limits of the site that some session loads.
    """

    horizon: Horizon
    sessions: tuple[SessionNeed, ...]
    price_eur_per_kwh: Array
    caps: tuple[Cap, ...]

    def availability(self) -> Array:
        """Part of each step in which each session may charge, shape (n_sessions, n_steps), in [0, 1]."""
        step_h, n_steps = self.horizon.step_h, self.horizon.n_steps
        begins = np.arange(n_steps) * step_h
        arrival = np.array([s.arrival_h for s in self.sessions]).reshape(-1, 1)
        departure = np.array([s.departure_h for s in self.sessions]).reshape(-1, 1)
        overlap = np.minimum(begins + step_h, departure) - np.maximum(begins, arrival)
        inside: Array = np.clip(overlap / step_h, 0.0, 1.0)
        return inside


class PlanStatus(StrEnum):
    """How far a plan can be trusted."""

    PROVED = "proved"
    """Optimal, and checked feasible by ourselves."""
    FEASIBLE = "feasible"
    """Checked feasible; a rule's answer, or an optimum without proof."""
    FALLBACK = "fallback"
    """A rule stepped in because the planner was late, failed or gave nonsense."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Mean charging power of each session in each step.

    Attributes:
        power_kw: shape (n_sessions, n_steps), >= 0, averaged over the whole step.
        unserved_kwh: shape (n_sessions,), wanted energy the plan does not deliver.
        solve_s: time the planner took, on the wall.
        reason: why a fallback stepped in; empty otherwise.
    """

    planner: str
    status: PlanStatus
    horizon: Horizon
    session_ids: tuple[SessionId, ...]
    power_kw: Array
    unserved_kwh: Array
    cost_eur: float
    solve_s: float = 0.0
    reason: str = ""
    index: dict[SessionId, int] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.index.update({session_id: row for row, session_id in enumerate(self.session_ids)})

    def power_at(self, session_id: SessionId, when: datetime) -> float | None:
        """Planned power of a session at a moment in kW; None when the plan does not know the session or the time."""
        row = self.index.get(session_id)
        step = int((when - self.horizon.start) / self.horizon.step)
        if row is None or not 0 <= step < self.horizon.n_steps:
            return None
        return float(self.power_kw[row, step])
