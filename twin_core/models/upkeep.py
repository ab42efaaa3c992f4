"""What a charger reports of its own upkeep: facts like those of `events`, of which the newest outlives the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from twin_core.models.ids import ChargerId
from twin_core.models.quantities import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareStatusReported:
    """How far a firmware update came, as the charger says it.

    Attributes:
        status: the charger's own word, such as Downloading or Installed.
        request_id: number of the request it belongs to, where the charger names one.
        signed: it belongs to a signed update.
    """

    at: Instant
    charger_id: ChargerId
    status: str
    request_id: int | None = None
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatusReported:
    """How far an upload of diagnostics or of a log came, as the charger says it."""

    at: Instant
    charger_id: ChargerId
    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEventReported:
    """SecurityEventNotification: something happened at the charger that bears on its security."""

    at: Instant
    charger_id: ChargerId
    what: str
    detail: str = ""
    reported_at: datetime | None = None


UpkeepReport = FirmwareStatusReported | LogStatusReported | SecurityEventReported
