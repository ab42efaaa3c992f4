"""What a variant is told about the uncertain: once for all, or anew for each problem it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from twin_core.models.problem import PlanningProblem

_T = TypeVar("_T")

Told: TypeAlias = _T | Callable[[PlanningProblem], _T]
"""A value, or what makes it for a problem: a planner that plans again and again needs the latter."""


def told(value: Told[_T], problem: PlanningProblem) -> _T:
    """The value for this problem."""
    return value(problem) if callable(value) else value
