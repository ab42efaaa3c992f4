"""The link without a broker worth the name, and with the one inside the process."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from collections.abc import Callable

import pytest

from connectors.mqtt.broker import EmbeddedBroker
from connectors.mqtt.client import MqttLink, MqttSettings
from connectors.mqtt.meters import MeterBinding
from tests.fakes import EventList, LoopClock
from tests.services import free_port
from twin_core.errors import ConfigurationError
from twin_core.models.events import NodeMetered, RequestAnnounced
from twin_core.models.ids import NodeId

TOPIC = "main/status/em:0"


def link_to(port: int, sink: EventList, **changes: object) -> MqttLink:
    chosen = MqttSettings(port=port, site="north", retry_min_s=0.05, retry_max_s=0.2, **changes)  # type: ignore[arg-type]
    bindings = [MeterBinding(NodeId("grid"), TOPIC, "shelly_em")]
    return MqttLink(chosen, clock=LoopClock(), sink=sink, bindings=bindings, random_source=random.Random(1))


async def until(true: Callable[[], object], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_a_round_trip_through_the_broker_inside() -> None:
    sink, port = EventList(), free_port()
    async with EmbeddedBroker(port):
        link = link_to(port, sink)
        task = asyncio.create_task(link.run())
        await until(lambda: link.connected)
        assert await link.publish(TOPIC, json.dumps({f"{p}_current": 2.0 for p in "abc"}))
        assert await link.publish("depot/north/request", b'{"id_tag":"T"}')
        await until(lambda: sink.of(NodeMetered) and sink.of(RequestAnnounced))
        task.cancel()
        await asyncio.wait([task])
    assert not link.connected
    assert "embedded-broker" not in {thread.name for thread in threading.enumerate()}


async def test_the_broker_inside_runs_while_the_loop_outside_is_busy_or_fast() -> None:
    port = free_port()
    async with EmbeddedBroker(port):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:  # blocks this loop on purpose
            raw.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x")
            assert raw.recv(4) == b"\x20\x02\x00\x00"


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=str(port)):
            async with EmbeddedBroker(port):
                pass


async def test_the_link_waits_for_a_broker_that_comes_later(caplog: pytest.LogCaptureFixture) -> None:
    sink, port = EventList(), free_port()
    link = link_to(port, sink)
    task = asyncio.create_task(link.run())
    await until(lambda: link.counters.attempts >= 3)
    assert [r.message for r in caplog.records].count("mqtt_down") == 1
    async with EmbeddedBroker(port):
        await until(lambda: link.connected)
        task.cancel()
        await asyncio.wait([task])


async def test_a_broker_that_never_answers_is_given_up_on_in_time() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        link = link_to(mute.getsockname()[1], EventList(), timeout_s=0.1)
        task = asyncio.create_task(link.run())
        await until(lambda: link.counters.attempts >= 3)
        assert not link.connected
        task.cancel()
        await asyncio.wait([task])


def test_pauses_grow_to_the_longest_and_no_two_gateways_keep_step() -> None:
    link = link_to(1, EventList())
    settled = MqttLink(MqttSettings(retry_min_s=1, retry_max_s=60), clock=LoopClock(), sink=EventList(), bindings=[])
    for failures in range(2000):
        assert 0 < link._pause(failures) <= 0.2
    assert settled._pause(0) <= 1
    assert all(30 <= settled._pause(failures) <= 60 for failures in range(6, 2000))
    assert len({settled._pause(9) for _ in range(50)}) > 40


def test_without_a_suffix_two_gateways_do_not_kick_each_other_out() -> None:
    names = {link_to(1, EventList())._identifier for _ in range(20)}
    assert len(names) == 20
    assert link_to(1, EventList(), client_suffix="a")._identifier == "depot-twin-a"


@pytest.mark.parametrize("topic", ["a/+/b", "a/#", "a\x00b", "cp1/../../cmd", ""])
async def test_a_topic_that_reaches_beyond_itself_is_not_published_on(topic: str) -> None:
    with pytest.raises(ConfigurationError, match="topic"):
        await link_to(1, EventList()).publish(topic, b"x")


async def test_who_is_cancelled_while_publishing_ends_also_when_the_answer_comes_in_the_same_moment() -> None:
    sink, port = EventList(), free_port()
    answered = asyncio.Event()

    async def publish_for_ever(link: MqttLink) -> None:
        while True:
            await link.publish("t", b"x")
            answered.set()

    async with EmbeddedBroker(port):
        link = link_to(port, sink)
        running = asyncio.create_task(link.run())
        await until(lambda: link.connected)
        for _ in range(20):
            publishers = [asyncio.create_task(publish_for_ever(link)) for _ in range(20)]
            answered.clear()
            await answered.wait()
            for publisher in publishers:
                publisher.cancel()
            _, living = await asyncio.wait(publishers, timeout=2.0)
            for publisher in living:
                publisher.cancel()
            assert not living
        running.cancel()
        await asyncio.wait([running])
