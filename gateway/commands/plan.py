"""`depot plan`: a planning problem from a file, planned, shown and explained."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from connectors.problems.plan_answer import plan_json
from connectors.problems.reading import read_problem
from connectors.problems.translation import planning_problem
from gateway.plan_view import render
from twin_core.errors import ConfigurationError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.contradictions import best_plan
from twin_core.planning.lifting import Lifted, lift
from twin_core.planning.planner import Planner
from twin_core.planning.table import planner

SUMMARY = "plan a charging problem from a file, and say why the plan is as it is"
DESCRIPTION = """\
Reads a planning problem (horizon, sessions, tree of limits, prices; see docs/planning.md), plans
it, and prints who charges when and why, which limits bind and what each costs, and what could not
be met. Exits 0 when everybody gets what was asked, 1 when the plan leaves something unmet (it is
printed and written all the same), and 2 when the problem makes no sense.

example
  depot plan docs/examples/depot-problem.json
  depot plan docs/examples/depot-problem.json --planner edf --out plan.json
"""

LIFTED_AT_MOST = 4
"""Limits planned again without, so that a readable plan takes a few times as long as the plan itself."""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("problem", metavar="PROBLEM.json", type=Path, help="the problem")
    parser.add_argument("--planner", default="power_allocation", help="who plans (default power_allocation)")
    parser.add_argument("--solver", help="what solves it (default: the fastest that covers the problem)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the plan there as JSON")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON instead of tables")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when all is met, 1 when the plan leaves something unmet."""
    file = read_problem(options.problem)
    problem = planning_problem(file)
    made = planner(options.planner, options.solver)
    began_s = time.perf_counter()
    best = best_plan(problem, made)
    problem, plan = best.problem, replace(best.plan, solve_s=time.perf_counter() - began_s)
    if options.out is not None:
        _write(options.out, plan_json(plan))
    if options.json:
        sys.stdout.write(plan_json(plan))
    else:
        console = Console(highlight=False)
        console.print(render(file.name or options.problem.stem, problem, plan, _lifted(problem, plan, made)))
        if options.out is not None:
            console.print(f"written to {options.out}")
    return 1 if plan.reasons is not None and plan.reasons.unmet else 0


def _lifted(problem: PlanningProblem, plan: Plan, made: Planner) -> tuple[Lifted, ...]:
    """The limits that bind, those of one node together, each lifted: in the order of what they cost at most."""
    names: dict[str, list[str]] = {}
    for limit in plan.reasons.limits if plan.reasons is not None else ():
        names.setdefault(limit.name.rpartition(" ")[0], []).append(limit.name)
    every = [[cap.name for cap in problem.caps if cap.name.rpartition(" ")[0] == node] for node in names]
    return tuple(lift(problem, plan, made, together) for together in every[:LIFTED_AT_MOST])


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--out {path}: cannot be written ({error.strerror or error})") from error
