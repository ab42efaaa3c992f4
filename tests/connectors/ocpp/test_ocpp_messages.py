"""Every message of the standard is spoken, in both directions, and the manual says so."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from connectors.ocpp import requests as r
from connectors.ocpp.routing import INCOMING, OUTGOING
from connectors.ocpp.schemas import check_call
from connectors.ocpp.supported import with_table
from connectors.ocpp.vendors import VendorAnswer
from tests.connectors.ocpp.peer import depot, peer
from twin_core.errors import ProtocolError
from twin_core.models import events as e
from twin_core.models.authorisation import ListedTag, TagStanding, TagStatus
from twin_core.models.ids import IdTag

WHEN = datetime(2026, 6, 1, 12, tzinfo=UTC)
CSR = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"
LISTED = ListedTag(IdTag("EV-1"), TagStanding(TagStatus.BLOCKED, WHEN, IdTag("FLEET")))
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]},
}
HASH = r.CertificateHash("SHA256", "aa", "bb", "01")
RETRIES = r.Retries(3, 60)

EXAMPLES: list[r.Request] = [
    r.change_availability(0, operative=False),
    r.change_configuration("HeartbeatInterval", "60"),
    r.clear_cache(),
    r.data_transfer("org.example", "Hello", "there"),
    r.data_transfer("org.example"),
    r.get_configuration(),
    r.get_configuration(["HeartbeatInterval"]),
    r.remote_start("EV-1", 1),
    r.remote_start("EV-1"),
    r.remote_start("EV-1", 1, {**PROFILE, "chargingProfilePurpose": "TxProfile"}),
    r.remote_stop(7),
    r.reset(hard=True),
    r.reset(hard=False),
    r.unlock_connector(1),
    r.clear_charging_profile(profile_id=1),
    r.clear_charging_profile(connector=1, purpose="TxDefaultProfile", stack_level=0),
    r.get_composite_schedule(1, 600, "A"),
    r.set_charging_profile(1, PROFILE),
    r.trigger_message("MeterValues", 1),
    r.get_diagnostics("ftp://host/in", since=WHEN, until=WHEN, retries=RETRIES),
    r.update_firmware("https://host/firmware.bin", WHEN, RETRIES),
    r.get_local_list_version(),
    r.send_local_list(1, [LISTED]),
    r.send_local_list(2, [LISTED], [IdTag("OLD")], differential=True),
    r.cancel_reservation(1),
    r.reserve_now(1, 1, "EV-1", WHEN, "FLEET"),
    r.certificate_signed("-----BEGIN CERTIFICATE-----"),
    r.delete_certificate(HASH),
    r.extended_trigger_message("SignChargePointCertificate"),
    r.get_installed_certificate_ids("CentralSystemRootCertificate"),
    r.get_log(1, "https://host/in", security=True, since=WHEN, until=WHEN, retries=RETRIES),
    r.install_certificate("ManufacturerRootCertificate", "-----BEGIN CERTIFICATE-----"),
    r.signed_update_firmware(1, "https://host/f", WHEN, certificate="c", signature="s", install=WHEN, retries=RETRIES),
]


def test_every_message_of_the_official_schemas_has_its_row() -> None:
    folder = files("ocpp") / "v16" / "schemas"
    official = {Path(str(file)).stem for file in folder.iterdir() if file.name.endswith(".json")}
    actions = {name for name in official if not name.endswith("Response")}
    assert set(INCOMING) | set(OUTGOING) == actions
    assert set(INCOMING) & set(OUTGOING) == {"DataTransfer"}


def test_the_manual_shows_the_table_as_it_is() -> None:
    page = Path(__file__).parents[3] / "docs" / "ocpp.md"
    text = page.read_text(encoding="utf-8")
    assert with_table(text) == text, "run: python -m connectors.ocpp.supported docs/ocpp.md"


def test_a_page_without_its_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="the page needs the lines"):
        with_table("# a page\n")


@pytest.mark.parametrize("request_", EXAMPLES, ids=lambda request: request.action)
def test_every_request_obeys_its_official_schema(request_: r.Request) -> None:
    check_call(request_.action, request_.payload)


def test_every_request_has_an_example_here_and_is_named_like_its_row() -> None:
    assert {request.action for request in EXAMPLES} == set(OUTGOING)


@pytest.mark.parametrize(
    "request_",
    [
        r.remote_start("A" * 21),
        r.install_certificate("ManufacturerRootCertificate", "c" * 5501),
        r.get_log(1, "https://host/" + "x" * 512),
        r.reserve_now(1, 1, "A" * 21, WHEN),
    ],
    ids=lambda request: request.action,
)
async def test_what_breaks_its_schema_never_reaches_the_wire(request_: r.Request) -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        charger = next(iter(d.system.connected))
        with pytest.raises(ProtocolError, match="would break its schema"):
            await d.system.call(charger, request_.action, request_.payload)
        assert request_.action not in [action for action, _ in cp.asked]


@pytest.mark.parametrize("payload", [{}, {"status": 7, "csr": [], "type": {}, "vendorId": None, "requestId": "x"}])
@pytest.mark.parametrize("action", sorted(INCOMING))
async def test_every_call_gets_a_result_by_the_schema_however_empty_or_wrong_it_is(
    action: str, payload: dict[str, Any]
) -> None:
    async with depot() as d, peer(d.system.port) as cp:
        assert (await cp.call(action, payload))[0] == 3


@pytest.mark.parametrize("action", sorted(set(OUTGOING) - set(INCOMING)))
async def test_what_only_a_central_system_may_ask_is_not_supported_the_other_way(action: str) -> None:
    async with depot() as d, peer(d.system.port) as cp:
        assert (await cp.call(action))[2] == "NotSupported"
        assert d.refused("CP1", "unsupported-action") == 1


@pytest.mark.parametrize(
    ("action", "payload", "kind", "told"),
    [
        ("FirmwareStatusNotification", {"status": "Installing"}, e.FirmwareStatusReported, ("Installing", None, False)),
        (
            "SignedFirmwareStatusNotification",
            {"status": "InvalidSignature", "requestId": 4},
            e.FirmwareStatusReported,
            ("InvalidSignature", 4, True),
        ),
        ("DiagnosticsStatusNotification", {"status": "Uploading"}, e.LogStatusReported, ("Uploading", None)),
        ("LogStatusNotification", {"status": "BadMessage", "requestId": 9}, e.LogStatusReported, ("BadMessage", 9)),
    ],
)
async def test_how_far_an_update_or_upload_came_is_told_and_nonsense_is_counted(
    action: str, payload: dict[str, Any], kind: type[Any], told: tuple[Any, ...]
) -> None:
    async with depot() as d, peer(d.system.port) as cp:
        assert (await cp.call(action, payload))[2] == {}
        assert (await cp.call(action, {"status": "Exploded"}))[2] == {}
        (event,) = d.sink.of(kind)
        found = (event.status, event.request_id)
        assert (found if kind is e.LogStatusReported else (*found, event.signed)) == told
        assert d.refused("CP1", "unknown-status") == 1


async def test_a_security_event_is_told_without_what_could_forge_a_line() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        said = {"type": "TamperDetectionActivated", "timestamp": "2026-06-01T12:00:00Z", "techInfo": "lid\nopen"}
        assert (await cp.call("SecurityEventNotification", said))[2] == {}
        (event,) = d.sink.of(e.SecurityEventReported)
        assert (event.what, event.detail, event.reported_at) == ("TamperDetectionActivated", "lidopen", WHEN)


async def test_a_certificate_request_is_kept_for_the_operator_and_nonsense_refused() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        assert (await cp.call("SignCertificate", {"csr": "please"}))[2] == {"status": "Rejected"}
        assert d.sink.of(e.CertificateRequested) == []
        assert (await cp.call("SignCertificate", {"csr": CSR}))[2] == {"status": "Accepted"}
        (event,) = d.sink.of(e.CertificateRequested)
        assert event.csr == CSR.strip()
        assert d.refused("CP1", "csr-unreadable") == 1


async def test_private_messages_go_to_whoever_was_registered_for_the_vendor() -> None:
    heard: list[tuple[str, str, str]] = []

    def vendor(charger: str, message: str, data: str) -> VendorAnswer:
        heard.append((charger, message, data))
        return VendorAnswer("Accepted", "pong")

    async with depot(vendors={"org.example": vendor}) as d, peer(d.system.port) as cp:
        said = {"vendorId": "org.example", "messageId": "ping", "data": "x"}
        assert (await cp.call("DataTransfer", said))[2] == {"status": "Accepted", "data": "pong"}
        assert (await cp.call("DataTransfer", {"vendorId": "other"}))[2] == {"status": "UnknownVendorId"}
        assert heard == [("CP1", "ping", "x")]
        assert d.refused("CP1", "unknown-vendor") == 1


@pytest.mark.parametrize(
    "payload",
    [
        {"connectorId": 1, "errorCode": "NoError", "status": "Available", "mood": "fine"},
        {"connectorId": "1", "errorCode": "NoError", "status": "Available"},
        {"connectorId": 1, "errorCode": "Error", "status": "Available"},
        {"connectorId": 1, "errorCode": "NoError", "status": "Available", "info": None},
    ],
)
async def test_what_breaks_its_schema_and_can_be_read_is_used_and_counted(payload: dict[str, Any]) -> None:
    async with depot() as d, peer(d.system.port) as cp:
        assert (await cp.call("StatusNotification", payload))[2] == {}
        assert [event.status for event in d.sink.of(e.ConnectorStatusReported)] == ["Available"]
        assert d.system.counters["CP1"].flawed == {"StatusNotification": 1}
