"""The newest of what chargers report about their own upkeep, kept for whoever asks, on its way to the twin."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from twin_core.models.events import (
    CertificateRequested,
    ChargerCommissioned,
    Event,
    FirmwareStatusReported,
    LogStatusReported,
    SecurityEventReported,
)
from twin_core.models.ids import ChargerId
from twin_core.ports import EventSink

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """Newest of each kind since the gateway started, in the charger's own words; empty where there was none."""

    firmware_update: str = ""
    upload: str = ""
    security_event: str = ""


class ChargerNews:
    """An EventSink that reads along and hands everything on.

    Attributes:
        on_commissioned: told of each charger whose boot order is through; must return at once.
        on_certificate_wanted: told of each charger that asks for a certificate; must return at once.
    """

    def __init__(self, sink: EventSink) -> None:
        self.on_commissioned: Callable[[ChargerId], None] = lambda _: None
        self.on_certificate_wanted: Callable[[ChargerId], None] = lambda _: None
        self._sink = sink
        self._news: dict[ChargerId, News] = {}

    def put(self, event: Event) -> None:
        """See `EventSink.put`."""
        match event:
            case FirmwareStatusReported():
                self._note(event.charger_id, replace(self.of(event.charger_id), firmware_update=event.status))
            case LogStatusReported():
                self._note(event.charger_id, replace(self.of(event.charger_id), upload=event.status))
            case SecurityEventReported():
                told = f"{event.what} {event.detail}".strip()
                self._note(event.charger_id, replace(self.of(event.charger_id), security_event=told))
            case ChargerCommissioned():
                self.on_commissioned(event.charger_id)
            case CertificateRequested():
                self.on_certificate_wanted(event.charger_id)
            case _:
                pass
        self._sink.put(event)

    def of(self, charger: ChargerId) -> News:
        """The newest of one charger."""
        return self._news.get(charger, News())

    def _note(self, charger: ChargerId, news: News) -> None:
        """Keep what is new; what a charger only repeats is not logged again."""
        if news == self._news.get(charger):
            return
        if news.security_event != self.of(charger).security_event:
            logger.warning("security event", extra={"charger": charger, "what": news.security_event})
        else:
            logger.info("charger upkeep", extra={"charger": charger, **asdict(news)})
        self._news[charger] = news
