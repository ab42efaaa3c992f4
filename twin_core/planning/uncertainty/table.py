"""The variants by name, each made from what is known about the uncertain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twin_core.errors import ConfigurationError
from twin_core.models.problem import Array
from twin_core.planning.planner import Planner
from twin_core.planning.uncertainty.box_robust import BoxRobust
from twin_core.planning.uncertainty.budget_robust import BudgetRobust
from twin_core.planning.uncertainty.chance_caps import ChanceCaps
from twin_core.planning.uncertainty.departure_risk import DepartureRisk
from twin_core.planning.uncertainty.ellipsoid_robust import EllipsoidRobust
from twin_core.planning.uncertainty.expected_price import ExpectedPrice
from twin_core.planning.uncertainty.mean_cvar import MeanCvar
from twin_core.planning.uncertainty.told import Told
from twin_core.planning.uncertainty.two_stage import Future, TwoStage

BOX_DEVIATIONS = 1.645
"""Half-width of the price box in standard deviations of the scenarios: 19 in 20 stay below its upper side."""

BUDGET_PART = 0.25
"""Part of the steps whose prices may be fully off at once: 6 hours of a day."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known about the uncertain; a variant needs its own part only.

    Attributes:
        prices_eur_per_kwh: shape (n_scenarios, n_steps), equally likely.
        hour_covariance: shape (24, 24), of prices by hour of the day, in (€/kWh)².
        base_load_sigma: standard deviation of the base load behind a cap, by its name, in the unit of its limit.
        left_h: for each session its equally likely hours from now until it ends, or what makes them for a problem; see
            `forecasting.departures.hours_left`.
        futures: ways in which departures and arrivals may come together; or what makes them for a problem.
    """

    prices_eur_per_kwh: Array | None = None
    hour_covariance: Array | None = None
    base_load_sigma: Mapping[str, Array | float] = field(default_factory=dict)
    left_h: Told[Sequence[Array]] | None = None
    futures: Told[Sequence[Future]] = ()

    def prices(self) -> Array:
        """Price scenarios, shape (n_scenarios, n_steps).

        Raises:
            ConfigurationError: there are none.
        """
        if self.prices_eur_per_kwh is None:
            raise ConfigurationError("this variant needs price scenarios: give prices_eur_per_kwh")
        return self.prices_eur_per_kwh

    def deviation(self) -> Array:
        """Half-width of the price box, shape (n_steps,), in €/kWh; see `prices` for errors."""
        spread: Array = BOX_DEVIATIONS * np.std(self.prices(), axis=0)
        return spread


def _budget_robust(outlook: Outlook) -> Planner:
    deviation = outlook.deviation()
    return BudgetRobust(deviation, BUDGET_PART * deviation.size)


def _ellipsoid_robust(outlook: Outlook) -> Planner:
    if outlook.hour_covariance is None:
        raise ConfigurationError("this variant needs the covariance of hourly prices: give hour_covariance")
    return EllipsoidRobust(outlook.hour_covariance)


def _chance_caps(outlook: Outlook) -> Planner:
    if not outlook.base_load_sigma:
        raise ConfigurationError("this variant needs the spread of the base load: give base_load_sigma")
    return ChanceCaps(outlook.base_load_sigma)


def _departure_risk(outlook: Outlook) -> Planner:
    if outlook.left_h is None:
        raise ConfigurationError("this variant needs scenarios of departures: give left_h")
    return DepartureRisk(outlook.left_h)


def _two_stage(outlook: Outlook) -> Planner:
    if not outlook.futures:
        raise ConfigurationError("this variant needs scenarios of departures and arrivals: give futures")
    return TwoStage(outlook.futures)


VARIANTS: dict[str, Callable[[Outlook], Planner]] = {
    "saa_price": lambda outlook: ExpectedPrice(outlook.prices()),
    "box_robust": lambda outlook: BoxRobust(outlook.deviation()),
    "budget_robust": _budget_robust,
    "ellipsoid_robust": _ellipsoid_robust,
    "mean_cvar": lambda outlook: MeanCvar(outlook.prices()),
    "chance_caps": _chance_caps,
    "departure_risk": _departure_risk,
    "two_stage": _two_stage,
}


def variant(name: str, outlook: Outlook) -> Planner:
    """A planner against what the outlook says.

    Raises:
        ConfigurationError: there is no such variant, or the outlook lacks what it needs; the text says what to give.
        PlanningError: what it needs is there and makes no sense.
    """
    if name not in VARIANTS:
        raise ConfigurationError(f"variant {name!r} is not known: use one of {', '.join(VARIANTS)}")
    return VARIANTS[name](outlook)
