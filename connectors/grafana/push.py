"""The dashboard and its data source, sent to a running Grafana server with `grafana-api`.

Servers that are provisioned from files need none of this; it is for the Grafana that is already there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from grafana_api.grafana_api import GrafanaAPI, GrafanaClientError, GrafanaException
from requests import RequestException

from connectors.grafana.dashboard import dashboard, render
from connectors.grafana.panels import DATASOURCE_UID, Json
from twin_core.errors import ConfigurationError, DepotError

logger = logging.getLogger(__name__)

T = TypeVar("T")

__all__ = ["Change", "GrafanaError", "InfluxSource", "PushReport", "push", "render"]

FOLDER_UID = "depot-twin"
FOLDER_TITLE = "Depot twin"
DATASOURCE_NAME = "Depot telemetry"


class GrafanaError(DepotError):
    """The Grafana server could not be reached, or did not do what was asked of it."""


@dataclass(frozen=True, slots=True)
class InfluxSource:
    """The database that Grafana is to read; addresses are as Grafana sees them.

    Attributes:
        database: bucket, through its DBRP mapping; or database of InfluxDB 1.
        token: InfluxDB 2 token that may read; empty where none is needed.
    """

    url: str
    database: str = "depot"
    token: str = ""

    def to_json(self) -> Json:
        """The data source as Grafana keeps it."""
        header: Json = {"httpHeaderName1": "Authorization"} if self.token else {}
        return {
            "uid": DATASOURCE_UID,
            "name": DATASOURCE_NAME,
            "type": "influxdb",
            "access": "proxy",
            "url": self.url,
            "database": self.database,
            "jsonData": {"dbName": self.database, "httpMode": "GET", "version": "InfluxQL", **header},
            "secureJsonData": {"httpHeaderValue1": f"Token {self.token}"} if self.token else {},
        }


class Change(StrEnum):
    """What a push did to one thing."""

    CREATED = "created"
    UPDATED = "updated"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push did.

    Attributes:
        dashboard_url: address to open.
        version: Grafana's count of the dashboard's versions.
    """

    folder: Change
    datasource: Change
    dashboard_url: str
    version: int


def push(
    url: str,
    *,
    token: str | None = None,
    basic: tuple[str, str] | None = None,
    source: InfluxSource | None = None,
    folder: str = FOLDER_TITLE,
    timeout_s: float = 10.0,
    verify_tls: bool = True,
) -> PushReport:
    """Put folder, data source and dashboard on a server, in place of older ones; blocks, so call it off the loop.

    Give either a service account token with the Editor role (Admin when there is a `source`) or a user and password.
    Without a `source` the server must already have a data source with the uid `depot-influxdb`. `folder` is the title
    that a new folder gets; one from an earlier push keeps its own.

    Raises:
        ConfigurationError: address or credentials cannot work; the text says what to change.
        GrafanaError: the server is away, or refused.
    """
    with _server(url, _credentials(token, basic), timeout_s, verify_tls) as api:
        placed = _ensure_folder(api, folder)
        datasource = Change.KEPT if source is None else _ensure_datasource(api, source)
        answer = api.POST(
            "/dashboards/db",
            json={
                "dashboard": {**dashboard(), "id": None, "version": None},
                "folderUid": FOLDER_UID,
                "overwrite": True,
                "message": "depot grafana push",
            },
        )
        report = PushReport(
            placed, datasource, f"{_origin(url)}{_field(answer, 'url', str)}", _field(answer, "version", int)
        )
    logger.info("grafana_pushed", extra={"url": report.dashboard_url, "version": report.version})
    return report


def _ensure_folder(api: Any, title: str) -> Change:
    if _found(lambda: api.GET(f"/folders/{FOLDER_UID}")):
        return Change.KEPT
    api.POST("/folders", json={"title": title, "uid": FOLDER_UID})
    return Change.CREATED


def _ensure_datasource(api: Any, source: InfluxSource) -> Change:
    existing = _found(lambda: api.GET(f"/datasources/uid/{DATASOURCE_UID}"))
    if existing is None:
        api.POST("/datasources", json=source.to_json())
        return Change.CREATED
    if existing.get("readOnly"):  # provisioned from a file, which Grafana does not let anyone overrule
        return Change.KEPT
    api.PUT(f"/datasources/uid/{DATASOURCE_UID}", json=source.to_json())
    return Change.UPDATED


def _found(request: Callable[[], Any]) -> Json | None:
    """The answer, or None where there is no such thing."""
    try:
        answer: Json = request()
    except GrafanaClientError as exc:
        if exc.status_code == 404:
            return None
        raise
    return answer


@contextmanager
def _server(url: str, auth: Any, timeout_s: float, verify_tls: bool) -> Iterator[Any]:
    """The server's API; everything that goes wrong on the way is translated here."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"Grafana address {url!r} cannot work: write it as http://HOST:3000")
    prefix = parts.path.strip("/")
    api = GrafanaAPI(
        auth,
        host=parts.hostname,
        port=parts.port,
        protocol=parts.scheme,
        url_path_prefix=f"{prefix}/" if prefix else "",
        verify=verify_tls,
        timeout=timeout_s,
    )
    try:
        yield api
    except GrafanaException as exc:
        raise _translated(url, exc) from exc
    except RequestException as exc:
        raise GrafanaError(f"no answer from Grafana at {url}: {exc}") from exc
    finally:
        api.s.close()


def _translated(url: str, error: Any) -> DepotError:
    message = error.response.get("message", "") if isinstance(error.response, dict) else str(error.response)
    if error.status_code == 401:
        return ConfigurationError(f"Grafana at {url} does not know these credentials: {message}")
    if error.status_code == 403:
        return ConfigurationError(
            f"Grafana at {url} refused: {message}. The account needs the Editor role, and Admin to set the data source"
        )
    if error.status_code == 400 and "provisioned" in message:
        return ConfigurationError(
            f"Grafana at {url} has this dashboard from a file: change the file (depot grafana render), not the server"
        )
    return GrafanaError(f"Grafana at {url} answered {error.status_code}: {message[:300]}")


def _credentials(token: str | None, basic: tuple[str, str] | None) -> str | tuple[str, str]:
    if (token is None) == (basic is None):
        raise ConfigurationError("give Grafana either a token or a user and password")
    if token is not None:
        return token
    assert basic is not None
    return basic


def _field(answer: Any, name: str, kind: type[T]) -> T:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise GrafanaError(f"Grafana's answer has no {name!r}; is this address Grafana's?")
    return value


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
