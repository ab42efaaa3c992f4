"""The dashboard: its shape, and every one of its queries on a real influxd."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.grafana.dashboard import dashboard, render
from connectors.grafana.live_view import CONNECTOR, ROWS, SITE
from connectors.grafana.panels import COLUMNS, Kind, Panel, Row, Unit, lay_out
from connectors.influx.line_protocol import encode
from gateway.telemetry_points import (
    connector_points,
    node_points,
    plan_points,
    price_points,
    session_points,
    setpoint_points,
)
from tests.connectors.grafana.grafana_sends import as_grafana_sends_it
from tests.connectors.influx.influx_server import Influxd
from tests.fakes import EPOCH
from tests.services import require_program
from twin_core.models.charger import ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.plan import PlanStatus
from twin_core.models.site import NodeKind
from twin_core.ports import Point

COMMITTED = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards" / "depot.json"

PANELS = [panel for row in ROWS for panel in row.panels]
QUERIES = [
    pytest.param(panel, query, id=f"{panel.title}-{number}")
    for panel in PANELS
    for number, query in enumerate(panel.queries)
]

SITES = ("north", "a/b (old) 1.5")
CONNECTORS = tuple(ConnectorId(ChargerId(name), 1) for name in ("CP1", "CP 2.x"))
DURATION = timedelta(minutes=30)


def as_sent(influxql: str, *, site: str, connectors: tuple[str, ...] | None) -> str:
    """A query as Grafana sends it for the half hour of the tests."""
    return as_grafana_sends_it(influxql, EPOCH, EPOCH + DURATION, site=site, connectors=connectors)


def half_an_hour(site: str) -> Iterator[Point]:
    """What a small depot writes, a reading every ten seconds."""
    for step in range(0, 1800, 10):
        at = EPOCH + timedelta(seconds=step)
        yield from _moment(site, at, step)
    for connector in CONNECTORS:
        at = EPOCH + timedelta(minutes=20)
        yield from session_points(
            site, connector, at, energy_kwh=7.0, requested_kwh=9.0, unserved_kwh=2.0, duration_h=1.5
        )
        yield from setpoint_points(site, connector, Verdict.NOT_OBEYED, at, limit_a=10.0, measured_a=16.0)


def _moment(site: str, at: datetime, step: int) -> Iterator[Point]:
    grant_a = 16.0 if step % 600 < 300 else 10.0
    for connector in CONNECTORS:
        yield from connector_points(
            site,
            connector,
            at,
            power_kw=grant_a * 0.69,
            limit_a=grant_a,
            wish_a=grant_a + 1,
            worst_a=grant_a + 2,
            current_a=(grant_a, grant_a - 0.1, grant_a - 0.2),
            energy_kwh=step / 3600 * 11,
            soc=0.3 + step / 1e4,
            status=ConnectorStatus.CHARGING,
        )
        yield from setpoint_points(site, connector, Verdict.OBEYED, at, limit_a=grant_a, measured_a=grant_a - 0.1)
    for node, kind in ((NodeId("grid"), NodeKind.GRID), (NodeId("F1"), NodeKind.FEEDER)):
        yield from node_points(
            site,
            node,
            kind,
            at,
            power_kw=grant_a * 1.38 + 5,
            limit_a=63.0,
            margin_a=10.0,
            margin_kw=7.0,
            base_kw=5.0,
            current_a=(40.0, 39.0, 38.0),
            worst_a=(44.0, 43.0, 42.0),
        )
    yield from price_points(site, at, price_eur_per_kwh=0.25 + step / 1e5)
    status = PlanStatus.FALLBACK if step == 600 else PlanStatus.PROVED
    yield from plan_points(
        site, "power_allocation", status, at, solve_ms=20.0, age_s=step % 60, unserved_kwh=0.5, cost_eur=3.0, sessions=2
    )


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """An influxd that holds half an hour of two depots."""
    server = Influxd(require_program("influxd"), tmp_path_factory.mktemp("influxd"))
    server.start()
    server.write(b"\n".join(encode(point) for site in SITES for point in half_an_hour(site)))
    yield server
    server.stop()


SANE: dict[Unit, tuple[float, float]] = {
    Unit.KILOWATT: (0.0, 50.0),
    Unit.KILOWATT_HOUR: (0.0, 20.0),
    Unit.AMPERE: (0.0, 63.0),
    Unit.SECONDS: (0.0, 60.0),
    Unit.MILLISECONDS: (20.0, 20.0),
    Unit.HOURS: (1.5, 1.5),
    Unit.FRACTION: (0.3, 1.0),
    Unit.EUR_PER_KWH: (0.25, 0.27),
    Unit.COUNT: (0.0, 362.0),
}


def unit_of(panel: Panel, series: str) -> Unit:
    for style in panel.styles:
        named = re.search(style.series.strip("/"), series) if style.series.startswith("/") else style.series == series
        if named and style.unit is not None:
            return style.unit
    return panel.unit


@pytest.mark.services
@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("connectors", [None, ("CP 2.x/1",), ("CP1/1", "CP 2.x/1")], ids=["all", "one", "two"])
@pytest.mark.parametrize(("panel", "query"), QUERIES)
def test_every_query_finds_data_of_the_size_its_unit_promises(
    influxd: Influxd, panel: Panel, query: Any, site: str, connectors: tuple[str, ...] | None
) -> None:
    found = influxd.query(as_sent(query.influxql, site=site, connectors=connectors))
    values = [
        (column if panel.kind is Kind.TABLE else query.alias, value)
        for series in found
        for row in series["values"]
        for column, value in zip(series["columns"][1:], row[1:], strict=True)
        if isinstance(value, int | float)
    ]
    assert any(value > 0 for _, value in values)
    for name, value in values:
        low, high = SANE[unit_of(panel, name)]
        assert low <= value <= high + 1e-9, f"{name} = {value} {unit_of(panel, name).name}"


@pytest.mark.services
@pytest.mark.parametrize(("panel", "query"), QUERIES)
def test_every_tag_in_a_legend_is_one_the_query_groups_by(influxd: Influxd, panel: Panel, query: Any) -> None:
    tags = re.findall(r"\$tag_(\w+)", query.alias)
    for series in influxd.query(as_sent(query.influxql, site="north", connectors=None)):
        assert set(tags) == set(series.get("tags", {}))
        assert all(series["tags"].values()) if tags else True


@pytest.mark.services
def test_a_chosen_connector_and_a_chosen_site_are_shown_alone(influxd: Influxd) -> None:
    (panel,) = (p for p in PANELS if p.title == "Power by connector")
    sent = as_sent(panel.queries[0].influxql, site="a/b (old) 1.5", connectors=("CP 2.x/1",))
    assert [series["tags"]["connector"] for series in influxd.query(sent)] == ["CP 2.x/1"]
    nobody = as_sent(panel.queries[0].influxql, site="a/b (old) 195", connectors=None)
    assert influxd.query(nobody) == []


@pytest.mark.services
def test_the_choices_at_the_head_list_what_there_is(influxd: Influxd) -> None:
    def choices(influxql: str) -> set[str]:
        sent = as_sent(influxql, site="north", connectors=None)
        return {value for series in influxd.query(sent) for _, value in series["values"]}

    assert choices(SITE.influxql) == set(SITES)
    assert choices(CONNECTOR.influxql) == {str(c) for c in CONNECTORS}


def test_the_committed_file_is_what_the_code_renders(tmp_path: Path) -> None:
    render(tmp_path / "fresh.json")
    assert COMMITTED.read_text() == (tmp_path / "fresh.json").read_text(), (
        "write it anew: depot grafana render deploy/grafana/dashboards/depot.json"
    )


def cells_of(place: dict[str, int]) -> set[tuple[int, int]]:
    """Cells of the grid that a panel covers."""
    columns = range(place["x"], place["x"] + place["w"])
    return {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}


def test_ids_are_unique_and_no_panel_lies_on_another() -> None:
    panels = dashboard()["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (p["gridPos"] for p in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < COLUMNS
        taken |= cells


@given(st.lists(st.tuples(st.integers(1, 24), st.integers(1, 12)), max_size=12))
def test_panels_of_any_size_never_overlap(sizes: list[tuple[int, int]]) -> None:
    row = Row("row", tuple(replace(PANELS[0], width=w, height=h) for w, h in sizes))
    taken: set[tuple[int, int]] = set()
    for place in (p["gridPos"] for p in lay_out([row, row])):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


def test_a_panel_wider_than_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="wider"):
        lay_out([Row("row", (replace(PANELS[0], width=25),))])


def test_every_variable_in_use_is_defined_and_every_one_defined_is_used() -> None:
    text = json.dumps(dashboard())
    used = set(re.findall(r"\$\{(\w+)", text)) | set(re.findall(r"\$(\w+)", text))
    built_in = {"__interval", "timeFilter", "__all", *re.findall(r"\$(tag_\w+)", text)}
    assert used - built_in == {variable["name"] for variable in dashboard()["templating"]["list"]}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_every_panel_says_what_it_shows(panel: Panel) -> None:
    assert len(panel.description) > 20
    assert panel.description.endswith(".")
    assert panel.queries
    lows = [low for low, _ in panel.thresholds]
    assert lows[0] is None
    assert lows[1:] == sorted(lows[1:])  # type: ignore[type-var]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_every_style_is_for_a_series_the_panel_has(panel: Panel) -> None:
    names = [q.alias for q in panel.queries] + re.findall(r'"(\w+)"', panel.queries[0].influxql)
    names += [verdict.value for verdict in Verdict] + [status.value for status in PlanStatus]
    for style in panel.styles:
        pattern = style.series.strip("/") if style.series.startswith("/") else f"^{re.escape(style.series)}$"
        assert any(re.search(pattern, name) for name in names), style.series


def test_queries_and_panels_name_the_one_data_source() -> None:
    uids = re.findall(r'"datasource": \{"type": "influxdb", "uid": "([^"]+)"\}', json.dumps(dashboard()))
    assert len(uids) > 2 * len(PANELS)
    assert set(uids) == {"depot-influxdb"}
