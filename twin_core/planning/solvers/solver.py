"""What every solver is, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from twin_core.models.problem import Array, PlanningProblem


@dataclass(frozen=True, slots=True)
class Duals:
    """Marginal prices at the optimum.

    Attributes:
        cap: shape (n_caps, n_steps), >= 0: what one more unit of a cap's limit would save in €, for each hour of it.
        floor: the same for floors, >= 0; rows of caps without one are 0.
    """

    cap: Array
    floor: Array


@dataclass(frozen=True, slots=True)
class Solution:
    """The cheapest powers a solver found.

    Attributes:
        power_kw: shape (n_sessions, n_steps), net into the vehicle.
        proved: the solver says that nothing is cheaper.
        battery_kw: shape (n_steps,), power into the site's battery; None where there is none.
        grid_kw: shape (n_steps,), exchange at the site's meter, import positive; None without `PlanningProblem.site`.
        duals: marginal prices; None where the problem has whole-numbered decisions.
        bound_eur: no powers have a lower objective, from the duals by a check of our own; None where nothing follows.
    """

    power_kw: Array
    proved: bool
    battery_kw: Array | None = None
    grid_kw: Array | None = None
    duals: Duals | None = None
    bound_eur: float | None = None


class Solver(Protocol):
    """Finds the cheapest powers for the problem exactly as it stands, and keeps what it can reuse between calls."""

    name: str

    def covers(self, problem: PlanningProblem) -> bool:
        """Whether it can solve this problem exactly."""

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        """The cheapest powers, not yet checked.

        Args:
            problem: sound (see `soundness.require_sound`) and covered.
            deadline_s: give up, or answer with the best point found, after this long.

        Raises:
            PlanningError: it found no point, or is not made for this problem.
        """
