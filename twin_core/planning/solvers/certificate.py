"""A proof of our own: that powers keep every limit, and that nothing can be cheaper than a bound from cap prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.bounds import Bounds, bounds_of
from twin_core.planning.check import violations
from twin_core.planning.solvers.solver import Duals

PROVED_GAP = 1e-6
"""Largest gap between an objective and its bound that counts as none, relative to the objective or to 1 €."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known of a set of powers without trust in who found them.

    Attributes:
        violations: a sentence for each kind of limit that they break.
        objective_eur: what they cost, see `accounting.bill`.
        bound_eur: no powers that keep the limits cost less.
    """

    violations: tuple[str, ...]
    objective_eur: float
    bound_eur: float

    @property
    def proves(self) -> bool:
        """Whether the powers are feasible and nothing is cheaper, but for rounding."""
        return not self.violations and is_proof(self.objective_eur, self.bound_eur)


def is_proof(objective_eur: float, bound_eur: float) -> bool:
    """Whether a bound is so near that nothing is cheaper, but for rounding; never with a NaN."""
    return abs(objective_eur - bound_eur) <= PROVED_GAP * max(1.0, abs(objective_eur))


def certify(problem: PlanningProblem, power_kw: Array, duals: Duals) -> Certificate:
    """Check powers against the problem and against the bound that follows from their cap prices.

    Args:
        problem: sound, and such that `has_bound`.
        power_kw: shape (n_sessions, n_steps).
        duals: prices of the caps, right or wrong.
    """
    return Certificate(
        tuple(violations(problem, power_kw)),
        bill(problem, power_kw).objective_eur,
        bound_eur(problem, duals.cap),
    )


def has_bound(problem: PlanningProblem) -> bool:
    """Whether cap prices alone bound this problem: nothing but sessions that charge, and caps.

    Tapers, ramps, floors and offerable powers only forbid more, so the bound holds with them too.
    """
    return problem.site is None and not any(s.discharge_max_kw > 0 or s.single_phase for s in problem.sessions)


def bound_eur(problem: PlanningProblem, cap_eur: Array, bounds: Bounds | None = None) -> float:
    """No powers that keep the limits have a lower objective than this.

    Whoever pays the caps' prices may ignore the caps; then each session by itself takes its cheapest steps until it
    has enough or a shortfall is cheaper, which is exactly its best multiplier. What that costs, less the price of all
    the limits, is below every feasible objective whatever the prices are (weak duality), so they need no trust.

    Args:
        problem: sound, and such that `has_bound`.
        cap_eur: shape (n_caps, n_steps), price of one more unit of each cap for an hour. Negative or missing prices,
            and those of limits that do not exist, count as 0.
        bounds: of this problem, where they are known already.
    """
    bounds = bounds_of(problem) if bounds is None else bounds
    hours, price = problem.horizon.hours, problem.import_eur_per_kwh()
    if not problem.sessions or not hours.size:
        return float(sum(s.shortfall_eur_per_kwh * max(0.0, s.energy_kwh) for s in problem.sessions))
    from twin_core.planning.solvers.certificate_loops import alone_eur  # noqa: PLC0415 -- numba, as in the table

    paid, limits_eur = _prices_that_count(problem, cap_eur)
    load = np.array([problem.caps[index].load for index, _ in paid]).reshape(len(paid), len(problem.sessions))
    kinds, kind_of = _kinds(load)
    seen_eur = price + kinds.T @ np.array([row for _, row in paid]).reshape(len(paid), hours.size)
    shortfall = np.array([s.shortfall_eur_per_kwh for s in problem.sessions])
    return alone_eur(seen_eur, kind_of, bounds.upper_kw, hours, bounds.wanted_kwh, shortfall) - limits_eur


def _prices_that_count(problem: PlanningProblem, cap_eur: Array) -> tuple[list[tuple[int, Array]], float]:
    """Caps with a price, each with its prices; and what all their limits are worth at those in €."""
    paid, limits_eur = [], 0.0
    for index, cap in enumerate(problem.caps):
        counts = np.isfinite(cap_eur[index]) & (cap_eur[index] > 0) & np.isfinite(cap.limit)
        if counts.any():
            row = np.where(counts, cap_eur[index], 0.0)
            paid.append((index, row))
            limit = np.where(counts, np.maximum(cap.limit, 0.0), 0.0)
            limits_eur += float(row @ (limit * problem.horizon.hours))
    return paid, limits_eur


def _kinds(load: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Sessions that load all caps alike: the loads of each kind, shape (n_caps, n_kinds), and the kind of each."""
    if (load == load[:, :1]).all():
        return load[:, :1], np.zeros(load.shape[1], np.int64)
    mixed = np.random.default_rng(0).random(load.shape[0]) @ load
    _, first, kind_of = np.unique(mixed, return_index=True, return_inverse=True)
    kinds = load[:, first]
    if (kinds[:, kind_of] == load).all():
        return kinds, kind_of.astype(np.int64)
    return load, np.arange(load.shape[1])
