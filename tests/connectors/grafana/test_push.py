"""The push, against a stub that keeps Grafana's HTTP contract: paths, status codes, read-only things, errors."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors.grafana.dashboard import dashboard
from connectors.grafana.push import Change, GrafanaError, InfluxSource, push
from tests.services import free_port
from twin_core.errors import ConfigurationError

SOURCE = InfluxSource("http://influxdb:8086", "depot", token="read-token")


@dataclass
class Grafana:
    """What a Grafana server holds, and whom it lets in.

    Attributes:
        refuse: answered to every request when set.
    """

    port: int = 0
    authorization: str = "Bearer good"
    folders: dict[str, Any] = field(default_factory=dict)
    datasources: dict[str, Any] = field(default_factory=dict)
    dashboards: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuse: tuple[int, Any] | None = None
    dashboard_answer: tuple[int, Any] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, authorization: str, body: Any) -> tuple[int, Any]:
        self.requests.append(f"{method} {path}")
        if self.refuse is not None:
            return self.refuse
        if authorization != self.authorization:
            return 401, {"message": "Invalid API key"}
        match method, path.removeprefix("/api").split("/")[1:]:
            case "GET", ["folders", uid]:
                return (200, self.folders[uid]) if uid in self.folders else (404, {"message": "folder not found"})
            case "POST", ["folders"]:
                self.folders[body["uid"]] = body
                return 200, body
            case "GET", ["datasources", "uid", uid]:
                known = self.datasources.get(uid)
                return (200, known) if known else (404, {"message": "Data source not found"})
            case "POST", ["datasources"]:
                self.datasources[body["uid"]] = body
                return 200, {"datasource": body}
            case "PUT", ["datasources", "uid", uid]:
                self.datasources[uid] = body
                return 200, {"datasource": body}
            case "POST", ["dashboards", "db"]:
                return self.dashboard_answer or self._save(body)
            case _:
                return 404, {"message": "Not found"}

    def _save(self, body: Any) -> tuple[int, Any]:
        uid = body["dashboard"]["uid"]
        if uid in self.dashboards and not body["overwrite"]:
            return 412, {"message": "A dashboard with the same uid already exists"}
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        version = self.dashboards.get(uid, {"version": 0})["version"] + 1
        self.dashboards[uid] = {**body["dashboard"], "version": version}
        return 200, {"uid": uid, "url": f"/d/{uid}/depot-live", "version": version, "status": "success"}


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[Grafana]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Grafana()

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = state.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            payload = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = _respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()


def test_the_first_push_makes_folder_data_source_and_dashboard(grafana: Grafana) -> None:
    report = push(grafana.url, token="good", source=SOURCE)
    assert (report.folder, report.datasource, report.version) == (Change.CREATED, Change.CREATED, 1)
    assert report.dashboard_url == f"{grafana.url}/d/depot-live/depot-live"
    saved = grafana.dashboards["depot-live"]
    assert saved["panels"] == dashboard()["panels"]
    assert saved["id"] is None
    source = grafana.datasources["depot-influxdb"]
    assert source["jsonData"]["dbName"] == "depot"
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source["secureJsonData"] == {"httpHeaderValue1": "Token read-token"}


def test_the_second_push_replaces_both(grafana: Grafana) -> None:
    push(grafana.url, token="good", source=SOURCE)
    report = push(grafana.url, token="good", source=InfluxSource("http://elsewhere:8086"))
    assert (report.folder, report.datasource, report.version) == (Change.KEPT, Change.UPDATED, 2)
    assert grafana.datasources["depot-influxdb"]["url"] == "http://elsewhere:8086"
    assert "httpHeaderName1" not in grafana.datasources["depot-influxdb"]["jsonData"]


def test_without_a_source_the_servers_own_is_left_alone(grafana: Grafana) -> None:
    assert push(grafana.url, token="good").datasource is Change.KEPT
    assert not any("datasources" in request for request in grafana.requests)


def test_a_data_source_from_a_file_is_left_alone(grafana: Grafana) -> None:
    grafana.datasources["depot-influxdb"] = {"uid": "depot-influxdb", "readOnly": True, "url": "http://file"}
    assert push(grafana.url, token="good", source=SOURCE).datasource is Change.KEPT
    assert grafana.datasources["depot-influxdb"]["url"] == "http://file"


def test_user_and_password_work_as_well(grafana: Grafana) -> None:
    grafana.authorization = "Basic " + base64.b64encode(b"ann:pass").decode()
    assert push(grafana.url, basic=("ann", "pass")).version == 1


def test_a_path_before_the_api_is_kept(grafana: Grafana) -> None:
    with pytest.raises(GrafanaError):
        push(f"{grafana.url}/grafana/", token="good")
    assert grafana.requests[0] == "GET /grafana/api/folders/depot-twin"


@pytest.mark.parametrize(
    ("refusal", "error", "says"),
    [
        ((401, {"message": "Invalid API key"}), ConfigurationError, "credentials"),
        ((403, {"message": "Access denied"}), ConfigurationError, "Editor"),
        ((500, {"message": "database is locked"}), GrafanaError, "database is locked"),
        ((502, "<html>bad gateway</html>"), GrafanaError, "bad gateway"),
        ((200, "<html>not Grafana</html>"), GrafanaError, "no answer from Grafana"),
        ((200, {}), GrafanaError, "'url'"),
    ],
)
def test_every_refusal_says_what_to_do(grafana: Grafana, refusal: Any, error: type[Exception], says: str) -> None:
    grafana.refuse = refusal
    with pytest.raises(error, match=says):
        push(grafana.url, token="good")


def test_a_dashboard_from_a_file_is_not_overruled(grafana: Grafana) -> None:
    grafana.dashboard_answer = (400, {"message": "Cannot save provisioned dashboard"})
    with pytest.raises(ConfigurationError, match="from a file"):
        push(grafana.url, token="good")


def test_a_server_that_is_away_is_named() -> None:
    port = free_port()
    with pytest.raises(GrafanaError, match=f"no answer from Grafana at http://127.0.0.1:{port}"):
        push(f"http://127.0.0.1:{port}", token="good", timeout_s=2)


@pytest.mark.parametrize("url", ["grafana:3000", "ftp://grafana", "http://"])
def test_an_address_that_cannot_work_is_refused_with_the_form_it_should_have(url: str) -> None:
    with pytest.raises(ConfigurationError, match="http://HOST:3000"):
        push(url, token="good")


@pytest.mark.parametrize("credentials", [{}, {"token": "a", "basic": ("b", "c")}])
def test_one_kind_of_credentials_is_asked_for(credentials: Any) -> None:
    with pytest.raises(ConfigurationError, match="either a token or a user"):
        push("http://127.0.0.1:1", **credentials)
