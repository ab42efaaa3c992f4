"""What a charge point trusts and shows in TLS: OCPP security profiles 2 and 3."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path


class Credentials:
    """Certificates of one charge point.

    Args:
        ca_file: whose signature the central system's certificate needs; None goes by the machine's own list.
        chain: its own certificate with its chain, in PEM (profile 3); None shows none (profile 2).
        key: the private key of that, in PEM.
    """

    def __init__(self, ca_file: Path | None = None, chain: str | None = None, key: str | None = None) -> None:
        self._ca_file = ca_file
        self._own = None if chain is None or key is None else (chain, key)
        self._context: ssl.SSLContext | None = None

    @property
    def profile(self) -> int:
        """The security profile that these serve."""
        return 2 if self._own is None else 3

    def renew(self, chain: str, key: str) -> None:
        """Show another certificate from the next connection on.

        Raises:
            ValueError: certificate and key are no pair, or none that can be read; the old one is kept.
        """
        try:
            self._context = self._made((chain, key))
        except ssl.SSLError as refused:
            raise ValueError(f"no certificate to be shown: {refused}") from refused
        self._own = (chain, key)

    def context(self) -> ssl.SSLContext:
        """For the next connection.

        Raises:
            ssl.SSLError: certificate and key are no pair, or none that can be read.
        """
        if self._context is None:
            self._context = self._made(self._own)
        return self._context

    def _made(self, own: tuple[str, str] | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca_file)
        if own is not None:
            _load(context, *own)
        return context


def _load(context: ssl.SSLContext, chain: str, key: str) -> None:
    """OpenSSL reads files only; nobody else can read these, and they are gone after."""
    with tempfile.TemporaryDirectory() as folder:
        certificate_file, key_file = Path(folder) / "chain.pem", Path(folder) / "key.pem"
        certificate_file.write_text(chain, encoding="ascii")
        key_file.write_text(key, encoding="ascii")
        context.load_cert_chain(certificate_file, key_file)
