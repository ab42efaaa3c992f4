"""Messages of the standard, each spoiled in every way a schema can be broken: what real ones suffer from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.simulators.charge_point_schemas import schema

_CSR = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----"
_WHEN = "2026-06-01T12:00:00Z"

SAID: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "DRIVER"},
    "BootNotification": {"chargePointVendor": "Plain", "chargePointModel": "Script"},
    "DataTransfer": {"vendorId": "org.example"},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Idle", "requestId": 1},
    "MeterValues": {"connectorId": 1, "meterValue": [{"timestamp": _WHEN, "sampledValue": [{"value": "1"}]}]},
    "SecurityEventNotification": {"type": "FirmwareUpdated", "timestamp": _WHEN},
    "SignCertificate": {"csr": _CSR},
    "SignedFirmwareStatusNotification": {"status": "Idle"},
    "StartTransaction": {"connectorId": 1, "idTag": "DRIVER", "meterStart": 0, "timestamp": _WHEN},
    "StatusNotification": {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
    "StopTransaction": {"transactionId": 1, "meterStop": 0, "timestamp": _WHEN},
}
"""A valid message of each kind that chargers say."""

ASKED: dict[str, dict[str, Any]] = {
    "CancelReservation": {"reservationId": 1},
    "ChangeAvailability": {"connectorId": 1, "type": "Operative"},
    "ChangeConfiguration": {"key": "HeartbeatInterval", "value": "60"},
    "DataTransfer": {"vendorId": "org.example"},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 60},
    "RemoteStartTransaction": {"idTag": "DRIVER"},
    "RemoteStopTransaction": {"transactionId": 1},
    "ReserveNow": {"connectorId": 1, "expiryDate": _WHEN, "idTag": "DRIVER", "reservationId": 1},
    "Reset": {"type": "Soft"},
    "SendLocalList": {"listVersion": 1, "updateType": "Full"},
    "TriggerMessage": {"requestedMessage": "Heartbeat"},
    "UnlockConnector": {"connectorId": 1},
}
"""A valid message of each kind that chargers are asked, as far as fields can be missing in it."""


@dataclass(frozen=True, slots=True)
class Spoiled:
    """One message with one thing wrong."""

    action: str
    how: str
    payload: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.action}-{self.how}"


def spoiled(messages: dict[str, dict[str, Any]]) -> Iterator[Spoiled]:
    """Every message with an extra field, each field missing, of the wrong type, too long, and of no known word."""
    for action, payload in messages.items():
        yield Spoiled(action, "extra field", {**payload, "additional": "123"})
        properties = schema(action)["properties"]
        for name in payload:
            if name in schema(action).get("required", ()):
                yield Spoiled(action, f"{name} missing", {k: v for k, v in payload.items() if k != name})
            yield Spoiled(action, f"{name} of the wrong type", {**payload, name: {"not": "this"}})
            spec = properties[name]
            if "maxLength" in spec:
                yield Spoiled(action, f"{name} too long", {**payload, name: "x" * (spec["maxLength"] + 1)})
            if "enum" in spec:
                yield Spoiled(action, f"{name} of no known word", {**payload, name: "Gibberish"})
