"""TLS of the gateway, from the files that the site file names."""

from __future__ import annotations

import ssl
from pathlib import Path

from connectors.ocpp.tls import ListeningTls, TlsFiles
from gateway.site_fields import Table
from twin_core.errors import ConfigurationError
from twin_core.ports import Clock


class TlsTable(Table):
    """`[ocpp.tls]`: charge points connect over TLS; with `client_ca` those without a password show a certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def files(self) -> TlsFiles:
        """Where the certificates lie."""
        return TlsFiles(self.certificate, self.key, self.client_ca)


def listening_tls(table: TlsTable | None, clock: Clock) -> ListeningTls | None:
    """TLS of the listening socket; None where the site has none.

    Raises:
        ConfigurationError: a file cannot be used.
    """
    return None if table is None else ListeningTls(table.files(), clock)


def client_tls(ca_file: Path | None, field: str) -> ssl.SSLContext:
    """How another side's certificate is checked: against one authority, or the machine's own list of them.

    Args:
        ca_file: the authority's certificate, in PEM.
        field: of the site file, for the error.

    Raises:
        ConfigurationError: the file cannot be read or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as refused:
        raise ConfigurationError(f"{field}: {ca_file} {_why(refused)}: name a certificate in PEM") from refused


def _why(refused: OSError) -> str:
    if isinstance(refused, ssl.SSLError):
        return "holds no certificate that can be read"
    return f"cannot be read ({refused.strerror})"
