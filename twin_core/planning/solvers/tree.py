"""Sessions below a tree of limits, stations below feeders below a site, solved exactly without a linear program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.solvers.certificate import bound_eur, is_proof
from twin_core.planning.solvers.kernel import only_charges
from twin_core.planning.solvers.kernel_loops import Indices
from twin_core.planning.solvers.solver import Duals, Solution
from twin_core.planning.solvers.tree_flow import Shape, flow
from twin_core.planning.solvers.tree_loops import place_cheapest
from twin_core.planning.solvers.tree_prices import worth_of_room

_ROUNDING = 1e-12
"""Loads that differ by less than this part are equal: three phases of 0.23 kW/A each, and one on one of them."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Limits as nodes.

    Attributes:
        shape: which node is below which, and where the sessions are; the root stands for the whole site.
        limit_kw: shape (n_nodes, n_steps), infinite where nothing limits the whole site.
    """

    shape: Shape
    limit_kw: Array


class TreeKernel:
    """Fills ends in ascending price, see `tree_loops`, and proves by its own duals that nothing is cheaper.

    Covers sessions that only charge, below limits of which any two are one inside the other or apart, each loaded
    alike by all below it. So three phases are fine where all cars use them alike, and cars on one phase each below
    limits by phase; but not both together below one fuse: a car on three phases would be in three branches at once.
    """

    name = "tree"

    def __init__(self) -> None:
        self._read: tuple[PlanningProblem, Bounds, Tree | None] | None = None

    def covers(self, problem: PlanningProblem) -> bool:
        """Whether it can solve this problem exactly."""
        return only_charges(problem) and bool(problem.sessions) and self._tree(problem)[1] is not None

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        """See `Solver.solve`; a deadline is not looked at, it takes milliseconds."""
        (bounds, tree), hours = self._tree(problem), problem.horizon.hours
        assert tree is not None
        self._read = None
        price = problem.import_eur_per_kwh()
        shortfall = np.array([s.shortfall_eur_per_kwh for s in problem.sessions], dtype=float)
        prices = (price, shortfall, np.argsort(price, kind="stable"), np.argsort(shortfall, kind="stable"))
        net = flow(tree.shape, bounds.upper_kw * hours, bounds.wanted_kwh, tree.limit_kw * hours)
        place_cheapest(net, *prices)
        power_kw = np.clip(net.placed_kwh / hours, 0.0, bounds.upper_kw)
        duals = _duals(problem, tree, worth_of_room(net, *prices))
        bound = bound_eur(problem, duals.cap, bounds)
        objective_eur = bill(problem, power_kw).objective_eur
        return Solution(power_kw, is_proof(objective_eur, bound), duals=duals, bound_eur=bound)

    def _tree(self, problem: PlanningProblem) -> tuple[Bounds, Tree | None]:
        if self._read is None or self._read[0] is not problem:
            bounds = bounds_of(problem)
            self._read = problem, bounds, tree_of(bounds)
        return self._read[1:]


def tree_of(bounds: Bounds) -> Tree | None:
    """The shared limits as a tree; None where they are none."""
    n_sessions, n_steps = bounds.upper_kw.shape
    below = bounds.load > 0
    size = np.count_nonzero(below, axis=1)
    leaf = np.zeros(n_sessions, np.int64)
    parent, sizes, limit_kw = [-1], [n_sessions], [np.full(n_steps, np.inf)]
    for row in np.argsort(-size, kind="stable"):
        load, members = bounds.load[row], np.flatnonzero(below[row])
        if not members.size:
            continue
        node, highest = int(leaf[members[0]]), load[members].max()
        if (leaf[members] != node).any() or not (load[members] >= highest * (1 - _ROUNDING)).all():
            return None
        if sizes[node] == members.size:
            limit_kw[node] = np.minimum(limit_kw[node], bounds.limit[row] / highest)
            continue
        leaf[members] = len(parent)
        parent.append(node)
        sizes.append(members.size)
        limit_kw.append(bounds.limit[row] / highest)
    return Tree(_shape(np.array(parent, np.int64), leaf), np.array(limit_kw))


def _shape(parent: Indices, leaf: Indices) -> Shape:
    child = np.argsort(parent[1:], kind="stable").astype(np.int64) + 1
    offset = np.searchsorted(parent[child], np.arange(parent.size + 1)).astype(np.int64)
    return Shape(parent, child, offset, leaf)


def _duals(problem: PlanningProblem, tree: Tree, worth: Array) -> Duals:
    """The worth of room at a node, put on the tightest of its caps, by step."""
    shape = (len(problem.caps), problem.horizon.n_steps)
    cap_eur, free = np.zeros(shape), worth > 0
    parent, leaf = tree.shape.parent, tree.shape.leaf
    size = np.bincount(leaf, minlength=parent.size)
    for node in range(parent.size - 1, 0, -1):
        size[parent[node]] += size[node]
    for index, cap in enumerate(problem.caps):
        members = np.flatnonzero(cap.load)
        if members.size < 2:
            continue
        node = int(leaf[members[0]])
        while size[node] < members.size:
            node = int(parent[node])
        own_kw = np.maximum(cap.limit, 0.0) / cap.load[members[0]]
        taken = free[node] & (own_kw <= tree.limit_kw[node] * (1 + 1e-9))
        cap_eur[index, taken] = worth[node, taken] / cap.load[members[0]]
        free[node] &= ~taken
    return Duals(cap_eur, np.zeros(shape))
