"""What rounding to offers takes: less than an offer of each session in a step, and all of it is planned again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot
from tests.twin_core.planning.real_problems import real_problems
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.imminent import relaxed
from twin_core.planning.ladder import ladders
from twin_core.planning.offers import offers
from twin_core.planning.planner import Planner
from twin_core.planning.residual import after_first_step
from twin_core.planning.table import planner

LEAST_KW = 4.14
ROLLING = ["equal_share", "edf", "llf", "power_allocation"]
MADE: dict[str, Planner] = {name: planner(name) for name in ROLLING}


def quanta_kw(problem: PlanningProblem, wanted_kw: Array) -> Array:
    """Mean power between neighbouring offers around what each session was to get: up to the least offer, that one."""
    return np.array(
        [
            rungs.least_kw if wanted < rungs.least_kw else rungs.step_kw * rungs.part
            for rungs, wanted in zip(ladders(problem), wanted_kw, strict=True)
        ]
    )


@settings(max_examples=150, deadline=None)
@given(problem=real_problems(offerable_steps=1), name=st.sampled_from(ROLLING))
def test_in_one_step_no_session_loses_a_whole_offer(problem: PlanningProblem, name: str) -> None:
    """But where a last bit or a minimum run takes the room: both are drawn at the least offer, which nobody planned."""
    problem = replace(problem, sessions=tuple(replace(s, run_h=0.0) for s in problem.sessions))
    wanted_kw = MADE[name].plan(relaxed(problem)).power_kw[:, 0]
    drawn_kw = [
        rungs.drawn_kw(rungs.on_three_phases(kw)) for rungs, kw in zip(ladders(problem), wanted_kw, strict=True)
    ]
    assume((np.array(drawn_kw) <= wanted_kw + 1e-9).all())
    lost_kw = wanted_kw - offers(problem, wanted_kw)
    assert (lost_kw <= np.maximum(quanta_kw(problem, wanted_kw), 1e-6)).all()


@settings(max_examples=150, deadline=None)
@given(problem=real_problems(offerable_steps=1), name=st.sampled_from(ROLLING))
def test_in_one_step_nobody_gets_more_at_the_cost_of_a_later_step_but_who_could_not_wait(
    problem: PlanningProblem, name: str
) -> None:
    """All together get at most what was wanted of all, and one offer for each who is on or could not make it up."""
    wanted_kw = MADE[name].plan(relaxed(problem)).power_kw[:, 0]
    offered_kw = offers(problem, wanted_kw)
    later_kwh = np.array([s.max_kw for s in problem.sessions]) * (
        problem.availability()[:, 1:] @ problem.horizon.hours[1:]
    )
    energy_kwh = np.array([s.energy_kwh for s in problem.sessions])
    cannot_wait = energy_kwh - later_kwh > 1e-9
    kept_on = np.array([s.run_h > 0 and s.now_kw > 0 for s in problem.sessions], dtype=bool)
    excess_kw = np.maximum(offered_kw - wanted_kw, 0.0)
    assert offered_kw.sum() <= wanted_kw.sum() + excess_kw[cannot_wait | kept_on].sum() + 1e-6


@st.composite
def plain_days(draw: st.DrawFn) -> PlanningProblem:
    """Cars that are here, below one limit, at chargers with steps."""
    n_steps, step_h = draw(st.integers(2, 7)), draw(st.sampled_from([1 / 12, 0.25, 1.0]))
    cars = [
        car(
            f"car {i}",
            draw(st.floats(0.0, 8.0)) * n_steps * step_h,
            0.0,
            draw(st.integers(1, n_steps)) * step_h,
            max_kw=11.04,
            min_kw=LEAST_KW,
            kw_per_a=0.69,
            step_kw=draw(st.sampled_from([0.0, 0.69])),
        )
        for i in range(draw(st.integers(1, 4)))
    ]
    return depot(
        cars,
        draw(st.floats(LEAST_KW, 40.0)),
        draw(st.lists(st.floats(0.1, 0.4), min_size=n_steps, max_size=n_steps)),
        step_h,
    )


def rolled_kw(problem: PlanningProblem, asked: Planner) -> Array:
    """Powers of the first steps of plans, each made when it is due from what is left; shape (n_sessions, n_steps)."""
    first_steps = []
    offerable_steps = problem.offerable_steps
    while problem.horizon.n_steps:
        power_kw = asked.plan(problem).power_kw[:, 0]
        first_steps.append(power_kw)
        problem = replace(after_first_step(problem, power_kw), offerable_steps=offerable_steps)
    return np.column_stack(first_steps)


@pytest.mark.parametrize("name", ROLLING)
@settings(max_examples=25, deadline=None)
@given(day=plain_days())
def test_over_replans_the_site_loses_less_than_the_least_offer_of_each_session_a_step(
    name: str, day: PlanningProblem
) -> None:
    """Below one shared limit what was not used is gone; each replan begins with nothing owed but energy."""
    free_kw, offered_kw = (rolled_kw(replace(day, offerable_steps=n), MADE[name]) for n in (0, 1))
    lost_kwh = (free_kw.sum() - offered_kw.sum()) * day.horizon.step_h
    assert lost_kwh <= LEAST_KW * len(day.sessions) * day.horizon.step_h * day.horizon.n_steps


@pytest.mark.parametrize("name", ROLLING)
@settings(max_examples=25, deadline=None)
@given(day=plain_days())
def test_over_replans_a_session_with_room_loses_nothing(name: str, day: PlanningProblem) -> None:
    """What a step took is in the next plan, down to the last of it, where no limit stands in the way."""
    sessions = tuple(replace(s, energy_kwh=min(s.energy_kwh, 11.04 * s.departure_h)) for s in day.sessions)
    day = replace(day, sessions=sessions, caps=(), offerable_steps=1)
    got_kwh = rolled_kw(day, MADE[name]).sum(axis=1) * day.horizon.step_h
    np.testing.assert_allclose(got_kwh, [s.energy_kwh for s in day.sessions], atol=1e-6)
