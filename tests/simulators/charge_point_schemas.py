"""The official OCPP 1.6 schemas: to check what a charge point says, and to make up requests that are valid."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from simulators.requests import REQUESTS
from tests.simulators.fake_central import FakeCentral

Schema = dict[str, Any]
SAID_BY_CHARGE_POINTS = {
    "Authorize",
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
}
"""Actions that only a charge point asks; DataTransfer is asked by both."""


@cache
def schema(name: str) -> Schema:
    """A schema by its file name, such as `Reset` or `ResetResponse`."""
    text = files("ocpp.v16").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8-sig")
    loaded: Schema = json.loads(text)
    return loaded


def actions() -> set[str]:
    """Every action there is a schema for."""
    names = {entry.name.removesuffix(".json") for entry in files("ocpp.v16").joinpath("schemas").iterdir()}
    return {name for name in names if not name.endswith("Response") and f"{name}Response" in names}


@cache
def _validator(name: str) -> Any:
    return jsonschema_rs.validator_for(schema(name))


def faults(name: str, payload: Any) -> list[str]:
    """What the official schema finds wrong."""
    return [f"{name}: {error.message}" for error in _validator(name).iter_errors(payload)]


def faults_of_all_said(central: FakeCentral) -> list[str]:
    """What the schemas find wrong in every request a central system heard."""
    return [fault for heard in central.heard for fault in faults(heard.action, heard.payload)]


# Valid requests ------------------------------------------------------------------------------------------------------

_MOMENTS = ("2026-06-01T12:00:05Z", "2026-06-01T12:01:00+02:00", "2026-06-01T12:02:00.5Z", "2030-01-01T00:00:00Z")
_TEXTS = ("TAG", "A", "ftp://files.example/firmware-2.3.bin", "gopher://x/y", "ftp://[x", "depot-twin", "Echo", "")
_LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "connectorId": st.sampled_from([0, 1, 2, 7]),
    "transactionId": st.sampled_from([501, 502, 503, -1]),
    "reservationId": st.integers(1, 3),
    "chargingProfileId": st.integers(1, 4),
    "stackLevel": st.integers(0, 9),
    "startPeriod": st.sampled_from([0, 0, 10, 60]),
    "limit": st.sampled_from([0.0, 5.0, 6.0, 13.3, 32.0, 4000.0]),
    "numberPhases": st.integers(1, 3),
    "duration": st.sampled_from([0, 60, 86_400, 2_000_000_000]),
    "key": st.sampled_from(
        [
            "AuthorizationKey",
            "AuthorizeRemoteTxRequests",
            "ClockAlignedDataInterval",
            "Colour",
            "HeartbeatInterval",
            "LocalPreAuthorize",
            "MeterValueSampleInterval",
            "SecurityProfile",
            "StopTxnSampledData",
        ]
    ),
    "value": st.sampled_from(["0", "1", "5", "60", "true", "false", "SoC", "passwordpassword"]),
}


def values(spec: Schema, root: Schema, name: str = "") -> st.SearchStrategy[Any]:
    """Values that a schema allows, many of them such as a central system would send."""
    if "$ref" in spec:
        return values(root["definitions"][spec["$ref"].rsplit("/", 1)[1]], root, name)
    if name in _LIKELY and spec["type"] != "array":
        return _LIKELY[name]
    match spec["type"]:
        case "object":
            fields = {key: values(sub, root, key) for key, sub in spec.get("properties", {}).items()}
            needed = set(spec.get("required", []))
            return st.fixed_dictionaries(
                {key: made for key, made in fields.items() if key in needed},
                optional={key: made for key, made in fields.items() if key not in needed},
            )
        case "array":
            items = values(spec["items"], root, name)
            return st.lists(items, min_size=spec.get("minItems", 0), max_size=3)
        case "string":
            return _texts(spec)
        case "integer":
            return st.integers(-1, 5) | st.integers(-(2**31), 2**31 - 1)
        case "number":
            return st.sampled_from([0.0, 6.1, 16.0])
        case kind:
            raise AssertionError(f"{name}: a schema of type {kind}")


def _texts(spec: Schema) -> st.SearchStrategy[str]:
    if "enum" in spec:
        return st.sampled_from(spec["enum"])
    if spec.get("format") == "date-time":
        return st.sampled_from(_MOMENTS)
    length = spec.get("maxLength", 100)
    return st.sampled_from([text for text in _TEXTS if len(text) <= length]) | st.text(max_size=min(length, 10))


def requests() -> st.SearchStrategy[tuple[str, Any]]:
    """Any valid request a central system may send: its action and payload."""
    return st.sampled_from(sorted(REQUESTS)).flatmap(
        lambda action: st.tuples(st.just(action), values(schema(action), schema(action)))
    )


def spoiled_requests() -> st.SearchStrategy[tuple[str, Any]]:
    """Requests with one field replaced by something else, or left out."""
    junk = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})
    return st.builds(_spoil, requests(), st.randoms(use_true_random=False), junk)


def _spoil(request: tuple[str, Any], rng: Random, junk: Any) -> tuple[str, Any]:
    action, payload = request
    at = payload = json.loads(json.dumps(payload))
    while at:
        name = rng.choice(sorted(at)) if isinstance(at, dict) else rng.randrange(len(at))
        if isinstance(at[name], dict | list) and at[name] and rng.random() < 0.8:
            at = at[name]
            continue
        if rng.random() < 0.2:
            del at[name]
        else:
            at[name] = junk
        break
    return action, payload
