"""Boots, starts and stops in the words of the standard, where a charger used others or none. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.ocpp import translate
from connectors.ocpp.frames import Payload
from connectors.ocpp.schemas import check_call
from twin_core.errors import ProtocolError
from twin_core.models.ids import ChargerId, ConnectorId
from twin_core.models.quantities import Instant
from twin_core.ports import TransactionStart, TransactionStop

_REASONS = frozenset(
    {
        "EmergencyStop",
        "EVDisconnected",
        "HardReset",
        "Local",
        "Other",
        "PowerLoss",
        "Reboot",
        "Remote",
        "SoftReset",
        "UnlockCommand",
        "DeAuthorized",
    }
)

_BOOT_LENGTHS = {
    "chargePointVendor": 20,
    "chargePointModel": 20,
    "chargePointSerialNumber": 25,
    "chargeBoxSerialNumber": 25,
    "firmwareVersion": 50,
    "iccid": 20,
    "imsi": 20,
    "meterType": 25,
    "meterSerialNumber": 25,
}
"""What a BootNotification may say, and with how many characters."""
_UNNAMED = {"chargePointVendor": "unknown", "chargePointModel": "unknown"}


def is_sound(action: str, payload: Payload) -> bool:
    """Whether the upstream can be told just this."""
    try:
        check_call(action, {key: value for key, value in payload.items() if value is not None})
    except ProtocolError:
        return False
    return True


def stated_boot(payload: Payload) -> Payload:
    """BootNotification as the charger stated it, or where that breaks the schema as much of it as the schema takes.

    Nothing of a charger goes up before its boot was accepted, so there is always one that can be told.
    """
    if is_sound("BootNotification", payload):
        return payload
    cut = {key: translate.text(payload.get(key), length) for key, length in _BOOT_LENGTHS.items()}
    return {**_UNNAMED, **{key: found for key, found in cut.items() if found}}


def stated_start(payload: Payload, charger: ChargerId, at: Instant) -> Payload:
    """StartTransaction as the charger stated it, or where that breaks the schema as it was understood."""
    number, meter_kwh = translate.integer(payload.get("connectorId")), translate.energy_kwh(payload.get("meterStart"))
    if number is None or meter_kwh is None or is_sound("StartTransaction", payload):
        return payload
    began = translate.timestamp(payload.get("timestamp")) or at.utc
    tag = translate.id_tag(payload.get("idTag"))
    return own_start(TransactionStart(ConnectorId(charger, number), tag, meter_kwh, began), tag)


def own_start(start: TransactionStart, tag: str) -> Payload:
    """StartTransaction of a transaction that was taken over, under the tag that stands for an unknown one."""
    return {
        "connectorId": start.connector_id.number,
        "idTag": tag,
        "meterStart": round(start.meter_start_kwh * 1000.0),
        "timestamp": _utc(start.started_at),
    }


def own_stop(stop: TransactionStop) -> Payload:
    """StopTransaction of one that was closed here, at the last register known."""
    return {
        "transactionId": int(stop.transaction_id),
        "meterStop": round((stop.meter_stop_kwh or 0.0) * 1000.0),
        "timestamp": _utc(stop.stopped_at),
        "reason": stop.reason if stop.reason in _REASONS else "Other",
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
