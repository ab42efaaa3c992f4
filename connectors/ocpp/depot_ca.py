"""The depot's own certificate authority: signs what chargers ask for with SignCertificate.

A request is signed only where its signature proves that the charger has the key, the key is strong, and the name is the
charger's own. Nothing else of the request gets into the certificate: what it may be used for is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from twin_core.errors import ConfigurationError, ProtocolError
from twin_core.models.ids import ChargerId

LEAST_RSA_BITS = 2048
LEAST_EC_BITS = 224
"""What the security whitepaper of OCPP 1.6 asks of keys (A00.FR.002)."""

WEAK_HASHES = frozenset({"md5", "sha1"})
CLOCK_OFF = timedelta(hours=1)
"""A charger's clock may be behind by so much and still find its certificate valid."""

_SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_SIGNS_BY_ITSELF = (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)


@dataclass(frozen=True, slots=True)
class DepotCa:
    """An authority for chargers' certificates.

    Attributes:
        certificate: its own, in force.
        key: the private key of that.
        lasts: how long what it signs is valid; never longer than itself.
    """

    certificate: x509.Certificate
    key: _SigningKey
    lasts: timedelta

    def sign(self, csr: str, charger: ChargerId, now: datetime) -> str:
        """A certificate for a charger's request, in PEM, with the chain below the root.

        Raises:
            ProtocolError: the request is not signed; the text says why.
        """
        if now >= self.certificate.not_valid_after_utc:
            raise ProtocolError("the depot's authority is no longer in force: renew it, and restart the gateway")
        request = _sound(csr, charger)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self._subject(charger))
            .issuer_name(self.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - CLOCK_OFF, self.certificate.not_valid_before_utc))
            .not_valid_after(min(now + self.lasts, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        signed = builder.sign(self.key, hashes.SHA256())
        is_root = self.certificate.subject == self.certificate.issuer
        chain = [signed] if is_root else [signed, self.certificate]
        return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in chain)

    def _subject(self, charger: ChargerId) -> x509.Name:
        """Its identity, and the depot's organisation where the authority names one."""
        organisations = self.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        return x509.Name([*organisations[:1], x509.NameAttribute(NameOID.COMMON_NAME, charger)])


def read_depot_ca(certificate_file: Path, key_file: Path, lasts: timedelta, now: datetime) -> DepotCa:
    """The authority in two files, in PEM; the key is not encrypted.

    Raises:
        ConfigurationError: a file cannot be used; the text names the field of the site file.
    """
    certificate_pem = _bytes_of(certificate_file, "depot_ca.certificate")
    key_pem = _bytes_of(key_file, "depot_ca.key")
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
    except ValueError as refused:
        raise ConfigurationError(f"depot_ca.certificate: {certificate_file} holds no certificate in PEM") from refused
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as refused:
        raise ConfigurationError(f"depot_ca.key: {key_file} holds no private key in PEM, or is encrypted") from refused
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"depot_ca.key: {key_file} is neither an RSA nor an elliptic curve key")
    if key.public_key() != certificate.public_key():
        raise ConfigurationError(f"depot_ca.key: {key_file} is not the key of {certificate_file}")
    if not _is_authority(certificate):
        raise ConfigurationError(f"depot_ca.certificate: {certificate_file} is not of an authority (CA: TRUE)")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise ConfigurationError(f"depot_ca.certificate: {certificate_file} is not in force: renew it")
    return DepotCa(certificate, key, lasts)


def _sound(csr: str, charger: ChargerId) -> x509.CertificateSigningRequest:
    """A request that may be signed for a charger.

    Raises:
        ProtocolError: it may not.
    """
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key, proven = request.public_key(), request.is_signature_valid
        names = [str(name.value) for name in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        hashed_by = request.signature_hash_algorithm
    except UnsupportedAlgorithm as refused:
        raise ProtocolError(f"the certificate request cannot be checked: {refused}"[:200]) from refused
    except (ValueError, InvalidSignature, x509.InvalidVersion) as refused:
        raise ProtocolError("the certificate request cannot be read") from refused
    if not proven:
        raise ProtocolError("the certificate request is not signed by the key it names")
    if names != [charger]:
        raise ProtocolError(f"the certificate request is for {', '.join(names)[:80]!r}, not for {charger}")
    if hashed_by is not None and hashed_by.name in WEAK_HASHES:
        raise ProtocolError(f"the certificate request is signed with {hashed_by.name}, which is too weak")
    match key:
        case rsa.RSAPublicKey() if key.key_size >= LEAST_RSA_BITS:
            return request
        case ec.EllipticCurvePublicKey() if key.curve.key_size >= LEAST_EC_BITS:
            return request
        case _ if isinstance(key, _SIGNS_BY_ITSELF):
            return request
        case _:
            least = f"{LEAST_RSA_BITS} bits of RSA, or {LEAST_EC_BITS} of an elliptic curve"
            raise ProtocolError(f"the key of the certificate request is too weak: {least} are the least")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _bytes_of(file: Path, field: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as refused:
        raise ConfigurationError(f"{field}: {file} cannot be read ({refused.strerror}): name a PEM file") from refused
