"""The dashboard of a running depot, as code."""

from __future__ import annotations

import json
from pathlib import Path

from connectors.grafana.live_view import CONNECTOR, ROWS, SITE
from connectors.grafana.panels import Json, lay_out

DASHBOARD_UID = "depot-live"
DASHBOARD_TITLE = "Depot live"


def dashboard() -> Json:
    """The whole dashboard as Grafana imports it."""
    return {
        "uid": DASHBOARD_UID,
        "title": DASHBOARD_TITLE,
        "description": "A depot run live: what it draws, what it may draw, what each charger was granted and did.",
        "tags": ["depot-twin"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "10s",
        "templating": {"list": [SITE.to_json(), CONNECTOR.to_json()]},
        "annotations": {"list": []},
        "links": [],
        "panels": lay_out(ROWS),
    }


def render(path: Path) -> None:
    """Write the dashboard as the file that Grafana is provisioned from."""
    text = json.dumps(dashboard(), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
