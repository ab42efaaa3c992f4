"""Passwords, certificates, security logs and signed firmware, as our virtual charge point handles them."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.connectors.ocpp.certification.point_stage import (
    ACCEPTED,
    REJECTED,
    PointStage,
    point_stage,
    root_certificate,
)
from tests.simulators.fake_central import settle

CENTRAL, MAKER = "CentralSystemRootCertificate", "ManufacturerRootCertificate"


def shown(s: PointStage) -> list[bytes]:
    """User and password of every link, as they were on the wire."""
    return [base64.b64decode((header or "Basic ").removeprefix("Basic ")) for header in s.central.authorizations]


async def test_tc_073_password_changed() -> None:
    """A new password, written in hexadecimal, is shown as the bytes it means on the next link, and read by nobody."""
    key = bytes(range(0xE0, 0xF4))
    async with point_stage(password="0123456789abcdef") as s:
        await s.set(AuthorizationKey=key.hex())
        await settle(30)
        assert shown(s) == [b"CP1:0123456789abcdef", b"CP1:" + key]
        (entry,) = (await s.ask("GetConfiguration", key=["AuthorizationKey"]))["configurationKey"]
        assert "value" not in entry


async def installed(use: str) -> None:
    pem = root_certificate()
    async with point_stage() as s:
        assert await s.ask("GetInstalledCertificateIds", certificateType=use) == {"status": "NotFound"}
        assert await s.ask("InstallCertificate", certificateType=use, certificate=pem) == ACCEPTED
        answer = await s.ask("GetInstalledCertificateIds", certificateType=use)
        serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
        assert (answer["status"], len(answer["certificateHashData"])) == ("Accepted", 1)
        assert int(answer["certificateHashData"][0]["serialNumber"], 16) == serial


async def test_tc_075_1_manufacturer_root_installed() -> None:
    """A manufacturer's root certificate is installed and listed."""
    await installed(MAKER)


async def test_tc_075_2_central_system_root_installed() -> None:
    """A central system's root certificate is installed and listed."""
    await installed(CENTRAL)


async def test_tc_076_certificate_deleted() -> None:
    """A certificate is deleted by the hashes it was listed with, and gone from the list."""
    async with point_stage() as s:
        await s.ask("InstallCertificate", certificateType=CENTRAL, certificate=root_certificate())
        (named,) = (await s.ask("GetInstalledCertificateIds", certificateType=CENTRAL))["certificateHashData"]
        assert await s.ask("DeleteCertificate", certificateHashData=named) == ACCEPTED
        assert await s.ask("GetInstalledCertificateIds", certificateType=CENTRAL) == {"status": "NotFound"}
        assert await s.ask("DeleteCertificate", certificateHashData=named) == {"status": "NotFound"}


async def signing(s: PointStage) -> x509.CertificateSigningRequest:
    """It is made to ask for its own certificate; what it asks with."""
    s.central.answers["SignCertificate"] = lambda _c, _p: ACCEPTED
    assert await s.ask("ExtendedTriggerMessage", requestedMessage="SignChargePointCertificate") == ACCEPTED
    await settle()
    (said,) = s.said("SignCertificate")
    return x509.load_pem_x509_csr(said["csr"].encode())


async def test_tc_074_ecdsa_certificate_signed() -> None:
    """Triggered, it asks for a certificate in its own name and takes one that can be read (on a link without TLS)."""
    async with point_stage() as s:
        request = await signing(s)
        assert request.is_signature_valid
        assert isinstance(request.public_key(), ec.EllipticCurvePublicKey)
        assert "CN=CP1" in request.subject.rfc4514_string()
        assert await s.ask("CertificateSigned", certificateChain=root_certificate()) == ACCEPTED


async def test_tc_077_invalid_charge_point_certificate() -> None:
    """A certificate of its own that cannot be read is rejected and reported (on a link without TLS)."""
    async with point_stage() as s:
        await signing(s)
        assert await s.ask("CertificateSigned", certificateChain="paper") == REJECTED
        await settle()
        assert [p["type"] for p in s.said("SecurityEventNotification")] == ["InvalidChargePointCertificate"]


async def test_tc_078_invalid_central_system_certificate() -> None:
    """A root certificate that cannot be read is rejected, and that is reported as a security event."""
    async with point_stage() as s:
        assert await s.ask("InstallCertificate", certificateType=CENTRAL, certificate="paper") == REJECTED
        await settle()
        assert [p["type"] for p in s.said("SecurityEventNotification")] == ["InvalidCentralSystemCertificate"]


async def test_tc_079_security_log() -> None:
    """The security log is uploaded: it names the file and tells how far it came, under the request's number."""
    async with point_stage() as s:
        log = {"remoteLocation": "https://files.example/in"}
        answer = await s.ask("GetLog", requestId=9, logType="SecurityLog", log=log, retries=1, retryInterval=60)
        assert (answer["status"], "SecurityLog" in answer["filename"]) == ("Accepted", True)
        await settle(60)
        told = [(p["status"], p["requestId"]) for p in s.said("LogStatusNotification")]
        assert told == [("Uploading", 9), ("Uploaded", 9)]


async def update(s: PointStage, signature: str) -> None:
    firmware: dict[str, Any] = {
        "location": "https://files.example/fw-3.bin",
        "retrieveDateTime": "2026-06-01T12:01:00Z",
        "installDateTime": "2026-06-01T12:03:00Z",
        "signingCertificate": root_certificate(),
        "signature": signature,
    }
    assert await s.ask("SignedUpdateFirmware", requestId=5, firmware=firmware) == ACCEPTED
    await settle(400)
    assert {p["requestId"] for p in s.said("SignedFirmwareStatusNotification")} == {5}


async def test_tc_080_signed_firmware_updated() -> None:
    """Signed firmware is fetched, verified, installed and restarted into, and every state is told."""
    async with point_stage() as s:
        await update(s, "c2lnbmF0dXJlLW9mLXRoZS1maWxl")
        assert s.told("SignedFirmwareStatusNotification") == [
            "DownloadScheduled",
            "Downloading",
            "Downloaded",
            "SignatureVerified",
            "InstallScheduled",
            "Installing",
            "InstallRebooting",
            "Installed",
        ]
        assert [p["firmwareVersion"] for p in s.said("BootNotification")] == ["1.0", "fw-3"]
        assert [p["type"] for p in s.said("SecurityEventNotification")] == ["FirmwareUpdated"]


async def test_tc_081_firmware_of_an_invalid_signature() -> None:
    """Firmware whose signature is invalid is not installed, and that is reported as a security event."""
    async with point_stage() as s:
        await update(s, "?")
        told = s.told("SignedFirmwareStatusNotification")
        assert told == ["DownloadScheduled", "Downloading", "Downloaded", "InvalidSignature"]
        assert [p["type"] for p in s.said("SecurityEventNotification")] == ["InvalidFirmwareSignature"]
        assert len(s.said("BootNotification")) == 1


async def test_tc_085_basic_authentication() -> None:
    """It shows its identity and its password on every link."""
    async with point_stage(password="0123456789abcdef") as s:
        s.central.drop("CP1")
        await settle(30)
        assert shown(s) == [b"CP1:0123456789abcdef"] * 2


async def test_tc_088_subprotocol_negotiated() -> None:
    """It offers ocpp1.6 and speaks what was agreed on."""
    async with point_stage() as s:
        assert s.central.sockets["CP1"].subprotocol == "ocpp1.6"
