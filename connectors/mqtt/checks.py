"""Strict reading of JSON and of numbers: what no meter could mean is refused with its cause."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from connectors.mqtt.sample import NOT_REPORTED, MeterSample, PayloadRefused, PerPhase
from twin_core.errors import ConfigurationError

MAX_PAYLOAD_BYTES = 65_536
MAX_CURRENT_A = 20_000.0
MAX_VOLTAGE_V = 1_000.0
MAX_POWER_KW = 20_000.0

_SCALAR = re.compile(rb"[+-]?\d{1,15}(\.\d{1,15})?")


def parse_json(payload: bytes) -> Any:
    """The JSON value of a payload; NaN and Infinity are no JSON.

    Raises:
        PayloadRefused: too large, not JSON, or nested too deep.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadRefused("too_large", f"{len(payload)} bytes")
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise PayloadRefused("not_json", str(error)[:120]) from error


def parse_object(payload: bytes) -> dict[str, Any]:
    """The JSON object of a payload.

    Raises:
        PayloadRefused: it is none.
    """
    value = parse_json(payload)
    if not isinstance(value, dict):
        raise PayloadRefused("not_an_object", f"a JSON {type(value).__name__}")
    return value


def parse_scalar(payload: bytes) -> float:
    """The decimal number that is the whole payload.

    Raises:
        PayloadRefused: it is none.
    """
    if not _SCALAR.fullmatch(payload):
        raise PayloadRefused("not_a_number", repr(payload[:40]))
    return float(payload)


def number(value: Any, name: str) -> float | None:
    """A finite number; None stays None.

    Raises:
        PayloadRefused: text, a yes/no, a structure, or beyond every float.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PayloadRefused("not_a_number", f"{name} is a {type(value).__name__}")
    try:
        result = float(value)
    except OverflowError as error:
        raise PayloadRefused("out_of_range", f"{name} is beyond every float") from error
    if not math.isfinite(result):
        raise PayloadRefused("not_finite", name)
    return result


def current(value: float | None, name: str) -> float | None:
    """A current in A as a magnitude; meters that sign it state the direction in the power too.

    Raises:
        PayloadRefused: larger than any fuse.
    """
    if value is None:
        return None
    if not abs(value) <= MAX_CURRENT_A:
        raise PayloadRefused("out_of_range", f"{name} = {value:g} A")
    return abs(value)


def voltage(value: float | None, name: str) -> float | None:
    """A voltage to neutral in V; 0 is a channel without voltage.

    Raises:
        PayloadRefused: negative, or no low voltage.
    """
    if value is not None and not 0.0 <= value <= MAX_VOLTAGE_V:
        raise PayloadRefused("out_of_range", f"{name} = {value:g} V")
    return value


def power_kw(value: float | None, name: str) -> float | None:
    """A power in kW, export negative.

    Raises:
        PayloadRefused: larger than any depot.
    """
    if value is not None and not abs(value) <= MAX_POWER_KW:
        raise PayloadRefused("out_of_range", f"{name} = {value:g} kW")
    return value


def kw_from_w(value: float | None) -> float | None:
    """W as kW; None stays None."""
    return None if value is None else value / 1000.0


def channels(value: Any, name: str) -> PerPhase:
    """One number for channel a, or a list of up to three.

    Raises:
        PayloadRefused: more than three, or no numbers.
    """
    items = value if isinstance(value, list) else [value]
    if len(items) > 3:
        raise PayloadRefused("too_many_channels", f"{name} has {len(items)}")
    numbers = [number(item, name) for item in items] + [None] * (3 - len(items))
    return (numbers[0], numbers[1], numbers[2])


def measured(
    *,
    current_a: PerPhase = NOT_REPORTED,
    voltage_v: PerPhase = NOT_REPORTED,
    power_w: PerPhase = NOT_REPORTED,
    total_w: float | None = None,
    measured_at: datetime | None = None,
) -> MeterSample:
    """A sample with every value in its range.

    Raises:
        PayloadRefused: a value is out of range, or nothing was measured.
    """
    sample = MeterSample(
        current_a=_each(current, current_a, "current"),
        voltage_v=_each(voltage, voltage_v, "voltage"),
        power_kw=_each(lambda value, name: power_kw(kw_from_w(value), name), power_w, "power"),
        total_power_kw=power_kw(kw_from_w(total_w), "total power"),
        measured_at=measured_at,
    )
    if sample.is_empty:
        raise PayloadRefused("no_measurement", "neither a current nor a power")
    return sample


def _each(check: Callable[[float | None, str], float | None], values: PerPhase, name: str) -> PerPhase:
    a, b, c = (check(value, f"{name} {letter}") for value, letter in zip(values, "abc", strict=True))
    return (a, b, c)


def check_topic(topic: str, *, wildcards: bool = False) -> str:
    """A topic that means what it says: no dotted levels, no control characters, wildcards only where allowed.

    Raises:
        ConfigurationError: it is something else.
    """
    levels = topic.split("/")
    allowed_alone = {"+", "#"} if wildcards else set()
    good = (
        topic
        and len(topic.encode("utf-8", errors="replace")) <= 1024
        and all(
            level in allowed_alone or (level.isprintable() and level not in {".", ".."} and not set(level) & {"+", "#"})
            for level in levels
        )
    )
    if not good or "#" in levels[:-1]:
        raise ConfigurationError(
            f"topic {topic[:80]!r} is not allowed: use levels of printable characters"
            + (", + for one level and # for the rest" if wildcards else " without + or #")
        )
    return topic
