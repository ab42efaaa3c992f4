"""DSMR-reader: one number per topic, `dsmr/reading/<field>`, joined into one reading per telegram.

The pure parts are `dsmr_value` and `join`; `DsmrJoiner` only remembers the fields of the telegram under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.mqtt.checks import measured, parse_scalar
from connectors.mqtt.sample import MeterSample, PayloadRefused, PerPhase

_TOTALS = ("electricity_currently_delivered", "electricity_currently_returned")
_PER_PHASE = ("phase_currently_delivered", "phase_currently_returned", "phase_voltage", "phase_power_current")
_NUMBERS = frozenset(_TOTALS) | {f"{field}_l{phase}" for field in _PER_PHASE for phase in (1, 2, 3)}

_OPENER = "timestamp"
"""The field a telegram begins with, as DSMR-reader publishes them."""

_TELEGRAMS_TO_FORGET = 3
"""Incomplete telegrams in a row after which a field that stopped coming is no longer waited for."""


def dsmr_value(topic: str, payload: bytes) -> tuple[str, float | datetime] | None:
    """The field a topic names (its last level) and its value; None for fields that do not matter here.

    Raises:
        PayloadRefused: the field matters and its payload is no number, or no time.
    """
    field = topic.rpartition("/")[2]
    if field == _OPENER:
        return field, _moment(payload)
    if field not in _NUMBERS:
        return None
    return field, parse_scalar(payload)


def _moment(payload: bytes) -> datetime:
    try:
        moment = datetime.fromisoformat(payload.decode("ascii"))
    except (UnicodeDecodeError, ValueError) as error:
        raise PayloadRefused("not_a_time", repr(payload[:40])) from error
    if moment.tzinfo is None:
        raise PayloadRefused("not_a_time", f"{moment.isoformat()} has no zone")
    return moment


def join(fields: Mapping[str, float | datetime]) -> MeterSample:
    """One telegram's fields as a sample: delivered minus returned, kW, V and (whole) A.

    Raises:
        PayloadRefused: a value is out of range, or no power or current is among them.
    """
    values = {name: value for name, value in fields.items() if isinstance(value, float)}
    moment = fields.get("timestamp")
    net = [_net(values, f"phase_currently_%s_l{phase}") for phase in (1, 2, 3)]
    return measured(
        current_a=_phases(values, "phase_power_current"),
        voltage_v=_phases(values, "phase_voltage"),
        power_w=(net[0], net[1], net[2]),
        total_w=_net(values, "electricity_currently_%s"),
        measured_at=moment if isinstance(moment, datetime) else None,
    )


def _phases(values: Mapping[str, float], field: str) -> PerPhase:
    return (values.get(f"{field}_l1"), values.get(f"{field}_l2"), values.get(f"{field}_l3"))


def _net(values: Mapping[str, float], pattern: str) -> float | None:
    """Delivered minus returned in W; a meter that reports no return has none."""
    delivered = values.get(pattern % "delivered")
    if delivered is None:
        return None
    return 1000.0 * (delivered - values.get(pattern % "returned", 0.0))


class DsmrJoiner:
    """Joins the messages of one telegram, which begins with its `timestamp`.

    It learns from the first whole telegram which fields there are, and gives a sample as soon as they are all there. A
    telegram that lacks one gives none: half of an old and half of a new reading is no reading.
    """

    def __init__(self) -> None:
        self._expected: frozenset[str] = frozenset()
        self._fields: dict[str, float | datetime] = {}
        self._incomplete = 0

    def __call__(self, topic: str, payload: bytes) -> MeterSample | None:
        """The sample that this message completes; None before that.

        Raises:
            PayloadRefused: see `dsmr_value` and `join`; also when telegrams come without their timestamp.
        """
        found = dsmr_value(topic, payload)
        if found is None:
            return None
        field, value = found
        if field == _OPENER:
            self._learn()
            self._fields = {}
        elif field in self._fields:
            without_start = _OPENER not in self._fields
            self.reset()
            if without_start:
                raise PayloadRefused("no_timestamp", "let DSMR-reader publish timestamp too: it begins a telegram")
        self._fields[field] = value
        if not self._expected or self._fields.keys() != self._expected:
            return None
        self._incomplete = 0
        return join(self._fields)

    def reset(self) -> None:
        """Forget the telegram under way, such as after the link broke."""
        self._fields = {}

    def _learn(self) -> None:
        """A telegram is over: what it held is what the next ones are expected to hold."""
        seen = frozenset(self._fields)
        if _OPENER not in seen:
            return
        if seen < self._expected:
            self._incomplete += 1
            if self._incomplete < _TELEGRAMS_TO_FORGET:
                return
            self._expected = frozenset()
        self._incomplete = 0
        self._expected |= seen
