"""The whole way: a simulated depot run live, its telemetry on a real influxd, and the dashboard's queries on that."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.grafana.live_view import ROWS
from connectors.grafana.panels import Panel, Unit
from tests.connectors.grafana.grafana_sends import as_grafana_sends_it
from tests.connectors.influx.influx_server import Influxd, door_to
from tests.services import require_program

ROOT = Path(__file__).parents[3]
ARGUMENTS = ("--headless", "--speed", "60", "--minutes", "20", "--seed", "7")
PATIENCE_S = 240.0

SANE: dict[Unit, tuple[float, float]] = {
    Unit.KILOWATT: (0.0, 150.0),
    Unit.KILOWATT_HOUR: (0.0, 500.0),
    Unit.AMPERE: (0.0, 250.0),
    Unit.SECONDS: (0.0, 3600.0),
    Unit.MILLISECONDS: (0.0, 10_000.0),
    Unit.FRACTION: (0.0, 1.5),
    Unit.EUR_PER_KWH: (0.0, 1.0),
    Unit.COUNT: (0.0, 10_000.0),
}


@pytest.fixture
async def influxd(tmp_path: Path) -> AsyncIterator[Influxd]:
    server = Influxd(require_program("influxd"), tmp_path)
    server.start()
    yield server
    server.stop()


async def run_the_demo(server: Influxd, report: Path) -> None:
    """Twenty minutes of the afternoon."""
    ports = ("--ocpp-port", "0", "--mqtt-port", "0", "--panel-port", "0")
    async with door_to(server.url) as door:
        demo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.cli", "demo", *ARGUMENTS, *ports),
            *("--influx-url", door.url, "--report", str(report)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await demo.wait()
        finally:
            if demo.returncode is None:
                demo.kill()


def read_report(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def extent(server: Influxd) -> tuple[str, datetime, datetime]:
    """Site, first and last moment of what was written."""
    (site,) = (value for s in server.query('SHOW TAG VALUES FROM "node" WITH KEY = "site"') for _, value in s["values"])
    ends = [server.query(f"SELECT {end}(price_eur_per_kwh) FROM price")[0]["values"][0][0] for end in ("first", "last")]
    begin, end = (datetime.fromtimestamp(at_ns / 1e9, UTC) for at_ns in ends)
    return site, begin, end


def numbers_of(server: Influxd, influxql: str, site: str, begin: datetime, end: datetime) -> list[float]:
    found = server.query(as_grafana_sends_it(influxql, begin, end, site=site))
    return [v for series in found for row in series["values"] for v in row[1:] if isinstance(v, int | float)]


def size_of(panel: Panel, influxql: str) -> tuple[float, float]:
    """Between what a panel's numbers must lie; chargers that have not reported yet count at their maximum."""
    at_worst = "margin" in influxql or "worst" in influxql
    return (-600.0, 600.0) if at_worst else SANE[panel.unit]


def may_be_empty(panel: Panel) -> bool:
    """Whether nothing is a good answer: no charger disobeyed."""
    return "not_obeyed" in panel.queries[0].influxql


@pytest.mark.services
@pytest.mark.timeout(PATIENCE_S + 60)  # a minute on a machine at rest, more on a busy one
async def test_every_query_of_the_dashboard_finds_what_a_depot_run_live_wrote(influxd: Influxd, tmp_path: Path) -> None:
    await run_the_demo(influxd, tmp_path / "report.json")
    report = read_report(tmp_path / "report.json")
    assert report["telemetry"]["points_lost"] == 0
    assert report["telemetry"]["points_written"] > 1000
    site, begin, end = extent(influxd)
    for panel in (panel for row in ROWS for panel in row.panels):
        for query in panel.queries:
            low, high = size_of(panel, query.influxql)
            values = numbers_of(influxd, query.influxql, site, begin, end)
            assert values or may_be_empty(panel), f"{panel.title}: {query.influxql} found nothing"
            assert all(low <= value <= high for value in values), f"{panel.title}: {min(values)} to {max(values)}"
    counts = influxd.query("SELECT count(*) FROM /.*/")
    assert {series["name"] for series in counts} >= {
        "connector",
        "connector_phase",
        "node",
        "node_phase",
        "plan",
        "price",
    }
