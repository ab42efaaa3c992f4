"""Problems with what real chargers add: minima, setpoint steps, tapers, ramps, one phase or three, uneven steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from tests.twin_core.planning.problems import NOON, car
from twin_core.models.problem import Cap, Horizon, PlanningProblem, SessionNeed, SinglePhase, Taper

KW_PER_A = 0.69


@st.composite
def sessions(draw: st.DrawFn, name: str) -> SessionNeed:
    """A three-phase or single-phase car, perhaps nearly full, slow to rise, switching phases or on already."""
    phases = draw(st.sampled_from([1, 3]))
    per_a = 0.23 * phases
    need = car(
        name,
        draw(st.one_of(st.just(0.0), st.floats(0.0, 1.0), st.floats(0.0, 40.0))),
        draw(st.one_of(st.just(0.0), st.floats(-1.0, 3.0))),
        draw(st.one_of(st.just(float("inf")), st.floats(0.05, 8.0))),
        max_kw=draw(st.sampled_from([0.0, 10.0, 16.0, 32.0])) * per_a,
        min_kw=6 * per_a,
        kw_per_a=per_a,
        waited_h=draw(st.floats(0.0, 5.0)),
        step_kw=draw(st.sampled_from([0.0, 0.1, 1.0])) * per_a,
        now_kw=draw(st.sampled_from([0.0, 6.0, 8.0])) * per_a,
        run_h=draw(st.sampled_from([0.0, 0.2])),
    )
    if draw(st.booleans()):
        flat_kwh = draw(st.floats(0.0, 10.0))
        need = replace(need, taper=Taper(flat_kwh, flat_kwh + draw(st.floats(0.5, 10.0))))
    if draw(st.integers(0, 3)) == 0:
        need = replace(need, ramp_kw_per_h=draw(st.floats(1.0, 100.0)))
    if phases == 3 and draw(st.booleans()):
        need = replace(need, single_phase=SinglePhase(draw(st.sampled_from([16.0, 32.0])) * 0.23, 6 * 0.23))
    return need


@st.composite
def real_problems(draw: st.DrawFn, offerable_steps: int | None = None) -> PlanningProblem:
    """Up to five such cars below up to three caps, on even or growing steps."""
    needs = tuple(draw(sessions(f"car {i}")) for i in range(draw(st.integers(0, 5))))
    n_steps = draw(st.integers(1, 6))
    if draw(st.booleans()):
        horizon = Horizon.graded(NOON, (min(2, n_steps), 1 / 12), (n_steps - min(2, n_steps), 0.5))
    else:
        horizon = Horizon(NOON, draw(st.sampled_from([1 / 12, 0.25, 1.0])), n_steps)
    caps = []
    for number in range(draw(st.integers(0, 3))):
        below = np.array([draw(st.booleans()) for _ in needs], dtype=float)
        load = np.array([below[i] / need.kw_per_a for i, need in enumerate(needs)])
        limits = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 100.0)), min_size=n_steps, max_size=n_steps)
        # A session on one phase puts its whole current on this limit, and nothing on those of other phases.
        single = np.array([below[i] * draw(st.sampled_from([0.0, 1 / 0.23])) for i in range(len(needs))])
        caps.append(Cap(f"cap {number}", load, np.array(draw(limits)), single_phase_load=single))
    prices = draw(st.lists(st.floats(-0.2, 0.6), min_size=n_steps, max_size=n_steps))
    n_offerable = draw(st.integers(1, 3)) if offerable_steps is None else offerable_steps
    return PlanningProblem(horizon, needs, np.array(prices), tuple(caps), offerable_steps=n_offerable)
