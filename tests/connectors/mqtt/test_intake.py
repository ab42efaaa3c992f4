"""Where messages go, and what never gets through."""

from __future__ import annotations

import json
import logging

import pytest

from connectors.mqtt.intake import Intake
from connectors.mqtt.meters import MeterBinding
from tests.fakes import EventList, instant
from twin_core.errors import ConfigurationError
from twin_core.models.events import InputRefused, LimitChanged, NodeMetered, RequestAnnounced
from twin_core.models.ids import NodeId
from twin_core.models.quantities import Instant

READING = json.dumps({f"{phase}_current": 1.0 for phase in "abc"}).encode()
TOPIC = "main/status/em:0"


class StoppedClock:
    def now(self) -> Instant:
        return instant(3)


def intake(*bindings: MeterBinding, site: str | None = "north") -> tuple[Intake, EventList]:
    sink = EventList()
    chosen = bindings or (MeterBinding(NodeId("grid"), TOPIC, "shelly_em"),)
    return Intake(chosen, site=site, clock=StoppedClock(), sink=sink), sink


def test_readings_are_asked_for_once_and_requests_kept_for_us() -> None:
    inbox, _ = intake()
    assert dict(inbox.subscriptions) == {
        TOPIC: 0,
        "main/online": 0,
        "depot/north/request": 1,
        "depot/north/limit": 1,
    }


def test_a_reading_a_request_and_a_limit_become_events() -> None:
    inbox, sink = intake()
    inbox.receive(TOPIC, READING, retained=False)
    inbox.receive("depot/north/request", b'{"id_tag":"T"}', retained=False)
    inbox.receive("depot/north/limit", b'{"node":"grid","limit_a":10}', retained=False)
    assert [type(event) for event in sink.events] == [NodeMetered, RequestAnnounced, LimitChanged]
    assert {event.at for event in sink.events} == {instant(3)}


def test_a_retained_reading_is_never_used() -> None:
    inbox, sink = intake()
    inbox.receive(TOPIC, READING, retained=True)
    assert sink.events == []
    assert inbox.counters.retained == 1


@pytest.mark.parametrize("kind", ["request", "limit"])
def test_a_retained_request_is_refused_and_says_so(kind: str) -> None:
    inbox, sink = intake()
    inbox.receive(f"depot/north/{kind}", b'{"id_tag":"T","node":"grid","limit_a":1000}', retained=True)
    (event,) = sink.of(InputRefused)
    assert event.cause == "retained"
    assert len(sink.events) == 1


def test_a_refusal_is_an_event_a_count_and_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    inbox, sink = intake()
    inbox.receive(TOPIC, b"\x00garbage\nnext line", retained=False)
    (event,) = sink.events
    assert isinstance(event, InputRefused)
    assert (event.source, event.cause, event.context) == ("mqtt:grid", "not_json", {"topic": TOPIC})
    (record,) = caplog.records
    assert (record.message, record.levelno, record.__dict__["cause"]) == ("refused", logging.WARNING, "not_json")
    assert inbox.counters.refused == 1


def test_a_meter_that_goes_offline_is_reported_once_until_it_comes_back() -> None:
    inbox, sink = intake()
    for payload in (b"false", b"false", b"true", b"false"):
        inbox.receive("main/online", payload, retained=True)
    assert [event.cause for event in sink.of(InputRefused)] == ["offline", "offline"]


def test_one_meter_may_serve_two_nodes_and_patterns_catch_topics() -> None:
    one = MeterBinding(NodeId("grid"), "main/+/em:0", "shelly_em")
    two = MeterBinding(NodeId("hall"), TOPIC, "shelly_em")
    inbox, sink = intake(one, two)
    inbox.receive(TOPIC, READING, retained=False)
    assert [event.node_id for event in sink.of(NodeMetered)] == ["grid", "hall"]


def test_a_broken_link_voids_half_a_telegram() -> None:
    inbox, sink = intake(MeterBinding(NodeId("grid"), "dsmr/reading/+", "dsmr"))
    telegram = {"timestamp": b"2026-06-01T12:00:01Z"}
    telegram |= {f"phase_currently_delivered_l{n}": b"1.0" for n in (1, 2, 3)}
    fields = list(telegram.items())
    for field, payload in (*fields, *fields, *fields[:2]):
        inbox.receive(f"dsmr/reading/{field}", payload, retained=False)
    assert len(sink.of(NodeMetered)) == 1
    inbox.link_broke()
    for field, payload in fields[2:]:
        inbox.receive(f"dsmr/reading/{field}", payload, retained=False)
    assert len(sink.of(NodeMetered)) == 1


def test_strange_topics_change_nothing() -> None:
    inbox, sink = intake()
    for topic in ("", "main/status/em:0/x", "depot/south/limit", "a/../b", "\x00"):
        inbox.receive(topic, READING, retained=False)
    assert sink.events == []
    assert inbox.counters.unclaimed == 5


def test_without_a_site_no_requests_are_taken() -> None:
    inbox, sink = intake(site=None)
    inbox.receive("depot/None/limit", b'{"node":"grid","limit_a":10}', retained=False)
    assert sink.events == []


@pytest.mark.parametrize("site", ["a/b", "a+", "#", "a\nb"])
def test_a_site_that_would_change_the_topic_is_refused(site: str) -> None:
    with pytest.raises(ConfigurationError, match=r"topic"):
        intake(site=site)
