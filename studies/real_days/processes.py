"""Tasks in processes: each reads the record once, and an interruption leaves none behind."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from studies.real_days.case import Row, Task, rows_of
from studies.real_days.record import Record
from twin_core.errors import PlanningError

_records: list[Record] = []
"""The record of this process, if it is one that works for another."""


def in_processes(tasks: Sequence[Task], record: Record, wheel: Path, jobs: int) -> Iterator[tuple[Task, list[Row]]]:
    """Every task with its rows, as they are done.

    Args:
        record: read in this process; others read `wheel` themselves, once each.
        jobs: processes; with 1 it is all done in this one.

    Raises:
        PlanningError: a day cannot be planned, or a process died.
    """
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, rows_of(task, record)
        return
    others = set(multiprocessing.active_children())
    sites = tuple(sorted({task.site for task in tasks}))
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)), multiprocessing.get_context("spawn"), initializer=_begin, initargs=(wheel, sites)
    )
    try:
        with _interrupts_only_this_process():
            done = {pool.submit(_rows, task): task for task in tasks}
        for future in as_completed(done):
            yield done[future], future.result()
    except BrokenProcessPool as error:
        raise PlanningError(f"a process of the study died ({error}): try fewer --jobs") from error
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_only_this_process() -> Iterator[None]:
    """Processes started meanwhile do not hear Ctrl-C, which the terminal sends to all: this one ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def _begin(wheel: Path, sites: Sequence[str]) -> None:
    _records[:] = [Record.read(wheel, sites)]


def _rows(task: Task) -> list[Row]:
    return rows_of(task, _records[0])
