"""The planner's own process: takes problems from its parent, answers with plans, and dies with it.

Started as `python -m gateway.planner_worker NAME` by `gateway.planner_process`; of no use by hand.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import BinaryIO

from gateway.planner_pipe import FromChild, Ready, Refusal, frame, receive_blocking
from twin_core.errors import DepotError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.planner import Planner
from twin_core.planning.reasons import explained
from twin_core.planning.table import planner
from twin_core.planning.warm_up import warm_up

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
        warm_up(solver)
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


if __name__ == "__main__":
    main()
