"""The link on a real mosquitto: passwords, access lists, TLS, and a broker that dies."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest
import trustme

from connectors.mqtt.client import MqttLink, MqttSettings
from connectors.mqtt.meters import MeterBinding
from tests.fakes import EventList, LoopClock
from tests.services import free_port, require_program
from twin_core.errors import ConfigurationError
from twin_core.models.events import InputRefused, LimitChanged, NodeMetered, RequestAnnounced
from twin_core.models.ids import NodeId

pytestmark = pytest.mark.services

TOPIC = "main/status/em:0"
ACL = """
user gateway
topic read main/#
topic read forbidden/#
topic readwrite depot/#
user meter
topic write main/#
topic write forbidden/#
topic write depot/#
"""


def reading(amperes: float) -> bytes:
    return json.dumps({f"{phase}_current": amperes for phase in "abc"}).encode()


@dataclass
class Mosquitto:
    """A broker with passwords, an access list, a TLS listener and a memory on disk."""

    folder: Path
    authority: trustme.CA
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        passwords = self.folder / "passwords"
        passwords.touch(mode=0o600)
        for user in ("gateway", "meter"):
            command = [require_program("mosquitto_passwd"), "-b", str(passwords), user, f"{user}-secret"]
            subprocess.run(command, check=True, capture_output=True)
        (self.folder / "acl").write_text(ACL)
        (self.folder / "acl").chmod(0o600)
        certificate = self.authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_pem.write_to_path(self.folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        self.authority.cert_pem.write_to_path(self.folder / "ca.pem")
        (self.folder / "mosquitto.conf").write_text(
            f"user root\nper_listener_settings false\nallow_anonymous false\n"
            f"password_file {passwords}\nacl_file {self.folder / 'acl'}\n"
            f"persistence true\npersistence_location {self.folder}/\nautosave_interval 1\n"
            f"listener {self.port} 127.0.0.1\n"
            f"listener {self.tls_port} 127.0.0.1\n"
            f"certfile {self.folder / 'cert.pem'}\nkeyfile {self.folder / 'key.pem'}\n"
        )

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [require_program("mosquitto"), "-c", str(self.folder / "mosquitto.conf")],
                stdout=log,
                stderr=log,
                env={**os.environ},
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.tls_port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    require_program("mosquitto")
    mosquitto = Mosquitto(tmp_path, trustme.CA())
    mosquitto.start()
    yield mosquitto
    mosquitto.kill()


def settings(broker: Mosquitto, **changes: object) -> MqttSettings:
    usual: dict[str, object] = {
        "port": broker.port,
        "username": "gateway",
        "password": "gateway-secret",
        "client_suffix": "test",
        "site": "north",
        "retry_min_s": 0.05,
        "retry_max_s": 0.2,
    }
    return MqttSettings(**(usual | changes))  # type: ignore[arg-type]


@asynccontextmanager
async def running(chosen: MqttSettings) -> AsyncIterator[tuple[MqttLink, EventList]]:
    sink = EventList()
    bindings = [MeterBinding(NodeId("grid"), TOPIC, "shelly_em")]
    link = MqttLink(chosen, clock=LoopClock(), sink=sink, bindings=bindings)
    task = asyncio.create_task(link.run())
    try:
        yield link, sink
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(true: Callable[[], object], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def meter(broker: Mosquitto) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", broker.port, username="meter", password="meter-secret")


async def test_readings_and_requests_come_in_and_messages_go_out(broker: Mosquitto) -> None:
    async with running(settings(broker)) as (link, sink), meter(broker) as publisher:
        await until(lambda: link.connected)
        await publisher.publish(TOPIC, reading(5.0), qos=1)
        await publisher.publish("depot/north/request", b'{"id_tag":"T","energy_kwh":5}', qos=1)
        await until(lambda: len(sink.events) == 2)
        assert await link.publish("depot/north/limit", b'{"node":"grid","limit_a":20}')
        await until(lambda: sink.of(LimitChanged))
        assert sink.of(NodeMetered)[0].current_a == (5.0, 5.0, 5.0)
        assert link.counters.published == 1


async def test_over_tls_the_broker_must_prove_who_it_is(broker: Mosquitto, tmp_path: Path) -> None:
    tls = settings(broker, port=broker.tls_port, tls=True, ca_file=str(tmp_path / "ca.pem"))
    async with running(tls) as (link, sink), meter(broker) as publisher:
        await until(lambda: link.connected)
        await publisher.publish(TOPIC, reading(5.0), qos=1)
        await until(lambda: sink.of(NodeMetered))


async def test_a_broker_with_a_strangers_certificate_is_not_spoken_to(
    broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other-ca.pem")
    tls = settings(broker, port=broker.tls_port, tls=True, ca_file=str(tmp_path / "other-ca.pem"))
    async with running(tls) as (link, _):
        await until(lambda: link.counters.attempts >= 3)
        assert not link.connected
    lines = [record.__dict__["reason"] for record in caplog.records if record.message == "mqtt_down"]
    assert len(lines) == 1
    assert "certificate verify failed" in lines[0]


def test_a_certificate_file_that_is_not_there_is_named_at_once(broker: Mosquitto) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.pem"):
        MqttLink(settings(broker, tls=True, ca_file="nowhere.pem"), clock=LoopClock(), sink=EventList(), bindings=[])


async def test_a_wrong_password_is_one_clear_line_and_trying_goes_on(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(settings(broker, password="guess")) as (link, _):
        await until(lambda: link.counters.attempts >= 5)
        assert not link.connected
        assert not await link.publish("depot/north/limit", b"{}")
    lines = [record.__dict__["reason"] for record in caplog.records if record.message == "mqtt_down"]
    assert lines == ["the broker refuses user 'gateway': wrong user name or password, or no right"]
    assert "guess" not in caplog.text
    assert "guess" not in repr(link.settings)
    assert link.counters.publish_failed == 1


async def test_what_the_access_list_forbids_does_not_arrive(broker: Mosquitto) -> None:
    async with running(settings(broker, username="meter", password="meter-secret")) as (link, sink):
        await until(lambda: link.connected)
        async with meter(broker) as publisher:
            await publisher.publish(TOPIC, reading(5.0), qos=1)
            await asyncio.sleep(0.2)
        assert sink.events == []


async def test_a_retained_reading_met_on_arrival_is_not_used(broker: Mosquitto) -> None:
    async with meter(broker) as publisher:
        await publisher.publish(TOPIC, reading(-999999), qos=1, retain=True)
        await publisher.publish("depot/north/limit", b'{"node":"grid","limit_a":999}', qos=1, retain=True)
        async with running(settings(broker)) as (link, sink):
            await until(lambda: link.counters.intake.received == 2)
            assert not sink.of(NodeMetered)
            assert not sink.of(LimitChanged)
            assert [event.cause for event in sink.of(InputRefused)] == ["retained"]
            await publisher.publish(TOPIC, reading(6.0), qos=1, retain=True)
            await until(lambda: sink.of(NodeMetered))
            assert sink.of(NodeMetered)[0].current_a == (6.0, 6.0, 6.0)


async def test_requests_made_while_we_were_away_are_kept_and_readings_are_not(broker: Mosquitto) -> None:
    async with running(settings(broker)) as (link, _):
        await until(lambda: link.connected)
    async with meter(broker) as publisher:
        await publisher.publish(TOPIC, reading(1.0), qos=1)
        for energy in (1, 2, 3):
            payload = json.dumps({"id_tag": "T", "energy_kwh": energy})
            await publisher.publish("depot/north/request", payload, qos=1)
    async with running(settings(broker)) as (link, sink):
        await until(lambda: len(sink.of(RequestAnnounced)) == 3)
        await asyncio.sleep(0.2)
    assert [event.request.energy_kwh for event in sink.of(RequestAnnounced)] == [1, 2, 3]
    assert sink.of(NodeMetered) == [], "a reading that waited in the broker would pass for a fresh one"


async def test_a_broker_killed_and_brought_back_is_found_again(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(settings(broker)) as (link, sink):
        await until(lambda: link.connected)
        async with meter(broker) as publisher:
            await publisher.publish("depot/north/request", b'{"id_tag":"T","energy_kwh":1}', qos=1)
            await publisher.publish(TOPIC, reading(1.0), qos=1, retain=True)
            await until(lambda: sink.of(NodeMetered) and sink.of(RequestAnnounced))
            await asyncio.sleep(1.3)  # the broker writes its memory to disk once a second
            broker.kill()
            await until(lambda: not link.connected)
            assert not await link.publish("depot/north/limit", b'{"node":"grid","limit_a":20}')
            await until(lambda: link.counters.attempts >= 4)
        broker.start()
        began = time.monotonic()
        await until(lambda: link.connected)
        assert time.monotonic() - began < 5
        async with meter(broker) as publisher:
            await publisher.publish(TOPIC, reading(3.0), qos=1)
            await until(lambda: len(sink.of(NodeMetered)) == 2)
        assert [event.current_a[0] for event in sink.of(NodeMetered)] == [1.0, 3.0]
        assert link.counters.intake.retained >= 1, "the retained reading came again and was passed over"
    changes = [record.message for record in caplog.records if record.message in {"mqtt_up", "mqtt_down"}]
    assert changes[0] == changes[-1] == "mqtt_up"
    assert changes.count("mqtt_up") == 2
    assert changes.count("mqtt_down") <= 2, "once for the break, once for the refused connection, not once a try"


async def test_a_flood_is_coalesced_to_the_newest_reading(broker: Mosquitto) -> None:
    async with running(settings(broker)) as (link, sink), meter(broker) as publisher:
        await until(lambda: link.connected)
        for n in range(500):
            await publisher.publish(TOPIC, reading(n), qos=0)
        await until(lambda: sink.events and sink.of(NodeMetered)[-1].current_a[0] == 499.0)
        counters = link.counters
        assert counters.intake.metered + counters.queue.coalesced == 500
