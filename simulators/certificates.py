"""Certificates of a charge point, security extension of OCPP 1.6: root certificates held, and its own one signed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulators import der
from simulators.machine import Machine
from simulators.reports import Reports
from simulators.signing_request import signing_request
from simulators.wire import Payload

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_USES: Final = frozenset({"CentralSystemRootCertificate", "ManufacturerRootCertificate"})
_HASHES: Final = frozenset({"SHA256", "SHA384", "SHA512"})


@dataclass(frozen=True, slots=True)
class Certificate:
    """What of a certificate identifies it, as RFC 6960 does.

    Attributes:
        issuer: the issuer's name, in DER.
        key: its public key, which for a root is its issuer's.
        serial: serial number in hexadecimal.
    """

    issuer: bytes
    key: bytes
    serial: str

    def hash_data(self, algorithm: str = "SHA256") -> Payload:
        """Its CertificateHashData."""
        return {
            "hashAlgorithm": algorithm,
            "issuerNameHash": hashlib.new(algorithm.lower(), self.issuer).hexdigest(),
            "issuerKeyHash": hashlib.new(algorithm.lower(), self.key).hexdigest(),
            "serialNumber": self.serial[:40],
        }


def read_certificate(text: str) -> Certificate | None:
    """The first certificate of a PEM text; None when there is none that can be read."""
    found = _PEM.search(text)
    if found is None:
        return None
    try:
        data = base64.b64decode("".join(found[1].split()), validate=True)
        (_, outer, _), *_ = der.values(data)
        (_, body, _), *_ = der.values(outer)
        fields = [field for field in der.values(body) if field[0] != _VERSION]
        (_, serial, _), _, (_, _, issuer), _, _, (_, key_info, _) = fields[:6]
        key = next(content for tag, content, _ in der.values(key_info) if tag == der.BIT_STRING)
    except (binascii.Error, ValueError, StopIteration):
        return None
    # The first byte of a bit string counts unused bits and is no part of the key.
    return Certificate(issuer, key[1:], f"{int.from_bytes(serial, 'big'):x}")


_VERSION: Final = 0xA0
"""Tag of the version, the one field of a certificate that may be left out."""


class Certificates:
    """The certificates of one charge point.

    Attributes:
        takes: told of the chain of a new certificate of its own, in PEM; whether it can be shown from now on.
    """

    __slots__ = ("_asked", "_held", "_machine", "_reports", "takes")

    def __init__(self, machine: Machine, reports: Reports) -> None:
        self._machine = machine
        self._reports = reports
        self._held: list[tuple[str, Certificate]] = []
        self._asked = False
        self.takes: Callable[[str], bool] = lambda _: True

    def install(self, payload: Payload) -> Payload:
        """Answer InstallCertificate; the same one again takes its own place."""
        use = payload["certificateType"]
        if use not in _USES:
            raise ValueError(f"{use!r} is no certificate type")
        certificate = read_certificate(payload["certificate"])
        if certificate is None:
            self._reports.security_event("InvalidCentralSystemCertificate")
            return {"status": "Rejected"}
        kept = [entry for entry in self._held if entry != (use, certificate)]
        if len(kept) >= self._machine.configuration.number("CertificateStoreMaxLength"):
            return {"status": "Failed"}
        self._held = [*kept, (use, certificate)]
        return {"status": "Accepted"}

    def delete(self, payload: Payload) -> Payload:
        """Answer DeleteCertificate."""
        wanted = payload["certificateHashData"]
        algorithm = wanted["hashAlgorithm"]
        if algorithm not in _HASHES:
            raise ValueError(f"{algorithm!r} is no hash algorithm")
        key = {name: str(wanted[name]).lower() for name in ("issuerNameHash", "issuerKeyHash", "serialNumber")}
        for entry in self._held:
            hashed = entry[1].hash_data(algorithm)
            if all(hashed[name] == value for name, value in key.items()):
                self._held.remove(entry)
                return {"status": "Accepted"}
        return {"status": "NotFound"}

    def installed_ids(self, payload: Payload) -> Payload:
        """Answer GetInstalledCertificateIds."""
        use = payload["certificateType"]
        if use not in _USES:
            raise ValueError(f"{use!r} is no certificate type")
        found = [certificate.hash_data() for kind, certificate in self._held if kind == use]
        return {"status": "Accepted", "certificateHashData": found} if found else {"status": "NotFound"}

    def signed(self, payload: Payload) -> Payload:
        """Answer CertificateSigned: taken only when it was asked for, can be read and, over TLS, be shown."""
        chain = payload["certificateChain"]
        too_long = len(chain) > self._machine.configuration.number("CertificateSignedMaxChainSize")
        if too_long or not self._asked or read_certificate(chain) is None or not self.takes(chain):
            self._reports.security_event("InvalidChargePointCertificate")
            return {"status": "Rejected"}
        self._asked = False
        return {"status": "Accepted"}

    def ask_to_be_signed(self) -> None:
        """Send SignCertificate with a new request; the signed one comes with CertificateSigned, if at all."""
        organisation = self._machine.configuration.text("CpoName")
        csr = signing_request(self._machine.spec.id, organisation)

        def answered(answer: Payload) -> None:
            self._asked = answer.get("status") == "Accepted"

        self._machine.say("SignCertificate", {"csr": csr}, on_answer=answered)
