"""Events survive the way to the disk and back, whatever is in them."""

from __future__ import annotations

import dataclasses
import enum
import math
from datetime import UTC, datetime, timedelta, timezone
from types import UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.store.codec import KINDS, decode_event, encode_event
from tests.fakes import EPOCH, instant
from twin_core.errors import StorageError
from twin_core.models.charger import ChargerIdentity
from twin_core.models.events import ChargerBooted, Event, GatewayRestarted, LimitChanged, PlanAdopted, Ticked
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, NodeId, SessionId
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Horizon
from twin_core.models.quantities import Instant

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9, minutes=-30))])
FLOATS = st.floats(allow_nan=False)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(-(2**53), 2**53),
    bool: st.booleans(),
    float: FLOATS,
    datetime: st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=ZONES),  # noqa: DTZ001
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Anything a type allows, read from its annotation."""
    if isinstance(kind, NewType):
        return values_of(kind.__supertype__)
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{f.name: values_of(hints[f.name]) for f in dataclasses.fields(kind) if f.compare})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of(*(st.none() if a is type(None) else values_of(a) for a in arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)
    assert origin is np.ndarray, kind
    shapes = st.one_of(st.tuples(st.integers(0, 3)), st.tuples(st.integers(0, 3), st.integers(0, 3)))
    return shapes.flatmap(
        lambda shape: st.lists(FLOATS, min_size=math.prod(shape), max_size=math.prod(shape)).map(
            lambda data: np.array(data, dtype=np.float64).reshape(shape)
        )
    )


def as_plain(value: Any) -> Any:
    """A value that compares by content, arrays too."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (type(value), [as_plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare])
    if isinstance(value, tuple):
        return tuple(map(as_plain, value))
    return value


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_event_comes_back_as_it_was(kind: type[Event]) -> None:
    @settings(deadline=None, max_examples=40)
    @given(values_of(kind))
    def comes_back(event: Event) -> None:
        body = encode_event(event)
        again = decode_event(body)
        assert as_plain(again) == as_plain(event)
        assert encode_event(again) == body

    comes_back()


def test_equal_events_give_equal_bytes() -> None:
    a, b = ConnectorId(ChargerId("A"), 1), ConnectorId(ChargerId("B"), 2)
    east = timezone(timedelta(hours=2))
    one = GatewayRestarted(at=Instant(0.0, EPOCH), grants=(), confirmed_fallbacks={a: 0.0, b: 6})
    two = GatewayRestarted(at=Instant(-0.0, EPOCH.astimezone(east)), grants=(), confirmed_fallbacks={b: 6.0, a: -0.0})
    assert one == two
    assert encode_event(one) == encode_event(two)


def test_a_lease_without_end_stays_without_end() -> None:
    grant = Grant(ConnectorId(ChargerId("CP 1/x"), 1), 1, 16.0, instant(), math.inf)
    event = GatewayRestarted(at=instant(), grants=(grant,), confirmed_fallbacks={})
    assert decode_event(encode_event(event)) == event


def test_a_plan_for_nobody_keeps_its_shape_and_its_index_is_built_anew() -> None:
    horizon = Horizon(EPOCH, 0.25, 4)
    empty = Plan("edf", PlanStatus.FEASIBLE, horizon, (), np.zeros((0, 4)), np.zeros(0), 0.0)
    full = Plan("edf", PlanStatus.PROVED, horizon, (SessionId("s"),), np.ones((1, 4)), np.zeros(1), 0.0)
    again = decode_event(encode_event(PlanAdopted(at=instant(), plan=empty)))
    assert isinstance(again, PlanAdopted)
    assert again.plan.power_kw.shape == (0, 4)
    again = decode_event(encode_event(PlanAdopted(at=instant(), plan=full)))
    assert isinstance(again, PlanAdopted)
    assert again.plan.power_at(SessionId("s"), EPOCH) == 1.0


def test_half_a_surrogate_pair_from_a_charger_is_kept() -> None:
    event = ChargerBooted(at=instant(), charger_id=ChargerId("A"), identity=ChargerIdentity(vendor="x\ud800"))
    assert decode_event(encode_event(event)) == event


def test_a_field_that_is_newer_than_the_row_takes_its_default() -> None:
    event = LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=1.0, limit_kw=None, reason="")
    assert decode_event(encode_event(event).replace(b',"reason":""', b"")) == event


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(StorageError, match="no zone"):
        encode_event(Ticked(at=Instant(0.0, datetime(2026, 1, 1))))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON"),
        (b"[1]", "no JSON object"),
        (b'{"v":2,"kind":"Ticked"}', "format 2"),
        (b'{"v":1,"kind":"Tocked"}', "unknown event 'Tocked'"),
        (b'{"v":1,"kind":"Ticked"}', "lacks"),
        (b'{"v":1,"kind":"Ticked","at":{"monotonic_s":0,"utc":"yesterday"}}', "damaged"),
        (b'{"v":1,"kind":"Ticked","at":{"monotonic_s":0,"utc":"2026-01-01T00:00:00Z"},"more":1}', "damaged"),
    ],
)
def test_damaged_rows_say_what_is_wrong(body: bytes, says: str) -> None:
    with pytest.raises(StorageError, match=says):
        decode_event(body)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_an_event_or_a_storage_error(body: bytes) -> None:
    with pytest.raises(StorageError):
        decode_event(body)
