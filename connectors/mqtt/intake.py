"""Where messages go once they are here: meters, requests, limits. No socket, so it runs on any clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paho.mqtt.client import topic_matches_sub

from connectors.mqtt.checks import check_topic
from connectors.mqtt.decoders import is_online
from connectors.mqtt.meters import Meter, MeterBinding
from connectors.mqtt.requests import decode_limit, decode_request, limit_topic, request_topic
from connectors.mqtt.sample import PayloadRefused
from twin_core.errors import ConfigurationError
from twin_core.models.events import Event, InputRefused
from twin_core.models.quantities import Instant
from twin_core.ports import Clock, EventSink

logger = logging.getLogger(__name__)

_MAX_ROUTES = 10_000
"""Topics whose way is remembered; a stranger inventing topics below a wildcard must not fill the memory."""


@dataclass(slots=True)
class IntakeCounters:
    """What became of the messages.

    Attributes:
        metered: readings handed on.
        requested: requests and limits handed on.
        refused: messages not believed.
        retained: retained readings, never used.
        unclaimed: messages nobody subscribed for.
    """

    received: int = 0
    metered: int = 0
    requested: int = 0
    refused: int = 0
    retained: int = 0
    unclaimed: int = 0


@dataclass(frozen=True, slots=True)
class _Route:
    """Everybody a topic concerns."""

    meters: tuple[Meter, ...] = ()
    watched: tuple[Meter, ...] = ()
    decode: Callable[[bytes, Instant], Event] | None = None


class Intake:
    """Reads messages and hands events to the sink; whatever comes, it never raises.

    Args:
        site: name of the site in `depot/{site}/request` and `…/limit`; None takes no requests over MQTT.

    Raises:
        ConfigurationError: the site's name cannot stand in a topic.
    """

    def __init__(self, bindings: Sequence[MeterBinding], *, site: str | None, clock: Clock, sink: EventSink) -> None:
        self.counters = IntakeCounters()
        self._clock = clock
        self._sink = sink
        self._meters = [Meter(binding) for binding in bindings]
        self._routes: dict[str, _Route] = {}
        self._offline: set[str] = set()
        self._decoders: dict[str, Callable[[bytes, Instant], Event]] = {}
        if site is not None:
            if "/" in site:
                raise ConfigurationError(f"site {site!r} cannot stand in an MQTT topic: use a name without /")
            self._decoders = {
                check_topic(request_topic(site)): decode_request,
                check_topic(limit_topic(site)): decode_limit,
            }

    @property
    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """Topic filters and their quality of service.

        Readings at 0: one that waited in the broker while the link was down would pass for a fresh one. Requests at 1:
        one made meanwhile must not be lost.
        """
        readings = {meter.binding.topic for meter in self._meters}
        readings |= {meter.binding.availability for meter in self._meters if meter.binding.availability is not None}
        return (*((topic, 0) for topic in sorted(readings)), *((topic, 1) for topic in self._decoders))

    def is_reading(self, topic: str) -> bool:
        """Whether only the latest message of a topic matters."""
        return topic not in self._decoders

    def link_broke(self) -> None:
        """Readings that were half here when the link broke are void."""
        for meter in self._meters:
            meter.reset()

    def receive(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take one message."""
        self.counters.received += 1
        now = self._clock.now()
        route = self._route(topic)
        if not (route.meters or route.watched or route.decode):
            self.counters.unclaimed += 1
            return
        for meter in route.watched:
            self._note_availability(meter, payload, now)
        if route.decode is not None:
            self._take_request(topic, payload, retained, now, route.decode)
        if route.meters and retained:
            self.counters.retained += 1
            return
        for meter in route.meters:
            self._take_reading(meter, topic, payload, now)

    def _route(self, topic: str) -> _Route:
        route = self._routes.get(topic)
        if route is None:
            watched = tuple(m for m in self._meters if m.binding.availability == topic)
            route = _Route(
                meters=tuple(m for m in self._meters if topic_matches_sub(m.binding.topic, topic) and m not in watched),
                watched=watched,
                decode=self._decoders.get(topic),
            )
            if len(self._routes) < _MAX_ROUTES:
                self._routes[topic] = route
        return route

    def _take_reading(self, meter: Meter, topic: str, payload: bytes, now: Instant) -> None:
        try:
            event = meter.read(topic, payload, now)
        except PayloadRefused as refusal:
            self._refuse(meter.source, topic, refusal, now)
            return
        if event is not None:
            self.counters.metered += 1
            self._sink.put(event)

    def _take_request(
        self, topic: str, payload: bytes, retained: bool, now: Instant, decode: Callable[[bytes, Instant], Event]
    ) -> None:
        if retained:
            refusal = PayloadRefused("retained", "a request or limit counts when it is made; publish without retain")
            self._refuse("mqtt:request", topic, refusal, now)
            return
        try:
            event = decode(payload, now)
        except PayloadRefused as refusal:
            self._refuse("mqtt:request", topic, refusal, now)
            return
        self.counters.requested += 1
        self._sink.put(event)

    def _note_availability(self, meter: Meter, payload: bytes, now: Instant) -> None:
        """A meter that says it is offline is believed even when the message is retained: it only lowers trust."""
        online = is_online(payload)
        if online is None:
            return
        if online:
            self._offline.discard(meter.source)
            return
        meter.reset()
        if meter.source not in self._offline:
            self._offline.add(meter.source)
            refusal = PayloadRefused("offline", "the meter went offline")
            self._refuse(meter.source, meter.binding.availability or "", refusal, now)

    def _refuse(self, source: str, topic: str, refusal: PayloadRefused, now: Instant) -> None:
        self.counters.refused += 1
        fields = {"source": source, "cause": refusal.cause, "detail": refusal.detail, "topic": topic[:200]}
        logger.warning("refused", extra=fields)
        self._sink.put(
            InputRefused(
                at=now, source=source, cause=refusal.cause, detail=refusal.detail, context={"topic": topic[:200]}
            )
        )
