"""TLS of our listening socket: security profiles 2 (its certificate) and 3 (the charger's too).

The certificate may be renewed while we listen: links that are open stay as they are, new ones see the new one. An
expired or half-written one is refused in words, and the one before goes on being shown.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from websockets.asyncio.server import ServerConnection

from twin_core.errors import ConfigurationError
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
ENDS_SOON = timedelta(days=14)
"""A certificate that has no more than this left is warned of."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificates lie, in PEM.

    Attributes:
        certificate: ours, with the chain up to its authority.
        key: its private key, not encrypted.
        client_ca: authorities that sign chargers' certificates; None has no charger show one.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class ListeningTls:
    """TLS of the listening socket.

    Attributes:
        context: for the listener.
        asks_certificates: chargers may show a certificate, and those without a password must.
        on_refused: told in words of each handshake that failed.
        ends: when the certificate that is shown ends.

    Raises:
        ConfigurationError: on construction, when a file cannot be used; the text names the field of the site file.
    """

    def __init__(self, files: TlsFiles, clock: Clock) -> None:
        self.on_refused: Callable[[str], None] = lambda _: None
        self.asks_certificates = files.client_ca is not None
        self._files = files
        self._clock = clock
        self.context = _context(files)
        self.context.sslobject_class = _watched(self)
        self.ends = _load(self.context, files, clock.now().utc)
        self._read_at = self._refused_at = self._written()
        self._warned = False

    async def watch(self) -> None:
        """Show a renewed certificate once it lies there, and warn before the end of one; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Take a new certificate, where there is one."""
        written = self._written()
        if written != self._read_at:
            now = self._clock.now().utc
            try:
                check_tls(self._files, now)  # where that fails half-way, nobody is served by it
                self.ends, self._warned = _load(self.context, self._files, now), False
            except ConfigurationError as refused:
                # Tried again each time, for it may be valid from later on; told once.
                if written != self._refused_at:
                    logger.error("certificate not renewed", extra={"detail": str(refused)})
                self._refused_at = written
            else:
                self._read_at = written
                logger.info("certificate renewed", extra={"ends": self.ends.isoformat()})
        if not self._warned and self.ends - self._clock.now().utc <= ENDS_SOON:
            self._warned = True
            logger.warning("certificate ends soon", extra={"ends": self.ends.isoformat()})

    def _written(self) -> tuple[int, ...]:
        """When the files were written; 0 for one that is not there, or not for us to see."""
        return tuple(_written_at(file) for file in (self._files.certificate, self._files.key))


def _written_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def check_tls(files: TlsFiles, now: datetime) -> None:
    """Make sure that these files can be used.

    Raises:
        ConfigurationError: they cannot; the text names the field of the site file.
    """
    _load(_context(files), files, now)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.client_ca is not None:
        # Who shows none gets through to the handshake of the WebSocket, where that can be told in words.
        context.verify_mode = ssl.CERT_OPTIONAL
        _read(files.client_ca, "ocpp.tls.client_ca")
        context.load_verify_locations(files.client_ca)
    return context


def _load(context: ssl.SSLContext, files: TlsFiles, now: datetime) -> datetime:
    """Put the certificate that lies there now into a context; when it ends."""
    shown = _read(files.certificate, "ocpp.tls.certificate")[0]
    begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    if not _written_at(files.key):
        raise ConfigurationError(f"ocpp.tls.key: there is no file {files.key}: name the certificate's private key")
    if not begins <= now < ends:
        span = f"{begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"
        raise ConfigurationError(f"ocpp.tls.certificate: {files.certificate} is valid from {span} only: renew it")
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_passphrase)
    except OSError as refused:  # SSLError is one
        raise ConfigurationError(
            f"ocpp.tls.key: {files.key} cannot be read, is encrypted, or is not the key of {files.certificate}"
        ) from refused
    return ends


def certificate_name(link: ServerConnection) -> str | None:
    """Whose certificate a charger has shown, by its common name; None where it has shown none, empty for no one name.

    An authority of the site's has signed it: TLS sees to that.
    """
    shown = link.transport.get_extra_info("peercert")
    if not shown:
        return None
    names = [value for rdn in shown["subject"] for key, value in rdn if key == "commonName"]
    return str(names[0]) if len(names) == 1 else ""


def _read(file: Path, field: str) -> list[x509.Certificate]:
    """The certificates in a file, one at least.

    Raises:
        ConfigurationError: it holds none, or cannot be read.
    """
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as refused:
        raise ConfigurationError(f"{field}: {file} cannot be read ({refused.strerror}): name a PEM file") from refused
    except ValueError as refused:
        raise ConfigurationError(f"{field}: {file} holds no certificate in PEM") from refused


def _no_passphrase() -> str:
    return ""  # without it OpenSSL would ask at the terminal


def _watched(tls: ListeningTls) -> type[ssl.SSLObject]:
    """TLS of one link that tells of a handshake that failed, which nobody else would."""

    class Watched(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as refused:
                tls.on_refused(str(refused.reason or refused)[:120])
                raise

    return Watched
