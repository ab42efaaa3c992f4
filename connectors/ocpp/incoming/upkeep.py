"""How far firmware updates and uploads came, and what vendors say in private."""

from __future__ import annotations

from connectors.ocpp import translate
from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from twin_core.models.quantities import Instant
from twin_core.models.upkeep import FirmwareStatusReported, LogStatusReported

_FIRMWARE = frozenset(
    {"Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed", "Installing", "Installed"}
)
_SIGNED_FIRMWARE = _FIRMWARE | {
    "DownloadScheduled",
    "DownloadPaused",
    "InstallRebooting",
    "InstallScheduled",
    "InstallVerificationFailed",
    "InvalidSignature",
    "SignatureVerified",
}
_DIAGNOSTICS = frozenset({"Idle", "Uploaded", "UploadFailed", "Uploading"})
_LOG = frozenset(
    {"BadMessage", "Idle", "NotSupportedOperation", "PermissionDenied", "Uploaded", "UploadFailure", "Uploading"}
)


def firmware_status(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """How far a firmware update came, told to the twin."""
    if status := _known(charger, payload, _FIRMWARE):
        charger.emit(FirmwareStatusReported(at=at, charger_id=charger.spec.id, status=status))
    return {}


def signed_firmware_status(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """How far a signed firmware update came, told to the twin."""
    if status := _known(charger, payload, _SIGNED_FIRMWARE):
        request = translate.integer(payload.get("requestId"))
        charger.emit(
            FirmwareStatusReported(at=at, charger_id=charger.spec.id, status=status, request_id=request, signed=True)
        )
    return {}


def diagnostics_status(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """How far an upload of diagnostics came, told to the twin."""
    if status := _known(charger, payload, _DIAGNOSTICS):
        charger.emit(LogStatusReported(at=at, charger_id=charger.spec.id, status=status))
    return {}


def log_status(charger: Charger, payload: Payload, at: Instant) -> Payload:
    """How far an upload of a log came, told to the twin."""
    if status := _known(charger, payload, _LOG):
        request = translate.integer(payload.get("requestId"))
        charger.emit(LogStatusReported(at=at, charger_id=charger.spec.id, status=status, request_id=request))
    return {}


def _known(charger: Charger, payload: Payload, words: frozenset[str]) -> str:
    """The status, where it is one of the standard's; empty, and counted, where it is not."""
    status = payload.get("status")
    if type(status) is str and status in words:
        return status
    charger.refuse("unknown-status", ascii(status)[:60])
    return ""


def data_transfer(charger: Charger, payload: Payload, _: Instant) -> Payload:
    """A vendor's private message: answered by whoever was registered for that vendor, else UnknownVendorId."""
    vendor = translate.text(payload.get("vendorId"), 255)
    answer = charger.around.vendors.get(vendor)
    if answer is None:
        charger.refuse("unknown-vendor", vendor)
        return {"status": "UnknownVendorId"}
    data = payload.get("data")
    told = answer(charger.spec.id, translate.text(payload.get("messageId")), data if type(data) is str else "")
    reply: Payload = {"status": told.status}
    return reply if told.data is None else {**reply, "data": told.data}
