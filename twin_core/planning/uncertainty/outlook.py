"""What is known about the uncertain, as the variants are told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.problem import Array, Horizon, PlanningProblem
from twin_core.planning.uncertainty.told import Told, told
from twin_core.planning.uncertainty.two_stage import Future

BOX_DEVIATIONS = 1.645
"""Half-width of the price box in standard deviations of the scenarios: 19 in 20 stay below its upper side."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known about the uncertain; a variant needs its own part only.

    Wherever a value is told, what makes it for a problem may be told instead: who plans again and again needs that.

    Attributes:
        horizon: that the values by step and the hours from now belong to. Given, a problem that starts later or has
            other steps is told what of them lies in its steps; otherwise they must fit as they are.
        prices_eur_per_kwh: shape (n_scenarios, n_steps), equally likely.
        hour_covariance: shape (24, 24), of prices by hour of the day, in (€/kWh)².
        base_load_sigma: standard deviation of the base load behind a cap, by its name, in the unit of its limit.
        base_load_errors: by the name of a cap, past base loads less what had been forecast, in the unit of its limit,
            shape (n_past, n_steps).
        left_h: for each session its equally likely hours from now until it ends, see `forecasting.departures`.
        futures: ways in which departures and arrivals may come together.
    """

    prices_eur_per_kwh: Told[Array] | None = None
    hour_covariance: Array | None = None
    base_load_sigma: Mapping[str, Told[Array] | float] = field(default_factory=dict)
    left_h: Told[Sequence[Array]] | None = None
    futures: Told[Sequence[Future]] | None = None
    base_load_errors: Mapping[str, Told[Array]] = field(default_factory=dict)
    horizon: Horizon | None = None

    def at(self, problem: PlanningProblem) -> Outlook:
        """What is known for one problem, every value by its steps and every time in hours from its start.

        Raises:
            PlanningError: the problem begins or ends outside `horizon`, or values by step do not fit it.
        """
        prices = self.prices_eur_per_kwh
        return Outlook(
            prices_eur_per_kwh=None if prices is None else self._by_step(prices, problem),
            hour_covariance=self.hour_covariance,
            base_load_sigma={name: self._by_step(sigma, problem) for name, sigma in self.base_load_sigma.items()},
            left_h=None if self.left_h is None else self._left_h(self.left_h, problem),
            futures=None if self.futures is None else self._futures(self.futures, problem),
            base_load_errors={name: self._by_step(past, problem) for name, past in self.base_load_errors.items()},
        )

    def prices(self) -> Array:
        """Price scenarios of an outlook at one problem, shape (n_scenarios, n_steps).

        Raises:
            ConfigurationError: there are none.
        """
        if self.prices_eur_per_kwh is None or callable(self.prices_eur_per_kwh):
            raise ConfigurationError("this variant needs price scenarios: give prices_eur_per_kwh")
        return self.prices_eur_per_kwh

    def deviation(self) -> Array:
        """Half-width of the price box, shape (n_steps,), in €/kWh; see `prices` for errors."""
        spread: Array = BOX_DEVIATIONS * np.std(self.prices(), axis=0)
        return spread

    def _by_step(self, values: Told[Array] | float, problem: PlanningProblem) -> Array:
        """Means over the steps of a problem, the last axis by step; a single number stays one."""
        if callable(values):
            return told(values, problem)
        given = np.asarray(values, dtype=float)
        if self.horizon is None or not given.shape:
            return given
        edges_h, steps_h = self.horizon.edges_h, problem.horizon.edges_h + self._since_h(problem)
        if given.shape[-1] != self.horizon.n_steps:
            raise PlanningError(
                f"outlook: {given.shape[-1]} values by step for a horizon of {self.horizon.n_steps} steps"
            )
        if not (steps_h[0] >= -1e-9 and steps_h[-1] <= edges_h[-1] + 1e-9):
            raise PlanningError("outlook: the problem begins or ends outside the horizon of what is known")
        rows = (given * self.horizon.hours).reshape(-1, self.horizon.n_steps)
        so_far = np.array([np.interp(steps_h, edges_h, np.append(0.0, np.cumsum(row))) for row in rows])
        means: Array = np.diff(so_far, axis=1) / problem.horizon.hours
        return means.reshape(*given.shape[:-1], problem.horizon.n_steps)

    def _left_h(self, left_h: Told[Sequence[Array]], problem: PlanningProblem) -> Sequence[Array]:
        if callable(left_h):
            return left_h(problem)
        return [np.asarray(of_one, dtype=float) - self._since_h(problem) for of_one in left_h]

    def _futures(self, futures: Told[Sequence[Future]], problem: PlanningProblem) -> Sequence[Future]:
        if callable(futures):
            return futures(problem)
        since_h = self._since_h(problem)
        return [_later(future, since_h) for future in futures] if since_h else futures

    def _since_h(self, problem: PlanningProblem) -> float:
        """Hours from the start of what is known to the start of a problem."""
        if self.horizon is None:
            return 0.0
        return (problem.horizon.start - self.horizon.start) / timedelta(hours=1)


def _later(future: Future, since_h: float) -> Future:
    arrivals = tuple(
        replace(s, arrival_h=s.arrival_h - since_h, departure_h=s.departure_h - since_h) for s in future.arrivals
    )
    return replace(future, departure_h=np.asarray(future.departure_h) - since_h, arrivals=arrivals)
