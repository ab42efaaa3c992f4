"""Firmware updates, plain and signed: fetched when due, installed when nobody charges, and counted after a restart."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from simulators.certificates import read_certificate
from simulators.configuration import TRANSFER_SCHEMES
from simulators.machine import Machine
from simulators.profile_store import seconds_of
from simulators.reports import Reports
from simulators.sessions import Sessions
from simulators.wire import Payload

DOWNLOAD_S = 20.0
INSTALL_S = 30.0
_IDLE_LOOK_S = 10.0
_DEFAULT_RETRY_S = 60.0
_MAX_RETRIES = 10
_SIGNED_ONLY: Final = frozenset(
    {"DownloadScheduled", "InstallRebooting", "InstallScheduled", "InvalidSignature", "SignatureVerified"}
)
"""States that FirmwareStatusNotification does not know, only its signed sister."""
_BUSY: Final = frozenset({"Downloading", "Downloaded", "SignatureVerified", "InstallScheduled", "Installing"})


@dataclass(slots=True)
class _Order:
    """One update that was asked for; times on the charge point's own clock."""

    location: str
    install_s: float
    retries: int
    retry_s: float
    request_id: int | None
    signature: str


class Firmware:
    """The firmware of one charge point.

    Attributes:
        status: of the latest update, as its notification says it.
        fails: what the virtual update is to fail in: "download", "install" or nothing.
    """

    __slots__ = ("_machine", "_order", "_reports", "_restart", "_sessions", "fails", "status")

    def __init__(self, machine: Machine, reports: Reports, sessions: Sessions, restart: Callable[[str], None]) -> None:
        self._machine = machine
        self._reports = reports
        self._sessions = sessions
        self._restart = restart
        self._order: _Order | None = None
        self.status = "Idle"
        self.fails = machine.station.hardware.failing_firmware

    # Requests --------------------------------------------------------------------------------------------------------

    def update(self, payload: Payload) -> Payload:
        """Answer UpdateFirmware; one that is asked for while another runs takes its place."""
        order = _Order(payload["location"], 0.0, *_patience(payload), request_id=None, signature="")
        self._begin(order, seconds_of(payload["retrieveDate"]))
        return {}

    def signed_update(self, payload: Payload) -> Payload:
        """Answer SignedUpdateFirmware."""
        firmware = payload["firmware"]
        if read_certificate(firmware["signingCertificate"]) is None:
            self._reports.security_event("InvalidFirmwareSigningCertificate")
            return {"status": "InvalidCertificate"}
        install = firmware.get("installDateTime")
        order = _Order(
            firmware["location"],
            0.0 if install is None else seconds_of(install),
            *_patience(payload),
            request_id=payload["requestId"],
            signature=firmware["signature"],
        )
        retrieve_s = seconds_of(firmware["retrieveDateTime"])
        if self.status == "Installing":
            return {"status": "Rejected"}
        canceled = self._order is not None
        self._begin(order, retrieve_s)
        return {"status": "AcceptedCanceled" if canceled else "Accepted"}

    def notify(self) -> None:
        """Say the state of a plain update, as a trigger asks: only one that is under way is told."""
        plain = self._order is None or self._order.request_id is None
        self._machine.say("FirmwareStatusNotification", {"status": self.status if plain and self._busy() else "Idle"})

    def notify_signed(self) -> None:
        """Say the state of a signed update, as an extended trigger asks."""
        if self._order is not None and self._order.request_id is not None and self._busy():
            payload: Payload = {"status": self.status, "requestId": self._order.request_id}
        else:
            payload = {"status": "Idle"}
        self._machine.say("SignedFirmwareStatusNotification", payload)

    def _busy(self) -> bool:
        return self.status in _BUSY or self.status == "DownloadScheduled"

    # The update ------------------------------------------------------------------------------------------------------

    def _begin(self, order: _Order, retrieve_s: float) -> None:
        self._order = order
        self._machine.installing = False
        self._machine.advance()
        if retrieve_s > self._machine.station.own_s:
            self._tell("DownloadScheduled")
        self._machine.at_own("firmware", retrieve_s, self._download)

    def _download(self) -> None:
        self._tell("Downloading")
        self._machine.later("firmware", DOWNLOAD_S, self._downloaded)

    def _downloaded(self) -> None:
        order = self._order
        if order is None:
            return
        if self.fails == "download" or not reachable(order.location):
            self._tell("DownloadFailed")
            if order.retries > 0:
                order.retries -= 1
                self._machine.later("firmware", order.retry_s, self._download)
            else:
                self._order = None
            return
        self._tell("Downloaded")
        if order.request_id is not None and not _looks_signed(order.signature):
            self._tell("InvalidSignature")
            self._reports.security_event("InvalidFirmwareSignature")
            self._order = None
            return
        if order.request_id is not None:
            self._tell("SignatureVerified")
        if order.install_s > self._machine.station.own_s:
            self._tell("InstallScheduled")
        self._machine.at_own("firmware", order.install_s, self._install)

    def _install(self) -> None:
        """Close connectors as they become free, and install when none is in use."""
        self._machine.installing = True
        self._machine.wake.set()
        if self._sessions.running():
            self._machine.later("firmware", _IDLE_LOOK_S, self._install)
            return
        self._tell("Installing")
        self._machine.later("firmware", INSTALL_S, self._installed)

    def _installed(self) -> None:
        order = self._order
        if self.fails == "install" or order is None:
            self._machine.installing = False
            self._machine.wake.set()
            self._tell("InstallationFailed")
            self._order = None
            return
        self._machine.firmware_version = PurePosixPath(urlsplit(order.location).path).stem[:50] or "2.0"
        self._tell("InstallRebooting")
        self._restart("Reboot")

    def restarted(self) -> None:
        """The charge point is back: new firmware is in place, an installation that was cut short has failed."""
        if self._order is None:
            return
        if self.status == "Downloading":
            self._machine.later("firmware", DOWNLOAD_S, self._downloaded)
        if self.status in ("Installing", "InstallRebooting"):
            done = "firmware" not in self._machine.agenda
            self._machine.agenda.cancel("firmware")
            self._machine.installing = False
            if done and self._order.request_id is not None:
                self._reports.security_event("FirmwareUpdated", self._machine.firmware_version)
            self._tell("Installed" if done else "InstallationFailed")
            self._order = None

    def _tell(self, status: str) -> None:
        """Take a state and report it, where its message knows it."""
        order = self._order
        if order is not None and order.request_id is not None:
            self.status = status
            self._machine.say(
                "SignedFirmwareStatusNotification", {"status": status, "requestId": order.request_id}, kept=True
            )
        elif status not in _SIGNED_ONLY:
            self.status = status
            self._machine.say("FirmwareStatusNotification", {"status": status}, kept=True)


def reachable(location: str) -> bool:
    """Whether a file can be fetched from, or sent to, a location: nothing is, but a real one would have to try."""
    try:
        return urlsplit(location).scheme.upper() in TRANSFER_SCHEMES
    except ValueError:
        return False


def _patience(payload: Payload) -> tuple[int, float]:
    """How often and after how many seconds a failed transfer is tried again."""
    retries, interval = payload.get("retries", 0), payload.get("retryInterval", _DEFAULT_RETRY_S)
    return min(max(0, int(retries)), _MAX_RETRIES), max(1.0, float(interval))


def _looks_signed(signature: str) -> bool:
    """Whether a signature is Base64: the file it would belong to is never fetched, so no more can be checked."""
    return len(signature) >= 16 and re.fullmatch(r"[A-Za-z0-9+/\s]+={0,2}\s*", signature) is not None
