"""Security profiles 2 and 3, as our central system serves them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from websockets.exceptions import InvalidMessage, InvalidStatus

from connectors.ocpp.depot_ca import read_depot_ca
from connectors.ocpp.operations import Answer, Outcome
from connectors.ocpp.tls import ListeningTls
from gateway.signing import Signing
from simulators.credentials import Credentials
from tests.connectors.ocpp.certificates import Certificates
from tests.connectors.ocpp.certification.stage import CP1, Stage, stage
from tests.connectors.ocpp.peer import until, wall_clock
from twin_core.models import events as e

PASSWORD = "0123456789abcdef"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def listening(certificates: Certificates, *, asks: bool) -> ListeningTls:
    return ListeningTls(certificates.files(asks=asks), wall_clock())


async def stays_outside(s: Stage, credentials: Credentials | None, password: str | None = None) -> None:
    """Nobody gets in who shows this."""
    with pytest.raises((InvalidStatus, InvalidMessage, OSError)):
        await s.dials_beside(tls=None if credentials is None else credentials.context(), password=password)


async def asks_for_a_certificate(s: Stage, key: Key) -> None:
    """Triggered by the operator, the charger asks for a certificate of its own."""
    answer = await s.operations.trigger(CP1, "SignChargePointCertificate")
    assert answer.outcome is Outcome.DONE
    assert s.asked("ExtendedTriggerMessage") == [{"requestedMessage": "SignChargePointCertificate"}]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CP1")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    csr = request.public_bytes(serialization.Encoding.PEM).decode()
    assert await s.says("SignCertificate", csr=csr) == {"status": "Accepted"}
    assert [event.csr for event in s.of(e.CertificateRequested)] == [csr.strip()]


async def is_signed(s: Stage, certificates: Certificates) -> Answer:
    """The depot's authority signs it, and the charger is sent the chain."""
    certificates.theirs.private_key_pem.write_to_path(certificates.folder / "chargers.key")
    clock = wall_clock()
    files = (certificates.folder / "chargers.pem", certificates.folder / "chargers.key")
    ca = read_depot_ca(*files, timedelta(days=90), clock.now().utc)
    return await Signing(ca, s.operations, s.upkeep, clock, lambda _: True).sign(CP1)


async def signed_and_shown(certificates: Certificates, key: Key) -> None:
    old = certificates.charger("CP1").context()
    async with stage(tls=listening(certificates, asks=True), shows=old) as s:
        await asks_for_a_certificate(s, key)
        assert (await is_signed(s, certificates)).outcome is Outcome.DONE
        chain = s.asked("CertificateSigned")[0]["certificateChain"]
        assert x509.load_pem_x509_certificate(chain.encode()).public_key() == key.public_key()
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
        new = Credentials(certificates.folder / "ca.pem", chain, pem)
        await s.dials(tls=new.context())
        assert (await s.boots())["status"] == "Accepted"


async def test_tc_074_rsa_certificate_signed(certificates: Certificates) -> None:
    """Triggered, a charger asks with an RSA key; what is signed for it is sent to it and opens the door."""
    await signed_and_shown(certificates, rsa.generate_private_key(65537, 2048))


async def test_tc_074_ecdsa_certificate_signed(certificates: Certificates) -> None:
    """Triggered, a charger asks with an elliptic key; what is signed for it is sent to it and opens the door."""
    await signed_and_shown(certificates, ec.generate_private_key(ec.SECP256R1()))


async def test_tc_077_invalid_charge_point_certificate(certificates: Certificates) -> None:
    """A charger that rejects what was signed for it is heard, and so is the security event that follows."""
    own = certificates.charger("CP1").context()
    rejects = {"CertificateSigned": {"status": "Rejected"}}
    async with stage(tls=listening(certificates, asks=True), shows=own, **rejects) as s:
        await asks_for_a_certificate(s, ec.generate_private_key(ec.SECP256R1()))
        answer = await is_signed(s, certificates)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "Rejected")
        now = datetime.now().astimezone().isoformat()
        await s.says("SecurityEventNotification", type="InvalidChargePointCertificate", timestamp=now)
        assert [event.what for event in s.of(e.SecurityEventReported)] == ["InvalidChargePointCertificate"]


async def test_tc_083_security_profile_raised(certificates: Certificates) -> None:
    """A charger is raised to profile 2 and reset; from when the site listens with TLS, nothing less opens the door."""
    async with stage(password=PASSWORD) as s:
        answer = await s.operations.write_configuration(CP1, "SecurityProfile", "2")
        assert (answer.outcome, answer.said) == (Outcome.DONE, "Accepted")
        assert s.asked("ChangeConfiguration") == [{"key": "SecurityProfile", "value": "2"}]
        assert (await s.operations.reset(CP1, hard=True)).outcome is Outcome.DONE
    shows = certificates.bare()
    async with stage(password=PASSWORD, tls=listening(certificates, asks=False), shows=shows.context()) as s:
        await s.status("Available", 0)
        await stays_outside(s, None, PASSWORD)
        await until(lambda: s.depot.refused("tls", "tls-handshake") == 1, 5)
        await s.dials(password=PASSWORD, tls=shows.context())
        assert (await s.boots())["status"] == "Accepted"


async def test_tc_086_server_certificate(certificates: Certificates) -> None:
    """Our certificate is shown to a charger that trusts who signed it; its password opens the door, and no other."""
    tls, shows = listening(certificates, asks=False), certificates.bare()
    async with stage(
        boots=False, password=PASSWORD, tls=tls, shows=shows.context(), refused={"wrong-password": 2}
    ) as s:
        assert s.cp.link.transport.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        assert (await s.boots())["status"] == "Accepted"
        await s.status("Available", 0)
        await stays_outside(s, shows)
        await stays_outside(s, shows, "another password")


async def test_tc_087_client_certificate(certificates: Certificates) -> None:
    """A charger's own certificate opens its door without a password; another's and none do not."""
    tls, own = listening(certificates, asks=True), certificates.charger("CP1")
    refused = {"wrong-certificate": 1, "no-certificate": 1}
    async with stage(boots=False, tls=tls, shows=own.context(), refused=refused) as s:
        assert (await s.boots())["status"] == "Accepted"
        await s.status("Available", 0)
        await stays_outside(s, certificates.charger("CP2"))
        await stays_outside(s, certificates.bare())
