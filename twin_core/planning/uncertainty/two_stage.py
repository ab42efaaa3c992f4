"""A plan with recourse: what the first steps do is the same whatever comes, what follows answers to what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cvxpy as cp
import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.assessment import assess
from twin_core.planning.bounds import bounds_of
from twin_core.planning.optimum import earlier_first, optimal_plan, served_first
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound
from twin_core.planning.uncertainty.answer import is_empty, noted, nothing
from twin_core.planning.uncertainty.model import ChargingModel, require_only_charging, solved, within
from twin_core.planning.uncertainty.told import Told, told


@dataclass(frozen=True, slots=True)
class Future:
    """One way in which things may come, as likely as each other one.

    Attributes:
        departure_h: shape (n_sessions,), hours from now until each session really ends.
        arrivals: sessions that are not part of the problem yet.
        arrival_load: shape (n_caps, n_arrivals), what they put on the problem's caps; the mean of the sessions that
            are here where nobody knows the connectors.
    """

    departure_h: Array
    arrivals: tuple[SessionNeed, ...] = ()
    arrival_load: Array | None = None


class TwoStage:
    """min mean_s(πᵀE_s + γᵀe_s) over common powers of the first steps and powers of its own for each future.

    A future in which a vehicle leaves within the first steps gets of the common power what flows until then. Behind
    the first steps each future is planned as if it were known, which is too hopeful: the longer the first steps, the
    more cautious the plan. Only they are meant to be used; the rest of the plan is the cheapest completion for the
    departures as announced, and is to be planned anew by then.

    Args:
        futures: at least one, or what makes them for a problem. Let them cover what is possible evenly, as
            `forecasting.departures.spread_departures` does: a few independent draws miss who leaves early.
        first_h: the powers of this many hours are common, at least those of the first step.
        solver: the name of the one for the plan it compares itself with; None takes the first that covers the problem.
    """

    name = "two_stage"

    def __init__(self, futures: Told[Sequence[Future]], first_h: float = 2.0, solver: str | None = None) -> None:
        if not callable(futures) and not futures:
            raise PlanningError("futures: at least one is needed")
        self._futures, self._first_h = futures, first_h
        self._bench = SolverBench(solver)

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`; its notes compare its expected objective with that of the plan as announced."""
        require_sound(problem)
        if is_empty(problem):
            return nothing(self.name, problem)
        announced = optimal_plan(self.name, problem, self._bench, served_first, earlier_first)
        futures = tuple(told(self._futures, problem))
        tree = _Tree(problem, futures, _first_steps(problem, self._first_h))
        believed_eur = tree.expected_eur(announced.power_kw)
        expected_eur, first_kw = tree.best()
        plan = assess(problem, _completed(problem, first_kw), self.name, PlanStatus.FEASIBLE, solver="cvxpy highs")
        return noted(replace(plan, objective_eur=expected_eur), _comparison(expected_eur, believed_eur, len(futures)))


def expected_objective_eur(
    problem: PlanningProblem, futures: Sequence[Future], power_kw: Array, first_h: float = 2.0
) -> float:
    """Mean over futures of cost and shortfall when the first hours go as planned and the rest is then done best.

    Args:
        power_kw: shape (n_sessions, n_steps), of a plan for the problem.
    """
    return _Tree(problem, tuple(futures), _first_steps(problem, first_h)).expected_eur(power_kw)


def problem_in(problem: PlanningProblem, future: Future) -> PlanningProblem:
    """The problem as it is once a future is known.

    Raises:
        PlanningError: the future does not fit the problem.
    """
    n_sessions, n_caps = len(problem.sessions), len(problem.caps)
    if np.shape(future.departure_h) != (n_sessions,):
        raise PlanningError(f"future: departure_h has shape {np.shape(future.departure_h)}, must be ({n_sessions},)")
    here = tuple(replace(s, departure_h=float(h)) for s, h in zip(problem.sessions, future.departure_h, strict=True))
    if future.arrival_load is None:
        means = np.array([cap.load.mean() for cap in problem.caps]).reshape(n_caps, 1)
        load = np.repeat(means, len(future.arrivals), axis=1)
    else:
        load = np.asarray(future.arrival_load, dtype=float)
    if load.shape != (n_caps, len(future.arrivals)):
        raise PlanningError(f"future: arrival_load has shape {load.shape}, must be ({n_caps}, {len(future.arrivals)})")
    caps = tuple(
        replace(cap, load=np.concatenate([cap.load, row]), single_phase_load=None)
        for cap, row in zip(problem.caps, load, strict=True)
    )
    return replace(problem, sessions=(*here, *future.arrivals), caps=caps)


class _Tree:
    """One set of first powers and a charging model for each future that agrees with it."""

    def __init__(self, problem: PlanningProblem, futures: tuple[Future, ...], n_first: int) -> None:
        if not futures:
            raise PlanningError("futures: at least one is needed")
        require_only_charging(TwoStage.name, problem)
        self._n_first = n_first
        self._bounds = bounds_of(problem)
        self._hours = problem.horizon.hours[:n_first]
        self._first_kw = cp.Variable((len(problem.sessions), n_first), nonneg=True)
        self._rows: list[Any] = [
            self._first_kw @ self._hours <= self._bounds.wanted_kwh,
        ]
        if self._bounds.load.size:
            self._rows.append(self._bounds.load @ self._first_kw <= self._bounds.limit[:, :n_first])
        self._cost_eur: Any = 0.0
        taken = np.zeros(self._first_kw.shape, dtype=bool)
        for known in _equally_served(problem, [problem_in(problem, future) for future in futures]):
            taken |= self._add(problem, known, 1.0 / len(futures))
        self._taken_kw = self._bounds.upper_kw[:, :n_first] * taken

    def _add(self, problem: PlanningProblem, known: PlanningProblem, weight: float) -> Array:
        """Take one future in; answer who takes any of the common power in it, shape (n_sessions, n_first)."""
        model = ChargingModel(earlier_first(known))
        session, step = model.cells.session, model.cells.step
        first = np.flatnonzero((session < len(problem.sessions)) & (step < self._n_first))
        taken = np.zeros((len(problem.sessions), self._n_first), dtype=bool)
        if first.size:
            session, step = session[first], step[first]
            taken[session, step] = True
            meant = problem.availability()[session, step]
            comes = known.availability()[session, step]
            # Divided only where less comes than was meant: a stay of next to nothing would overflow.
            part = np.divide(comes, meant, out=np.ones_like(meant), where=comes < meant)
            self._rows.append(model.flow_kw[first] == cp.multiply(part, self._first_kw[session, step]))
        self._rows += model.rows
        price = model.problem.import_eur_per_kwh()
        self._cost_eur += weight * (price @ model.energy_kwh + model.beside_eur)
        return taken

    def best(self) -> tuple[float, Array]:
        """Lowest expected objective in €, and the first powers that lead to it, shape (n_sessions, n_first)."""
        # Power that no future takes would cost nothing and say nothing.
        expected_eur = solved(self._cost_eur, [*self._rows, self._first_kw <= self._taken_kw])
        bounds, n_first = self._bounds, self._n_first
        in_first = replace(bounds, upper_kw=bounds.upper_kw[:, :n_first], limit=bounds.limit[:, :n_first])
        first_kw = np.clip(np.asarray(self._first_kw.value), 0.0, in_first.upper_kw)
        return expected_eur, within(in_first, first_kw, self._hours)

    def expected_eur(self, power_kw: Array) -> float:
        """Expected objective in € when these are the first powers."""
        return solved(self._cost_eur, [*self._rows, self._first_kw == power_kw[:, : self._n_first]])


def _equally_served(problem: PlanningProblem, known: Sequence[PlanningProblem]) -> list[PlanningProblem]:
    """The futures with shortfall prices raised by the same amount in all of them."""
    everybody = replace(problem, sessions=tuple(s for future in known for s in future.sessions), caps=())
    raised = iter(served_first(everybody).sessions)
    return [replace(future, sessions=tuple(next(raised) for _ in future.sessions)) for future in known]


def _first_steps(problem: PlanningProblem, first_h: float) -> int:
    return max(1, int(np.count_nonzero(problem.horizon.edges_h[:-1] < first_h - 1e-9)))


def _completed(problem: PlanningProblem, first_kw: Array) -> Array:
    """The cheapest powers for the problem as announced that begin with these, shape (n_sessions, n_steps)."""
    model = ChargingModel(earlier_first(served_first(problem)))
    first = np.flatnonzero(model.cells.step < first_kw.shape[1])
    begun = model.flow_kw[first] == first_kw[model.cells.session[first], model.cells.step[first]]
    price = model.problem.import_eur_per_kwh()
    solved(price @ model.energy_kwh + model.beside_eur, [*model.rows, begun])
    return model.power_kw()


def _comparison(expected_eur: float, believed_eur: float, n_futures: int) -> str:
    figures = f"expected objective over {n_futures} futures {expected_eur:.2f} €"
    if believed_eur - expected_eur <= 1e-6 * max(1.0, abs(believed_eur)):
        return f"The futures cannot better the first steps of the plan for what was announced: {figures}."
    return f"Hedged: {figures} against {believed_eur:.2f} € for the plan that believes what was announced."
