"""The newest of what chargers report about their own upkeep, kept for whoever asks, on its way to the twin."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twin_core.models.events import CertificateRequested, ChargerCommissioned, Event
from twin_core.models.ids import ChargerId
from twin_core.models.upkeep import FirmwareStatusReported, LogStatusReported, SecurityEventReported, UpkeepReport
from twin_core.ports import EventSink

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """The newest report of each kind; None where there was none."""

    firmware: FirmwareStatusReported | None = None
    upload: LogStatusReported | None = None
    security: SecurityEventReported | None = None


class ChargerNews:
    """An EventSink that reads along and hands everything on.

    Args:
        sink: where everything goes.
        before: what was reported to an earlier gateway.

    Attributes:
        on_commissioned: told of each charger whose boot order is through; must return at once.
        on_certificate_wanted: told of each charger that asks for a certificate; must return at once.
    """

    def __init__(self, sink: EventSink, before: Sequence[UpkeepReport] = ()) -> None:
        self.on_commissioned: Callable[[ChargerId], None] = lambda _: None
        self.on_certificate_wanted: Callable[[ChargerId], None] = lambda _: None
        self._sink = sink
        self._news: dict[ChargerId, News] = {}
        for report in before:
            self._news[report.charger_id] = _with(self.of(report.charger_id), report)

    def put(self, event: Event) -> None:
        """See `EventSink.put`."""
        match event:
            case FirmwareStatusReported() | LogStatusReported() | SecurityEventReported():
                self._note(event)
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

    def _note(self, report: UpkeepReport) -> None:
        """Keep a report; what a charger only repeats is not logged again."""
        before, now = self.of(report.charger_id), _with(self.of(report.charger_id), report)
        self._news[report.charger_id] = now
        match report:
            case SecurityEventReported():
                if words(report) != words(before.security):
                    fields = {"charger": report.charger_id, "what": words(report)}
                    logger.warning("security event", extra=fields)
            case FirmwareStatusReported() | LogStatusReported():
                firmware, upload = words(now.firmware), words(now.upload)
                if (firmware, upload) != (words(before.firmware), words(before.upload)):
                    fields = {"charger": report.charger_id, "firmware_update": firmware, "upload": upload}
                    logger.info("charger upkeep", extra=fields)


def _with(news: News, report: UpkeepReport) -> News:
    match report:
        case FirmwareStatusReported():
            return replace(news, firmware=report)
        case LogStatusReported():
            return replace(news, upload=report)
        case SecurityEventReported():
            return replace(news, security=report)


def words(report: UpkeepReport | None) -> str:
    """A report in the charger's own words; empty where there is none."""
    match report:
        case None:
            return ""
        case FirmwareStatusReported() | LogStatusReported():
            return report.status
        case SecurityEventReported():
            return f"{report.what} {report.detail}".strip()
