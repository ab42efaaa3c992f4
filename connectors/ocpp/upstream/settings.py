"""What can be set about the upstream; every duration is counted on the event loop's clock."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from twin_core.models.ids import ChargerId

FORWARDABLE = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "SecurityEventNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)
"""What a charger says that the upstream may hear. Logs and certificates are between a charger and the depot."""

ASKABLE = frozenset(
    {
        "CancelReservation",
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "DataTransfer",
        "GetConfiguration",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "TriggerMessage",
        "UnlockConnector",
    }
)
"""What the upstream may ask of a charger. Its charging profiles are kept here and never reach one."""


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """How the upstream is reached, what it hears, and how little it can cost.

    Attributes:
        url: of the second central system, without the identity, which is added as its last segment.
        subprotocol: the one offered.
        passwords: shown as HTTP Basic with the charger's identity as the user; a charger without one shows none.
        password: for chargers that have none of their own.
        tls: how its certificate is checked, for a wss address; None goes by the machine's own list of authorities.
        messages: what it hears.
        requests: what it may ask of a charger.
        adopted_tag: stands for the driver of a transaction that was taken over, whose tag nobody knows.
        answer_s: how long its word on a tag is waited for, before ours counts alone.
        call_timeout_s: how long it may take to answer anything else, before the link counts as dead.
        request_timeout_s: how long it waits for a charger's answer, the charger's other business included.
        requests_per_s: pace at which its requests are taken; faster ones are refused.
        request_burst: requests taken at once before that pace holds.
        reset_every_s: least time between two resets it may ask of one charger.
        keep: transaction messages of one charger that may wait for it; beyond, meter values are dropped, and at twice
            as many everything.
        waiting: other messages of one charger that may wait while it is linked.
        attempts: times a message that it answers with an error is said before it is dropped.
        retry_s: pause before the second attempt; it grows with each.
        backoff_min_s, backoff_max_s: first and longest pause between attempts to connect, cut by chance to half.
        ping_s: how often a silent link is asked for a sign of life.
    """

    url: str
    subprotocol: str = "ocpp1.6"
    passwords: Mapping[ChargerId, str] = field(default_factory=dict, repr=False)
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    messages: frozenset[str] = FORWARDABLE
    requests: frozenset[str] = ASKABLE
    adopted_tag: str = "UNKNOWN"
    answer_s: float = 2.0
    call_timeout_s: float = 20.0
    request_timeout_s: float = 20.0
    requests_per_s: float = 0.5
    request_burst: int = 40
    reset_every_s: float = 300.0
    keep: int = 5_000
    waiting: int = 64
    attempts: int = 3
    retry_s: float = 10.0
    backoff_min_s: float = 1.0
    backoff_max_s: float = 60.0
    open_timeout_s: float = 10.0
    close_timeout_s: float = 1.0
    ping_s: float = 30.0
    max_frame_bytes: int = 65_536


def shown_url(url: str) -> str:
    """The address without what may be a secret: user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
