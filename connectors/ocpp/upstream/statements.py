"""Starts and stops that no charger stated, in the words of the standard. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.ocpp.frames import Payload
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
