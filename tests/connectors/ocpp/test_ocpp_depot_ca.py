"""The depot's authority signs a charger's own sound request, for nothing but connecting, and no other."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.ocpp.depot_ca import DepotCa, read_depot_ca
from simulators.signing_request import signing_request
from tests.connectors.ocpp.certificates import past
from twin_core.errors import ConfigurationError, ProtocolError
from twin_core.models.ids import ChargerId

CP1 = ChargerId("CP1")
NOW = past() + timedelta(days=30)
RSA_3072 = rsa.generate_private_key(65537, 3072)


def authority(folder: Path, ca: trustme.CA | None = None, days: int = 90) -> DepotCa:
    ca = ca or trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ca.private_key_pem.write_to_path(folder / "ca.key")
    return read_depot_ca(folder / "ca.pem", folder / "ca.key", timedelta(days=days), NOW)


def request(
    *names: str,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = RSA_3072,
    extensions: tuple[x509.ExtensionType, ...] = (),
) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names or ("CP1",)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def forged(csr: str) -> str:
    """The same request with another signature."""
    lines = csr.splitlines()
    last = lines[-2]
    lines[-2] = ("A" if last[0] != "A" else "B") + last[1:]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "csr",
    [
        request(),
        request(key=ec.generate_private_key(ec.SECP256R1())),
        request(key=ed25519.Ed25519PrivateKey.generate()),
        signing_request("CP1", "depot-twin"),
    ],
    ids=["RSA", "P-256", "Ed25519", "a virtual charger's own arithmetic"],
)
def test_a_sound_request_becomes_a_certificate_of_that_charger_for_connecting_alone(tmp_path: Path, csr: str) -> None:
    ca = authority(tmp_path)
    (signed,) = x509.load_pem_x509_certificates(ca.sign(csr, CP1, NOW).encode())
    signed.verify_directly_issued_by(ca.certificate)
    assert [name.value for name in signed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["CP1"]
    assert signed.public_key() == x509.load_pem_x509_csr(csr.encode()).public_key()
    usage = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert signed.not_valid_before_utc < NOW
    assert signed.not_valid_after_utc == (NOW + timedelta(days=90)).replace(microsecond=0)


@pytest.mark.parametrize("oid", ["06082a8648ce3d030107", "06072a8648ce3d0201", "06082a8648ce3d040302"])
def test_a_request_by_arithmetic_nobody_here_knows_is_refused_in_words(tmp_path: Path, oid: str) -> None:
    """Its curve, the kind of its key or its signature: the object identifier ends in a number that means nothing."""
    known = x509.load_pem_x509_csr(request(key=ec.generate_private_key(ec.SECP256R1())).encode())
    der, meant = known.public_bytes(serialization.Encoding.DER), bytes.fromhex(oid)
    assert meant in der
    body = base64.encodebytes(der.replace(meant, meant[:-1] + b"\x7e")).decode()
    csr = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(ProtocolError):
        authority(tmp_path).sign(csr, CP1, NOW)


def test_an_authority_that_ended_while_the_gateway_ran_signs_nothing_and_says_so(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    with pytest.raises(ProtocolError, match="authority"):
        ca.sign(request(), CP1, ca.certificate.not_valid_after_utc + timedelta(days=1))


def test_what_a_request_would_be_allowed_is_not_its_to_say(tmp_path: Path) -> None:
    asks = request(extensions=(x509.BasicConstraints(ca=True, path_length=None),))
    signed = x509.load_pem_x509_certificate(authority(tmp_path).sign(asks, CP1, NOW).encode())
    assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        (request("CP2"), "is for 'CP2', not for CP1"),
        (request("CP1", "CP2"), "not for CP1"),
        (request(key=rsa.generate_private_key(65537, 1024)), "too weak"),
        (request(key=ec.generate_private_key(ec.SECP192R1())), "too weak"),
        (forged(request()), "not signed by the key|cannot be read"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----", "cannot be read"),
        ("\ud800", "cannot be read"),
    ],
    ids=["another's name", "two names", "RSA 1024", "P-192", "a forged signature", "nonsense", "no text"],
)
def test_a_request_that_is_not_sound_is_refused_with_its_reason(tmp_path: Path, csr: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        authority(tmp_path).sign(csr, CP1, NOW)


def test_a_certificate_never_outlives_the_authority_and_brings_the_chain_below_the_root(tmp_path: Path) -> None:
    root = trustme.CA()
    ca = authority(tmp_path, root.create_child_ca(), days=3650 * 300)
    signed, above = x509.load_pem_x509_certificates(ca.sign(request(), CP1, NOW).encode())
    assert above == ca.certificate
    assert signed.not_valid_after_utc == ca.certificate.not_valid_after_utc


def test_an_authority_that_cannot_sign_is_refused_by_its_field(tmp_path: Path) -> None:
    ca, other = trustme.CA(), trustme.CA()
    authority(tmp_path, ca)

    def read() -> None:
        read_depot_ca(tmp_path / "ca.pem", tmp_path / "ca.key", timedelta(days=90), NOW)

    other.private_key_pem.write_to_path(tmp_path / "ca.key")
    with pytest.raises(ConfigurationError, match=r"depot_ca\.key: .* is not the key of"):
        read()
    (tmp_path / "ca.key").write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"depot_ca\.key: .* holds no private key"):
        read()
    leaf = ca.issue_cert("x")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "ca.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "ca.key")
    with pytest.raises(ConfigurationError, match="not of an authority"):
        read()
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(ConfigurationError, match=r"depot_ca\.certificate: .* cannot be read"):
        read()
