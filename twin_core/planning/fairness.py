"""Who goes short when not everybody can be served: first the most energy, then fairly, then cheaply.

Fair is lexicographic max-min: the worst-off session is as well off as it can be, then the second worst, and so on. How
badly off a session is, is its relative shortfall times its priority, so that a session of priority 2 misses half the
part that others miss. Nobody's energy is thrown away for equality: only plans that deliver the most in total count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from twin_core.models.plan import Plan
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.assessment import reassessed
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.optimum import charge_only, earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.highs_engine import Answer, Engine
from twin_core.planning.solvers.linear_program import LinearProgram
from twin_core.planning.solvers.table import SolverBench

LEVEL_TOLERANCE = 1e-9
"""Relative shortfalls that differ by less are one level, and energies that do so are equal."""


def jain(served_fraction: Array) -> float:
    """Jain's index of what sessions got: 1 where all got the same part, 1/n where one got everything.

    Args:
        served_fraction: shape (n,), >= 0. Where nobody got anything, or nobody is there, nobody is treated worse: 1.
    """
    squares = float(np.square(served_fraction).sum())
    return float(np.sum(served_fraction)) ** 2 / (len(served_fraction) * squares) if squares else 1.0


def served_fraction(problem: PlanningProblem, plan: Plan) -> Array:
    """The part of what each session wants that a plan delivers, shape (n_sessions,); 1 where nothing is wanted."""
    wanted_kwh = np.array([max(0.0, s.energy_kwh) for s in problem.sessions], dtype=float)
    missed = np.divide(plan.unserved_kwh, wanted_kwh, out=np.zeros_like(wanted_kwh), where=wanted_kwh > 0)
    return np.asarray(1.0 - missed)


class Fair:
    """The cheapest of the fairest of the plans that deliver most.

    Who goes short is decided on the limits of the site, stays and highest powers; tapers, ramps and what batteries
    could give back are kept by the plan but not foreseen in that decision.
    """

    name = "fair"

    def __init__(self, solver: str | None = None) -> None:
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; objective and bound are those of the problem with everybody's fair share as its wish."""
        shares_kwh = fair_shares_kwh(problem)
        lenses = (charge_only, served_first, earlier_first)
        plan = optimal_plan(self.name, with_wishes(problem, shares_kwh), self._bench, *lenses)
        return reassessed(problem, plan)


def with_wishes(problem: PlanningProblem, energy_kwh: Array) -> PlanningProblem:
    """The problem in which each session wants that much, shape (n_sessions,)."""
    sessions = (replace(s, energy_kwh=float(kwh)) for s, kwh in zip(problem.sessions, energy_kwh, strict=True))
    return replace(problem, sessions=tuple(sessions))


def fair_shares_kwh(problem: PlanningProblem) -> Array:
    """What each session gets in the fairest of the plans that deliver most, shape (n_sessions,).

    Raises:
        PlanningError: the problem makes no sense, or the solver failed.
    """
    bounds = bounds_of(problem)
    weight = np.array([s.priority for s in problem.sessions], dtype=float)
    wanted_kwh = bounds.wanted_kwh
    model = _Shares.of(bounds, problem.horizon.hours)
    if not model.hours.size:
        return np.zeros_like(wanted_kwh)
    most_kwh = model.most_energy_kwh()
    if most_kwh >= wanted_kwh.sum() * (1 - LEVEL_TOLERANCE):
        return wanted_kwh
    missed_kwh = np.full(wanted_kwh.shape, np.inf)
    missed_kwh[wanted_kwh <= 0] = 0.0
    while np.isinf(missed_kwh).any():
        level, blocked = model.lowest_level(most_kwh, missed_kwh, weight)
        if level <= LEVEL_TOLERANCE:
            missed_kwh[np.isinf(missed_kwh)] = 0.0
        missed_kwh[blocked] = np.minimum(level * wanted_kwh[blocked] / weight[blocked], wanted_kwh[blocked])
    shares: Array = wanted_kwh - missed_kwh
    return shares


@dataclass(frozen=True, slots=True)
class _Shares:
    """The linear programmes behind the shares: powers of all sessions in the steps in which they are there.

    Attributes:
        hours: length of the step of each variable, shape (n_variables,).
        upper_kw: shape (n_variables,).
        engine: what solves them: a shared level is no power, so they are no planning problems for the bench.
        within: limits of the site, shape (n_rows, n_variables).
        limit: shape (n_rows,).
        energy: energy of each session, shape (n_sessions, n_variables).
        wanted_kwh: shape (n_sessions,).
    """

    engine: Engine
    hours: Array
    upper_kw: Array
    within: sparse.csr_array
    limit: Array
    energy: sparse.csr_array
    wanted_kwh: Array

    @classmethod
    def of(cls, bounds: Bounds, hours: Array) -> _Shares:
        row, step = np.nonzero((bounds.upper_kw > 0) & (bounds.wanted_kwh > 0)[:, None])
        n_sessions, n_steps = bounds.upper_kw.shape
        variables = np.arange(row.size)
        blocks, limits = [sparse.csr_array((0, row.size))], [np.zeros(0)]
        for load, limit, most in zip(bounds.load, bounds.limit, bounds.load @ bounds.upper_kw, strict=True):
            binding = np.flatnonzero(limit < most)
            at_step = sparse.csr_array((load[row], (step, variables)), shape=(n_steps, row.size))
            blocks.append(at_step[binding])
            limits.append(limit[binding])
        return cls(
            engine=Engine(),
            hours=hours[step],
            upper_kw=bounds.upper_kw[row, step],
            within=sparse.vstack(blocks, format="csr"),
            limit=np.concatenate(limits),
            energy=sparse.csr_array((hours[step], (row, variables)), shape=(n_sessions, row.size)),
            wanted_kwh=bounds.wanted_kwh,
        )

    def most_energy_kwh(self) -> float:
        """The most that all sessions can get together."""
        rows = sparse.vstack([self.within, self.energy])
        most = self._solved(-self.hours, rows, np.concatenate([self.limit, self.wanted_kwh]), self.upper_kw)
        return float(self.hours @ most.x)

    def lowest_level(self, most_kwh: float, missed_kwh: Array, weight: Array) -> tuple[float, npt.NDArray[np.bool_]]:
        """The lowest weighted relative shortfall that all those not yet decided can keep, and who cannot go below it.

        Args:
            most_kwh: to be delivered in total.
            missed_kwh: shape (n_sessions,), the shortfall of those who are decided, infinite for the others.
            weight: shape (n_sessions,).
        """
        is_open = np.isinf(missed_kwh)
        least_kwh = np.where(is_open, self.wanted_kwh, self.wanted_kwh - np.where(is_open, 0.0, missed_kwh))
        give_kwh = np.where(is_open, self.wanted_kwh / weight, 0.0)
        plain = sparse.hstack([sparse.vstack([self.within, self.energy]), _nothing(len(self.limit) + len(weight))])
        total = sparse.csr_array(np.append(-self.hours, 0.0).reshape(1, -1))
        served = sparse.hstack([-self.energy, sparse.csr_array(-give_kwh.reshape(-1, 1))])
        loose_kwh = LEVEL_TOLERANCE * max(1.0, most_kwh)
        right = np.concatenate(
            [self.limit, self.wanted_kwh, [loose_kwh - most_kwh], np.where(is_open, 0.0, loose_kwh) - least_kwh]
        )
        cost = np.append(np.zeros_like(self.upper_kw), 1.0)
        rows = sparse.vstack([plain, total, served])
        answer = self._solved(cost, rows, right, np.append(self.upper_kw, weight.max()))
        # A row's dual is what the level falls by with more on its right side, hence negative here.
        prices = -answer.row_duals[-len(weight) :] * give_kwh
        blocked = is_open & (prices > LEVEL_TOLERANCE)
        # The prices of all those who are open sum to 1 wherever the level is above 0, so that somebody is blocked.
        return float(answer.x[-1]), blocked if blocked.any() else is_open

    def _solved(self, cost: Array, rows: sparse.csr_array, right: Array, upper: Array) -> Answer:
        """The cheapest point of the box from 0 on that keeps every row below its right side, checked.

        Raises:
            PlanningError: the solver failed.
        """
        return self.engine.relaxed(
            LinearProgram(
                cost=cost,
                matrix=sparse.csc_array(rows),
                row_lower=np.full(right.size, -np.inf),
                row_upper=right,
                lower=np.zeros_like(upper),
                upper=upper,
                integer=np.zeros(upper.size, dtype=bool),
            )
        )


def _nothing(n_rows: int) -> sparse.csr_array:
    return sparse.csr_array((n_rows, 1))
