"""Passwords, certificates, security logs and signed firmware, as our central system handles them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from connectors.ocpp import requests as r
from connectors.ocpp.operations import Outcome
from connectors.ocpp.requests import Retries
from tests.connectors.ocpp.certification.stage import CP1, LATER, Stage, clock_time, stage
from tests.fakes import EPOCH
from twin_core.models import events as e

OLD, NEW = "0123456789abcdef", bytes(range(0xE0, 0xF4))
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
CENTRAL, MAKER = "CentralSystemRootCertificate", "ManufacturerRootCertificate"


async def door(s: Stage, **options: Any) -> int:
    """Status of the answer to a handshake that is refused."""
    with pytest.raises(InvalidStatus) as error:
        await s.dials_beside(**options)
    return int(error.value.response.status_code)


async def test_tc_073_password_changed(caplog: pytest.LogCaptureFixture) -> None:
    """A new password of any bytes is written to the charger in hexadecimal; once the site has it, it alone opens.

    Neither password is ever in a log line or in what the twin is told.
    """
    async with stage(password=OLD, refused={"wrong-password": 2}) as s:
        written = NEW.hex()
        answer = await s.operations.write_configuration(CP1, "AuthorizationKey", written)
        assert (answer.outcome, answer.said) == (Outcome.DONE, "Accepted")
        assert s.asked("ChangeConfiguration") == [{"key": "AuthorizationKey", "value": written}]
        assert await door(s, password=NEW) == 401
        s.depot.directory.passwords[CP1] = written
        assert await door(s, password=OLD) == 401
        await s.dials(password=NEW)
        assert (await s.boots())["status"] == "Accepted"
        told = caplog.text + "".join(map(str, s.depot.sink.events))
        assert not [secret for secret in (OLD, written) if secret in told]


async def installed(use: Any) -> None:
    named = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "01"}
    async with stage(GetInstalledCertificateIds={"status": "Accepted", "certificateHashData": [named]}) as s:
        assert (await s.ask(r.install_certificate(use, PEM))).outcome is Outcome.DONE
        assert s.asked("InstallCertificate") == [{"certificateType": use, "certificate": PEM}]
        answer = await s.ask(r.get_installed_certificate_ids(use))
        assert s.asked("GetInstalledCertificateIds") == [{"certificateType": use}]
        assert (answer.outcome, answer.payload["certificateHashData"]) == (Outcome.DONE, [named])


async def test_tc_075_1_manufacturer_root_installed() -> None:
    """A manufacturer's root certificate is installed and listed."""
    await installed(MAKER)


async def test_tc_075_2_central_system_root_installed() -> None:
    """A central system's root certificate is installed and listed."""
    await installed(CENTRAL)


async def test_tc_076_certificate_deleted() -> None:
    """The certificate that the charger named, by whichever hash, is deleted and gone from the list."""
    for algorithm in ("SHA256", "SHA384", "SHA512"):
        named = {"hashAlgorithm": algorithm, "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "01"}
        async with stage(GetInstalledCertificateIds={"status": "Accepted", "certificateHashData": [named]}) as s:
            answer = await s.ask(r.get_installed_certificate_ids("CentralSystemRootCertificate"))
            (found,) = answer.payload["certificateHashData"]
            which = r.CertificateHash(
                found["hashAlgorithm"], found["issuerNameHash"], found["issuerKeyHash"], found["serialNumber"]
            )
            assert (await s.ask(r.delete_certificate(which))).outcome is Outcome.DONE
            assert s.asked("DeleteCertificate") == [{"certificateHashData": named}]
            s.cp.answers["GetInstalledCertificateIds"] = {"status": "NotFound"}
            answer = await s.ask(r.get_installed_certificate_ids("CentralSystemRootCertificate"))
            assert (answer.outcome, answer.said) == (Outcome.DONE, "NotFound")


async def test_tc_078_invalid_central_system_certificate() -> None:
    """A certificate that the charger rejects is told as refused, and the security event after it reaches the twin."""
    async with stage(InstallCertificate={"status": "Rejected"}) as s:
        answer = await s.ask(r.install_certificate("CentralSystemRootCertificate", PEM))
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "Rejected")
        await s.says("SecurityEventNotification", type="InvalidCentralSystemCertificate", timestamp=clock_time(5))
        (event,) = s.of(e.SecurityEventReported)
        assert (event.what, event.reported_at) == ("InvalidCentralSystemCertificate", EPOCH + timedelta(seconds=5))


async def test_tc_079_security_log() -> None:
    """The security log is asked for under a number, and the upload's states are told under that number."""
    async with stage(GetLog={"status": "Accepted", "filename": "security.log"}) as s:
        answer = await s.operations.upload_log(
            CP1, "https://files.example/in", security=True, retries=Retries(times=1, wait_s=60)
        )
        assert (answer.outcome, answer.payload["filename"]) == (Outcome.DONE, "security.log")
        log = {"remoteLocation": "https://files.example/in"}
        asked = {"requestId": answer.number, "logType": "SecurityLog", "log": log, "retries": 1, "retryInterval": 60}
        assert s.asked("GetLog") == [asked]
        for status in ("Uploading", "Uploaded"):
            await s.says("LogStatusNotification", status=status, requestId=answer.number)
        told = [(event.status, event.request_id) for event in s.of(e.LogStatusReported)]
        assert told == [("Uploading", answer.number), ("Uploaded", answer.number)]


async def signed_update(s: Stage) -> int:
    """A signed update is asked for; its number."""
    answer = await s.operations.update_signed_firmware(
        CP1,
        "https://files.example/fw.bin",
        LATER,
        certificate=PEM,
        signature="c2lnbmF0dXJl",
        install=LATER + timedelta(minutes=5),
    )
    assert (answer.outcome, answer.said) == (Outcome.DONE, "Accepted")
    firmware = {
        "location": "https://files.example/fw.bin",
        "retrieveDateTime": clock_time(3600),
        "installDateTime": clock_time(3900),
        "signingCertificate": PEM,
        "signature": "c2lnbmF0dXJl",
    }
    assert s.asked("SignedUpdateFirmware") == [{"requestId": answer.number, "firmware": firmware}]
    assert answer.number is not None
    return answer.number


async def test_tc_080_signed_firmware_updated() -> None:
    """Signed firmware is fetched, verified and installed: every state is told under its number, over the restart."""
    async with stage() as s:
        number = await signed_update(s)
        before = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"]
        for status in before:
            await s.says("SignedFirmwareStatusNotification", status=status, requestId=number)
            if status == "SignatureVerified":
                await s.status("Unavailable", 0)
        await s.dials()
        assert (await s.boots())["status"] == "Accepted"
        await s.says("SecurityEventNotification", type="FirmwareUpdated", timestamp=clock_time(5))
        await s.status("Available", 0)
        await s.says("SignedFirmwareStatusNotification", status="Installed", requestId=number)
        told = [(event.status, event.request_id, event.signed) for event in s.of(e.FirmwareStatusReported)]
        assert told == [(status, number, True) for status in [*before, "Installed"]]
        assert [event.what for event in s.of(e.SecurityEventReported)] == ["FirmwareUpdated"]


async def test_tc_081_firmware_of_an_invalid_signature() -> None:
    """Firmware whose signature is invalid is told as such, under its number."""
    async with stage() as s:
        number = await signed_update(s)
        for status in ("Downloading", "Downloaded", "InvalidSignature"):
            await s.says("SignedFirmwareStatusNotification", status=status, requestId=number)
        told = [(event.status, event.request_id) for event in s.of(e.FirmwareStatusReported)]
        assert told[-1] == ("InvalidSignature", number)


async def test_tc_085_basic_authentication() -> None:
    """Without its password a charger stays outside, with it it is accepted."""
    async with stage(password=OLD, boots=False, refused={"wrong-password": 2}) as s:
        assert await door(s) == 401
        assert await door(s, password=NEW) == 401
        assert (await s.boots())["status"] == "Accepted"
        await s.status("Available", 0)


async def test_tc_088_subprotocol_negotiated() -> None:
    """A charger that offers nothing spoken here stays outside; of several, ours is chosen and named."""
    async with stage(boots=False, refused={"wrong-subprotocol": 1}) as s:
        assert await door(s, subprotocols=["ocpp0.1"]) == 400
        await s.dials(subprotocols=["ocpp0.1", "ocpp1.6"])
        assert s.cp.link.subprotocol == "ocpp1.6"
        assert (await s.boots())["status"] == "Accepted"
