"""Numbers too small to mean anything, which solvers stumble over.

A price of 1e-208 €/kWh or a limit of 1e-310 kW is what subtraction leaves. HiGHS scales rows and costs by their
entries, and calls a problem with such numbers infeasible, or a dear point its cheapest one.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from twin_core.models.problem import Array, PlanningProblem

DUST = 1e-9
"""What is smaller than this is nothing, in whatever unit; HiGHS itself drops matrix entries that small."""


def swept(values: Array) -> Array:
    """The values, with 0 where they are dust."""
    return np.where(np.abs(values) < DUST, 0.0, values)


def swept_problem(problem: PlanningProblem) -> PlanningProblem:
    """The problem, with 0 wherever it has dust."""
    clean: PlanningProblem = _swept(problem)
    return clean


def _swept(part: Any) -> Any:
    if isinstance(part, float):
        return 0.0 if abs(part) < DUST else part
    if isinstance(part, np.ndarray):
        return swept(part)
    if type(part) is tuple:
        return tuple(_swept(item) for item in part)
    if is_dataclass(part):
        return replace(part, **{f.name: _swept(getattr(part, f.name)) for f in fields(part)})  # type: ignore[type-var]
    return part
