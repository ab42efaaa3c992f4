"""The study: every planner on recorded days, with tight and loose limits, true and announced departures."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from studies.figure_library import require_matplotlib
from studies.real_days.case import CASES, Case, Row, Task
from studies.real_days.contenders import HINDSIGHT, LEFT_OUT, Contender, contenders
from studies.real_days.done import Done
from studies.real_days.figures import draw_figures
from studies.real_days.processes import in_processes
from studies.real_days.record import Record, refuse_later_days
from studies.real_days.report import page
from studies.real_days.results import Results
from studies.real_days.verdicts import verdicts
from twin_core.errors import StorageError

Progress = Callable[[str, int, int], None]
"""Told what was just finished, how many parts are done and how many there are."""


def run_study(
    days: Mapping[str, Sequence[date]],
    record: Record,
    wheel: Path,
    *,
    out: Path,
    taking_part: Sequence[Contender] = (),
    cases: Sequence[Case] = CASES,
    jobs: int = 1,
    go_on: bool = False,
    on_progress: Progress = lambda what, done, of: None,
) -> dict[str, Any]:
    """Live every day in every case under every planner, and write what came of it.

    Args:
        days: of each site, none after 2020.
        record: of these sites, read from `wheel`.
        out: made if absent; gets `days.csv` (a row for each day, case and planner), `summary.json`, `report.md`,
            `figures/` and, as it goes, `done.jsonl`.
        taking_part: see `contenders`; all where empty.
        jobs: processes.
        go_on: whether what an earlier, interrupted run left in `done.jsonl` is taken over.

    Returns:
        What `summary.json` holds.

    Raises:
        ConfigurationError: a day has no sessions or lies after 2020, or matplotlib is not installed.
        PlanningError: a day cannot be planned as a whole, or a process died.
        StorageError: the folder cannot be written.
    """
    require_matplotlib()
    for of_site in days.values():
        for when in of_site:
            refuse_later_days(when)
    tasks = [
        Task(site, when, case, tuple(taking_part) or contenders())
        for site, of_site in days.items()
        for when in of_site
        for case in cases
    ]
    try:
        rows = _lived(tasks, Done(out / "done.jsonl", go_on=go_on), record, wheel, jobs, on_progress)
        results = Results(rows)
        summary = _summary(results, days)
        _write_csv(out / "days.csv", results.rows)
        (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
        (out / "report.md").write_text(page(results, verdicts(results), summary))
        draw_figures(out / "figures", results)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error}") from error
    return summary


def _lived(
    tasks: Sequence[Task], done: Done, record: Record, wheel: Path, jobs: int, on_progress: Progress
) -> list[Row]:
    """The rows of all tasks, of those that are not done yet as they come."""
    known = {task: rows for task in tasks if (rows := done.rows(task)) is not None}
    rows = [row for of_task in known.values() for row in of_task]
    left = [task for task in tasks if task not in known]
    for number, (task, found) in enumerate(in_processes(left, record, wheel, jobs), start=len(known) + 1):
        done.add(task, found)
        rows += found
        on_progress(str(task), number, len(tasks))
    return rows


def _summary(results: Results, days: Mapping[str, Sequence[date]]) -> dict[str, Any]:
    one_case = [row for row in results.rows if row["planner"] == HINDSIGHT and _case(row) == results.cases[0]]
    stays = {site: sum(int(row["stays"]) for row in one_case if row["site"] == site) for site in days}
    silent = {
        site: sum(float(row["unclaimed"]) * int(row["stays"]) for row in one_case if row["site"] == site)
        for site in days
    }
    return {
        "days": {site: [str(each) for each in of_site] for site, of_site in days.items()},
        "stays": stays,
        "unclaimed": {site: silent[site] / stays[site] for site in days},
        "runs": len(results.rows),
        "violations": sum(float(row["violations"]) for row in results.rows),
        "refusals": _refusals(results),
        "left_out": LEFT_OUT,
        "verdicts": [verdict.as_dict() for verdict in verdicts(results)],
        "beside_hindsight": [
            {
                **dict(zip(("limit", "wiring", "departures"), case, strict=True)),
                "planner": planner,
                "metric": metric,
                **results.difference(case, planner, HINDSIGHT, metric).as_dict(),
            }
            for case in results.cases
            for planner in results.planners(case)
            for metric in ("energy_met", "demands_met", "worst_decile")
        ],
        "means": results.means(),
    }


def _refusals(results: Results) -> dict[str, int]:
    """Plans refused, of the planners that refused any."""
    refused: Counter[str] = Counter()
    for row in results.rows:
        refused[str(row["planner"])] += int(row["refusals"])
    return dict(+refused)


def _case(row: Row) -> tuple[str, str, str]:
    return str(row["limit"]), str(row["wiring"]), str(row["departures"])


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
