"""Requests to an idle charge point, one by one: what is answered, and with which error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.chargers import switched_on
from tests.simulators.fake_central import FakeCentral, settle


@pytest.mark.parametrize(
    ("message", "action"),
    [
        ("StatusNotification", "StatusNotification"),
        ("MeterValues", "MeterValues"),
        ("Heartbeat", "Heartbeat"),
        ("BootNotification", "BootNotification"),
    ],
)
async def test_a_trigger_makes_it_say_that_message(message: str, action: str) -> None:
    async with FakeCentral() as central, switched_on():
        before = len(central.of(action))
        answer = await central.call("CP1", "TriggerMessage", {"requestedMessage": message, "connectorId": 1})
        assert answer == {"status": "Accepted"}
        await settle()
        assert len(central.of(action)) == before + 1


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("TriggerMessage", {"requestedMessage": "Weather"}, {"status": "NotImplemented"}),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 9}, {"status": "Rejected"}),
        ("DataTransfer", {"vendorId": "depot-twin", "messageId": "?"}, {"status": "UnknownMessageId"}),
        (
            "DataTransfer",
            {"vendorId": "depot-twin", "messageId": "Echo", "data": "hello"},
            {"status": "Accepted", "data": "hello"},
        ),
        ("ClearCache", {}, {"status": "Accepted"}),
        ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
        ("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}),
        ("UnlockConnector", {"connectorId": 5}, {"status": "NotSupported"}),
        ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "9"}, {"status": "Rejected"}),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "soon"}, {"status": "Rejected"}),
        ("ChangeConfiguration", {"key": "Colour", "value": "9"}, {"status": "NotSupported"}),
        ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, {"status": "Accepted"}),
        ("GetConfiguration", {"key": ["Colour"]}, {"configurationKey": [], "unknownKey": ["Colour"]}),
        ("ClearChargingProfile", {"id": 77}, {"status": "Unknown"}),
        ("GetCompositeSchedule", {"connectorId": 9, "duration": 60}, {"status": "Rejected"}),
        ("RemoteStopTransaction", {"transactionId": 1}, {"status": "Rejected"}),
    ],
)
async def test_an_idle_charger_answers(action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
    async with FakeCentral() as central, switched_on():
        assert await central.call("CP1", action, payload) == answer


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("ReserveNow", {}, "OccurenceConstraintViolation"),
        ("GetDiagnostics", {"location": 5}, "TypeConstraintViolation"),
        ("RemoteStartTransaction", {"idTag": "X" * 21}, "PropertyConstraintViolation"),
        ("UnlockConnector", {"connectorId": True}, "TypeConstraintViolation"),
        ("MakeCoffee", {}, "NotImplemented"),
        ("Reset", {}, "OccurenceConstraintViolation"),
        ("Reset", {"type": "Gentle"}, "PropertyConstraintViolation"),
        ("SetChargingProfile", {"connectorId": 7, "csChargingProfiles": {}}, "PropertyConstraintViolation"),
        ("SetChargingProfile", {"connectorId": 1}, "OccurenceConstraintViolation"),
    ],
)
async def test_what_it_cannot_do_is_answered_with_an_error_code(
    action: str, payload: dict[str, Any], code: str
) -> None:
    async with FakeCentral() as central, switched_on():
        assert (await central.call("CP1", action, payload))[0] == code
