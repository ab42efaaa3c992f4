"""The link to the broker: connects, subscribes, and comes back by itself however often it breaks."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from connectors.mqtt.checks import check_topic
from connectors.mqtt.intake import Intake, IntakeCounters
from connectors.mqtt.latest import LatestQueue, QueueCounters
from connectors.mqtt.meters import MeterBinding
from twin_core.errors import ConfigurationError
from twin_core.ports import Clock, EventSink

logger = logging.getLogger(__name__)

_NOT_AUTHORISED = {4, 5, 134, 135}
"""Reason codes for bad credentials, MQTT 3.1.1 and 5."""

_MAX_PUBLISHING = 100


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to reach the broker.

    Attributes:
        client_id: name the broker knows us by, followed by the suffix.
        client_suffix: keeps two gateways apart and makes the session persistent: the broker then keeps requests made
            while we were away. Empty draws a suffix for this run, with a session that ends with it.
        site: name in `depot/{site}/request` and `depot/{site}/limit`; None takes none over MQTT.
        tls: encrypt, and check the broker's certificate against `ca_file` or else the system's authorities.
        keepalive_s: on the wall clock, whatever the loop's clock does.
        timeout_s: longest wait for an answer of the broker, on the loop's clock.
        retry_min_s, retry_max_s: first and longest pause between attempts, on the loop's clock.
        settled_s: a link that held this long starts again with the shortest pause.
        queue_size: messages that may wait to be read.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str = "depot-twin"
    client_suffix: str = ""
    site: str | None = None
    tls: bool = False
    ca_file: str | None = None
    keepalive_s: int = 60
    timeout_s: float = 10.0
    retry_min_s: float = 1.0
    retry_max_s: float = 60.0
    settled_s: float = 10.0
    queue_size: int = 10_000


@dataclass(slots=True)
class MqttCounters:
    """What the link did; see the parts for theirs.

    Attributes:
        connected: times the link came up.
        attempts: times it was tried.
        publish_failed: messages that were not taken by the broker in time.
    """

    intake: IntakeCounters
    queue: QueueCounters = field(default_factory=QueueCounters)
    connected: int = 0
    attempts: int = 0
    published: int = 0
    publish_failed: int = 0


class MqttLink:
    """Meters and requests in, messages out, over one connection that is kept up.

    Args:
        bindings: which meter measures which node.
        random_source: draws the jitter of the pauses.

    Raises:
        ConfigurationError: the certificate file cannot be read, or a name cannot stand in a topic.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        clock: Clock,
        sink: EventSink,
        bindings: Sequence[MeterBinding],
        random_source: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.intake = Intake(bindings, site=settings.site, clock=clock, sink=sink)
        self.counters = MqttCounters(self.intake.counters)
        self._random = random_source or random.Random()
        self._persistent = bool(settings.client_suffix)
        self._identifier = f"{settings.client_id}-{settings.client_suffix or secrets.token_hex(4)}"
        self._tls = _tls_context(settings) if settings.tls else None
        self._client: aiomqtt.Client | None = None
        self._last_reason: str | None = None
        self._publishing = 0

    @property
    def connected(self) -> bool:
        """Whether the link is up."""
        return self._client is not None

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                await self._connect_and_read()
            except aiomqtt.MqttError as error:
                self._went_down(error)
            finally:
                self._client = None
                self.intake.link_broke()
            failures = 0 if loop.time() - began > self.settings.settled_s else failures + 1
            await asyncio.sleep(self._pause(failures))

    async def publish(self, topic: str, payload: str | bytes, retain: bool = False, *, qos: int = 1) -> bool:
        """Publish a message; True when the broker has taken it within `timeout_s`, False (counted) when not.

        Raises:
            ConfigurationError: the topic is not one a message can be published on.
        """
        check_topic(topic)
        client = self._client
        if client is None or self._publishing >= _MAX_PUBLISHING:
            self.counters.publish_failed += 1
            return False
        self._publishing += 1
        try:
            async with self._answer_in_time():
                await client.publish(topic, payload, qos=qos, retain=retain)
        except aiomqtt.MqttError as error:
            self.counters.publish_failed += 1
            logger.warning("mqtt_publish_failed", extra={"topic": topic, "cause": str(error)})
            return False
        finally:
            self._publishing -= 1
        self.counters.published += 1
        return True

    async def _connect_and_read(self) -> None:
        self.counters.attempts += 1
        async with self._open_client() as client:
            await self._subscribe(client)
            self._client = client
            self._came_up()
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                self.intake.receive(str(message.topic), payload, retained=message.retain)

    @asynccontextmanager
    async def _answer_in_time(self) -> AsyncGenerator[None]:
        """Bound a wait for the broker.

        aiomqtt would bound it with `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that comes in the
        same moment as the answer: whoever was cancelled then lived for ever.
        """
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                yield
        except TimeoutError:
            raise aiomqtt.MqttError("the broker did not answer in time") from None

    @asynccontextmanager
    async def _open_client(self) -> AsyncGenerator[aiomqtt.Client]:
        """A connected client; connecting and parting are bounded by `_answer_in_time` too."""
        client = self._new_client()
        async with self._answer_in_time():
            await client.__aenter__()
        try:
            yield client
        finally:
            # A broker that does not answer the goodbye must not take the place of the reason for it.
            with suppress(aiomqtt.MqttError):
                async with self._answer_in_time():
                    await client.__aexit__(None, None, None)

    def _new_client(self) -> aiomqtt.Client:
        # aiomqtt calls the queue's class with its size alone; the partial brings the rest.
        queue = partial(LatestQueue, is_reading=self.intake.is_reading, counters=self.counters.queue)
        return aiomqtt.Client(
            self.settings.host,
            self.settings.port,
            username=self.settings.username,
            password=self.settings.password,
            identifier=self._identifier,
            clean_session=not self._persistent,
            tls_context=self._tls,
            keepalive=self.settings.keepalive_s,
            timeout=math.inf,
            max_queued_incoming_messages=self.settings.queue_size,
            max_queued_outgoing_messages=_MAX_PUBLISHING,
            queue_type=cast(type[asyncio.Queue[aiomqtt.Message]], queue),
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        """Ask for every topic, also in a session the broker kept: the topics may have changed since."""
        wanted = self.intake.subscriptions
        if not wanted:
            return
        async with self._answer_in_time():
            granted = await client.subscribe(list(wanted))
        for (topic, _), answer in zip(wanted, granted, strict=False):
            if isinstance(answer, ReasonCode) and answer.is_failure:
                logger.error("mqtt_subscription_refused", extra={"topic": topic, "cause": str(answer)})

    def _came_up(self) -> None:
        self.counters.connected += 1
        self._last_reason = None
        logger.info("mqtt_up", extra={"host": self.settings.host, "port": self.settings.port})

    def _went_down(self, error: aiomqtt.MqttError) -> None:
        """One line when the link goes down, and one when it stays down for another reason."""
        reason = self._explain(error)
        if reason != self._last_reason:
            self._last_reason = reason
            logger.warning(
                "mqtt_down", extra={"host": self.settings.host, "port": self.settings.port, "reason": reason}
            )

    def _explain(self, error: aiomqtt.MqttError) -> str:
        code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
        number = code.value if isinstance(code, ReasonCode) else code
        if isinstance(error, aiomqtt.exceptions.MqttConnectError) and number in _NOT_AUTHORISED:
            return f"the broker refuses user {self.settings.username!r}: wrong user name or password, or no right"
        cause = error.__cause__
        return f"{error}: {cause}" if cause is not None else str(error)

    def _pause(self, failures: int) -> float:
        longest = min(self.settings.retry_max_s, self.settings.retry_min_s * 2.0 ** min(failures, 30))
        return longest * self._random.uniform(0.5, 1.0)


def _tls_context(settings: MqttSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"mqtt: ca_file {settings.ca_file!r} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
