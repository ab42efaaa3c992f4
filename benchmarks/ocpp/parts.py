"""Which part of the benchmark makes which rows."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.ocpp import crowds, points, strict, throughput
from benchmarks.ocpp.row import Row

PARTS: dict[str, Callable[[], list[Row]]] = {
    "throughput": throughput.rows,
    "idle": crowds.idle_rows,
    "storm": crowds.storm_rows,
    "points": points.rows,
    "strict": strict.rows,
}
