"""Chance-constrained capacity: limits lowered until the base load exceeds them no more often than allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, Cap, PlanningProblem
from twin_core.planning.optimum import earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, series

SLACK = "The lowered limits change nothing: the plan costs what it would if the base load were known."


class ChanceCaps:
    """P(load·p + error of the base load ≤ limit) ≥ 1 − ε for each cap and step, which is load·p ≤ limit − z_{1−ε}·σ.

    Exact for Gaussian errors, and a plain problem again: any solver takes it. The promise is for each cap in each
    step by itself, not for the whole day at once.

    Args:
        sigma: by the name of a cap, the standard deviation of the base load behind it in the unit of its limit (A or
            kW), shape (n_steps,) or one for all; caps that are not named stay as they are.
        epsilon: how often a limit may be exceeded, in (0, 0.5].
        solver: the name of the one to use; None takes the first that covers the problem.
    """

    name = "chance_caps"

    def __init__(self, sigma: Mapping[str, Array | float], epsilon: float = 0.05, solver: str | None = None) -> None:
        if not 0 < epsilon <= 0.5:
            raise PlanningError(f"epsilon is {epsilon}, must be above 0 and at most 0.5")
        self._sigma, self._epsilon = dict(sigma), epsilon
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        require_sound(problem)
        tight = self.tightened(problem)
        plan = optimal_plan(self.name, tight, self._bench, served_first, earlier_first)
        certain = optimal_plan(self.name, problem, self._bench, served_first, earlier_first)
        margin_eur = plan.objective_eur - certain.objective_eur
        lowered = (
            f"Limits are lowered by {self._quantile:.3g} standard deviations of the base load, which costs "
            f"{margin_eur:.2f} €, shortfall included."
        )
        moved = margin_eur > 1e-6 * max(1.0, abs(certain.objective_eur))
        return noted(plan, lowered if moved else SLACK, *self._hopeless(problem))

    def _hopeless(self, problem: PlanningProblem) -> list[str]:
        """A sentence for each cap that no plan can keep as often as asked."""
        margins = self._margins(problem)
        steps = {cap.name: int((cap.limit < margins[cap.name]).sum()) for cap in problem.caps if cap.name in margins}
        return [
            f"Cap {name!r}: in {count} steps the base load alone exceeds it in more than {self._epsilon:.1%} of cases."
            for name, count in steps.items()
            if count
        ]

    def tightened(self, problem: PlanningProblem) -> PlanningProblem:
        """The problem with the lowered limits.

        Raises:
            PlanningError: a sigma belongs to no cap or is no number.
        """
        unknown = self._sigma.keys() - {cap.name for cap in problem.caps}
        if unknown:
            raise PlanningError(f"sigma: the problem has no cap {sorted(unknown)[0]!r}")
        margins = self._margins(problem)
        caps = tuple(_tightened(cap, margins[cap.name]) if cap.name in margins else cap for cap in problem.caps)
        return replace(problem, caps=caps)

    def _margins(self, problem: PlanningProblem) -> dict[str, Array]:
        return {
            name: self._quantile * series(f"sigma of {name!r}", sigma, problem) for name, sigma in self._sigma.items()
        }

    @property
    def _quantile(self) -> float:
        return NormalDist().inv_cdf(1 - self._epsilon)


def _tightened(cap: Cap, margin: Array) -> Cap:
    """A cap less its margin on both sides: never the wrong side of 0, and never wider than it was."""
    limit = np.minimum(cap.limit, np.maximum(cap.limit - margin, 0.0))
    if cap.floor is None:
        return replace(cap, limit=limit)
    floor = np.maximum(cap.floor, np.minimum(cap.floor + margin, 0.0))
    return replace(cap, limit=np.maximum(limit, floor), floor=floor)
