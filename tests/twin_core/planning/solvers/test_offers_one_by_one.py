"""The best imminent offers are the best of all offers, each tried by the readable model, which knows none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot
from twin_core.errors import PlanningError
from twin_core.models.problem import Cap, PlanningProblem, SessionNeed, SinglePhase
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.solvers.highs import Highs
from twin_core.planning.solvers.oracle import Oracle

NO_LIMIT = np.inf


@dataclass(frozen=True, slots=True)
class Way:
    """Powers of one session in the first step, and on how many phases."""

    least_kw: float
    most_kw: float
    single: bool = False


def ways(session: SessionNeed, step_h: float) -> list[Way]:
    """All it can be offered in the first step: nothing, each setpoint or any power between two, or the last energy."""
    found = [Way(0.0, 0.0), *_on_phases(session.min_kw, session.max_kw, session.step_kw)]
    single, last_kw = session.single_phase, session.energy_kwh / step_h
    if single is not None:
        below_kw = min(single.max_kw, session.min_kw * (1 - 1e-3))
        on_one = _on_phases(single.min_kw, below_kw, session.step_kw * single.min_kw / session.min_kw)
        found += [replace(way, single=True) for way in on_one]
    on_one_phase = single is not None and last_kw < session.min_kw
    if 0 < last_kw <= (min(single.max_kw, session.max_kw) if on_one_phase and single else session.max_kw):
        found.append(Way(last_kw, last_kw, on_one_phase))
    return found


def _on_phases(least_kw: float, most_kw: float, step_kw: float) -> list[Way]:
    if step_kw == 0:
        return [Way(least_kw, most_kw)] if least_kw <= most_kw else []
    return [Way(n * step_kw, n * step_kw) for n in range(1, 99) if least_kw - 1e-9 <= n * step_kw <= most_kw + 1e-9]


def best_of_all_eur(problem: PlanningProblem) -> float:
    """Least objective over every combination of ways."""
    step_h = float(problem.horizon.hours[0])
    found = []
    for combination in product(*(ways(session, step_h) for session in problem.sessions)):
        try:
            fixed = offered(problem, combination)
            found.append(bill(fixed, Oracle().solve(fixed).power_kw).objective_eur)
        except PlanningError:
            continue  # They do not fit under the limits together.
    return min(found)


def offered(problem: PlanningProblem, combination: tuple[Way, ...]) -> PlanningProblem:
    """The problem in which each session uses its way in the first step, without anything to be offered any more."""
    first = np.arange(problem.horizon.n_steps) == 0
    caps = []
    for row, way in enumerate(combination):
        own = np.arange(len(combination)) == row
        limit, floor = np.where(first, way.most_kw, NO_LIMIT), np.where(first, way.least_kw, -99.0)
        caps.append(Cap(f"way {row}", own.astype(float), limit, floor))
    on_one_phase = np.array([way.single for way in combination])
    for cap in problem.caps:
        single_load = cap.load if cap.single_phase_load is None else cap.single_phase_load
        caps.append(Cap(cap.name, np.where(on_one_phase, single_load, cap.load), np.where(first, cap.limit, NO_LIMIT)))
        caps.append(Cap(f"{cap.name} later", cap.load, np.where(first, NO_LIMIT, cap.limit)))
    sessions = tuple(replace(s, single_phase=None) for s in problem.sessions)
    return replace(problem, sessions=sessions, caps=tuple(caps), offerable_steps=0)


@st.composite
def few_cars(draw: st.DrawFn) -> PlanningProblem:
    """Two cars below three phases, with or without setpoint steps and a switch to one phase."""
    cars = [
        car(
            f"car {i}",
            draw(st.sampled_from([0.6, 2.0, 5.0, 12.0])),
            0.0,
            draw(st.sampled_from([1.0, 3.0])),
            max_kw=8.28,
            min_kw=4.14,
            step_kw=draw(st.sampled_from([0.0, 2.07, 1.38])),
            shortfall_eur_per_kwh=draw(st.sampled_from([0.25, 1.0])),
            single_phase=draw(st.sampled_from([None, SinglePhase(3.68, 1.38)])),
        )
        for i in range(draw(st.integers(1, 2)))
    ]
    tops = [draw(st.sampled_from([5.0, 9.0, 14.0])) for _ in range(3)]
    loads = [np.array([4.35 * (i == phase) for i in range(len(cars))]) for phase in range(3)]
    switch = np.array([s.single_phase is not None for s in cars])
    even = np.full(len(cars), 1.45)
    caps = [
        Cap(f"L{n + 1}", even, np.array([top, 14.0, 9.0]), single_phase_load=np.where(switch, load, even))
        for n, (top, load) in enumerate(zip(tops, loads, strict=True))
    ]
    prices = draw(st.sampled_from([[0.1, 0.2, 0.3], [0.4, 0.2, 0.1], [-0.1, 0.3, 0.2]]))
    return replace(depot(cars, None, prices, 1.0, caps), offerable_steps=1)


@settings(max_examples=12, deadline=None)
@given(problem=few_cars())
def test_the_best_offers_are_the_best_of_all(problem: PlanningProblem) -> None:
    found = Highs().solve(problem)
    assert found.proved
    assert violations(problem, found.power_kw) == []
    assert bill(problem, found.power_kw).objective_eur == pytest.approx(best_of_all_eur(problem), rel=1e-6, abs=1e-6)
