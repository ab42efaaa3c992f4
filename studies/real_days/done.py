"""What a study has finished, kept as it goes: one that was interrupted goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from studies.real_days.case import Row, Task


class Done:
    """Tasks that are done, one a line in a file.

    Args:
        path: made if absent; its folder too.
        go_on: whether what the file holds counts; else it begins empty.

    Raises:
        OSError: it cannot be read or written.
    """

    def __init__(self, path: Path, *, go_on: bool) -> None:
        self._path = path
        self._rows: dict[str, list[Row]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if go_on and path.is_file():
            self._rows = dict(entry for line in path.read_text().splitlines() if (entry := _entry(line)) is not None)
        # Written anew, since the last line may be half of one.
        path.write_text("".join(_line(key, rows) for key, rows in self._rows.items()))

    def rows(self, task: Task) -> list[Row] | None:
        """What came of a task; None where it is still to do."""
        return self._rows.get(_key(task))

    def add(self, task: Task, rows: Sequence[Row]) -> None:
        """Keep what came of a task."""
        with self._path.open("a") as file:
            file.write(_line(_key(task), rows))


def _key(task: Task) -> str:
    return f"{task} {' '.join(contender.name for contender in task.contenders)}"


def _line(key: str, rows: Sequence[Row]) -> str:
    return json.dumps({"task": key, "rows": rows}) + "\n"


def _entry(line: str) -> tuple[str, list[Row]] | None:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return None
    return entry["task"], entry["rows"]
