"""One request to a write endpoint, and what became of it."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from connectors.influx.settings import InfluxSettings
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

_ACKNOWLEDGED = (201, 204)
_DETAIL_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Written:
    """The server has the lines."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The server, or the way to it, cannot take lines now; the same request may succeed later.

    Attributes:
        retry_after_s: how long the server asked to be left alone; None when it did not say.
    """

    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """The server refused lines for what they say; the others of the same request may or may not be stored."""

    detail: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The request is larger than the server takes."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The server refuses whatever is sent until someone changes a setting: token, bucket, address."""

    detail: str


WriteOutcome = Written | Unavailable | Malformed | TooLarge | Denied


class LineWriter(Protocol):
    """A write endpoint."""

    async def write(self, body: bytes) -> WriteOutcome:
        """Send lines joined by line ends, once. Never raises for anything the server or the network does."""


@asynccontextmanager
async def influx_writer(settings: InfluxSettings, clock: Clock) -> AsyncIterator[LineWriter]:
    """The write endpoint of an InfluxDB 2 server, through `influxdb-client`.

    The library is imported here and, on a threaded sink, off the loop: it takes a good part of a second.
    """
    if settings.threaded:
        await asyncio.get_running_loop().run_in_executor(None, _import_client)
    client_module, aiohttp = _import_client()
    client = client_module.InfluxDBClientAsync(
        url=settings.url,
        token=settings.token.get_secret_value(),
        org=settings.org,
        timeout=aiohttp.ClientTimeout(total=settings.loop_s(settings.request_timeout_s)),
        enable_gzip=settings.gzip,
        verify_ssl=settings.verify_tls,
        ssl_ca_cert=str(settings.ca_file) if settings.ca_file else None,
        allow_redirects=False,  # a followed redirect turns the POST into a GET whose 200 means nothing
        connection_pool_maxsize=1,
    )
    async with client:
        yield _InfluxWriter(client.write_api(), settings, clock, aiohttp.ClientError)


def _import_client() -> tuple[Any, Any]:
    return importlib.import_module("influxdb_client.client.influxdb_client_async"), importlib.import_module("aiohttp")


class _InfluxWriter:
    def __init__(self, api: Any, settings: InfluxSettings, clock: Clock, network_error: type[Exception]) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._network_error = network_error
        self._api_error: type[Exception] = importlib.import_module("influxdb_client.rest").ApiException

    async def write(self, body: bytes) -> WriteOutcome:
        settings = self._settings
        try:
            acknowledged = await self._api.write(
                bucket=settings.bucket, org=settings.org, record=body, write_precision=settings.precision.value
            )
        except self._api_error as exc:
            return self._outcome(exc)
        except (self._network_error, TimeoutError, OSError) as exc:
            return Unavailable(f"{type(exc).__name__}: {exc}"[:_DETAIL_CHARACTERS])
        if acknowledged:
            return Written()
        return Denied("the answer was a success but no acknowledgement (201 or 204): is this the write endpoint?")

    def _outcome(self, error: Any) -> WriteOutcome:
        status = int(error.status or 0)
        detail = f"{status} {_text(error.body)}".strip()[:_DETAIL_CHARACTERS]
        if status in (400, 422):
            return Malformed(detail)
        if status == 413:
            return TooLarge()
        if status in (408, 429) or status >= 500:
            asked = (error.headers or {}).get("Retry-After")
            return Unavailable(detail, retry_after_seconds(asked, self._clock.now().utc))
        return Denied(detail)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for.

    Args:
        header: a number of seconds, or a date; None when there was no header.
        now: aware time against which a date counts.

    Returns:
        Seconds, >= 0; None when the header is absent or unreadable.
    """
    if header is None:
        return None
    try:
        if header.strip().isdigit():
            return float(header)
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (ValueError, TypeError):  # TypeError: the date came without a zone
        logger.debug("retry_after_unreadable", extra={"header": header[:60]})
        return None


def _text(body: object) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
