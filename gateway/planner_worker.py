"""The planner's own process: takes problems from its parent, answers with plans, and dies with it.

Started as `python -m gateway.planner_worker NAME` by `gateway.planner_process`; of no use by hand.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

import numpy as np

from gateway.planner_pipe import FromChild, Ready, Refusal, frame, receive_blocking
from twin_core.errors import DepotError
from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.plan import Plan
from twin_core.models.problem import Cap, Horizon, PlanningProblem, SessionNeed
from twin_core.planning.planner import Planner
from twin_core.planning.reasons import explained
from twin_core.planning.table import planner

NICENESS = 5
"""Below the gateway in the scheduler's eyes: on a busy machine a plan may be late, the control loop may not."""


def main() -> None:
    """Answer problems until the parent is gone."""
    requests, answers = _private_pipes()
    os.nice(NICENESS)
    problems: queue.Queue[PlanningProblem] = queue.Queue(maxsize=1)
    # A thread of its own watches the pipe, so that a parent killed in the middle of a solve takes this process along.
    threading.Thread(target=_read, args=(requests, problems), daemon=True).start()
    try:
        solver = planner(sys.argv[1])
        for problem in _small_problems():
            solver.plan(problem)
    except DepotError as error:
        _send(answers, Refusal(str(error)))
        return
    _send(answers, Ready())
    while True:
        _send(answers, _answer(solver, problems.get()))


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for messages alone; what a planner prints goes to standard error instead."""
    requests, answers = os.dup(0), os.dup(1)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 -- a descriptor is wanted, not a path
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return os.fdopen(requests, "rb"), os.fdopen(answers, "wb")


def _read(requests: BinaryIO, problems: queue.Queue[PlanningProblem]) -> None:
    try:
        while True:
            problem = receive_blocking(requests)
            if isinstance(problem, PlanningProblem):
                problems.put(problem)
    finally:
        os._exit(0)


def _answer(solver: Planner, problem: PlanningProblem) -> FromChild:
    try:
        plan: object = solver.plan(problem)
        if isinstance(plan, Plan):
            return explained(problem, plan)
    except DepotError as error:
        return Refusal(str(error))
    except Exception as error:  # noqa: BLE001 -- this loop supervises planners, also foreign ones
        traceback.print_exc()
        return Refusal(f"{type(error).__name__}: {error}")
    return Refusal(f"the planner returned {type(plan).__name__}, not a plan")


def _send(answers: BinaryIO, message: FromChild) -> None:
    answers.write(frame(message))
    answers.flush()


def _small_problems() -> Iterator[PlanningProblem]:
    """A plain site, a tree and what is neither: enough to have everything imported and compiled once."""
    names = [ChargerId(f"warm-up {number}") for number in range(3)]
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


if __name__ == "__main__":
    main()
