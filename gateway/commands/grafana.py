"""`depot grafana`: the dashboard as code, written to a file or pushed to a server."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console

from connectors.grafana.dashboard import render
from connectors.grafana.push import push
from twin_core.errors import ConfigurationError

SUMMARY = "write the Grafana dashboard, or push it to a server"
DESCRIPTION = """\
The dashboard is written as code. `render` writes its JSON for file provisioning (deploy/ uses
that); `push` sends folder and dashboard to a running Grafana with a service account token from
the environment variable GRAFANA_TOKEN.

examples
  depot grafana render deploy/grafana/dashboards/depot.json
  GRAFANA_TOKEN=… depot grafana push --url http://127.0.0.1:3000
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    render = actions.add_parser("render", help="write the dashboard's JSON")
    render.add_argument("path", type=Path)
    push = actions.add_parser("push", help="send folder and dashboard to a Grafana server")
    push.add_argument("--url", required=True, help="address of the server")
    push.add_argument("--folder", default="Depot", help="title of the folder (default Depot)")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when it was written or accepted."""
    console = Console()
    if options.action == "render":
        render(options.path)
        console.print(f"wrote {options.path}")
        return 0
    token = os.environ.get("GRAFANA_TOKEN")
    if not token:
        raise ConfigurationError("environment variable GRAFANA_TOKEN is not set: export a service account token")
    report = push(options.url, token=token, folder=options.folder)
    console.print(
        f"dashboard version {report.version}: {report.dashboard_url} (folder {report.folder})", highlight=False
    )
    return 0
