"""The variants by name, each made from what is known about the uncertain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twin_core.errors import ConfigurationError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.imminent import Offerable
from twin_core.planning.planner import Planner
from twin_core.planning.uncertainty.box_robust import BoxRobust
from twin_core.planning.uncertainty.budget_robust import BudgetRobust
from twin_core.planning.uncertainty.chance_caps import ChanceCaps
from twin_core.planning.uncertainty.departure_risk import DepartureRisk
from twin_core.planning.uncertainty.ellipsoid_robust import EllipsoidRobust
from twin_core.planning.uncertainty.expected_price import ExpectedPrice
from twin_core.planning.uncertainty.mean_cvar import MeanCvar
from twin_core.planning.uncertainty.outlook import Outlook
from twin_core.planning.uncertainty.two_stage import TwoStage

BUDGET_PART = 0.25
"""Part of the steps whose prices may be fully off at once: 6 hours of a day."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How a variant is made.

    Attributes:
        needs: what it must be told, and by which field of a problem's `outlook`.
        is_told: whether an outlook tells it.
        make: the variant, from an outlook at one problem that tells it.
    """

    needs: str
    is_told: Callable[[Outlook], bool]
    make: Callable[[Outlook], Planner]


def _budget_robust(outlook: Outlook) -> Planner:
    deviation = outlook.deviation()
    return BudgetRobust(deviation, BUDGET_PART * deviation.size)


def _ellipsoid_robust(outlook: Outlook) -> Planner:
    return EllipsoidRobust(np.zeros((0, 0)) if outlook.hour_covariance is None else outlook.hour_covariance)


def _departure_risk(outlook: Outlook) -> Planner:
    return DepartureRisk(() if outlook.left_h is None else outlook.left_h)


def _of_prices(make: Callable[[Outlook], Planner]) -> Variant:
    return Variant(
        "price scenarios: give prices_eur_per_kwh", lambda outlook: outlook.prices_eur_per_kwh is not None, make
    )


VARIANTS: dict[str, Variant] = {
    "saa_price": _of_prices(lambda outlook: ExpectedPrice(outlook.prices())),
    "box_robust": _of_prices(lambda outlook: BoxRobust(outlook.deviation())),
    "budget_robust": _of_prices(_budget_robust),
    "ellipsoid_robust": Variant(
        "the covariance of hourly prices: give prices_eur_per_kwh, two or more",
        lambda outlook: outlook.hour_covariance is not None,
        _ellipsoid_robust,
    ),
    "mean_cvar": _of_prices(lambda outlook: MeanCvar(outlook.prices())),
    "chance_caps": Variant(
        "the spread of the base load: give base_load_sigma_kw",
        lambda outlook: bool(outlook.base_load_sigma or outlook.base_load_errors),
        lambda outlook: ChanceCaps(outlook.base_load_sigma, errors=outlook.base_load_errors),
    ),
    "departure_risk": Variant(
        "scenarios of departures: give futures", lambda outlook: outlook.left_h is not None, _departure_risk
    ),
    "two_stage": Variant(
        "scenarios of departures and arrivals: give futures",
        lambda outlook: callable(outlook.futures) or len(outlook.futures) > 0,
        lambda outlook: TwoStage(outlook.futures),
    ),
}


class Forewarned:
    """A variant that looks at its outlook anew for each problem it is asked."""

    def __init__(self, name: str, outlook: Outlook) -> None:
        self.name = name
        self._make, self._outlook = VARIANTS[name].make, outlook

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        return self._make(self._outlook.at(problem)).plan(problem)


def variant(name: str, outlook: Outlook) -> Planner:
    """A planner against what the outlook says, its imminent steps such as can be offered.

    Raises:
        ConfigurationError: there is no such variant, or the outlook lacks what it needs; the text says what to give.
    """
    if name not in VARIANTS:
        raise ConfigurationError(f"variant {name!r} is not known: use one of {', '.join(VARIANTS)}")
    if not VARIANTS[name].is_told(outlook):
        raise ConfigurationError(f"this variant needs {VARIANTS[name].needs}")
    return Offerable(Forewarned(name, outlook))
