"""Points as InfluxDB line protocol: pure, one point one line.

The writer of `influxdb-client` builds an object per point and drops fields that are not finite without a word; this
one writes straight from our points and counts what it leaves out. Nothing that comes from outside can start a new
line or a new tag: the characters that could are escaped, or replaced where the protocol has no escape for them.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from twin_core.ports import Point

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT64 = 2**63

_LINE_BREAKS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ ", **_LINE_BREAKS})
_KEY = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\=", **_LINE_BREAKS})
_STRING = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": " ", "\r": " "})


class Precision(StrEnum):
    """Unit of the timestamps, named as the write endpoint names it."""

    NANOSECONDS = "ns"
    MICROSECONDS = "us"
    MILLISECONDS = "ms"
    SECONDS = "s"


class UnwritablePointError(ValueError):
    """A point that line protocol cannot carry; the text says why."""


def encode(point: Point, precision: Precision = Precision.NANOSECONDS) -> bytes:
    r"""One line of line protocol, without a line end.

    Tags and fields come in alphabetic order, so that equal points are equal bytes. Fields that are NaN or infinite and
    tags with an empty value are left out, because the protocol has no way to write them; see `unwritable_fields`.
    Line breaks in a string field become spaces; in names and tags they become the two characters `\n`.

    Raises:
        UnwritablePointError: no field is left, the timestamp has no zone, the measurement is empty or reads as a
            comment, an integer needs more than 64 bits, or a field is of a type the protocol does not know.
    """
    measurement = _escape_measurement(point.measurement)
    if not measurement or measurement.startswith("#"):
        raise UnwritablePointError(f"measurement {point.measurement!r} is empty or would be read as a comment")
    tags = [f",{_escape_key(k)}={_escape_tag(v)}" for k, v in sorted(point.tags.items()) if k and v]
    fields = [
        f"{_escape_key(name)}={text}"
        for name, value in sorted(point.fields.items())
        if name and (text := _field_text(name, value)) is not None
    ]
    if not fields:
        raise UnwritablePointError(f"point of {point.measurement!r} has no field that can be written")
    line = f"{measurement}{''.join(tags)} {','.join(fields)} {timestamp(point.utc, precision)}"
    return line.encode("utf-8", "replace")


def unwritable_fields(point: Point) -> int:
    """How many fields of a point are NaN or infinite and so cannot be written."""
    return sum(isinstance(value, float) and not math.isfinite(value) for value in point.fields.values())


def timestamp(utc: datetime, precision: Precision) -> int:
    """Time since 1970 in the unit asked for, exact and rounded down.

    Raises:
        UnwritablePointError: the time has no zone.
    """
    if utc.tzinfo is None:
        raise UnwritablePointError(f"timestamp {utc.isoformat()} has no time zone")
    microseconds = (utc - _EPOCH) // _MICROSECOND
    match precision:
        case Precision.NANOSECONDS:
            return microseconds * 1000
        case Precision.MICROSECONDS:
            return microseconds
        case Precision.MILLISECONDS:
            return microseconds // 1000
        case Precision.SECONDS:
            return microseconds // 1_000_000
        case _:
            assert_never(precision)


def _field_text(name: str, value: object) -> str | None:
    """A field's value as text; None when it is not finite."""
    if isinstance(value, float):  # first, because almost every field is one
        return repr(float(value)) if math.isfinite(value) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise UnwritablePointError(f"field {name!r} = {value} does not fit 64 bits")
        return f"{value}i"
    if isinstance(value, str):
        return f'"{value.translate(_STRING)}"'
    raise UnwritablePointError(f"field {name!r} is a {type(value).__name__}: use a float, int, bool or str")


# Names and tag values come from small sets (sites, chargers, phases), so each is escaped once.
@lru_cache(maxsize=256)
def _escape_measurement(text: str) -> str:
    return _close(text.translate(_MEASUREMENT))


@lru_cache(maxsize=16384)
def _escape_key(text: str) -> str:
    return _close(text.translate(_KEY))


@lru_cache(maxsize=16384)
def _escape_tag(text: str) -> str:
    return _close(text.translate(_KEY))


def _close(text: str) -> str:
    """A trailing backslash would escape the separator behind it; the protocol's only remedy is a space between."""
    return f"{text}\\ " if text.endswith("\\") else text
