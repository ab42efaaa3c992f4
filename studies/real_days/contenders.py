"""Who takes part: planners of the table, each told what it can make use of, and who does not and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.fallback import rescue
from twin_core.planning.planner import Planner
from twin_core.planning.table import PLANNERS, planner

FORECAST: Final = "+forecast"
"""After a planner's name: it is also told what earlier days teach of stays and arrivals."""

HINDSIGHT: Final = "hindsight"
YARDSTICK: Final = "quick_charge"
DEFAULT: Final = "service_first" + FORECAST
"""Whose aims the verdicts are about."""

RULES: Final = ("round_robin", "fifs", "edf", "llf", YARDSTICK)
"""The planners the best of which is to be matched."""

LEFT_OUT: Final = {
    "v2g": "no vehicle of the record could give anything back: its plans are those of power_allocation",
    "carbon": "the record has no carbon intensity: its plans are those of power_allocation",
    "self_consumption": "the sites have no sun in the record: its plans are those of power_allocation",
}

CONTENDERS: Final = (*(name for name in PLANNERS if name not in LEFT_OUT), YARDSTICK + FORECAST, DEFAULT)
"""Every planner that can differ here by its name alone, and two that are also told of earlier days."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A planner and what it is told.

    Attributes:
        name: of the planner in the table, or `package.module:Class`, with `FORECAST` behind it or not.
    """

    name: str

    @property
    def told_of_earlier_days(self) -> bool:
        """Whether it is told what earlier days teach."""
        return self.name.endswith(FORECAST)

    def planner(self) -> Planner:
        """A new one.

        Raises:
            ConfigurationError: there is no such planner.
        """
        return planner(self.name.removesuffix(FORECAST))


def contenders(names: tuple[str, ...] = ()) -> tuple[Contender, ...]:
    """Those of these names, with the yardstick in any case; all where none are given.

    Raises:
        ConfigurationError: one is no planner, or is left out; the text says why.
    """
    wanted = tuple(dict.fromkeys(names)) or CONTENDERS
    for name in wanted:
        if name.removesuffix(FORECAST) in LEFT_OUT:
            raise ConfigurationError(
                f"planner {name!r} is not part of this study: {LEFT_OUT[name.removesuffix(FORECAST)]}"
            )
        Contender(name).planner()
    return tuple(map(Contender, wanted if YARDSTICK in wanted else (YARDSTICK, *wanted)))


class Rescued:
    """A planner for whom the rule of the live depot steps in where it refuses, which is counted."""

    def __init__(self, inner: Planner) -> None:
        self.name = inner.name
        self.refusals: list[str] = []
        self._inner = inner

    def plan(self, problem: PlanningProblem) -> Plan:
        """See `Planner.plan`."""
        try:
            return self._inner.plan(problem)
        except PlanningError as error:
            self.refusals.append(str(error))
            return rescue(problem, str(error))
