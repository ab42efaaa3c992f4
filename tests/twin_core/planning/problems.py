"""Small planning problems, by hand and by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st

from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import Array, Cap, Horizon, PlanningProblem, SessionNeed

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def car(name: str, energy_kwh: float, arrival_h: float = 0.0, departure_h: float = 100.0, **other: Any) -> SessionNeed:
    """A session of a car that takes 10 kW unless `other` says otherwise."""
    fields = {"max_kw": 10.0, "min_kw": 1.38, "kw_per_a": 0.23, **other}
    return SessionNeed(SessionId(name), ConnectorId(ChargerId(name), 1), energy_kwh, arrival_h, departure_h, **fields)


def depot(
    sessions: Sequence[SessionNeed],
    site_kw: float | Sequence[float] | None = None,
    prices: Sequence[float] = (0.2, 0.2, 0.2, 0.2),
    step_h: float = 1.0,
    caps: Sequence[Cap] = (),
) -> PlanningProblem:
    """A problem with one step for each price, a limit on the sum of powers and perhaps further caps."""
    n_steps = len(prices)
    site = () if site_kw is None else (Cap("site", np.ones(len(sessions)), np.full(n_steps, 1.0) * np.array(site_kw)),)
    return PlanningProblem(
        Horizon(NOON, step_h, n_steps), tuple(sessions), np.array(prices, dtype=float), (*site, *caps)
    )


def limit(name: str, load: Sequence[float], limits: Sequence[float]) -> Cap:
    return Cap(name, np.array(load, dtype=float), np.array(limits, dtype=float))


def energy_kwh(problem: PlanningProblem, power_kw: Array) -> list[float]:
    return [float(e) for e in power_kw.sum(axis=1) * problem.horizon.step_h]


@st.composite
def problems(draw: st.DrawFn) -> PlanningProblem:
    """Up to six cars, gone, here and coming, wanting nothing or too much, below up to four caps, some of them shut."""
    n_sessions = draw(st.integers(0, 6))
    n_steps = draw(st.integers(0, 8))
    cars = [
        car(
            f"car {i}",
            draw(st.one_of(st.just(0.0), st.floats(-1.0, 60.0))),
            draw(st.floats(-2.0, 6.0)),
            draw(st.one_of(st.just(float("inf")), st.floats(-1.0, 9.0))),
            max_kw=draw(st.sampled_from([0.0, 3.7, 7.4, 11.0, 22.0])),
            waited_h=draw(st.floats(0.0, 5.0)),
            shortfall_eur_per_kwh=draw(st.sampled_from([0.0, 0.1, 1.0, 5.0])),
        )
        for i in range(n_sessions)
    ]
    prices = draw(st.lists(st.floats(-0.3, 0.8), min_size=n_steps, max_size=n_steps))
    loads = st.lists(st.sampled_from([0.0, 0.0, 1.0, 1.45, 4.35]), min_size=n_sessions, max_size=n_sessions)
    limits = st.lists(
        st.one_of(st.sampled_from([-5.0, 0.0, float("inf")]), st.floats(0.0, 80.0)), min_size=n_steps, max_size=n_steps
    )
    caps = [limit(f"cap {c}", draw(loads), draw(limits)) for c in range(draw(st.integers(0, 4)))]
    step_h = draw(st.sampled_from([1 / 12, 0.25, 0.5, 1.0]))
    return depot(cars, None, prices, step_h, caps)
