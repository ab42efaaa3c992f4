"""Chance-constrained capacity: limits lowered until the base load exceeds them no more often than allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from statistics import NormalDist

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import Array, Cap, PlanningProblem
from twin_core.planning.optimum import earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import noted, series
from twin_core.planning.uncertainty.told import Told, told

SLACK = "The lowered limits change nothing: the plan costs what it would if the base load were known."


class ChanceCaps:
    """P(load·p + error of the base load ≤ limit) ≥ 1 − ε for each cap and step: load·p ≤ limit − the error's quantile.

    With a standard deviation, q is z_{1−ε}·σ: exact for Gaussian errors. With past errors it is the smallest of them
    that ⌈(n+1)·(1−ε)⌉ of n do not exceed, which holds for the next error whatever the distribution, as long as it is
    one more of its kind (split conformal prediction: Vovk, Gammerman & Shafer 2005). Either way a plain problem again:
    any solver takes it. The promise is for each cap in each step by itself, not for the whole day at once.

    Args:
        sigma: by the name of a cap, the standard deviation of the base load behind it in the unit of its limit (A or
            kW), shape (n_steps,) or one for all; caps that are not named stay as they are.
        epsilon: how often a limit may be exceeded, in (0, 0.5].
        errors: by the name of a cap, base loads as they were less what had been forecast, in the unit of its limit,
            shape (n_past, n_steps). They take the place of a sigma.
        solver: the name of the one to use; None takes the first that covers the problem.
    """

    name = "chance_caps"

    def __init__(
        self,
        sigma: Mapping[str, Told[Array] | float],
        epsilon: float = 0.05,
        solver: str | None = None,
        *,
        errors: Mapping[str, Told[Array]] | None = None,
    ) -> None:
        if not 0 < epsilon <= 0.5:
            raise PlanningError(f"epsilon is {epsilon}, must be above 0 and at most 0.5")
        self._sigma, self._errors, self._epsilon = dict(sigma), dict(errors or {}), epsilon
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        require_sound(problem)
        tight = self.tightened(problem)
        plan = optimal_plan(self.name, tight, self._bench, served_first, earlier_first)
        certain = optimal_plan(self.name, problem, self._bench, served_first, earlier_first)
        margin_eur = plan.objective_eur - certain.objective_eur
        lowered = (
            f"Limits are lowered so that the base load exceeds them in at most {self._epsilon:.1%} of cases, "
            f"which costs {margin_eur:.2f} €, shortfall included."
        )
        moved = margin_eur > 1e-6 * max(1.0, abs(certain.objective_eur))
        return noted(plan, lowered if moved else SLACK, *self._hopeless(problem))

    def _hopeless(self, problem: PlanningProblem) -> list[str]:
        """A sentence for each cap that no plan can keep as often as asked."""
        margins = self._margins(problem)
        steps = {
            cap.name: int((cap.limit < margins[cap.name].above).sum()) for cap in problem.caps if cap.name in margins
        }
        return [
            f"Cap {name!r}: in {count} steps the base load alone exceeds it in more than {self._epsilon:.1%} of cases."
            for name, count in steps.items()
            if count
        ]

    def tightened(self, problem: PlanningProblem) -> PlanningProblem:
        """The problem with the lowered limits.

        Raises:
            PlanningError: a spread belongs to no cap, is no number, or is of too few past errors.
        """
        unknown = (self._sigma.keys() | self._errors.keys()) - {cap.name for cap in problem.caps}
        if unknown:
            raise PlanningError(f"spread of the base load: the problem has no cap {sorted(unknown)[0]!r}")
        margins = self._margins(problem)
        caps = tuple(_tightened(cap, margins[cap.name]) if cap.name in margins else cap for cap in problem.caps)
        return replace(problem, caps=caps)

    def _margins(self, problem: PlanningProblem) -> dict[str, _Margin]:
        quantile = NormalDist().inv_cdf(1 - self._epsilon)
        margins = {}
        for name, sigma in self._sigma.items():
            both = quantile * series(f"sigma of {name!r}", sigma, problem)
            margins[name] = _Margin(both, both)
        for name, past in self._errors.items():
            errors = np.asarray(told(past, problem), dtype=float)
            if errors.ndim != 2 or errors.shape[1] != problem.horizon.n_steps or not np.isfinite(errors).all():
                raise PlanningError(
                    f"errors of {name!r} of shape {errors.shape}: must be finite, of shape "
                    f"(n_past, {problem.horizon.n_steps})"
                )
            margins[name] = _Margin(self._of_past(name, errors), self._of_past(name, -errors))
        return margins

    def _of_past(self, name: str, errors: Array) -> Array:
        """The margin that past errors ask for, shape (n_steps,), >= 0."""
        n_past = errors.shape[0]
        rank = ceil((n_past + 1) * (1 - self._epsilon) - 1e-9)
        if rank > n_past:
            raise PlanningError(
                f"errors of {name!r}: {n_past} cannot tell what is exceeded in {self._epsilon:.1%} of cases, "
                f"{ceil(1 / self._epsilon - 1 - 1e-9)} can"
            )
        margin: Array = np.maximum(np.sort(errors, axis=0)[rank - 1], 0.0)
        return margin


@dataclass(frozen=True, slots=True)
class _Margin:
    """How far a limit is lowered and a floor raised, shape (n_steps,) each, >= 0."""

    above: Array
    below: Array


def _tightened(cap: Cap, margin: _Margin) -> Cap:
    """A cap less its margin on both sides: never the wrong side of 0, and never wider than it was."""
    limit = np.minimum(cap.limit, np.maximum(cap.limit - margin.above, 0.0))
    if cap.floor is None:
        return replace(cap, limit=limit)
    floor = np.maximum(cap.floor, np.minimum(cap.floor + margin.below, 0.0))
    return replace(cap, limit=np.maximum(limit, floor), floor=floor)
