"""The tree kernel against HiGHS and its own proof."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin_core.planning.problems import car, depot, limit
from twin_core.models.problem import Cap, PlanningProblem, SiteFlows, Taper
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.solvers.certificate import certify
from twin_core.planning.solvers.highs import Highs
from twin_core.planning.solvers.solver import Solution
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.solvers.tree import TreeKernel


@st.composite
def laminar_problems(draw: st.DrawFn) -> PlanningProblem:
    """Cars below nodes below nodes, up to four deep, each limit in a unit of its own, some nodes with two limits."""
    n_sessions, n_steps = draw(st.integers(2, 9)), draw(st.integers(1, 8))
    amount = st.floats(0.0, 40.0).map(lambda kw: round(kw, 3))
    cars = [
        car(
            f"car {i}",
            draw(amount),
            draw(st.sampled_from([0.0, 0.5, 2.0])),
            draw(st.sampled_from([1.5, 4.0, 9.0])),
            max_kw=draw(st.sampled_from([0.0, 3.7, 11.0, 22.0])),
            shortfall_eur_per_kwh=draw(st.sampled_from([0.0, 0.15, 1.0, 5.0])),
        )
        for i in range(n_sessions)
    ]
    caps: list[Cap] = []

    def below(first: int, end: int, depth: int) -> None:
        for copy in range(draw(st.integers(0, 2))):
            load = draw(st.sampled_from([1.0, 1.45, 4.35])) * (
                (np.arange(n_sessions) >= first) & (np.arange(n_sessions) < end)
            )
            limits = [draw(st.one_of(st.sampled_from([0.0, float("inf")]), amount)) for _ in range(n_steps)]
            caps.append(limit(f"node {first}-{end} {copy}", load.tolist(), (load.max() * np.array(limits)).tolist()))
        if depth < 4 and end - first > 1:
            cut = draw(st.integers(first + 1, end - 1))
            below(first, cut, depth + 1)
            below(cut, end, depth + 1)

    below(0, n_sessions, 0)
    prices = [draw(st.sampled_from([-0.1, 0.1, 0.2, 0.25, 0.4])) for _ in range(n_steps)]
    return depot(cars, None, prices, draw(st.sampled_from([0.25, 1.0])), caps)


def solved(problem: PlanningProblem) -> Solution:
    tree = TreeKernel()
    assert tree.covers(problem)
    return tree.solve(problem)


@settings(max_examples=250, deadline=None)
@given(problem=laminar_problems())
def test_it_is_as_cheap_as_the_linear_program_and_proves_it(problem: PlanningProblem) -> None:
    found = solved(problem)
    assert found.proved
    assert found.duals is not None
    assert certify(problem, found.power_kw, found.duals).proves
    cheapest = bill(problem, Highs().solve(problem).power_kw).objective_eur
    assert bill(problem, found.power_kw).objective_eur == pytest.approx(cheapest, rel=1e-7, abs=1e-7)


def test_whoever_could_charge_elsewhere_makes_way_below_its_own_node() -> None:
    """B leaves the cheap step to A though their nodes differ: what binds is the node above both."""
    cars = [car("a", 5.0, departure_h=1.0), car("b", 5.0), car("c", 5.0)]
    nodes = [limit("left", [1.0, 1.0, 0.0], [9.0] * 3), limit("site", [1.0] * 3, [5.0, 4.0, 9.0])]
    problem = depot(cars, None, [0.1, 0.2, 0.3], caps=nodes)
    found = solved(problem)
    assert violations(problem, found.power_kw) == []
    assert bill(problem, found.power_kw).unserved_kwh == pytest.approx([0.0, 0.0, 0.0])
    assert bill(problem, found.power_kw).cost_eur == pytest.approx(5 * 0.1 + 4 * 0.2 + 6 * 0.3)


def test_each_node_has_the_price_of_its_own_limit() -> None:
    cars = [car("a", 8.0), car("b", 8.0), car("c", 8.0)]
    station, site = limit("station", [2.0, 2.0, 0.0], [12.0, 99.0, 99.0]), limit("site", [1.0] * 3, [10.0, 30.0, 30.0])
    found = solved(depot(cars, None, [0.1, 0.3, 0.4], caps=[station, site]))
    assert found.duals is not None
    assert found.duals.cap[0] == pytest.approx([0.0, 0.0, 0.0])
    assert found.duals.cap[1] == pytest.approx([0.2, 0.0, 0.0])
    tighter = replace(station, limit=np.array([2.0, 99.0, 99.0]))
    found = solved(depot(cars, None, [0.1, 0.3, 0.4], caps=[tighter, site]))
    assert found.duals is not None
    assert found.duals.cap[0] == pytest.approx([0.1, 0.0, 0.0])
    assert found.duals.cap[1] == pytest.approx([0.0, 0.0, 0.0])


def site_of_three() -> PlanningProblem:
    cars = [car(name, 8.0) for name in "abc"]
    return depot(cars, 12.0, [0.1, 0.4], caps=[limit("station", [1.0, 1.0, 0.0], [8.0, 8.0])])


@pytest.mark.parametrize(
    "changed",
    [
        lambda p: replace(p, caps=(*p.caps, limit("crossing", [0.0, 1.0, 1.0], [9.0, 9.0]))),
        lambda p: replace(p, caps=(*p.caps, limit("phase", [1.0, 1.0, 3.0], [9.0, 9.0]))),
        lambda p: replace(p, site=SiteFlows(np.zeros(2), np.zeros(2), np.zeros(2))),
        lambda p: replace(p, offerable_steps=1),
        lambda p: replace(p, sessions=(replace(p.sessions[0], taper=Taper(1.0, 2.0)), *p.sessions[1:])),
    ],
)
def test_it_leaves_to_others_what_is_no_tree(changed: object) -> None:
    assert TreeKernel().covers(site_of_three())
    assert not TreeKernel().covers(changed(site_of_three()))  # type: ignore[operator]


def test_the_table_takes_it_for_a_tree() -> None:
    assert SolverBench().solver_for(site_of_three()).name == "tree"
