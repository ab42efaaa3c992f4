"""Points as line protocol."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import influxdb_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.influx.line_protocol import Precision, UnwritablePointError, encode, unwritable_fields
from twin_core.ports import Point

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOON_NS = 1_780_315_200_000_000_000

ordinary = st.text(
    st.characters(codec="utf-8", exclude_characters="\\", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
).filter(lambda text: not text.startswith("#"))
nasty = st.text('\n\r\t,= \\"#a\u00e9', max_size=12)
anything = st.one_of(nasty, st.text(max_size=12)).filter(bool)
values = st.one_of(
    st.floats().filter(lambda x: not x.is_integer()),  # the library writes 3.0 as 3, which means the same
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cc", "Cs"])),
)
raw = st.one_of(values, nasty, st.text())
seconds = st.integers(0, 2**32).map(lambda s: datetime.fromtimestamp(s, UTC))  # the library rounds microseconds


def point(**fields: float | int | bool | str) -> Point:
    return Point("connector", {"site": "north"}, fields, NOON)


def by_the_library(ours: Point) -> str:
    theirs = influxdb_client.Point(ours.measurement)
    for name, tag in ours.tags.items():
        theirs.tag(name, tag)
    for name, value in ours.fields.items():
        theirs.field(name, value)
    line: str = theirs.time(ours.utc).to_line_protocol()
    return line


@given(
    ordinary, st.dictionaries(ordinary, ordinary, max_size=3), st.dictionaries(ordinary, values, min_size=1), seconds
)
def test_it_writes_what_influxdb_client_writes(
    measurement: str, tags: dict[str, str], fields: dict[str, Any], utc: datetime
) -> None:
    ours = Point(measurement, tags, fields, utc)
    theirs = by_the_library(ours)
    if theirs == "":
        with pytest.raises(UnwritablePointError):
            encode(ours)
    else:
        assert encode(ours).decode() == theirs


@given(anything, st.dictionaries(anything, nasty, max_size=3), st.dictionaries(anything, raw, min_size=1))
def test_no_text_from_outside_can_begin_a_second_line(
    measurement: str, tags: dict[str, str], fields: dict[str, Any]
) -> None:
    try:
        line = encode(Point(measurement, tags, fields, NOON))
    except UnwritablePointError:
        return
    assert b"\n" not in line
    assert b"\r" not in line
    assert not line.startswith(b"#")
    assert line.endswith(f" {NOON_NS}".encode())


def test_equal_points_are_equal_bytes_whatever_the_order_of_their_tags() -> None:
    one = Point("node", {"a": "1", "b": "2"}, {"x": 1.0, "y": 2.0}, NOON)
    other = Point("node", {"b": "2", "a": "1"}, {"y": 2.0, "x": 1.0}, NOON)
    assert encode(one) == encode(other) == f"node,a=1,b=2 x=1.0,y=2.0 {NOON_NS}".encode()


def test_floats_integers_booleans_and_strings_keep_their_types() -> None:
    line = encode(point(f=3.0, i=3, b=True, s='say "hi" \\ there')).decode()
    assert line == f'connector,site=north b=true,f=3.0,i=3i,s="say \\"hi\\" \\\\ there" {NOON_NS}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_field_that_is_not_finite_is_left_out_and_counted(value: float) -> None:
    mixed = point(bad=value, good=1.5)
    assert encode(mixed) == f"connector,site=north good=1.5 {NOON_NS}".encode()
    assert unwritable_fields(mixed) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (point(power_kw=math.nan), "no field"),
        (point(), "no field"),
        (Point("#connector", {}, {"x": 1.0}, NOON), "comment"),
        (Point("", {}, {"x": 1.0}, NOON), "empty"),
        (point(big=2**63), "64 bits"),
        (Point("node", {}, {"x": 1.0}, NOON.replace(tzinfo=None)), "time zone"),
        (Point("node", {}, {"x": None}, NOON), "NoneType"),  # type: ignore[dict-item]
    ],
)
def test_what_the_protocol_cannot_carry_is_refused_with_the_reason(bad: Point, reason: str) -> None:
    with pytest.raises(UnwritablePointError, match=reason):
        encode(bad)


def test_a_trailing_backslash_cannot_swallow_the_separator_behind_it() -> None:
    line = encode(Point("node\\", {"site\\": "north\\"}, {"power_kw\\": 1.0}, NOON))
    assert line == rb"node\\ ,site\\ =north\\  power_kw\\ =1.0 " + str(NOON_NS).encode()


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        (Precision.NANOSECONDS, 1_780_315_200_123_456_000),
        (Precision.MICROSECONDS, 1_780_315_200_123_456),
        (Precision.MILLISECONDS, 1_780_315_200_123),
        (Precision.SECONDS, 1_780_315_200),
    ],
)
def test_timestamps_are_exact_in_every_unit_and_zone(precision: Precision, expected: int) -> None:
    utc = NOON + timedelta(microseconds=123_456)
    for zone in (UTC, timezone(timedelta(hours=2))):
        line = encode(Point("node", {}, {"x": 1.0}, utc.astimezone(zone)), precision)
        assert line.decode().rsplit(" ", 1)[1] == str(expected)
