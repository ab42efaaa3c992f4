"""Reading a problem: every fault is told with its field, the value given and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from connectors.problems.problem_file import ProblemFile
from twin_core.errors import ConfigurationError

_TAGS = frozenset({"by time", "by step", "one value", "by phase", "alike", "as hours", "as time", "[key]"})
"""What pydantic adds to the way to a field, and nobody wrote."""

_MOST_FAULTS = 20
"""Faults told at once: a list of a thousand bad prices is one slip."""

_A_TIME = 'must be hours from the start, or a time with its zone such as "2026-11-21T18:30+01:00"'

_REMEDIES = {
    "extra_forbidden": "no such field: see docs/planning.md for those there are",
    "missing": "is missing: give a value",
    "timezone_aware": 'needs a time zone, such as "2026-11-21T18:00+01:00"',
    "datetime_parsing": _A_TIME,
    "datetime_from_date_parsing": _A_TIME,
    "datetime_object_invalid": _A_TIME,
    "datetime_type": _A_TIME,
    "float_type": "must be a number, without quotes",
    "string_pattern_mismatch": 'must be a time of day such as "07:00"',
    "model_type": "must be an object: {...}",
    "finite_number": "must be a finite number",
}


def parse_problem(text: str | bytes, name: str = "the problem") -> ProblemFile:
    """A problem from its JSON.

    Raises:
        ConfigurationError: it is no JSON, or a field has no sensible value; every fault with field, value and remedy.
    """
    try:
        plain = text if isinstance(text, str) else text.decode("utf-8-sig")
        _require_once(plain.removeprefix("\ufeff"), name)
        return ProblemFile.model_validate_json(plain.removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: is no JSON: byte {error.start} is no UTF-8") from error
    except ValidationError as error:
        raise ConfigurationError(_described(name, error)) from error


def read_problem(path: Path) -> ProblemFile:
    """A problem from its file.

    Raises:
        ConfigurationError: the file cannot be read, or as `parse_problem`.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_problem(text, str(path))


def _require_once(text: str, name: str) -> None:
    """Refuse a field that is given twice: which of the two was meant, nobody knows."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        for field in fields:
            if len(fields) < len(pairs) and sum(field == other for other, _ in pairs) > 1:
                raise ConfigurationError(f"{name}: {field!r} is given twice in one object: keep one of them")
        return fields

    try:
        json.loads(text, object_pairs_hook=once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{name}: is no JSON: {error}") from error


def _described(name: str, error: ValidationError) -> str:
    """Every fault, one a line: where, what, and the value that was given."""
    faults = error.errors(include_url=False)
    lines = [f"{name}: {len(faults)} fault(s)"]
    for fault in faults[:_MOST_FAULTS]:
        where = ".".join(str(part) for part in fault["loc"] if part not in _TAGS) or "the whole"
        given = fault["input"]
        shown = (
            "" if isinstance(given, dict | list | tuple) or fault["type"] == "missing" else f" (given: {_json(given)})"
        )
        what = _REMEDIES.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
        lines.append(f"  {where}: {what.removeprefix('Input ')}{shown}")
    if len(faults) > _MOST_FAULTS:
        lines.append(f"  and {len(faults) - _MOST_FAULTS} more")
    return "\n".join(lines)


def _json(given: object) -> str:
    """A value as it was written, cut where it is long."""
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
