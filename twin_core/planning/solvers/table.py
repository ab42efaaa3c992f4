"""Solvers by name, and which one is taken for which problem."""

from __future__ import annotations

from collections.abc import Callable

from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.problem import PlanningProblem
from twin_core.planning.solvers.solver import Solver


def _highs() -> Solver:
    from twin_core.planning.solvers.highs import Highs  # noqa: PLC0415 -- only where it is used

    return Highs()


def _kernel() -> Solver:
    from twin_core.planning.solvers.kernel import Kernel  # noqa: PLC0415 -- numba takes half a second and 60 MB

    return Kernel()


def _tree() -> Solver:
    from twin_core.planning.solvers.tree import TreeKernel  # noqa: PLC0415 -- numba, as above

    return TreeKernel()


def _cvxpy() -> Solver:
    from twin_core.planning.solvers.compiled import Compiled  # noqa: PLC0415 -- cvxpy takes a second and 100 MB

    return Compiled()


def _oracle() -> Solver:
    from twin_core.planning.solvers.oracle import Oracle  # noqa: PLC0415 -- cvxpy, as above

    return Oracle()


SOLVERS: dict[str, Callable[[], Solver]] = {
    "kernel": _kernel,
    "tree": _tree,
    "highs": _highs,
    "cvxpy": _cvxpy,
    "oracle": _oracle,
}
"""The fastest first: the first that covers a problem is taken."""


def solver(name: str) -> Solver:
    """A new solver.

    Raises:
        ConfigurationError: there is no such solver; the text lists those there are.
    """
    if name not in SOLVERS:
        raise ConfigurationError(f"solver {name!r} is not known: use one of {', '.join(SOLVERS)}")
    return SOLVERS[name]()


class SolverBench:
    """The solvers a planner works with, each made when it is first needed and kept for its next problem.

    Args:
        only: the name of the one to use; None takes the first that covers a problem.

    Raises:
        ConfigurationError: there is no such solver.
    """

    def __init__(self, only: str | None = None) -> None:
        if only is not None and only not in SOLVERS:
            solver(only)
        self._names = [only] if only is not None else list(SOLVERS)
        self._made: dict[str, Solver] = {}

    def solver_for(self, problem: PlanningProblem) -> Solver:
        """The one that solves this problem.

        Raises:
            PlanningError: none of them covers it.
        """
        for name in self._names:
            made = self._made.get(name) or self._made.setdefault(name, solver(name))
            if made.covers(problem):
                return made
        raise PlanningError(f"solver {self._names[0]!r} does not cover this problem: leave the choice to the table")
