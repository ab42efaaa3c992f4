"""Security profiles 2 and 3, as our virtual charge point speaks them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from simulators.credentials import Credentials
from tests.connectors.ocpp.certificates import Certificates
from tests.connectors.ocpp.peer import until
from tests.simulators.charge_point_schemas import faults_of_all_said
from tests.simulators.chargers import charger, switched_on
from tests.simulators.fake_central import FakeCentral
from tests.simulators.roots import pem, root


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@asynccontextmanager
async def central(certificates: Certificates, *, asks: bool) -> AsyncIterator[tuple[FakeCentral, str]]:
    """A scripted central system that listens with TLS, and its address."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificates.folder / "gateway.pem", certificates.folder / "gateway.key")
    if asks:
        tls.load_verify_locations(certificates.folder / "chargers.pem")
        tls.verify_mode = ssl.CERT_REQUIRED
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    async with FakeCentral(host="127.0.0.1", port=port, tls=tls) as found:
        yield found, f"wss://127.0.0.1:{port}/ocpp"
        assert faults_of_all_said(found) == []


async def test_tc_086_server_certificate(certificates: Certificates) -> None:
    """It checks who signed the central system's certificate, and shows its password only then."""
    async with central(certificates, asks=False) as (system, url):
        trustme.CA().cert_pem.write_to_path(certificates.folder / "other.pem")
        stranger = Credentials(certificates.folder / "other.pem")
        async with switched_on(url=url, password="right", credentials=stranger, wait=False) as point:
            await asyncio.sleep(0.3)
            assert (system.connections, point.links) == ([], 0)
        async with switched_on(url=url, password="right", credentials=certificates.bare()) as point:
            assert (system.connections, point.online) == (["CP1"], True)
            assert system.authorizations == ["Basic Q1AxOnJpZ2h0"]


async def test_tc_087_client_certificate(certificates: Certificates) -> None:
    """Asked for a certificate it shows its own, in its own name, and needs no password."""
    async with central(certificates, asks=True) as (system, url):
        async with switched_on(url=url, credentials=certificates.bare(), wait=False) as point:
            await asyncio.sleep(0.3)
            assert system.connections == []
        async with switched_on(url=url, credentials=certificates.charger("CP1")) as point:
            await until(lambda: system.of("StatusNotification"), 5)
            shown = system.sockets["CP1"].transport.get_extra_info("peercert")["subject"]
            assert (point.online, ("commonName", "CP1") in [pair for (pair,) in shown]) == (True, True)
            assert system.authorizations == [None]


@pytest.mark.parametrize("more", ["", "é"], ids=["of another key", "not in ASCII"])
async def test_a_certificate_that_cannot_be_shown_is_rejected_and_the_old_one_kept(
    certificates: Certificates, more: str
) -> None:
    own, foreign = certificates.charger("CP1"), pem(root())
    async with (
        central(certificates, asks=True) as (system, url),
        switched_on(charger("CP1"), url=url, credentials=own) as point,
    ):
        system.answers["SignCertificate"] = lambda _c, _p: {"status": "Accepted"}
        await system.call("CP1", "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
        await until(lambda: system.of("SignCertificate"), 5)
        await asyncio.sleep(0.1)
        shown = {"certificateChain": foreign + more}
        assert await system.call("CP1", "CertificateSigned", shown) == {"status": "Rejected"}
        await until(lambda: system.of("SecurityEventNotification"), 5)
        await system.call("CP1", "Reset", {"type": "Hard"})
        await until(lambda: len(system.of("BootNotification")) == 2, 20)
        assert point.links == 2
