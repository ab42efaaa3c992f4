"""TLS of the gateway, from the files that the site file names."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from connectors.ocpp.depot_ca import DepotCa, read_depot_ca
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


class DepotCaTable(Table):
    """`[depot_ca]`: the authority that signs chargers' certificates."""

    certificate: Path
    key: Path
    days: Annotated[int, Field(ge=1, le=3650)] = 365
    sign: Literal["by_hand", "automatically"] = "by_hand"


def depot_ca(table: DepotCaTable | None, now: datetime) -> DepotCa | None:
    """The depot's authority; None where the site has none.

    Raises:
        ConfigurationError: a file cannot be used.
    """
    if table is None:
        return None
    return read_depot_ca(table.certificate, table.key, timedelta(days=table.days), now)


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
