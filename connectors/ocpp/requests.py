"""Every CALL this central system can ask of a charger, one function a message. Pure.

Each gives the payload by the standard's names and how long the charger may take to answer. Limits of the standard (20
characters of a tag, 512 of a location) are not checked here: the official schemas refuse what breaks them before
anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from connectors.ocpp.frames import Payload
from twin_core.models.authorisation import ListedTag, TagStanding
from twin_core.models.ids import IdTag

QUICK_S = 0.0
"""For what a charger answers out of its head: no longer than the central system waits for any answer."""

SLOW_S = 30.0
"""For what moves a lock, writes a list or checks a signature before it is answered. Setpoints wait as long as this."""

ChargePurpose = Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]
CertificateUse = Literal["CentralSystemRootCertificate", "ManufacturerRootCertificate"]
TriggeredMessage = Literal[
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
]
ExtendedMessage = Literal[
    "BootNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SignChargePointCertificate",
    "StatusNotification",
]


@dataclass(frozen=True, slots=True)
class Request:
    """A CALL, ready to be sent.

    Attributes:
        timeout_s: how long the charger may take, where that is longer than the central system waits for any answer.
    """

    action: str
    payload: Payload
    timeout_s: float = QUICK_S


@dataclass(frozen=True, slots=True)
class CertificateHash:
    """How a charger names a certificate it holds."""

    algorithm: Literal["SHA256", "SHA384", "SHA512"]
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a charger tries an up- or download again, and how long it waits between; None leaves it to itself."""

    times: int | None = None
    wait_s: int | None = None


NO_RETRIES = Retries()


def change_availability(connector: int, *, operative: bool) -> Request:
    """Takes a connector, or with 0 the whole charger, out of service or back."""
    kind = "Operative" if operative else "Inoperative"
    return Request("ChangeAvailability", {"connectorId": connector, "type": kind})


def change_configuration(key: str, value: str) -> Request:
    """Writes one setting."""
    return Request("ChangeConfiguration", {"key": key, "value": value})


def clear_cache() -> Request:
    """Makes the charger forget which tags it saw accepted."""
    return Request("ClearCache", {})


def data_transfer(vendor: str, message: str | None = None, data: str | None = None) -> Request:
    """Sends a vendor's private message."""
    return Request("DataTransfer", _known({"vendorId": vendor, "messageId": message, "data": data}))


def get_configuration(keys: Sequence[str] = ()) -> Request:
    """Reads settings, all of them where none is named."""
    return Request("GetConfiguration", {"key": list(keys)} if keys else {}, SLOW_S)


def remote_start(id_tag: str, connector: int | None = None, profile: Payload | None = None) -> Request:
    """Asks the charger to start a transaction for a tag, with a TxProfile for it where one comes along.

    The envelope counts no such profile: let it permit no more than the connector's fallback.
    """
    payload = {"idTag": id_tag, "connectorId": connector, "chargingProfile": profile}
    return Request("RemoteStartTransaction", _known(payload))


def remote_stop(transaction: int) -> Request:
    """Asks the charger to stop a transaction."""
    return Request("RemoteStopTransaction", {"transactionId": transaction})


def reset(*, hard: bool) -> Request:
    """Restarts the charger: soft ends transactions in order, hard does not wait."""
    return Request("Reset", {"type": "Hard" if hard else "Soft"})


def unlock_connector(connector: int) -> Request:
    """Opens the lock of a connector."""
    return Request("UnlockConnector", {"connectorId": connector}, SLOW_S)


def set_charging_profile(connector: int, profile: Payload) -> Request:
    """Writes a charging profile: how fallbacks and grants reach the charger."""
    return Request("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": profile})


def clear_charging_profile(
    *,
    profile_id: int | None = None,
    connector: int | None = None,
    purpose: ChargePurpose | None = None,
    stack_level: int | None = None,
) -> Request:
    """Removes charging profiles: one, or all that match."""
    payload = {
        "id": profile_id,
        "connectorId": connector,
        "chargingProfilePurpose": purpose,
        "stackLevel": stack_level,
    }
    return Request("ClearChargingProfile", _known(payload))


def get_composite_schedule(connector: int, duration_s: int, unit: Literal["A", "W"] | None = None) -> Request:
    """Reads back what the charger makes of all its profiles."""
    payload = {"connectorId": connector, "duration": duration_s, "chargingRateUnit": unit}
    return Request("GetCompositeSchedule", _known(payload))


def trigger_message(message: TriggeredMessage, connector: int | None = None) -> Request:
    """Asks the charger to say something now."""
    return Request("TriggerMessage", _known({"requestedMessage": message, "connectorId": connector}))


def update_firmware(location: str, retrieve: datetime, retries: Retries = NO_RETRIES) -> Request:
    """Has the charger fetch firmware from an address and install it."""
    return Request("UpdateFirmware", {"location": location, "retrieveDate": _utc(retrieve), **_retries(retries)})


def get_diagnostics(
    location: str, *, since: datetime | None = None, until: datetime | None = None, retries: Retries = NO_RETRIES
) -> Request:
    """Has the charger upload its diagnostics to an address; it answers with the file's name."""
    span = _known({"startTime": _utc_or_none(since), "stopTime": _utc_or_none(until)})
    return Request("GetDiagnostics", {"location": location, **span, **_retries(retries)}, SLOW_S)


def get_local_list_version() -> Request:
    """Reads the version of the list of tags that the charger keeps itself."""
    return Request("GetLocalListVersion", {})


def send_local_list(
    version: int, entries: Sequence[ListedTag], removed: Sequence[IdTag] = (), *, differential: bool = False
) -> Request:
    """Writes that list of tags: all of it, or only what changed and what is removed since the version before."""
    listed = [{"idTag": entry.id_tag, "idTagInfo": tag_info(entry.standing)} for entry in entries]
    listed += [{"idTag": tag} for tag in removed]
    kind = "Differential" if differential else "Full"
    return Request(
        "SendLocalList", {"listVersion": version, "updateType": kind, "localAuthorizationList": listed}, SLOW_S
    )


def reserve_now(
    reservation: int, connector: int, id_tag: str, expires: datetime, parent_tag: str | None = None
) -> Request:
    """Keeps a connector, or with 0 any of them, free for a tag until a moment."""
    payload = {
        "reservationId": reservation,
        "connectorId": connector,
        "idTag": id_tag,
        "expiryDate": _utc(expires),
        "parentIdTag": parent_tag,
    }
    return Request("ReserveNow", _known(payload))


def cancel_reservation(reservation: int) -> Request:
    """Gives a reserved connector free again."""
    return Request("CancelReservation", {"reservationId": reservation})


def extended_trigger_message(message: ExtendedMessage, connector: int | None = None) -> Request:
    """As TriggerMessage, for the messages of the security extension too."""
    return Request("ExtendedTriggerMessage", _known({"requestedMessage": message, "connectorId": connector}))


def get_log(
    request: int,
    location: str,
    *,
    security: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    retries: Retries = NO_RETRIES,
) -> Request:
    """Has the charger upload its diagnostics log or its security log to an address."""
    span = {"oldestTimestamp": _utc_or_none(since), "latestTimestamp": _utc_or_none(until)}
    payload = {
        "requestId": request,
        "logType": "SecurityLog" if security else "DiagnosticsLog",
        "log": _known({"remoteLocation": location, **span}),
        **_retries(retries),
    }
    return Request("GetLog", payload, SLOW_S)


def signed_update_firmware(
    request: int,
    location: str,
    retrieve: datetime,
    *,
    certificate: str,
    signature: str,
    install: datetime | None = None,
    retries: Retries = NO_RETRIES,
) -> Request:
    """Has the charger fetch firmware, check its signature against a certificate, and install it."""
    firmware = {
        "location": location,
        "retrieveDateTime": _utc(retrieve),
        "installDateTime": _utc_or_none(install),
        "signingCertificate": certificate,
        "signature": signature,
    }
    return Request(
        "SignedUpdateFirmware", {"requestId": request, "firmware": _known(firmware), **_retries(retries)}, SLOW_S
    )


def certificate_signed(chain: str) -> Request:
    """Hands the charger the certificate it asked for with SignCertificate, with its chain, in PEM."""
    return Request("CertificateSigned", {"certificateChain": chain}, SLOW_S)


def install_certificate(use: CertificateUse, certificate: str) -> Request:
    """Installs a root certificate, in PEM: of the central system, or of the manufacturer for firmware."""
    return Request("InstallCertificate", {"certificateType": use, "certificate": certificate}, SLOW_S)


def delete_certificate(certificate: CertificateHash) -> Request:
    """Deletes a certificate that GetInstalledCertificateIds named."""
    named = {
        "hashAlgorithm": certificate.algorithm,
        "issuerNameHash": certificate.issuer_name_hash,
        "issuerKeyHash": certificate.issuer_key_hash,
        "serialNumber": certificate.serial_number,
    }
    return Request("DeleteCertificate", {"certificateHashData": named})


def get_installed_certificate_ids(use: CertificateUse) -> Request:
    """Lists the root certificates the charger holds."""
    return Request("GetInstalledCertificateIds", {"certificateType": use})


def tag_info(known: TagStanding) -> Payload:
    """A tag's standing as OCPP writes it."""
    return _known(
        {"status": known.status.value, "expiryDate": _utc_or_none(known.expires), "parentIdTag": known.parent}
    )


def _retries(retries: Retries) -> Payload:
    return _known({"retries": retries.times, "retryInterval": retries.wait_s})


def _known(payload: Payload) -> Payload:
    """Without what is None: OCPP leaves out, it never writes null."""
    return {name: value for name, value in payload.items() if value is not None}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _utc_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else _utc(moment)
