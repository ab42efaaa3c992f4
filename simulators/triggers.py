"""Remote Trigger: TriggerMessage and, of the security extension, ExtendedTriggerMessage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulators.controller import Controller
from simulators.wire import Payload

Trigger = Callable[[Controller, int | None], None]


def _statuses(controller: Controller, number: int | None) -> None:
    if number is None:
        controller.reports.all_statuses()
    else:
        controller.reports.status(number)


def _samples(controller: Controller, number: int | None) -> None:
    for one in controller.station.outlets if not number else (number,):
        controller.reports.sample(one)


TRIGGERS: Final[dict[str, Trigger]] = {
    "BootNotification": lambda controller, _: controller.boot(),
    "DiagnosticsStatusNotification": lambda controller, _: controller.diagnostics.notify(),
    "FirmwareStatusNotification": lambda controller, _: controller.firmware.notify(),
    "Heartbeat": lambda controller, _: controller.heartbeat(),
    "MeterValues": _samples,
    "StatusNotification": _statuses,
}
EXTENDED_TRIGGERS: Final[dict[str, Trigger]] = {
    "BootNotification": TRIGGERS["BootNotification"],
    "FirmwareStatusNotification": lambda controller, _: controller.firmware.notify_signed(),
    "Heartbeat": TRIGGERS["Heartbeat"],
    "LogStatusNotification": lambda controller, _: controller.diagnostics.notify_log(),
    "MeterValues": TRIGGERS["MeterValues"],
    "SignChargePointCertificate": lambda controller, _: controller.certificates.ask_to_be_signed(),
    "StatusNotification": TRIGGERS["StatusNotification"],
}


def trigger_message(controller: Controller, payload: Payload) -> Payload:
    """Say one of the messages of `TRIGGERS`."""
    return _trigger(TRIGGERS, controller, payload)


def extended_trigger_message(controller: Controller, payload: Payload) -> Payload:
    """Say one of the messages of `EXTENDED_TRIGGERS`."""
    return _trigger(EXTENDED_TRIGGERS, controller, payload)


def _trigger(table: dict[str, Trigger], controller: Controller, payload: Payload) -> Payload:
    number = payload.get("connectorId")
    if number not in (None, 0, *controller.station.outlets):
        return {"status": "Rejected"}
    say = table.get(payload["requestedMessage"])
    if say is None:
        return {"status": "NotImplemented"}
    controller.advance()
    # What the central system asks for may leave even while the registration is pending.
    controller.outbox.asking = True
    try:
        say(controller, number)
    finally:
        controller.outbox.asking = False
    return {"status": "Accepted"}
