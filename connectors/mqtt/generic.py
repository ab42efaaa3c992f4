"""The user's own mapping: JSON pointers with unit, scale and sign, for bridges that follow no common format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.mqtt.checks import measured, number, parse_json
from connectors.mqtt.sample import MeterSample, PayloadRefused
from twin_core.errors import ConfigurationError

_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

_FACTORS = {"mA": 1e-3, "A": 1.0, "mV": 1e-3, "V": 1.0, "kV": 1e3, "mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6}
_OLDEST_YEAR, _NEWEST_YEAR = 2000, 2200


class _Mapped(BaseModel):
    """One quantity in the payload.

    Attributes:
        pointer: JSON pointer (RFC 6901); empty when the payload is the number itself.
        scale: multiplies the number, such as 0.1 for registers in tenths.
        sign: -1 for meters that count export as positive.
    """

    model_config = _STRICT
    pointer: str
    scale: float = Field(default=1.0, gt=0)
    sign: Literal[1, -1] = 1

    @field_validator("pointer")
    @classmethod
    def _is_pointer(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError("a JSON pointer is empty or begins with /")
        return value


class _Current(_Mapped):
    unit: Literal["mA", "A"] = "A"


class _Voltage(_Mapped):
    unit: Literal["mV", "V", "kV"] = "V"


class _Power(_Mapped):
    unit: Literal["mW", "W", "kW", "MW"] = "W"


class _Timestamp(BaseModel):
    """When the meter measured: seconds or milliseconds since 1970, or ISO 8601 with a zone."""

    model_config = _STRICT
    pointer: str
    unit: Literal["s", "ms", "iso"] = "iso"


class _Options(BaseModel):
    """Options of a generic meter; each quantity is a table, or just its pointer."""

    model_config = _STRICT
    current_l1: _Current | None = None
    current_l2: _Current | None = None
    current_l3: _Current | None = None
    voltage_l1: _Voltage | None = None
    voltage_l2: _Voltage | None = None
    voltage_l3: _Voltage | None = None
    power_l1: _Power | None = None
    power_l2: _Power | None = None
    power_l3: _Power | None = None
    power: _Power | None = None
    timestamp: _Timestamp | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _pointer_alone(cls, value: object) -> object:
        return {"pointer": value} if isinstance(value, str) else value


class GenericDecoder:
    """Reads a payload by a mapping.

    Args:
        options: quantity (`current_l1`…, `voltage_l1`…, `power_l1`…, `power` for the total, `timestamp`) to a JSON
            pointer, or to a table of `pointer`, `unit`, `scale` and `sign`.

    Raises:
        ConfigurationError: the mapping names no current and no power, or something unknown.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        try:
            self._options = _Options.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(f"generic meter, option {where}: {first['msg']}") from error
        named = self._options.model_fields_set
        if not any(name.startswith(("current", "power")) for name in named):
            raise ConfigurationError("generic meter: name at least one of power, power_l1… or current_l1…")

    def __call__(self, topic: str, payload: bytes) -> MeterSample:
        """The sample in a payload.

        Raises:
            PayloadRefused: it is not believed, or a mapped power or current is missing.
        """
        root, o = parse_json(payload), self._options
        return measured(
            current_a=(_read(root, o.current_l1), _read(root, o.current_l2), _read(root, o.current_l3)),
            voltage_v=(_read(root, o.voltage_l1), _read(root, o.voltage_l2), _read(root, o.voltage_l3)),
            power_w=(_read(root, o.power_l1), _read(root, o.power_l2), _read(root, o.power_l3)),
            total_w=_read(root, o.power),
            measured_at=None if o.timestamp is None else _moment(find(root, o.timestamp.pointer), o.timestamp.unit),
        )


def make_generic(options: Mapping[str, object]) -> GenericDecoder:
    """A generic decoder from the options of a binding; see `GenericDecoder`."""
    return GenericDecoder(options)


def find(root: Any, pointer: str) -> Any:
    """The value a JSON pointer names; None when there is none.

    Raises:
        PayloadRefused: a list is asked for something that is no index.
    """
    value = root
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            if not (key.isascii() and key.isdigit() and len(key) < 10):
                raise PayloadRefused("no_such_field", f"{pointer}: {key!r} is no index")
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def _read(root: Any, mapped: _Current | _Voltage | _Power | None) -> float | None:
    """A mapped quantity in A, V or W; what is mapped must be there."""
    if mapped is None:
        return None
    value = number(find(root, mapped.pointer), mapped.pointer)
    if value is None:
        raise PayloadRefused("no_such_field", mapped.pointer)
    result = value * mapped.scale * mapped.sign * _FACTORS[mapped.unit]
    if not math.isfinite(result):
        raise PayloadRefused("not_finite", mapped.pointer)
    return result


def _moment(value: Any, unit: Literal["s", "ms", "iso"]) -> datetime:
    try:
        if unit == "iso":
            moment = datetime.fromisoformat(value)
        else:
            seconds = number(value, "timestamp")
            if seconds is None:
                raise PayloadRefused("not_a_time", "there is none")
            moment = datetime.fromtimestamp(seconds if unit == "s" else seconds / 1000.0, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise PayloadRefused("not_a_time", repr(value)[:40]) from error
    if moment.tzinfo is None or not _OLDEST_YEAR <= moment.year < _NEWEST_YEAR:
        raise PayloadRefused("not_a_time", f"{moment.isoformat()} has no zone or a strange year")
    return moment
