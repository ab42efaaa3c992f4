"""What an operator can do with a connected charger, and what the charger said to it.

`operations.unlock(charger, 1)` returns an `Answer`; it never raises for what a charger says or leaves unsaid. Giving up
the wait does not take a question back. While a charger thinks about one question nothing else is asked of it, setpoints
included: a slow answer delays them by up to its `requests.Request.timeout_s`, and their leases see to it that nothing
is exceeded meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, assert_never, cast, get_args

from connectors.ocpp import requests, translate
from connectors.ocpp.answers import read_configuration
from connectors.ocpp.calls import Answered, CallOutcome, Errored, LinkLost, TimedOut
from connectors.ocpp.frames import Payload
from connectors.ocpp.requests import NO_RETRIES, Request, Retries
from twin_core.models.ids import ChargerId


class Outcome(StrEnum):
    """How a question to a charger ended."""

    DONE = "done"
    """The charger agreed."""
    REFUSED = "refused"
    """The charger said no, or that it knows of no such thing."""
    ERROR = "error"
    """The charger could not answer (CALLERROR), or answered nonsense: it may or may not have acted."""
    SILENT = "silent"
    """No answer in time: it may or may not have acted."""
    OFFLINE = "offline"
    """There is no link, or it broke before the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a question.

    Attributes:
        action: what was asked, by the standard's name.
        said: the charger's own word: its status, or the code and text of its error; empty where it said none.
        payload: all it answered, unchecked.
        number: the number that this request or reservation got, by which later messages name it.
    """

    action: str
    outcome: Outcome
    said: str = ""
    payload: Payload = field(default_factory=dict)
    number: int | None = None


class Asks(Protocol):
    """The way to the chargers, as `CentralSystem` is."""

    @property
    def connected(self) -> frozenset[ChargerId]:
        """Chargers with an open link."""

    async def call(self, charger_id: ChargerId, action: str, payload: Payload, timeout_s: float = 0.0) -> CallOutcome:
        """Ask a charger something; see `CentralSystem.call`."""


_AGREED = frozenset({"Accepted", "AcceptedCanceled", "RebootRequired", "Scheduled", "Unlocked"})
_UNABLE = frozenset({"NotImplemented", "NotSupported"})
"""Errors that leave nothing open: the charger does not know what it was asked."""

_NEEDS_NO_STATUS = frozenset({"GetConfiguration", "GetDiagnostics", "GetLocalListVersion", "UpdateFirmware"})


def answer_of(action: str, outcome: CallOutcome) -> Answer:
    """An outcome in the charger's words."""
    match outcome:
        case Answered(payload):
            status = translate.text(payload.get("status"))
            if status in _AGREED or (not status and action in _NEEDS_NO_STATUS):
                return Answer(action, Outcome.DONE, status, payload)
            if not status:
                return Answer(action, Outcome.ERROR, "an answer without a status", payload)
            none_there = action == "GetInstalledCertificateIds" and status == "NotFound"
            return Answer(action, Outcome.DONE if none_there else Outcome.REFUSED, status, payload)
        case Errored(code, description):
            said = f"{translate.text(code)} {translate.text(description, 255)}".strip()
            return Answer(action, Outcome.REFUSED if code in _UNABLE else Outcome.ERROR, said)
        case TimedOut():
            return Answer(action, Outcome.SILENT)
        case LinkLost():
            return Answer(action, Outcome.OFFLINE)
        case _:
            assert_never(outcome)


class Operations:
    """Questions to connected chargers, one method an operation; `ask` takes any other of `requests`.

    Args:
        central: the way to the chargers.
        draw: draws the number of a request, in [1, 2³¹).
    """

    def __init__(self, central: Asks, draw: Callable[[], int]) -> None:
        self._central = central
        self._draw = draw

    async def ask(self, charger: ChargerId, request: Request, number: int | None = None) -> Answer:
        """Ask anything of the table of requests.

        Raises:
            ProtocolError: the payload breaks the official schema; nothing was sent.
        """
        outcome = await self._central.call(charger, request.action, request.payload, request.timeout_s)
        found = answer_of(request.action, outcome)
        return Answer(found.action, found.outcome, found.said, found.payload, number)

    async def reset(self, charger: ChargerId, *, hard: bool = False) -> Answer:
        """Restart it; soft lets it end its transactions in order."""
        return await self.ask(charger, requests.reset(hard=hard))

    async def unlock(self, charger: ChargerId, connector: int) -> Answer:
        """Open the lock of a connector."""
        return await self.ask(charger, requests.unlock_connector(connector))

    async def set_available(self, charger: ChargerId, connector: int, *, available: bool) -> Answer:
        """Take a connector, or with 0 the whole charger, out of service or back."""
        return await self.ask(charger, requests.change_availability(connector, operative=available))

    async def trigger(
        self,
        charger: ChargerId,
        message: requests.TriggeredMessage | requests.ExtendedMessage,
        connector: int | None = None,
    ) -> Answer:
        """Have it say something now; what only the security extension knows is asked by that."""
        if message in get_args(requests.TriggeredMessage):
            plain = cast("requests.TriggeredMessage", message)
            return await self.ask(charger, requests.trigger_message(plain, connector))
        extended = cast("requests.ExtendedMessage", message)
        return await self.ask(charger, requests.extended_trigger_message(extended, connector))

    async def read_configuration(self, charger: ChargerId, keys: Sequence[str] = ()) -> Answer:
        """Read settings, all of them where none is named; `settings_in` takes them out of the answer."""
        return await self.ask(charger, requests.get_configuration(keys))

    async def write_configuration(self, charger: ChargerId, key: str, value: str) -> Answer:
        """Write one setting."""
        return await self.ask(charger, requests.change_configuration(key, value))

    async def start(self, charger: ChargerId, id_tag: str, connector: int | None = None) -> Answer:
        """Ask it to start a transaction for a tag."""
        return await self.ask(charger, requests.remote_start(id_tag, connector))

    async def stop(self, charger: ChargerId, transaction: int) -> Answer:
        """Ask it to stop a transaction."""
        return await self.ask(charger, requests.remote_stop(transaction))

    async def update_firmware(
        self, charger: ChargerId, location: str, retrieve: datetime, retries: Retries = NO_RETRIES
    ) -> Answer:
        """Have it fetch firmware and install it; how far that came follows as FirmwareStatusReported events."""
        return await self.ask(charger, requests.update_firmware(location, retrieve, retries))

    async def update_signed_firmware(
        self,
        charger: ChargerId,
        location: str,
        retrieve: datetime,
        *,
        certificate: str,
        signature: str,
        install: datetime | None = None,
        retries: Retries = NO_RETRIES,
    ) -> Answer:
        """As `update_firmware`, with a signature that the charger checks first."""
        number = self._draw()
        request = requests.signed_update_firmware(
            number, location, retrieve, certificate=certificate, signature=signature, install=install, retries=retries
        )
        return await self.ask(charger, request, number)

    async def upload_diagnostics(
        self,
        charger: ChargerId,
        location: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        retries: Retries = NO_RETRIES,
    ) -> Answer:
        """Have it upload its diagnostics; how far that came follows as LogStatusReported events."""
        return await self.ask(charger, requests.get_diagnostics(location, since=since, until=until, retries=retries))

    async def upload_log(
        self,
        charger: ChargerId,
        location: str,
        *,
        security: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        retries: Retries = NO_RETRIES,
    ) -> Answer:
        """As `upload_diagnostics`, by the security extension, and its security log too."""
        number = self._draw()
        request = requests.get_log(number, location, security=security, since=since, until=until, retries=retries)
        return await self.ask(charger, request, number)

    async def deliver_certificate(self, charger: ChargerId, chain: str) -> Answer:
        """Hand it the certificate it asked for, signed by whoever the operator trusts, with its chain in PEM."""
        return await self.ask(charger, requests.certificate_signed(chain))


def settings_in(answer: Answer) -> dict[str, str]:
    """Settings that `Operations.read_configuration` brought, by lower-case name."""
    return read_configuration(answer.payload)
