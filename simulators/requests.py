"""Requests of the central system, one small function each, in a table by action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulators.composite import Scene, Step, composite
from simulators.controller import Controller
from simulators.profile_store import MAX_PERIODS, parse_profile
from simulators.sampling import timestamp
from simulators.station import Outlet
from simulators.wire import CallError, Payload
from twin_core.models.charger import ProfilePurpose, RateUnit
from twin_core.models.ids import IdTag
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

_MAX_COMPOSITE_S = 7 * 86_400
_ACCEPTED: Final[Payload] = {"status": "Accepted"}
_REJECTED: Final[Payload] = {"status": "Rejected"}

OTHER_PROFILES: Final = frozenset(
    {
        "CancelReservation",
        "CertificateSigned",
        "DeleteCertificate",
        "ExtendedTriggerMessage",
        "GetDiagnostics",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "InstallCertificate",
        "ReserveNow",
        "SendLocalList",
        "SignedUpdateFirmware",
        "UpdateFirmware",
    }
)
"""Actions of feature profiles that this charge point does not have: known, and answered NotSupported."""


def answer(controller: Controller, action: str, payload: Payload) -> Payload:
    """The CALLRESULT payload for a request.

    Raises:
        CallError: the request is unknown, not supported or malformed.
    """
    respond = REQUESTS.get(action)
    if respond is None:
        code = "NotSupported" if action in OTHER_PROFILES else "NotImplemented"
        raise CallError(code, f"this charge point has no {action[:40]}")
    try:
        return respond(controller, payload)
    except KeyError as error:
        raise CallError("OccurenceConstraintViolation", f"{error.args[0]} is missing") from error
    except (TypeError, AttributeError) as error:
        raise CallError("TypeConstraintViolation", str(error)) from error
    except ValueError as error:
        raise CallError("PropertyConstraintViolation", str(error)) from error


def _outlet(controller: Controller, number: object) -> Outlet:
    if not isinstance(number, int) or number not in controller.station.outlets:
        raise CallError("PropertyConstraintViolation", f"there is no connector {number!r}")
    return controller.station.outlets[number]


# Core ----------------------------------------------------------------------------------------------------------------


def _get_configuration(controller: Controller, payload: Payload) -> Payload:
    known, unknown = controller.configuration.report(payload.get("key", []))
    return {"configurationKey": known, **({"unknownKey": unknown} if unknown else {})}


def _change_configuration(controller: Controller, payload: Payload) -> Payload:
    return {"status": controller.configuration.set(payload["key"], payload["value"])}


def _remote_start(controller: Controller, payload: Payload) -> Payload:
    profile = payload.get("chargingProfile")
    wanted = payload.get("connectorId")
    for number, outlet in controller.station.outlets.items():
        if wanted in (None, number) and outlet.available and outlet.transaction is None and not outlet.finishing:
            controller.expect(number, IdTag(payload["idTag"]), profile)
            return _ACCEPTED
    return _REJECTED


def _remote_stop(controller: Controller, payload: Payload) -> Payload:
    outlet = controller.outlet_for(payload["transactionId"])
    if outlet is None:
        return _REJECTED
    controller.stop(outlet.number, "Remote")
    return _ACCEPTED


def _reset(controller: Controller, payload: Payload) -> Payload:
    kind = payload["type"]
    if kind not in ("Hard", "Soft"):
        raise ValueError(f"{kind!r} is no reset")
    controller.reset(kind)
    return _ACCEPTED


def _unlock(controller: Controller, payload: Payload) -> Payload:
    number = payload["connectorId"]
    if number not in controller.station.outlets:
        return {"status": "NotSupported"}
    controller.stop(number, "UnlockCommand")
    return {"status": "Unlocked"}


def _change_availability(controller: Controller, payload: Payload) -> Payload:
    available = {"Operative": True, "Inoperative": False}[payload["type"]]
    number = payload["connectorId"]
    outlets = list(controller.station.outlets.values()) if number == 0 else [_outlet(controller, number)]
    for outlet in outlets:
        outlet.available = available or outlet.transaction is not None
        outlet.out_of_service_next = not available and outlet.transaction is not None
    controller.look()
    return {"status": "Scheduled"} if any(outlet.out_of_service_next for outlet in outlets) else _ACCEPTED


def _clear_cache(controller: Controller, payload: Payload) -> Payload:
    return _ACCEPTED


def _data_transfer(controller: Controller, payload: Payload) -> Payload:
    _ = payload["vendorId"]
    return {"status": "UnknownVendorId"}


# Smart Charging ------------------------------------------------------------------------------------------------------


def _set_charging_profile(controller: Controller, payload: Payload) -> Payload:
    number = payload["connectorId"]
    if number != 0:
        _outlet(controller, number)
    controller.advance()
    station = controller.station
    profile = parse_profile(number, payload["csChargingProfiles"], station.own_s)
    status = station.profiles.install(profile, station.scene(number))
    controller.advance()
    return {"status": status}


def _clear_charging_profile(controller: Controller, payload: Payload) -> Payload:
    purpose = payload.get("chargingProfilePurpose")
    controller.advance()
    gone = controller.station.profiles.clear(
        id=payload.get("id"),
        connector=payload.get("connectorId"),
        purpose=None if purpose is None else ProfilePurpose(purpose),
        stack_level=payload.get("stackLevel"),
    )
    controller.advance()
    return _ACCEPTED if gone else {"status": "Unknown"}


def _get_composite_schedule(controller: Controller, payload: Payload) -> Payload:
    number = payload["connectorId"]
    controller.advance()
    station = controller.station
    if number != 0 and number not in station.outlets:
        return _REJECTED
    unit = RateUnit(payload.get("chargingRateUnit", station.quirks.unit.value))
    duration_s = min(int(payload["duration"]), _MAX_COMPOSITE_S)
    scene = station.scene(number) if number else Scene(0)
    steps = composite(station.profiles.profiles, station.own_s, station.own_s + duration_s, scene)
    ceiling_a = station.outlets[number].spec.hardware_max_a if number else station.spec.supply_max_a
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": timestamp(station.own_time),
        "chargingSchedule": {
            "duration": duration_s,
            "startSchedule": timestamp(station.own_time),
            "chargingRateUnit": unit.value,
            "chargingSchedulePeriod": [
                _period(step, station.own_s, ceiling_a, unit, scene.n_phases) for step in steps[:MAX_PERIODS]
            ],
        },
    }


def _period(step: Step, begin_s: float, ceiling_a: float, unit: RateUnit, n_phases: int) -> Payload:
    limit_a = ceiling_a if step.limit_a is None else min(step.limit_a, ceiling_a)
    limit = limit_a if unit is RateUnit.AMPERE else limit_a * n_phases * NOMINAL_VOLTAGE_V
    return {"startPeriod": round(step.start_s - begin_s), "limit": round(limit, 1), "numberPhases": n_phases}


# Remote Trigger ------------------------------------------------------------------------------------------------------


def _trigger_message(controller: Controller, payload: Payload) -> Payload:
    wanted, number = payload["requestedMessage"], payload.get("connectorId")
    if number is not None and number != 0:
        _outlet(controller, number)
    controller.advance()
    numbers = list(controller.station.outlets) if number is None else [number]
    if wanted == "StatusNotification":
        for one in (0, *numbers) if number is None else numbers:
            controller.report_status(one)
    elif wanted == "MeterValues":
        for one in numbers:
            if one:
                controller.report_sample(one, "Trigger")
    elif wanted == "Heartbeat":
        controller.heartbeat()
    elif wanted == "BootNotification":
        controller.boot_again()
    else:
        return {"status": "NotImplemented"}
    return _ACCEPTED


REQUESTS: Final[dict[str, Callable[[Controller, Payload], Payload]]] = {
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_charging_profile,
    "DataTransfer": _data_transfer,
    "GetCompositeSchedule": _get_composite_schedule,
    "GetConfiguration": _get_configuration,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "Reset": _reset,
    "SetChargingProfile": _set_charging_profile,
    "TriggerMessage": _trigger_message,
    "UnlockConnector": _unlock,
}
