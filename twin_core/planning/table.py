"""Planners by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable

from twin_core.errors import ConfigurationError
from twin_core.planning.as_late_as_possible import AsLateAsPossible
from twin_core.planning.carbon import Carbon
from twin_core.planning.cohort import Cohort
from twin_core.planning.edf import EarliestDeadlineFirst
from twin_core.planning.equal_share import EqualShare
from twin_core.planning.fifs import FirstInFirstServed
from twin_core.planning.imminent import Offerable
from twin_core.planning.intelligent import Intelligent
from twin_core.planning.llf import LeastLaxityFirst
from twin_core.planning.peak import Peak
from twin_core.planning.planner import Planner
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.quick_charge import QuickCharge
from twin_core.planning.round_robin import RoundRobin
from twin_core.planning.self_consumption import SelfConsumption
from twin_core.planning.service_first import ServiceFirst
from twin_core.planning.uncontrolled import Uncontrolled
from twin_core.planning.v2g import VehicleToGrid


def _fair(solver: str | None = None) -> Planner:
    from twin_core.planning.fairness import Fair  # noqa: PLC0415 -- HiGHS, and only where it is used

    return Fair(solver)


def _cohort_literal() -> Planner:
    from twin_core.planning.cohort_literal import CohortLiteral  # noqa: PLC0415 -- HiGHS, as above

    return CohortLiteral()


PLANNERS: dict[str, Callable[..., Planner]] = {
    "uncontrolled": Uncontrolled,
    "fifs": FirstInFirstServed,
    "equal_share": EqualShare,
    "edf": EarliestDeadlineFirst,
    "llf": LeastLaxityFirst,
    "quick_charge": QuickCharge,
    "service_first": ServiceFirst,
    "round_robin": RoundRobin,
    "as_late_as_possible": AsLateAsPossible,
    "power_allocation": PowerAllocation,
    "carbon": Carbon,
    "peak": Peak,
    "self_consumption": SelfConsumption,
    "v2g": VehicleToGrid,
    "intelligent": Intelligent,
    "cohort": Cohort,
    "cohort_literal": _cohort_literal,
    "fair": _fair,
}
"""What makes each planner; those that optimise take the name of a solver as `solver`."""


def factory(name: str) -> Callable[[], Planner]:
    """What makes a planner, by its name in the table or, for one of your own, as `package.module:Class`.

    Whatever it is, its imminent steps can be offered where the problem asks for that, see `imminent`.

    Raises:
        ConfigurationError: there is no such planner; the text lists those there are.
    """
    made = _made_by(name)
    return lambda: Offerable(made())


def _made_by(name: str) -> Callable[..., Planner]:
    if name in PLANNERS:
        return PLANNERS[name]
    module, colon, attribute = name.partition(":")
    known = ", ".join(PLANNERS)
    if not colon:
        raise ConfigurationError(f"planner {name!r} is not known: use one of {known}, or package.module:Class")
    try:
        made: Callable[..., Planner] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"planner {name!r} cannot be loaded ({error}): use one of {known}") from error
    return made


def planner(name: str, solver: str | None = None) -> Planner:
    """A new planner, see `factory`.

    Args:
        name: in the table, or `package.module:Class`.
        solver: the one it shall use instead of the fastest that covers a problem.

    Raises:
        ConfigurationError: there is no such planner or solver, or it is a rule and uses none.
    """
    if solver is None:
        return factory(name)()
    made = _made_by(name)
    if "solver" not in inspect.signature(made).parameters:
        raise ConfigurationError(
            f"planner {name!r} uses no solver: leave the solver out, or take an optimising planner"
        )
    return Offerable(made(solver=solver))
