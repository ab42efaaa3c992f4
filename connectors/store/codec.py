"""Events as JSON bytes and back, exactly: equal events give equal bytes, and decoding gives the event again.

The layout follows from the types of the event classes, so a new event needs no code here. What JSON lacks is written
plainly: infinities as strings, moments as UTC in ISO 8601, connectors as "charger/number", arrays with their shape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, Union, cast, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from twin_core.errors import StorageError
from twin_core.models.events import Event
from twin_core.models.ids import ChargerId, ConnectorId

CODEC_VERSION = 1
"""Rises when old bytes can no longer be read by the rules here."""

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
"""Every event class by the name it has in a journal."""

_NON_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def encode_event(event: Event) -> bytes:
    """An event as one line of JSON.

    Raises:
        StorageError: the event holds something its type does not allow, such as a time without a zone.
    """
    kind: Any = type(event)
    try:
        plain = {"v": CODEC_VERSION, "kind": kind.__name__, **_coder(kind).encode(event)}
        return _to_json(plain)
    except (TypeError, ValueError, AttributeError, msgspec.MsgspecError) as error:
        raise StorageError(f"{kind.__name__} cannot be written to the journal: {error}") from error


def decode_event(body: bytes) -> Event:
    """The event that `encode_event` made the bytes of.

    Raises:
        StorageError: the bytes are damaged, or were written by a newer version.
    """
    plain = _from_json(body)
    if not isinstance(plain, dict):
        raise StorageError("a journal row is no JSON object")
    version, name = plain.pop("v", None), plain.pop("kind", None)
    if version != CODEC_VERSION:
        raise StorageError(f"a journal row has format {version!r}; this version reads {CODEC_VERSION}")
    kind: Any = KINDS.get(name)
    if kind is None:
        raise StorageError(f"a journal row holds the unknown event {name!r}; it was written by another version")
    try:
        return cast(Event, _coder(kind).decode(plain))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise StorageError(f"a journal row of kind {name} is damaged: {error}") from error


def _to_json(plain: object) -> bytes:
    try:
        return msgspec.json.encode(plain)
    except UnicodeEncodeError:
        # A charger may send half of a surrogate pair; only escaped JSON can hold it.
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode("ascii")


def _from_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        pass
    try:
        return json.loads(body)
    except ValueError as error:
        raise StorageError(f"a journal row is no JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class _Coder:
    """How values of one type become JSON values and come back."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


@cache
def _coder(kind: Any) -> _Coder:
    """The coder of a type, from its annotation."""
    if isinstance(kind, NewType):
        return _coder(kind.__supertype__)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _Coder(lambda value: kind(value).value, kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_coder(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _optional_coder(arguments)
    if origin is tuple:
        return _tuple_coder(arguments)
    if origin is dict:
        return _dict_coder(*arguments)
    if origin is np.ndarray:
        return _Coder(_array_to_plain, _array_from_plain)
    raise TypeError(f"the journal has no rule for the type {kind}")


def _dataclass_coder(kind: type[Any]) -> _Coder:
    hints = get_type_hints(kind)
    # Fields that take no part in equality are derived from the others.
    parts = [(f.name, _coder(hints[f.name]), f.default is None) for f in fields(kind) if f.compare]
    known = {name: coder for name, coder, _ in parts}
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}

    def encode(value: Any) -> dict[str, Any]:
        plain = {}
        for name, coder, may_be_absent in parts:
            item = getattr(value, name)
            if item is not None or not may_be_absent:
                plain[name] = coder.encode(item)
        return plain

    def decode(plain: Any) -> Any:
        if not required <= plain.keys():
            raise ValueError(f"{kind.__name__} lacks {sorted(required - plain.keys())}")
        return kind(**{name: known[name].decode(item) for name, item in plain.items()})

    return _Coder(encode, decode)


def _optional_coder(arguments: tuple[Any, ...]) -> _Coder:
    kinds = [kind for kind in arguments if kind is not NoneType]
    if len(kinds) != 1:
        raise TypeError(f"the journal has no rule for a choice between {kinds}")
    inner = _coder(kinds[0])
    return _Coder(
        lambda value: None if value is None else inner.encode(value),
        lambda plain: None if plain is None else inner.decode(plain),
    )


def _tuple_coder(arguments: tuple[Any, ...]) -> _Coder:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        inner = _coder(arguments[0])
        return _Coder(
            lambda value: [inner.encode(item) for item in value],
            lambda plain: tuple(inner.decode(item) for item in plain),
        )
    coders = [_coder(argument) for argument in arguments]
    return _Coder(
        lambda value: [coder.encode(item) for coder, item in zip(coders, value, strict=True)],
        lambda plain: tuple(coder.decode(item) for coder, item in zip(coders, plain, strict=True)),
    )


def _dict_coder(key_kind: Any, value_kind: Any) -> _Coder:
    keys, values = _coder(key_kind), _coder(value_kind)
    return _Coder(
        lambda value: dict(sorted((keys.encode(key), values.encode(item)) for key, item in value.items())),
        lambda plain: {keys.decode(key): values.decode(item) for key, item in plain.items()},
    )


def _float_to_plain(value: Any) -> float | str:
    number = float(value) + 0.0  # -0.0 equals 0.0 and must look the same
    return number if math.isfinite(number) else str(number)


def _float_from_plain(plain: Any) -> float:
    return _NON_FINITE[plain] if isinstance(plain, str) else float(plain)


def _utc_to_plain(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"the time {value.isoformat()} has no zone")
    return value.astimezone(UTC).isoformat()


def _utc_from_plain(plain: Any) -> datetime:
    return datetime.fromisoformat(plain).astimezone(UTC)


def _connector_from_plain(plain: Any) -> ConnectorId:
    charger, _, number = plain.rpartition("/")
    return ConnectorId(ChargerId(charger), int(number))


def _array_to_plain(value: Any) -> dict[str, Any]:
    array = np.asarray(value, dtype=np.float64) + 0.0
    data: list[Any] = array.ravel().tolist()
    if not np.isfinite(array).all():
        data = [_float_to_plain(item) for item in data]
    return {"shape": list(array.shape), "data": data}


def _array_from_plain(plain: Any) -> np.ndarray[Any, Any]:
    data = [_float_from_plain(item) for item in plain["data"]]
    return np.array(data, dtype=np.float64).reshape(plain["shape"])


def _same(value: Any) -> Any:
    return value


_PLAIN: dict[Any, _Coder] = {
    str: _Coder(_same, _same),
    int: _Coder(int, int),
    bool: _Coder(bool, bool),
    float: _Coder(_float_to_plain, _float_from_plain),
    datetime: _Coder(_utc_to_plain, _utc_from_plain),
    ConnectorId: _Coder(str, _connector_from_plain),
}
