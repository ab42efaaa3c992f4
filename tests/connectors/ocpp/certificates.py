"""Certificates made for one test: of a gateway, and of chargers by the authority that the site trusts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from connectors.ocpp.tls import TlsFiles
from simulators.credentials import Credentials


@dataclass
class Certificates:
    """A folder of them.

    Attributes:
        ours: signs the gateway's certificate.
        theirs: signs chargers' certificates.
    """

    folder: Path
    ours: trustme.CA = field(default_factory=trustme.CA)
    theirs: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.ours.cert_pem.write_to_path(self.folder / "ca.pem")
        self.theirs.cert_pem.write_to_path(self.folder / "chargers.pem")
        self.issue()

    def issue(
        self, *, begins: datetime | None = None, ends: datetime | None = None, authority: trustme.CA | None = None
    ) -> None:
        """Write a certificate for the gateway."""
        leaf = (authority or self.ours).issue_cert("127.0.0.1", not_before=begins or past(), not_after=ends)
        leaf.cert_chain_pems[0].write_to_path(self.folder / "gateway.pem")
        leaf.private_key_pem.write_to_path(self.folder / "gateway.key")

    def files(self, *, asks: bool = True) -> TlsFiles:
        ca = self.folder / "chargers.pem" if asks else None
        return TlsFiles(self.folder / "gateway.pem", self.folder / "gateway.key", ca)

    def charger(self, name: str, *, authority: trustme.CA | None = None, ends: datetime | None = None) -> Credentials:
        """What a charger shows whose certificate has this common name."""
        leaf = (authority or self.theirs).issue_cert("x", common_name=name, not_before=past(), not_after=ends)
        chain, key = leaf.cert_chain_pems[0].bytes().decode(), leaf.private_key_pem.bytes().decode()
        return Credentials(self.folder / "ca.pem", chain, key)

    def bare(self) -> Credentials:
        """What a charger of security profile 2 has."""
        return Credentials(self.folder / "ca.pem")


def past() -> datetime:
    return datetime.now(UTC) - timedelta(days=30)
