"""Requests and limits: checked at the border, refused with a cause."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mqtt.requests import decode_limit, decode_request
from connectors.mqtt.sample import PayloadRefused
from tests.fakes import instant
from twin_core.models.events import LimitChanged, RequestAnnounced
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId
from twin_core.models.session import ChargingRequest

NOW = instant()


def test_a_full_request() -> None:
    payload = (
        b'{"id_tag":"TAG","connector":"CP-01/2","energy_kwh":20,"departure":"2026-06-01T19:00:00+02:00",'
        b'"soc":0.4,"priority":2}'
    )
    assert decode_request(payload, NOW) == RequestAnnounced(
        at=NOW,
        request=ChargingRequest(20.0, datetime(2026, 6, 1, 17, tzinfo=UTC), 0.4, 2.0),
        connector_id=ConnectorId(ChargerId("CP-01"), 2),
        id_tag=IdTag("TAG"),
    )


def test_what_nobody_said_stays_unsaid() -> None:
    event = decode_request(b'{"id_tag":"TAG"}', NOW)
    assert event.request == ChargingRequest()
    assert event.connector_id is None


@pytest.mark.parametrize(
    ("payload", "cause"),
    [
        (b"", "malformed"),
        (b"{}", "names_nobody"),
        (b'{"energy_kwh":5}', "names_nobody"),
        (b'{"id_tag":""}', "malformed"),
        (b'{"id_tag":7}', "malformed"),
        (b'{"id_tag":"T","energy_kwh":-1}', "malformed"),
        (b'{"id_tag":"T","energy_kwh":0}', "malformed"),
        (b'{"id_tag":"T","energy_kwh":NaN}', "malformed"),
        (b'{"id_tag":"T","energy_kwh":Infinity}', "malformed"),
        (b'{"id_tag":"T","energy_kwh":"20"}', "malformed"),
        (b'{"id_tag":"T","energy_kwh":1e9}', "malformed"),
        (b'{"id_tag":"T","soc":55}', "malformed"),
        (b'{"id_tag":"T","priority":0}', "malformed"),
        (b'{"id_tag":"T","departure":"2026-06-01T19:00:00"}', "malformed"),
        (b'{"id_tag":"T","departure":1780315200}', "malformed"),
        (b'{"id_tag":"T","departure":"2026-06-01T11:59:59Z"}', "departure_out_of_range"),
        (b'{"id_tag":"T","departure":"2027-06-01T11:59:59Z"}', "departure_out_of_range"),
        (b'{"id_tag":"T","energie":5}', "malformed"),
        (b'{"connector":"CP-01"}', "malformed"),
        (b'{"connector":"CP-01/0"}', "malformed"),
        (b'{"connector":"../etc/1"}', "malformed"),
        (b'{"connector":"a/b/1"}', "malformed"),
        (b'{"id_tag":"' + b"x" * 70_000 + b'"}', "too_large"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(payload: bytes, cause: str) -> None:
    with pytest.raises(PayloadRefused) as caught:
        decode_request(payload, NOW)
    assert caught.value.cause == cause


def test_a_refusal_does_not_repeat_what_was_said() -> None:
    with pytest.raises(PayloadRefused) as caught:
        decode_request(b'{"id_tag":["SECRET-TAG"]}', NOW)
    assert "SECRET" not in str(caught.value)


def test_a_limit() -> None:
    payload = b'{"node":"grid","limit_a":63,"reason":"grid operator"}'
    assert decode_limit(payload, NOW) == LimitChanged(
        at=NOW, node_id=NodeId("grid"), limit_a=63.0, limit_kw=None, reason="grid operator"
    )
    assert decode_limit(b'{"node":"grid","limit_kw":0}', NOW).limit_kw == 0.0


def test_naming_no_limit_lifts_it() -> None:
    lifted = decode_limit(b'{"node":"grid"}', NOW)
    assert (lifted.limit_a, lifted.limit_kw, lifted.until) == (None, None, None)


@pytest.mark.parametrize(
    ("payload", "cause"),
    [
        (b'{"limit_a":63}', "malformed"),
        (b'{"node":"grid","limit_a":-1}', "malformed"),
        (b'{"node":"grid","limit_a":NaN}', "malformed"),
        (b'{"node":"grid","limit_a":63,"until":"2001-01-01T00:00:00Z"}', "already_ended"),
        (b'{"node":"grid","limit_a":63,"until":"2099-01-01T00:00:00"}', "malformed"),
        (b'{"node":"grid","limit_a":true}', "malformed"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(payload: bytes, cause: str) -> None:
    with pytest.raises(PayloadRefused) as caught:
        decode_limit(payload, NOW)
    assert caught.value.cause == cause


FIELDS = st.sampled_from(["id_tag", "connector", "energy_kwh", "departure", "soc", "priority", "node", "limit_a"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.just("CP-1/1"))


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), st.dictionaries(FIELDS, VALUES).map(lambda d: json.dumps(d).encode())))
def test_whatever_comes_gives_an_event_or_a_refusal(payload: bytes) -> None:
    for decode in (decode_request, decode_limit):
        try:
            event = decode(payload, NOW)
        except PayloadRefused:
            continue
        assert event.at == NOW
