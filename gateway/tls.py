"""TLS of the gateway, from the files that the site file names."""

from __future__ import annotations

import ssl
from pathlib import Path

from twin_core.errors import ConfigurationError


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
