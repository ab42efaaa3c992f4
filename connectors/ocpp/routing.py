"""Every action of OCPP 1.6 and its security extension: what answers it, or what asks it.

`docs/ocpp.md` shows this table; `python -m connectors.ocpp.supported docs/ocpp.md` writes it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.ocpp import requests
from connectors.ocpp.incoming import metering, security, status, transactions, upkeep
from connectors.ocpp.incoming.answering import Durable, Inline
from connectors.ocpp.requests import Request


class FeatureProfile(StrEnum):
    """Parts of the standard, as a charger lists them in SupportedFeatureProfiles, and the extension."""

    CORE = "Core"
    SMART_CHARGING = "Smart Charging"
    REMOTE_TRIGGER = "Remote Trigger"
    FIRMWARE = "Firmware Management"
    LOCAL_LIST = "Local Auth List Management"
    RESERVATION = "Reservation"
    SECURITY = "Security extension"


CORE = FeatureProfile.CORE
SMART_CHARGING = FeatureProfile.SMART_CHARGING
REMOTE_TRIGGER = FeatureProfile.REMOTE_TRIGGER
FIRMWARE = FeatureProfile.FIRMWARE
LOCAL_LIST = FeatureProfile.LOCAL_LIST
RESERVATION = FeatureProfile.RESERVATION
SECURITY = FeatureProfile.SECURITY


@dataclass(frozen=True, slots=True)
class Answering:
    """An action of chargers: which profile it belongs to and what answers it."""

    profile: FeatureProfile
    by: Inline | Durable


@dataclass(frozen=True, slots=True)
class Asking:
    """An action asked of chargers: which profile it belongs to and what makes the request."""

    profile: FeatureProfile
    by: Callable[..., Request]


INCOMING: dict[str, Answering] = {
    "Authorize": Answering(CORE, Inline(transactions.authorize)),
    "BootNotification": Answering(CORE, Inline(status.boot_notification)),
    "DataTransfer": Answering(CORE, Inline(upkeep.data_transfer)),
    "Heartbeat": Answering(CORE, Inline(status.heartbeat)),
    "MeterValues": Answering(CORE, Inline(metering.meter_values)),
    "StartTransaction": Answering(CORE, Durable(transactions.start_transaction)),
    "StatusNotification": Answering(CORE, Inline(status.status_notification)),
    "StopTransaction": Answering(CORE, Durable(transactions.stop_transaction)),
    "DiagnosticsStatusNotification": Answering(FIRMWARE, Inline(upkeep.diagnostics_status)),
    "FirmwareStatusNotification": Answering(FIRMWARE, Inline(upkeep.firmware_status)),
    "LogStatusNotification": Answering(SECURITY, Inline(upkeep.log_status)),
    "SecurityEventNotification": Answering(SECURITY, Inline(security.security_event)),
    "SignCertificate": Answering(SECURITY, Durable(security.sign_certificate)),
    "SignedFirmwareStatusNotification": Answering(SECURITY, Inline(upkeep.signed_firmware_status)),
}
"""What chargers ask of this central system; anything else gets NotSupported or NotImplemented."""

HANDLERS: Mapping[str, Inline | Durable] = {action: row.by for action, row in INCOMING.items()}
"""What answers each of them."""

OUTGOING: dict[str, Asking] = {
    "ChangeAvailability": Asking(CORE, requests.change_availability),
    "ChangeConfiguration": Asking(CORE, requests.change_configuration),
    "ClearCache": Asking(CORE, requests.clear_cache),
    "DataTransfer": Asking(CORE, requests.data_transfer),
    "GetConfiguration": Asking(CORE, requests.get_configuration),
    "RemoteStartTransaction": Asking(CORE, requests.remote_start),
    "RemoteStopTransaction": Asking(CORE, requests.remote_stop),
    "Reset": Asking(CORE, requests.reset),
    "UnlockConnector": Asking(CORE, requests.unlock_connector),
    "ClearChargingProfile": Asking(SMART_CHARGING, requests.clear_charging_profile),
    "GetCompositeSchedule": Asking(SMART_CHARGING, requests.get_composite_schedule),
    "SetChargingProfile": Asking(SMART_CHARGING, requests.set_charging_profile),
    "TriggerMessage": Asking(REMOTE_TRIGGER, requests.trigger_message),
    "GetDiagnostics": Asking(FIRMWARE, requests.get_diagnostics),
    "UpdateFirmware": Asking(FIRMWARE, requests.update_firmware),
    "GetLocalListVersion": Asking(LOCAL_LIST, requests.get_local_list_version),
    "SendLocalList": Asking(LOCAL_LIST, requests.send_local_list),
    "CancelReservation": Asking(RESERVATION, requests.cancel_reservation),
    "ReserveNow": Asking(RESERVATION, requests.reserve_now),
    "CertificateSigned": Asking(SECURITY, requests.certificate_signed),
    "DeleteCertificate": Asking(SECURITY, requests.delete_certificate),
    "ExtendedTriggerMessage": Asking(SECURITY, requests.extended_trigger_message),
    "GetInstalledCertificateIds": Asking(SECURITY, requests.get_installed_certificate_ids),
    "GetLog": Asking(SECURITY, requests.get_log),
    "InstallCertificate": Asking(SECURITY, requests.install_certificate),
    "SignedUpdateFirmware": Asking(SECURITY, requests.signed_update_firmware),
}
"""What this central system asks of chargers. A charger that asks it of us gets NotSupported."""
