"""A planner's answer: who charges when, how far that can be trusted, and why it is so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from twin_core.models.ids import SessionId
from twin_core.models.problem import Array, Horizon


class PlanStatus(StrEnum):
    """How far a plan can be trusted."""

    PROVED = "proved"
    """Optimal, and checked feasible by ourselves."""
    FEASIBLE = "feasible"
    """Checked feasible; a rule's answer, or an optimum without proof."""
    FALLBACK = "fallback"
    """A rule stepped in because the planner was late, failed or gave nonsense."""


class ReasonCode(StrEnum):
    """Why a session gets what it gets."""

    FULL_POWER = "full_power"
    """At its own highest power now."""
    CHEAPER_LATER = "cheaper_later"
    """Waits, or charges less, because energy costs less later in its stay."""
    LIMITED = "limited"
    """A limit of the site holds it back now; `Reason.limit` names it."""
    SHORT = "short"
    """Will leave without all it wanted; `Reason.limit` names the limit that costs it most, if any."""
    STAY_TOO_SHORT = "stay_too_short"
    """Will leave without all it wanted, whatever the site could carry."""
    NOT_HERE_YET = "not_here_yet"
    DONE = "done"
    """Wants no more."""
    RULE = "rule"
    """A rule's order decides, no price."""
    ROUNDED = "rounded"
    """Gets now what its charger can offer of what it was to get; the difference is carried over."""


@dataclass(frozen=True, slots=True)
class SessionReason:
    """Why one session gets what it gets.

    Attributes:
        marginal_eur_per_kwh: what its next kWh would cost, limits included.
        limit: the cap that binds it; empty where none does.
    """

    session_id: SessionId
    code: ReasonCode
    text: str
    limit: str = ""
    marginal_eur_per_kwh: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitReason:
    """A limit that binds, and what it costs.

    Attributes:
        bound_h: hours of the horizon in which it is fully used.
        price: shape (n_steps,), what one more unit of the limit for an hour would save, in € (0 where it is slack).
        cost_eur: what the plan would cost less, shortfall included, if the limit were lifted: an estimate from above.
    """

    name: str
    bound_h: float
    price: Array
    cost_eur: float


@dataclass(frozen=True, slots=True)
class Overload:
    """A limit that even the best plan does not keep.

    Attributes:
        over: shape (n_steps,), by how much, in the unit of the limit; 0 where it is kept.
    """

    name: str
    over: Array


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a plan is as it is."""

    sessions: tuple[SessionReason, ...] = ()
    limits: tuple[LimitReason, ...] = ()
    overloads: tuple[Overload, ...] = ()
    """Limits of the site that are not kept, because the problem asks for more than anything can do."""
    unmet: tuple[str, ...] = ()
    """What could not be met, a sentence each, the worst first."""
    notes: tuple[str, ...] = ()
    """What a reader should know, such as that a robust variant cannot change this schedule."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Mean charging power of each session in each step.

    Attributes:
        power_kw: shape (n_sessions, n_steps), averaged over the whole step; negative only where a vehicle gives back.
        unserved_kwh: shape (n_sessions,), wanted energy the plan does not deliver.
        cost_eur: what the energy costs: of the sessions, or of the whole site where its flows are part of the problem.
        solve_s: time the planner took, on the wall.
        reason: why a fallback stepped in; empty otherwise.
        carbon_kg: of the imported energy.
        objective_eur: what was minimised: cost, carbon price, shortfall and wear.
        bound_eur: no plan has a lower objective than this, by a check of our own; None where nothing was proved.
        battery_kw: shape (n_steps,), power into the site's battery; None where there is none.
        solver: what solved it; empty where no optimisation was.
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
    carbon_kg: float = 0.0
    objective_eur: float = 0.0
    bound_eur: float | None = None
    battery_kw: Array | None = None
    solver: str = ""
    reasons: Reasons | None = None
    index: dict[SessionId, int] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.index.update({session_id: row for row, session_id in enumerate(self.session_ids)})

    @property
    def gap(self) -> float | None:
        """How far the objective may be above the optimum, relative to it; None where nothing was proved."""
        if self.bound_eur is None:
            return None
        return (self.objective_eur - self.bound_eur) / max(1.0, abs(self.objective_eur))

    def power_at(self, session_id: SessionId, when: datetime) -> float | None:
        """Planned power of a session at a moment in kW; None when the plan does not know the session or the time."""
        row, step = self.index.get(session_id), self.horizon.step_at(when)
        return None if row is None or step is None else float(self.power_kw[row, step])
