"""The whole study into one folder: summary, tables, figures and a page that says what holds."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.figure_library import require_matplotlib
from studies.prices import PriceHistory
from studies.thesis import cars, cohort
from studies.thesis.cars import CarsDay
from studies.thesis.cohort import CohortDay
from studies.thesis.figures import draw_figures
from studies.thesis.outcome import Outcome, Row, medians
from studies.thesis.report import page
from studies.thesis.scenario import CohortSetUp, SetUp
from twin_core.errors import ConfigurationError, StorageError
from twin_core.planning.solvers.table import SolverBench

Progress = Callable[[str, int, int], None]
"""Told what was just finished, how many parts are done and how many there are."""


@dataclass(frozen=True, slots=True)
class SetUpStudy:
    """One set-up over all seeds.

    Attributes:
        rows: one a seed, see `Outcome.row`.
        day: the first seed in full.
        pareto: cost and carbon by weight λ, first seed; empty where there is no carbon.
    """

    set_up: SetUp
    rows: tuple[Row, ...]
    day: CarsDay | CohortDay
    pareto: tuple[Row, ...] = ()
    median: Row = field(default_factory=dict)


def run_study(
    set_ups: Sequence[SetUp],
    prices: PriceHistory,
    *,
    n_seeds: int,
    out: Path,
    on_progress: Progress = lambda what, done, of: None,
) -> dict[str, Any]:
    """Every set-up for seeds 0 to `n_seeds` − 1, written to `out`; the same input gives the same numbers.

    Returns:
        What `summary.json` holds.

    Raises:
        ConfigurationError: two set-ups have one name, matplotlib is not installed, or the prices lack the days asked.
        PlanningError: a plan could not be made or checked.
        StorageError: the folder cannot be written.
    """
    names = [set_up.name for set_up in set_ups]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"name: {', '.join(names)} are not all different")
    require_matplotlib()
    of = len(set_ups) * (n_seeds + 1)
    found: list[SetUpStudy] = []
    for set_up in set_ups:

        def seed_done(seed: int, set_up: SetUp = set_up) -> None:
            on_progress(f"{set_up.name}: seed {seed}", len(found) * n_seeds + seed + 1, of)

        found.append(_study(set_up, prices, n_seeds, seed_done))
    summary = _summary(found, prices, n_seeds)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_json(out / "summary.json", summary)
        for number, study in enumerate(found, start=1):
            _write_tables(out / "tables", study)
            draw_figures(out / "figures", study.day, prices, study.pareto)
            on_progress(f"{study.set_up.name}: figures", len(found) * n_seeds + number, of)
        (out / "report.md").write_text(page(summary), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error}") from error
    return summary


def _study(set_up: SetUp, prices: PriceHistory, n_seeds: int, seed_done: Callable[[int], None]) -> SetUpStudy:
    bench = SolverBench()
    rows: list[Row] = []
    first: CarsDay | CohortDay | None = None
    for seed in range(n_seeds):
        outcome, day = _one_day(set_up, prices, seed, bench)
        rows.append(outcome.row())
        first = day if first is None else first
        seed_done(seed)
    if first is None:
        raise ConfigurationError(f"seeds: {n_seeds}, must be at least 1")
    front = () if isinstance(first, CohortDay) else tuple(cars.pareto(first, bench))
    return SetUpStudy(set_up, tuple(rows), first, front, medians(rows))


def _one_day(set_up: SetUp, prices: PriceHistory, seed: int, bench: SolverBench) -> tuple[Outcome, CarsDay | CohortDay]:
    if isinstance(set_up, CohortSetUp):
        return cohort.study_day(set_up, prices, seed)
    return cars.study_day(set_up, prices, seed, bench)


def _summary(found: Sequence[SetUpStudy], prices: PriceHistory, n_seeds: int) -> dict[str, Any]:
    return {
        "study": "thesis",
        "seeds": n_seeds,
        "prices": {
            "source": prices.source,
            "first": prices.days[0].isoformat(),
            "last": prices.days[-1].isoformat(),
            "days": len(prices.days),
            "days_left_out": prices.left_out,
        },
        "set_ups": {study.set_up.name: _of_set_up(study, prices) for study in found},
    }


def _of_set_up(study: SetUpStudy, prices: PriceHistory) -> dict[str, Any]:
    set_up = study.set_up
    published = None
    if set_up.published is not None:
        published = {**set_up.published.model_dump(), "ratio": set_up.published.ratio}
    highest = float(prices.between(set_up.prices.first, set_up.prices.last).hourly_mean().max())
    return {
        "title": set_up.title,
        "settings": set_up.model_dump(mode="json"),
        "highest_price_eur_per_kwh": highest,
        "published": published,
        "seeds": [_numbers(row) for row in study.rows],
        "median": _numbers(study.median),
        "pareto": [_numbers(row) for row in study.pareto],
    }


def _numbers(row: Row) -> dict[str, float | int | None]:
    """JSON knows no NaN; counts stay whole."""
    return {
        name: None if math.isnan(value) else int(value) if name == "seed" else float(value)
        for name, value in row.items()
    }


def _write_tables(folder: Path, study: SetUpStudy) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in ((f"{study.set_up.name}_seeds", study.rows), (f"{study.set_up.name}_pareto", study.pareto)):
        if not rows:
            continue
        _write_json(folder / f"{name}.json", [_numbers(row) for row in rows])
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, fieldnames=list(rows[0]))
            table.writeheader()
            table.writerows(_numbers(row) for row in rows)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
