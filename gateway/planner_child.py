"""The gateway's handle on its planner's process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable

from gateway.planner_pipe import Ready, Refusal, frame, receive
from twin_core.errors import PlanningError
from twin_core.models.problem import PlanningProblem

logger = logging.getLogger(__name__)

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One core for the planner: the others belong to the gateway."""

_PIPE_BYTES = 1 << 22


class PlannerChild:
    """A running child, started by `start` and to be ended by `end`."""

    def __init__(self, process: asyncio.subprocess.Process, planner_name: str) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise PlanningError("the planner's process has no pipes")
        self._process = process
        self._requests, self._answers = process.stdin, process.stdout
        self._listener = asyncio.create_task(self._log_output(process.stderr, planner_name), name="planner output")
        self._exit = asyncio.create_task(process.wait(), name="planner exit")

    @classmethod
    async def start(cls, planner_name: str) -> PlannerChild:
        """Start a fresh interpreter: nothing of the gateway, its sockets least of all, is inherited.

        A session of its own keeps Ctrl-C in the terminal from reaching the child before the gateway is through with it.

        Raises:
            OSError: the process could not be started.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            *("-m", "gateway.planner_worker", planner_name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
            limit=_PIPE_BYTES,
        )
        return cls(process, planner_name)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs."""
        return self._process.returncode

    def on_exit(self, callback: Callable[[], None]) -> None:
        """Call back when the process is gone."""
        self._exit.add_done_callback(lambda _: callback())

    async def greeting(self) -> None:
        """Wait until it has loaded its planner and solved a first small problem.

        Raises:
            PlanningError: it says that it cannot work.
            EOFError: it ended instead.
        """
        message = await receive(self._answers)
        if not isinstance(message, Ready):
            raise PlanningError(message.reason if isinstance(message, Refusal) else f"unexpected {message!r:.80}")

    async def ask(self, problem: PlanningProblem) -> object:
        """Its answer to a problem, not yet believed.

        Raises:
            EOFError: it ended, or what it sent is no message.
            OSError: the pipe broke.
        """
        self._requests.write(frame(problem))
        await self._requests.drain()
        return await receive(self._answers)

    async def end(self) -> None:
        """Kill it and wait until nothing of it is left; when cancelled in between, to be called again."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._requests.close()
        await asyncio.wait([self._exit, self._listener])
        # Every pipe at its end, or the transport would outlive the loop.
        await self._answers.read()
        with contextlib.suppress(OSError):
            await self._requests.wait_closed()

    @staticmethod
    async def _log_output(pipe: asyncio.StreamReader, planner_name: str) -> None:
        """Log what the planner prints; a solver's last words before it dies are among it."""
        while text := await pipe.read(4096):
            logger.warning("planner output", extra={"planner": planner_name, "text": text.decode(errors="replace")})
