"""Which part of the benchmark makes which rows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.ocpp import crowds, day, points, strict, throughput
from benchmarks.ocpp.row import Row, shown

PARTS: dict[str, Callable[[], list[Row]]] = {
    "throughput": throughput.rows,
    "idle": crowds.idle_rows,
    "storm": crowds.storm_rows,
    "points": points.rows,
    "day": day.rows,
    "strict": strict.rows,
}


def run(names: tuple[str, ...] = tuple(PARTS)) -> list[Row]:
    """Make and print the rows of some parts, all of them by default."""
    rows: list[Row] = []
    for name in names:
        for row in PARTS[name]():
            print(shown(row), flush=True)
            rows.append(row)
    return rows
