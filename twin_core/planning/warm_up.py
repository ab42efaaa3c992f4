"""First plans, made before anybody waits for one: what is imported and compiled once is done with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import Cap, Horizon, PlanningProblem, SessionNeed
from twin_core.planning.planner import Planner


def warm_up(planner: Planner) -> None:
    """Have a planner meet each kind of problem once; takes half a minute where nothing is compiled yet.

    Raises:
        PlanningError: it cannot plan them.
    """
    for problem in _small_problems():
        planner.plan(problem)


def _small_problems() -> Iterator[PlanningProblem]:
    """A plain site, a tree and what is neither: enough to have everything imported and compiled once."""
    names = [ChargerId(name) for name in ("warm-up", "another", "a third")]
    cars = tuple(
        SessionNeed(SessionId(name), ConnectorId(name, 1), 1.0, 0.0, 2.0, max_kw=2.0, min_kw=1.0, kw_per_a=0.23)
        for name in names
    )
    horizon, prices = Horizon(datetime(2000, 1, 1, tzinfo=UTC), 1.0, 2), np.array([0.2, 0.1])
    site, left, right = (
        Cap(name, np.array(load), np.full(2, 1.5))
        for name, load in (("site", [1.0, 1.0, 1.0]), ("left", [1.0, 1.0, 0.0]), ("right", [0.0, 1.0, 1.0]))
    )
    for caps in (site,), (site, left), (site, left, right):
        yield PlanningProblem(horizon, cars, prices, caps)
