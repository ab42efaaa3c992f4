"""One figure, its aim, and whether it was reached."""

from __future__ import annotations

import math
from typing import Any

Row = dict[str, Any]


def judged(
    problem: str,
    ours: float,
    unit: str,
    *,
    least: float | None = None,
    most: float | None = None,
    holds: bool = True,
    **details: Any,
) -> Row:
    """A figure beside its aim.

    Args:
        problem: what was measured.
        ours: the figure; one that is no number reaches no aim.
        unit: of the figure and of its aim.
        least: the figure is to be at least this ...
        most: ... or at most this; with neither it is told for information.
        holds: False where the figure came about in a way that does not count, such as with chargers missing.
        details: whatever else the reader should know.
    """
    row: Row = {"problem": problem, "ours": _rounded(ours), "unit": unit}
    if least is None and most is None:
        return row | {"aim": None, "status": "for information", **details}
    reached = holds and (least is None or ours >= least) and (most is None or ours <= most)
    aim = f">= {least:g}" if least is not None else f"<= {most:g}"
    return row | {"aim": aim, "status": "reached" if reached else "missed", **details}


def skipped(problem: str, why: str) -> Row:
    """A figure that could not be measured here, and why."""
    return {"problem": problem, "ours": None, "unit": "", "aim": None, "status": f"skipped: {why}"}


def shown(row: Row) -> str:
    """A row as a line of a table."""
    figure = "" if row["ours"] is None else f"{row['ours']:>10,g} {row['unit']}"
    extra = {key: value for key, value in row.items() if key not in {"problem", "ours", "unit", "aim", "status"}}
    aim = "" if row["aim"] is None else f" (aim {row['aim']})"
    details = "".join(f"\n      {key}: {value}" for key, value in extra.items())
    return f"  {row['problem']}\n    {figure}{aim}: {row['status']}{details}"


def _rounded(value: float) -> float:
    """To three figures behind the point where it is small, to whole ones where it is large."""
    return round(value) if math.isfinite(value) and abs(value) >= 1000 else round(value, 3)
