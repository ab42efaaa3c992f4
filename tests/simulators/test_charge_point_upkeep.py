"""Firmware, diagnostics, logs, certificates and triggers of a virtual charge point."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from tests.simulators.chargers import car, charger, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from tests.simulators.roots import pem, root
from twin_core.models.ids import IdTag

ACCEPTED = {"status": "Accepted"}
SIGNATURE = "c2lnbmF0dXJlLW9mLXRoZS1maWxl"


def said(central: FakeCentral, action: str) -> list[str]:
    return [payload["status"] for payload in central.of(action)]


# Firmware ------------------------------------------------------------------------------------------------------------

UPDATE = {"location": "ftp://files.example/depot-2.3.bin", "retrieveDate": "2026-06-01T12:01:00Z"}


async def test_an_update_is_fetched_when_due_installed_and_counts_after_a_restart() -> None:
    async with FakeCentral() as central, switched_on():
        assert await central.call("CP1", "UpdateFirmware", UPDATE) == {}
        await settle(50)
        assert said(central, "FirmwareStatusNotification") == []
        await settle(120)
        assert said(central, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing", "Installed"]
        assert [p["firmwareVersion"] for p in central.of("BootNotification")] == ["1.0", "depot-2.3"]


async def test_a_download_that_a_power_loss_cut_short_begins_again() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await central.call("CP1", "UpdateFirmware", UPDATE)
        await settle(70)
        point.cut_power()
        await settle(100)
        point.return_power()
        await settle(15)
        assert said(central, "FirmwareStatusNotification") == ["Downloading"]
        await settle(100)
        assert said(central, "FirmwareStatusNotification")[-1] == "Installed"


async def test_an_update_waits_for_the_running_transaction_and_lets_no_other_begin() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)) as point:
        await point.plug(1, car(), IdTag("TAG"))
        await central.call("CP1", "UpdateFirmware", UPDATE)
        await settle(200)
        assert said(central, "FirmwareStatusNotification") == ["Downloading", "Downloaded"]
        assert central.of("StatusNotification")[-1] | {"timestamp": ""} == {
            "connectorId": 2,
            "errorCode": "NoError",
            "status": "Unavailable",
            "timestamp": "",
        }
        assert not await point.plug(2, car(), IdTag("OTHER"))
        point.unplug(2)
        point.unplug(1)
        await settle(100)
        assert said(central, "FirmwareStatusNotification")[-1] == "Installed"
        assert central.of("StatusNotification")[-1]["status"] == "Available"


async def test_a_download_that_fails_is_tried_again_as_often_as_asked() -> None:
    async with FakeCentral() as central, switched_on():
        broken = {**UPDATE, "location": "gopher://files.example/x", "retries": 1, "retryInterval": 30}
        await central.call("CP1", "UpdateFirmware", broken)
        await settle(300)
        assert said(central, "FirmwareStatusNotification") == ["Downloading", "DownloadFailed"] * 2


async def test_an_installation_that_fails_keeps_the_old_firmware() -> None:
    async with FakeCentral() as central, switched_on() as point:
        point.controller.firmware.fails = "install"
        await central.call("CP1", "UpdateFirmware", UPDATE)
        await settle(200)
        assert said(central, "FirmwareStatusNotification")[-1] == "InstallationFailed"
        assert len(central.of("BootNotification")) == 1


async def test_an_installation_that_is_cut_short_has_failed() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await central.call("CP1", "UpdateFirmware", UPDATE)
        await settle(90)
        point.cut_power()
        await settle(10)
        point.return_power()
        await settle(60)
        assert said(central, "FirmwareStatusNotification")[-2:] == ["Installing", "InstallationFailed"]


def signed(**extra: Any) -> dict[str, Any]:
    firmware = {
        "location": "https://files.example/depot-3.0.bin",
        "retrieveDateTime": "2026-06-01T12:01:00Z",
        "signingCertificate": pem(root()),
        "signature": SIGNATURE,
    }
    return {"requestId": 5, "firmware": {**firmware, **extra}}


async def test_a_signed_update_tells_every_state_with_its_request() -> None:
    async with FakeCentral() as central, switched_on():
        request = signed(installDateTime="2026-06-01T12:03:00Z")
        assert await central.call("CP1", "SignedUpdateFirmware", request) == ACCEPTED
        await settle(300)
        assert said(central, "SignedFirmwareStatusNotification") == [
            "DownloadScheduled",
            "Downloading",
            "Downloaded",
            "SignatureVerified",
            "InstallScheduled",
            "Installing",
            "InstallRebooting",
            "Installed",
        ]
        assert {p["requestId"] for p in central.of("SignedFirmwareStatusNotification")} == {5}


async def test_what_is_not_signed_is_not_installed() -> None:
    async with FakeCentral() as central, switched_on():
        answer = await central.call("CP1", "SignedUpdateFirmware", signed(signingCertificate="paper"))
        assert answer == {"status": "InvalidCertificate"}
        assert await central.call("CP1", "SignedUpdateFirmware", signed(signature="?")) == ACCEPTED
        assert await central.call("CP1", "SignedUpdateFirmware", signed(signature="!")) == {
            "status": "AcceptedCanceled"
        }
        await settle(200)
        assert said(central, "SignedFirmwareStatusNotification")[-1] == "InvalidSignature"
        events = [p["type"] for p in central.of("SecurityEventNotification")]
        assert events == ["InvalidFirmwareSigningCertificate", "InvalidFirmwareSignature"]


# Uploads -------------------------------------------------------------------------------------------------------------


async def test_diagnostics_are_uploaded_and_that_is_told() -> None:
    async with FakeCentral() as central, switched_on():
        answer = await central.call("CP1", "GetDiagnostics", {"location": "ftp://files.example/"})
        assert answer["fileName"].endswith(".log")
        await central.call("CP1", "TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
        await settle(30)
        await central.call("CP1", "TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"})
        await settle()
        assert said(central, "DiagnosticsStatusNotification") == ["Uploading", "Uploading", "Uploaded", "Idle"]


async def test_an_upload_that_fails_is_tried_again_as_often_as_asked() -> None:
    async with FakeCentral() as central, switched_on() as point:
        point.controller.diagnostics.fails = True
        request = {"location": "ftp://files.example/", "retries": 2, "retryInterval": 5}
        await central.call("CP1", "GetDiagnostics", request)
        await settle(120)
        assert said(central, "DiagnosticsStatusNotification") == ["Uploading"] * 3 + ["UploadFailed"]


async def test_a_log_is_uploaded_under_its_request_and_the_newest_request_wins() -> None:
    async with FakeCentral() as central, switched_on():
        for number, status in ((1, "Accepted"), (2, "AcceptedCanceled")):
            log = {"logType": "SecurityLog", "requestId": number, "log": {"remoteLocation": "ftp://files.example/"}}
            assert (await central.call("CP1", "GetLog", log))["status"] == status
        await settle(60)
        told = [(p["status"], p["requestId"]) for p in central.of("LogStatusNotification")]
        assert told == [("Uploading", 1), ("Uploading", 2), ("Uploaded", 2)]


# Certificates --------------------------------------------------------------------------------------------------------


async def test_a_root_certificate_is_installed_listed_by_its_hashes_and_deleted() -> None:
    certificate = root()
    async with FakeCentral() as central, switched_on():
        use = {"certificateType": "CentralSystemRootCertificate"}
        assert await central.call("CP1", "GetInstalledCertificateIds", use) == {"status": "NotFound"}
        install = {**use, "certificate": pem(certificate)}
        for _ in range(2):
            assert await central.call("CP1", "InstallCertificate", install) == ACCEPTED
        listed = await central.call("CP1", "GetInstalledCertificateIds", use)
        (entry,) = listed["certificateHashData"]
        # The independent reading of the same certificate: an OCSP request names it by the same three values.
        asked = ocsp.OCSPRequestBuilder().add_certificate(certificate, certificate, hashes.SHA256()).build()
        assert entry == {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": asked.issuer_name_hash.hex(),
            "issuerKeyHash": asked.issuer_key_hash.hex(),
            "serialNumber": f"{certificate.serial_number:x}",
        }
        for status in ("Accepted", "NotFound"):
            answer = await central.call("CP1", "DeleteCertificate", {"certificateHashData": entry})
            assert answer == {"status": status}


async def test_what_is_no_certificate_is_rejected_and_reported() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    async with FakeCentral() as central, switched_on():
        for text in ("paper", broken):
            request = {"certificateType": "ManufacturerRootCertificate", "certificate": text}
            assert await central.call("CP1", "InstallCertificate", request) == {"status": "Rejected"}
        await settle()
        assert len(central.of("SecurityEventNotification")) == 2


async def test_its_own_certificate_is_asked_for_with_a_valid_request_and_taken_only_then() -> None:
    async with FakeCentral() as central, switched_on(charger("CP1")):
        central.answers["SignCertificate"] = lambda _c, _p: ACCEPTED
        chain = {"certificateChain": pem(root())}
        assert await central.call("CP1", "CertificateSigned", chain) == {"status": "Rejected"}
        trigger = {"requestedMessage": "SignChargePointCertificate"}
        assert await central.call("CP1", "ExtendedTriggerMessage", trigger) == ACCEPTED
        await settle()
        request = x509.load_pem_x509_csr(central.of("SignCertificate")[0]["csr"].encode())
        assert request.is_signature_valid
        assert request.subject.rfc4514_string() == "CN=CP1,O=depot-twin"
        assert await central.call("CP1", "CertificateSigned", chain) == ACCEPTED


async def test_a_password_that_cannot_be_written_is_rejected_and_the_link_stays() -> None:
    async with FakeCentral() as central, switched_on(password="0123456789abcdef") as point:
        half = {"key": "AuthorizationKey", "value": "\ud800123456789abcdef"}
        assert await central.call("CP1", "ChangeConfiguration", half) == {"status": "Rejected"}
        await settle(60)
        assert (point.online, point.links) == (True, 1)


# Triggers ------------------------------------------------------------------------------------------------------------

EVERY_TRIGGER = [
    ("TriggerMessage", "BootNotification", "BootNotification"),
    ("TriggerMessage", "DiagnosticsStatusNotification", "DiagnosticsStatusNotification"),
    ("TriggerMessage", "FirmwareStatusNotification", "FirmwareStatusNotification"),
    ("TriggerMessage", "Heartbeat", "Heartbeat"),
    ("TriggerMessage", "MeterValues", "MeterValues"),
    ("TriggerMessage", "StatusNotification", "StatusNotification"),
    ("ExtendedTriggerMessage", "BootNotification", "BootNotification"),
    ("ExtendedTriggerMessage", "FirmwareStatusNotification", "SignedFirmwareStatusNotification"),
    ("ExtendedTriggerMessage", "Heartbeat", "Heartbeat"),
    ("ExtendedTriggerMessage", "LogStatusNotification", "LogStatusNotification"),
    ("ExtendedTriggerMessage", "MeterValues", "MeterValues"),
    ("ExtendedTriggerMessage", "SignChargePointCertificate", "SignCertificate"),
    ("ExtendedTriggerMessage", "StatusNotification", "StatusNotification"),
]


@pytest.mark.parametrize(("action", "message", "heard"), EVERY_TRIGGER)
async def test_every_message_can_be_triggered_for_one_connector(action: str, message: str, heard: str) -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)):
        before = len(central.of(heard))
        answer = await central.call("CP1", action, {"requestedMessage": message, "connectorId": 2})
        assert answer == ACCEPTED
        await settle()
        new = central.of(heard)[before:]
        assert len(new) == 1
        assert new[0].get("connectorId", 2) == 2


async def test_a_trigger_without_a_connector_means_all_of_them() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2)):
        await central.call("CP1", "TriggerMessage", {"requestedMessage": "MeterValues"})
        await central.call("CP1", "TriggerMessage", {"requestedMessage": "StatusNotification"})
        await settle()
        assert [p["connectorId"] for p in central.of("MeterValues")] == [1, 2]
        assert [p["connectorId"] for p in central.of("StatusNotification")] == [0, 1, 2, 0, 1, 2]


# Configuration -------------------------------------------------------------------------------------------------------


async def test_every_key_is_shown_a_password_never() -> None:
    async with FakeCentral() as central, switched_on():
        keys = (await central.call("CP1", "GetConfiguration", {}))["configurationKey"]
        by_name = {entry["key"]: entry for entry in keys}
        assert "value" not in by_name["AuthorizationKey"]
        assert by_name["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "1"}
        assert all(re.fullmatch(r"[A-Za-z31]+", name) for name in by_name)
        assert len(by_name) == len(keys) > 35


async def test_a_new_password_is_shown_on_the_next_link() -> None:
    async with FakeCentral() as central, switched_on(password="old secret"):
        request = {"key": "AuthorizationKey", "value": "new secret"}
        assert await central.call("CP1", "ChangeConfiguration", request) == ACCEPTED
        await settle(10)
        assert central.authorizations[-1] == "Basic Q1AxOm5ldyBzZWNyZXQ="
        assert central.authorizations[0] != central.authorizations[-1]


async def test_a_security_profile_counts_after_a_restart_and_is_never_lowered() -> None:
    async with FakeCentral() as central, switched_on():

        async def change(value: str) -> str:
            answer = await central.call("CP1", "ChangeConfiguration", {"key": "SecurityProfile", "value": value})
            return str(answer["status"])

        async def profile() -> str:
            answer = await central.call("CP1", "GetConfiguration", {"key": ["SecurityProfile"]})
            return str(answer["configurationKey"][0]["value"])

        assert await change("1") == "Rejected"
        await central.call("CP1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "password"})
        await settle(10)
        assert await change("1") == "RebootRequired"
        assert await profile() == "0"
        await central.call("CP1", "Reset", {"type": "Soft"})
        await settle(20)
        assert await profile() == "1"
        assert await change("0") == "Rejected"
        assert await change("3") == "Rejected"
