"""Processes of the benchmarks: each states its own CPU time and memory, so that only its own work is counted."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Self

from benchmarks.peers.environment import library_folder
from gateway.clock import new_loop

Answer = dict[str, Any]
Question = Callable[..., Awaitable[Answer]]


class Child:
    """A module of this package in a process of its own, killed on leaving.

    It prints one JSON line when it is ready, and one for each question that it is asked.
    """

    def __init__(self, module: str, *arguments: object) -> None:
        library = library_folder("wire")
        paths = [str(Path.cwd()), *([str(library)] if library else [])]
        command = [sys.executable, "-m", f"benchmarks.ocpp.{module}", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def line(self) -> Answer:
        """The next line it prints.

        Raises:
            RuntimeError: it ended instead.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended early")
        answer: Answer = json.loads(line)
        return answer

    def ask(self, question: str, *arguments: object) -> Answer:
        """What it answers."""
        self.tell(question, *arguments)
        return self.line()

    def tell(self, question: str, *arguments: object) -> None:
        """Ask, and leave the answer for `line`."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, (question, *arguments))) + "\n")
        self._process.stdin.flush()


def state(**what: Any) -> None:
    """Print a line for the parent."""
    print(json.dumps(what), flush=True)


def usage() -> Answer:
    """CPU seconds and resident memory of this process."""
    with Path("/proc/self/statm").open() as statm:
        pages = int(statm.read().split()[1])
    return {"cpu_s": time.process_time(), "rss_mb": pages * resource.getpagesize() / 1e6}


async def answer_questions(**questions: Question) -> None:
    """Answer the parent's questions, each by a function of the words that follow it, until it closes the pipe."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        name, *words = line.decode().split()
        state(**await questions[name](*words))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a child's work on the loop that a gateway runs on, with room for many sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=lambda: new_loop(1.0)) as runner:
        runner.run(work)


def loop_name() -> str:
    """Which event loop runs here."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]
