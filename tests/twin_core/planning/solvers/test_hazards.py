"""What solvers are known to do to those who trust them, and what stands in the way of each."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from tests.twin_core.planning.problems import car, depot, limit
from twin_core.errors import PlanningError
from twin_core.models.plan import PlanStatus
from twin_core.models.problem import Cap, PlanningProblem, SiteBattery, SiteFlows, Taper, VehicleBattery
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.optimum import optimal_plan
from twin_core.planning.solvers.compiled import Compiled
from twin_core.planning.solvers.dust import swept_problem
from twin_core.planning.solvers.highs import Apart, Highs, write
from twin_core.planning.solvers.kernel import Kernel
from twin_core.planning.solvers.oracle import Oracle
from twin_core.planning.solvers.solver import Solution, Solver
from twin_core.planning.solvers.table import SolverBench
from twin_core.planning.soundness import require_sound

ROOT = Path(__file__).parents[4]


def objective_eur(problem: PlanningProblem, found: Solution) -> float:
    return bill(problem, found.power_kw, battery_kw=found.battery_kw, grid_kw=found.grid_kw).objective_eur


def giving(n_cars: int = 1) -> list[Any]:
    return [
        car(f"{i}", 15, departure_h=9 - i % 3, battery=VehicleBattery(60, 20 + i, discharge_max_kw=9))
        for i in range(n_cars)
    ]


def everything() -> PlanningProblem:
    """A demand charge, sun, a battery, a floor, vehicles that give back, taper and rise slowly."""
    slow = car("slow", 12, taper=Taper(2.0, 9.0), ramp_kw_per_h=6.0)
    cap = Cap("feed", np.ones(3), np.full(4, 20.0), floor=np.full(4, -9.0), battery_load=1.0)
    flows = SiteFlows(np.full(4, 5.0), np.array([0, 9, 9, 0.0]), np.full(4, 0.05), 2.0, 8.0, SiteBattery(20, 9, 5, 5))
    return replace(depot([*giving(2), slow], None, [0.1, 0.4, 0.1, 0.5], caps=[cap]), site=flows)


@pytest.mark.parametrize("made", [Oracle, Compiled])
def test_cvxpy_is_never_warm_started_and_never_chooses_the_solver(
    made: type[Solver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its warm start makes HiGHS up to fifty times slower; what it chooses by itself is four times slower."""
    asked: list[dict[str, Any]] = []
    solve = cp.Problem.solve
    monkeypatch.setattr(cp.Problem, "solve", lambda *a, **k: (asked.append(k), solve(*a, **k))[1])
    kept = made()
    for price in (0.1, 0.2):
        kept.solve(depot([car("a", 15)], site_kw=12, prices=[price, 0.2]))
    assert [(k["solver"], k["warm_start"]) for k in asked] == [(cp.HIGHS, False)] * 2


def compiled_entries(n_cars: int) -> tuple[int, int]:
    """Variables of a compiled model, and entries of the matrix that leads from parameters to its data."""
    kept = Compiled()
    cars = [car(f"{i}", 5 + i, departure_h=20) for i in range(n_cars)]
    kept.solve(depot(cars, 30, [0.2 + 0.001 * k for k in range(24)]))
    (model,) = kept._models.values()
    assert all(parameter.ndim <= 1 for parameter in model._problem.parameters())
    data, _, _ = model._problem.get_problem_data(cp.HIGHS)
    program = data["param_prob"]
    return model._power_kw.size, program.reduced_A.reduced_mat.nnz + program.q.nnz


def test_a_compiled_model_grows_with_its_size_and_not_with_its_square() -> None:
    """A matrix as parameter made 101 GiB of one with 1,200 sessions in 96 steps."""
    (small, few), (large, many) = compiled_entries(10), compiled_entries(40)
    assert large == 4 * small
    assert many < 5 * few
    assert many < 12 * large


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_the_readable_model_out_of_time_is_an_error_and_no_plan_of_zeros() -> None:
    """A search for whole numbers that ran out of time once answered 0 € and zeros that broke a limit by 6."""
    problem = depot(giving(12), 60, [0.2, -0.1, 0.3, 0.1] * 6, 0.25)
    with pytest.raises(PlanningError, match="found no plan"):
        Oracle().solve(problem, deadline_s=0.0)


class Overconfident:
    """Says of powers that are a little worse, or of none at all, that they are proved to be best."""

    name = "overconfident"

    def __init__(self, part: float) -> None:
        self._part = part

    def covers(self, problem: PlanningProblem) -> bool:
        return True

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        found = Kernel().solve(problem)
        return replace(found, power_kw=found.power_kw * self._part, proved=True)


class Bench(SolverBench):
    """Always the same solver."""

    def __init__(self, only: Solver) -> None:
        super().__init__()
        self._only = only

    def solver_for(self, problem: PlanningProblem) -> Solver:
        return self._only


@pytest.mark.parametrize("part", [0.0, 1 - 1e-5])
def test_an_optimum_that_is_none_is_not_called_proved(part: float) -> None:
    """HiGHS has called a point optimal that was not; nothing at all keeps every limit too."""
    problem = depot([car("a", 15, departure_h=3), car("b", 15)], 9)
    plan = optimal_plan("test", problem, Bench(Overconfident(part)))
    assert plan.status is PlanStatus.FEASIBLE
    assert plan.gap is not None
    assert plan.gap > 1e-6
    assert optimal_plan("test", problem, Bench(Overconfident(1.0))).status is PlanStatus.PROVED


def test_powers_that_break_a_limit_are_no_plan_whoever_found_them() -> None:
    problem = depot([car("a", 15, departure_h=3), car("b", 15)], 9)
    for part in (1.01, np.nan):
        with pytest.raises(PlanningError, match="broke"):
            optimal_plan("test", problem, Bench(Overconfident(part)))


def test_nothing_is_left_unbounded_that_would_slow_the_simplex() -> None:
    """A shortfall as a column of its own and an unbounded peak took a demand charge from 0.2 to 42 s."""
    problem = everything()
    lp = write(problem, Apart.nowhere(problem)).lp
    assert np.isfinite(lp.lower).all()
    assert np.isfinite(lp.upper).all()
    plain = depot([car("a", 15), car("b", 15)], 9)
    assert write(plain, Apart.nowhere(plain)).lp.cost.size == 2 * 4


SOLVE_ALL = """
import sys
from dataclasses import replace
from tests.twin_core.planning.solvers.test_hazards import everything
from tests.twin_core.planning.problems import car, depot
from twin_core.planning.solvers.table import SOLVERS, solver
from twin_core.planning.table import PLANNERS, planner
plain = depot([car("a", 15), car("b", 10)], 12)
for name in SOLVERS:
    assert solver(name).solve(plain).proved
assert solver("highs").solve(everything()).proved
for name in PLANNERS:
    planner(name).plan(plain)
print(*(name for name in sys.modules if name.split(".")[0] in ("ortools", "ecos") and name != "ortools"))
"""


def test_every_solver_and_planner_works_where_or_tools_is_installed_and_imports_none_of_it(tmp_path: Path) -> None:
    """Or-tools and highspy cannot live in one process: whichever comes second cannot be loaded.

    Cvxpy imports the outermost package when it looks for solvers, which loads nothing native.
    """
    (tmp_path / "ortools" / "linear_solver").mkdir(parents=True)
    (tmp_path / "ortools" / "__init__.py").write_text('__version__ = "9.15.0"\n')
    (tmp_path / "ortools" / "linear_solver" / "__init__.py").write_text('import sys\nsys.modules["highspy"] = None\n')
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SOLVE_ALL],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.split() == []


def test_the_import_contracts_forbid_what_cannot_live_beside_highspy_or_is_gpl() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (c for c in contracts["contracts"] if "ortools" in c.get("forbidden_modules", ()))
    assert set(contract["source_modules"]) == set(contracts["root_packages"])
    assert {"ortools", "ecos"} <= set(contract["forbidden_modules"])


TINY = (5e-324, 1e-310, 1e-200, 1e-30, 1e-12)


@pytest.mark.parametrize("tiny", TINY)
@pytest.mark.parametrize("made", [Oracle, Highs, Compiled, Kernel])
def test_numbers_that_are_almost_nothing_are_nothing(made: type[Solver], tiny: float) -> None:
    """HiGHS has called such problems infeasible, or a dear point the cheapest."""
    nearly = (
        depot([car("a", 10, departure_h=2), car("b", tiny)], [9, tiny, 9, 9], [tiny, 0.3, -tiny, 0.2]),
        depot([car("a", 10, arrival_h=1 - tiny, departure_h=2 + tiny)], tiny),
        depot([car("a", 10, max_kw=tiny)], caps=[limit("x", [1.0], [tiny] * 4)]),
    )
    solver = made()
    for problem in nearly:
        found, expected = solver.solve(problem), Highs().solve(without(tiny, problem))
        assert violations(problem, found.power_kw) == []
        assert objective_eur(problem, found) == pytest.approx(objective_eur(problem, expected), rel=1e-6, abs=1e-6)


def test_dust_is_swept_from_every_corner_of_a_problem_and_nothing_else() -> None:
    problem = everything()
    assert problem.site is not None
    clean = swept_problem(problem)
    assert violations(problem, np.zeros((3, 4))) == violations(clean, np.zeros((3, 4)))
    assert clean.sessions == problem.sessions
    dusty = replace(
        problem,
        sessions=tuple(replace(s, energy_kwh=1e-310, run_h=1e-12) for s in problem.sessions),
        price_eur_per_kwh=np.array([1e-208, -1e-30, 0.1, -0.1]),
        site=replace(problem.site, demand_charge_eur_per_kw=1e-200, battery=SiteBattery(20, 9, 1e-100, 5)),
    )
    swept = swept_problem(dusty)
    assert {(s.energy_kwh, s.run_h) for s in swept.sessions} == {(0.0, 0.0)}
    assert swept.price_eur_per_kwh.tolist() == [0.0, 0.0, 0.1, -0.1]
    assert swept.site is not None
    assert swept.site.battery == SiteBattery(20, 9, 0.0, 5)
    assert swept.site.demand_charge_eur_per_kw == 0.0
    assert swept.horizon == problem.horizon


def without(tiny: float, problem: PlanningProblem) -> PlanningProblem:
    """The same, with 0 in place of what is almost nothing."""

    def cleared(values: Any) -> Any:
        return np.where(np.abs(values) <= tiny, 0.0, values)

    sessions = tuple(
        replace(s, energy_kwh=float(cleared(s.energy_kwh)), max_kw=float(cleared(s.max_kw))) for s in problem.sessions
    )
    caps = tuple(replace(cap, limit=cleared(cap.limit)) for cap in problem.caps)
    return replace(problem, sessions=sessions, caps=caps, price_eur_per_kwh=cleared(problem.price_eur_per_kwh))


def test_a_shortfall_price_far_above_all_others_does_not_make_rounding_an_error() -> None:
    """A row kept but for 2e-8 kWh, at 5 € each, is worth more than the gap of a proof."""
    problem = depot(
        [car("a", 43.0, 1.0000001, shortfall_eur_per_kwh=0.0), car("b", 0.0, -3e-9, 3e-9, max_kw=7.4)],
        [0, 0, 0, 2, 0, 1e-9],
        [0, 0, -1e-10, 1e-10, -0.3, 1e-10],
    )
    dear = replace(problem.sessions[1], shortfall_eur_per_kwh=5.0)
    problem = replace(problem, sessions=(problem.sessions[0], dear))
    assert violations(problem, Highs().solve(problem).power_kw) == []


@pytest.mark.parametrize("n_steps", [0, 3])
@pytest.mark.parametrize("made", [Oracle, Highs, Compiled, Kernel])
def test_where_there_is_nothing_to_decide_nothing_is_decided(made: type[Solver], n_steps: int) -> None:
    problem = depot([], 9.0, [0.2] * n_steps)
    found = made().solve(problem)
    assert found.power_kw.shape == (0, n_steps)
    assert found.proved


def test_a_floor_that_nobody_can_reach_is_said_where_there_is_nothing_to_decide() -> None:
    asking = Cap("feed", np.zeros(0), np.full(4, 9.0), floor=np.full(4, 5.0))
    for made in (Oracle, Highs):
        with pytest.raises(PlanningError, match=r"below the floor|found no plan"):
            made().solve(depot([], caps=[asking]))


def test_a_battery_whose_power_falls_at_once_is_refused_by_name_and_one_that_falls_nearly_at_once_is_not() -> None:
    steep = depot([car("a", 10, taper=Taper(1.0, 1.0 + 1e-12))])
    with pytest.raises(PlanningError, match=r"taper\.flat_kwh 1\.0 must be"):
        require_sound(steep)
    for width_kwh in (2e-9, 1e-6, 1e-3):
        narrow = depot([car("a", 10, taper=Taper(0.0, width_kwh))], None, [0.3, 0.1, 0.2, 0.4], 1 / 12)
        require_sound(narrow)
        assert violations(narrow, Highs().solve(narrow).power_kw) == []
