"""Requests of the central system: what each must hold, and who answers it. One table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from simulators import core_requests, smart_charging, triggers
from simulators.controller import Controller
from simulators.forms import Fields, Form
from simulators.machine import Registration
from simulators.wire import CallError, Payload

_NOT_WHILE_PENDING: Final = frozenset({"RemoteStartTransaction", "RemoteStopTransaction"})
"""OCPP 1.6 §4.2.1: a charge point that is not accepted yet starts and stops nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        answer: makes the payload of its CALLRESULT.
        needs: fields it must have, with their types.
        may: fields it may have.
    """

    answer: Callable[[Controller, Payload], Payload]
    needs: Fields = field(default_factory=dict)
    may: Fields = field(default_factory=dict)

    @property
    def form(self) -> Form:
        """What its payload is made of."""
        return Form(self.needs, self.may)


REQUESTS: Final[dict[str, Request]] = {
    # Core
    "ChangeAvailability": Request(core_requests.change_availability, {"connectorId": int, "type": str}),
    "ChangeConfiguration": Request(core_requests.change_configuration, {"key": str, "value": str}),
    "ClearCache": Request(lambda c, p: c.authorisation.clear_cache(p)),
    "DataTransfer": Request(core_requests.data_transfer, {"vendorId": str}, {"messageId": str, "data": str}),
    "GetConfiguration": Request(core_requests.get_configuration, {}, {"key": list}),
    "RemoteStartTransaction": Request(
        lambda c, p: c.sessions.remote_start(p), {"idTag": str}, {"connectorId": int, "chargingProfile": dict}
    ),
    "RemoteStopTransaction": Request(lambda c, p: c.sessions.remote_stop(p), {"transactionId": int}),
    "Reset": Request(core_requests.reset, {"type": str}),
    "UnlockConnector": Request(core_requests.unlock_connector, {"connectorId": int}),
    # Smart Charging
    "ClearChargingProfile": Request(
        smart_charging.clear_charging_profile,
        {},
        {"id": int, "connectorId": int, "chargingProfilePurpose": str, "stackLevel": int},
    ),
    "GetCompositeSchedule": Request(
        smart_charging.get_composite_schedule, {"connectorId": int, "duration": int}, {"chargingRateUnit": str}
    ),
    "SetChargingProfile": Request(
        smart_charging.set_charging_profile, {"connectorId": int, "csChargingProfiles": dict}
    ),
    # Remote Trigger
    "TriggerMessage": Request(triggers.trigger_message, {"requestedMessage": str}, {"connectorId": int}),
    # Firmware Management
    "GetDiagnostics": Request(
        lambda c, p: c.diagnostics.get_diagnostics(p),
        {"location": str},
        {"retries": int, "retryInterval": int, "startTime": str, "stopTime": str},
    ),
    "UpdateFirmware": Request(
        lambda c, p: c.firmware.update(p),
        {"location": str, "retrieveDate": str},
        {"retries": int, "retryInterval": int},
    ),
    # Local Auth List
    "GetLocalListVersion": Request(lambda c, p: c.authorisation.local_list_version(p)),
    "SendLocalList": Request(
        lambda c, p: c.authorisation.send_local_list(p),
        {"listVersion": int, "updateType": str},
        {"localAuthorizationList": list},
    ),
    # Reservation
    "CancelReservation": Request(lambda c, p: c.reservations.cancel(p), {"reservationId": int}),
    "ReserveNow": Request(
        lambda c, p: c.reservations.reserve(p),
        {"connectorId": int, "expiryDate": str, "idTag": str, "reservationId": int},
        {"parentIdTag": str},
    ),
    # Security extension
    "CertificateSigned": Request(lambda c, p: c.certificates.signed(p), {"certificateChain": str}),
    "DeleteCertificate": Request(
        lambda c, p: c.certificates.delete(p),
        {
            "certificateHashData": {
                "hashAlgorithm": str,
                "issuerNameHash": str,
                "issuerKeyHash": str,
                "serialNumber": str,
            }
        },
    ),
    "ExtendedTriggerMessage": Request(
        triggers.extended_trigger_message, {"requestedMessage": str}, {"connectorId": int}
    ),
    "GetInstalledCertificateIds": Request(lambda c, p: c.certificates.installed_ids(p), {"certificateType": str}),
    "GetLog": Request(
        lambda c, p: c.diagnostics.get_log(p),
        {"logType": str, "requestId": int, "log": {"remoteLocation": str}},
        {"retries": int, "retryInterval": int},
    ),
    "InstallCertificate": Request(lambda c, p: c.certificates.install(p), {"certificateType": str, "certificate": str}),
    "SignedUpdateFirmware": Request(
        lambda c, p: c.firmware.signed_update(p),
        {
            "requestId": int,
            "firmware": {"location": str, "retrieveDateTime": str, "signingCertificate": str, "signature": str},
        },
        {"retries": int, "retryInterval": int},
    ),
}


def has_unknown_fields(action: str, payload: Payload) -> bool:
    """Whether a request that is known holds more than it may; what is more is left alone."""
    request = REQUESTS.get(action)
    return request is not None and request.form.has_unknown(payload)


def answer(controller: Controller, action: str, payload: Payload) -> Payload:
    """The CALLRESULT payload for a request.

    Raises:
        CallError: the request is unknown or malformed, or comes from a central system that rejected us.
    """
    request = REQUESTS.get(action)
    if request is None:
        raise CallError("NotImplemented", f"this charge point has no {action[:40]}")
    if controller.machine.registration is Registration.REJECTED:
        raise CallError("SecurityError", "registration was rejected")
    request.form.check(payload)
    if controller.machine.registration is Registration.PENDING and action in _NOT_WHILE_PENDING:
        return {"status": "Rejected"}
    try:
        return request.answer(controller, payload)
    except KeyError as error:
        raise CallError("OccurenceConstraintViolation", f"{error.args[0]} is missing") from error
    except (TypeError, AttributeError) as error:
        raise CallError("TypeConstraintViolation", str(error)) from error
    except (ValueError, OverflowError) as error:
        raise CallError("PropertyConstraintViolation", str(error)) from error
