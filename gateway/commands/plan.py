"""`depot plan`: a planning problem from a file, planned, shown and explained."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console

from connectors.problems.plan_answer import PlanAnswer, plan_csv, plan_json
from connectors.problems.problem_file import ProblemFile
from connectors.problems.reading import read_problem
from connectors.problems.translation import planning_problem
from gateway.commands.arguments import count
from gateway.plan_view import render
from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.contradictions import best_plan
from twin_core.planning.lifting import Lifted, lift
from twin_core.planning.planner import Planner
from twin_core.planning.solvers.table import SOLVERS
from twin_core.planning.table import PLANNERS, planner
from twin_core.planning.warm_up import warm_up

SUMMARY = "plan a charging problem from a file, and say why the plan is as it is"

VARIANTS: Final = (
    "saa_price",
    "box_robust",
    "budget_robust",
    "ellipsoid_robust",
    "mean_cvar",
    "chance_caps",
    "departure_risk",
    "two_stage",
)
"""Planners against what is uncertain, as `twin_core.planning.uncertainty` has them: importing that takes a second."""


def _names(names: Iterable[str]) -> str:
    return textwrap.fill(", ".join(names), width=78, initial_indent="  ", subsequent_indent="  ")


DESCRIPTION = f"""\
Reads a planning problem (horizon, sessions, tree of limits, prices), plans it,
and prints who charges when and why, which limits bind and what each costs, and
what could not be met. Problems, planners and answers: docs/planning.md.

planners
{_names(PLANNERS)}
planners against what is uncertain, from "outlook" in the problem or --history
{_names(VARIANTS)}

exit status
  0  everybody gets what was asked
  1  the best plan there is leaves something unmet, and lists it: a session
     that goes short, a limit that the base load breaks, a battery too empty
  2  the problem or an option makes no sense: field, value and what to do

examples
  depot plan docs/examples/depot-problem.json
  depot plan docs/examples/depot-problem.json --planner edf --out plan.csv
  depot plan docs/examples/uncertain-problem.json --planner two_stage
  depot plan my.json --planner mean_cvar --history prices.csv --seed 7
"""

DEFAULT = "power_allocation"

LIFTED_AT_MOST = 4
"""Limits planned again without, so that a readable plan takes a few times as long as the plan itself."""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("problem", metavar="PROBLEM.json", type=Path, nargs="?", help="the problem")
    parser.add_argument("--planner", default=DEFAULT, metavar="NAME", help=f"who plans (default {DEFAULT})")
    parser.add_argument(
        "--solver", metavar="NAME", help=f"{', '.join(SOLVERS)} (default: the fastest that covers the problem)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the plan there: powers by step if it ends in .csv, else JSON"
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON instead of tables")
    parser.add_argument(
        "--history",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.csv",
        help="past prices, base load or stays, from which scenarios are drawn; may be given again",
    )
    parser.add_argument("--scenarios", type=count, default=50, metavar="N", help="how many are drawn (default 50)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed draws the same (default 0)")
    parser.add_argument(
        "--draw",
        choices=["bootstrap", "gaussian"],
        default="bootstrap",
        help="days of prices: whole past days, or a Gaussian with their mean and covariance (default bootstrap)",
    )
    parser.add_argument(
        "--schema", choices=["problem", "plan"], help="print the JSON Schema of problems or of plans, and plan nothing"
    )


def _compile_once() -> None:
    """What is compiled at the first plan of all is no part of this plan's time, and nobody waits without a word."""
    from twin_core.planning.solvers.machine_code import is_compiled  # noqa: PLC0415 -- brings numba

    if not is_compiled():
        sys.stderr.write("compiling the solvers, once after an installation: about half a minute\n")
        warm_up(planner(DEFAULT))


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when all is met, 1 when the plan leaves something unmet."""
    if options.schema is not None:
        model = ProblemFile if options.schema == "problem" else PlanAnswer
        sys.stdout.write(json.dumps(model.model_json_schema(), indent=2, ensure_ascii=False) + "\n")
        return 0
    if options.problem is None:
        raise ConfigurationError("which problem? depot plan PROBLEM.json, such as docs/examples/depot-problem.json")
    file = read_problem(options.problem)
    problem = planning_problem(file)
    made = _planner(options, file, problem)
    _compile_once()
    began_s = time.perf_counter()
    best = best_plan(problem, made)
    problem, plan = best.problem, replace(best.plan, solve_s=time.perf_counter() - began_s)
    lifted = _lifted(problem, plan, made)
    if options.out is not None:
        _write(options.out, plan_csv(problem, plan) if options.out.suffix == ".csv" else plan_json(plan, lifted))
    if options.json:
        sys.stdout.write(plan_json(plan, lifted))
    else:
        console = Console(highlight=False)
        console.print(render(file.name or options.problem.stem, problem, plan, lifted))
        if options.out is not None:
            console.print(f"written to {options.out}")
    return 1 if plan.reasons is not None and plan.reasons.unmet else 0


def _planner(options: argparse.Namespace, file: ProblemFile, problem: PlanningProblem) -> Planner:
    """Who was asked for: a planner of the table, or a variant with what is known about the uncertain."""
    if options.planner not in VARIANTS:
        if options.history:
            raise ConfigurationError(
                f"--history: planner {options.planner!r} asks for no scenarios: take one of {', '.join(VARIANTS)}"
            )
        return planner(options.planner, options.solver)
    if options.solver is not None:
        raise ConfigurationError(f"planner {options.planner!r} has its own solver: leave --solver out")
    from connectors.problems.history import read_history  # noqa: PLC0415 -- these import cvxpy, which takes a second
    from connectors.problems.outlook import Draw, outlook_of  # noqa: PLC0415
    from twin_core.planning.uncertainty.table import variant  # noqa: PLC0415

    histories = [read_history(path, problem.horizon.start.tzinfo) for path in options.history]
    outlook = outlook_of(file, problem, histories, Draw(options.scenarios, options.seed, options.draw))
    try:
        return variant(options.planner, outlook)
    except ConfigurationError as error:
        raise ConfigurationError(f'{error} in "outlook" of the problem, or a --history it is drawn from') from error


def _lifted(problem: PlanningProblem, plan: Plan, made: Planner) -> tuple[Lifted, ...]:
    """The limits that bind, those of one node together, each lifted: in the order of what they cost at most."""
    names: dict[str, list[str]] = {}
    for limit in plan.reasons.limits if plan.reasons is not None else ():
        names.setdefault(limit.name.rpartition(" ")[0], []).append(limit.name)
    every = [[cap.name for cap in problem.caps if cap.name.rpartition(" ")[0] == node] for node in names]
    found = []
    for together in every[:LIFTED_AT_MOST]:
        try:
            found.append(lift(problem, plan, made, together))
        except PlanningError:
            # Some planners need the limit they were told about, such as chance_caps; its price is told all the same.
            continue
    return tuple(found)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--out {path}: cannot be written ({error.strerror or error})") from error
