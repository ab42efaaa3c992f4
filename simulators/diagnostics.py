"""Diagnostics and log uploads: GetDiagnostics and, of the security extension, GetLog."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.firmware import reachable
from simulators.machine import Machine
from simulators.profile_store import seconds_of
from simulators.wire import Payload

UPLOAD_S = 15.0
_DEFAULT_RETRY_S = 60.0
_MAX_RETRIES = 10


@dataclass(slots=True)
class _Upload:
    """One upload under way; `request_id` is None for GetDiagnostics."""

    location: str
    retries: int
    retry_s: float
    request_id: int | None


class Diagnostics:
    """The uploads of one charge point, one of each sort at a time.

    Attributes:
        fails: every upload fails.
    """

    __slots__ = ("_log", "_machine", "_plain", "fails")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._plain: _Upload | None = None
        self._log: _Upload | None = None
        self.fails = machine.station.hardware.failing_uploads

    # Requests --------------------------------------------------------------------------------------------------------

    def get_diagnostics(self, payload: Payload) -> Payload:
        """Answer GetDiagnostics; without a file name when the period named is empty."""
        start, stop = payload.get("startTime"), payload.get("stopTime")
        if start is not None and stop is not None and seconds_of(start) >= seconds_of(stop):
            return {}
        self._plain = _upload(payload["location"], payload, None)
        self._begin(self._plain)
        return {"fileName": f"{self._machine.spec.id[:40]}-diagnostics.log"}

    def get_log(self, payload: Payload) -> Payload:
        """Answer GetLog; one that is asked for while another runs takes its place."""
        kind = payload["logType"]
        if kind not in ("DiagnosticsLog", "SecurityLog"):
            raise ValueError(f"{kind!r} is no log")
        log = payload["log"]
        oldest, latest = log.get("oldestTimestamp"), log.get("latestTimestamp")
        if oldest is not None and latest is not None and seconds_of(oldest) >= seconds_of(latest):
            return {"status": "Rejected"}
        canceled = self._log is not None
        self._log = _upload(log["remoteLocation"], payload, payload["requestId"])
        self._begin(self._log)
        return {
            "status": "AcceptedCanceled" if canceled else "Accepted",
            "filename": f"{self._machine.spec.id[:40]}-{kind}.log",
        }

    def notify(self) -> None:
        """Say how the diagnostics upload stands, as a trigger asks."""
        self._machine.say("DiagnosticsStatusNotification", {"status": "Idle" if self._plain is None else "Uploading"})

    def notify_log(self) -> None:
        """Say how the log upload stands, as an extended trigger asks."""
        if self._log is None:
            self._machine.say("LogStatusNotification", {"status": "Idle"})
        else:
            self._machine.say("LogStatusNotification", {"status": "Uploading", "requestId": self._log.request_id})

    # The upload ------------------------------------------------------------------------------------------------------

    def _begin(self, upload: _Upload) -> None:
        self._tell(upload, "Uploading")
        self._machine.later(self._name(upload), UPLOAD_S, lambda: self._end(upload))

    def _end(self, upload: _Upload) -> None:
        if not self.fails and reachable(upload.location):
            self._finish(upload, "Uploaded")
        elif upload.retries > 0:
            upload.retries -= 1
            self._machine.later(self._name(upload), upload.retry_s, lambda: self._begin(upload))
        else:
            self._finish(upload, "UploadFailed")

    def _finish(self, upload: _Upload, status: str) -> None:
        self._tell(upload, status)
        if upload is self._log:
            self._log = None
        else:
            self._plain = None

    def restarted(self) -> None:
        """The charge point is back: an upload that was cut short has failed."""
        for upload in (self._plain, self._log):
            if upload is not None:
                self._machine.agenda.cancel(self._name(upload))
                self._finish(upload, "UploadFailed")

    @staticmethod
    def _name(upload: _Upload) -> str:
        return "diagnostics" if upload.request_id is None else "log"

    def _tell(self, upload: _Upload, status: str) -> None:
        if upload.request_id is None:
            self._machine.say("DiagnosticsStatusNotification", {"status": status}, kept=True)
            return
        said = "UploadFailure" if status == "UploadFailed" else status
        self._machine.say("LogStatusNotification", {"status": said, "requestId": upload.request_id}, kept=True)


def _upload(location: str, payload: Payload, request_id: int | None) -> _Upload:
    retries = min(max(0, int(payload.get("retries", 0))), _MAX_RETRIES)
    return _Upload(location, retries, max(1.0, float(payload.get("retryInterval", _DEFAULT_RETRY_S))), request_id)
