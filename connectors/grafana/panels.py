"""The parts of a Grafana dashboard as plain values, and their JSON.

Only what our dashboard uses: InfluxQL queries, time series, stats and tables. Positions are worked out from the order
and size of the panels, so they cannot overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

DATASOURCE_UID = "depot-influxdb"
"""Name by which the dashboard finds its data source."""

COLUMNS = 24
"""Width of Grafana's grid."""


class Unit(StrEnum):
    """Units by Grafana's names."""

    KILOWATT = "kwatt"
    KILOWATT_HOUR = "kwatth"
    AMPERE = "amp"
    SECONDS = "s"
    MILLISECONDS = "ms"
    HOURS = "h"
    FRACTION = "percentunit"
    EUR_PER_KWH = "suffix: €/kWh"
    COUNT = "none"


class Kind(StrEnum):
    """Panel types by Grafana's names."""

    TIME_SERIES = "timeseries"
    STAT = "stat"
    TABLE = "table"


class Draw(StrEnum):
    """How a time series is drawn."""

    LINES = "lines"
    STEPS = "steps"
    STACK = "stack"
    BARS = "bars"


@dataclass(frozen=True, slots=True)
class Query:
    """One InfluxQL query.

    Attributes:
        alias: name of each series; `$tag_<name>` stands for a tag it was grouped by.
    """

    influxql: str
    alias: str = ""

    def to_json(self, index: int, *, table: bool) -> Json:
        """The query as a panel's target."""
        return {
            "refId": chr(ord("A") + index),
            "datasource": datasource_reference(),
            "rawQuery": True,
            "query": self.influxql,
            "resultFormat": "table" if table else "time_series",
            "alias": self.alias,
        }


@dataclass(frozen=True, slots=True)
class Style:
    """How the series of one name differ from the rest of their panel.

    Attributes:
        series: the name, or a regular expression between slashes.
    """

    series: str
    color: str | None = None
    unit: Unit | None = None
    right_axis: bool = False
    steps: bool = False
    dashed: bool = False
    filled: bool | None = None

    def to_json(self) -> Json:
        """The style as a field override."""
        properties: list[Json] = []
        if self.color is not None:
            properties.append({"id": "color", "value": {"mode": "fixed", "fixedColor": self.color}})
        if self.unit is not None:
            properties.append({"id": "unit", "value": self.unit.value})
        if self.right_axis:
            properties.append({"id": "custom.axisPlacement", "value": "right"})
        if self.steps:
            properties.append({"id": "custom.lineInterpolation", "value": "stepAfter"})
        if self.dashed:
            properties.append({"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 6]}})
        if self.filled is not None:
            properties.append({"id": "custom.fillOpacity", "value": 15 if self.filled else 0})
        by_regex = self.series.startswith("/")
        return {
            "matcher": {"id": "byRegexp" if by_regex else "byName", "options": self.series},
            "properties": properties,
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        thresholds: colour from a value on, rising; the first one has no lower end.
        reduce: how a stat makes one number of its series.
        no_value: shown where a query finds nothing, for counts of things that may not have happened.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: Unit
    width: int
    height: int
    kind: Kind = Kind.TIME_SERIES
    draw: Draw = Draw.LINES
    styles: tuple[Style, ...] = ()
    thresholds: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    show_thresholds: bool = False
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    no_value: str | None = None
    reduce: str = "lastNotNull"

    def to_json(self, panel_id: int, x: int, y: int) -> Json:
        """The panel at a place of the grid."""
        defaults: Json = {
            "unit": self.unit.value,
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": color, "value": value} for value, color in self.thresholds],
            },
            "color": {"mode": "thresholds" if self.kind is Kind.STAT else "palette-classic"},
            "custom": self._custom(),
        }
        optional = {
            "decimals": self.decimals,
            "min": self.minimum,
            "max": self.maximum,
            "noValue": self.no_value,
        }
        defaults |= {name: value for name, value in optional.items() if value is not None}
        return {
            "id": panel_id,
            "type": self.kind.value,
            "title": self.title,
            "description": self.description,
            "datasource": datasource_reference(),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "interval": "10s",
            "targets": [q.to_json(i, table=self.kind is Kind.TABLE) for i, q in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": [style.to_json() for style in self.styles]},
            "options": self._options(),
        }

    def _custom(self) -> Json:
        if self.kind is not Kind.TIME_SERIES:
            return {}
        stacked = self.draw in (Draw.STACK, Draw.BARS)
        return {
            "drawStyle": "bars" if self.draw is Draw.BARS else "line",
            "lineInterpolation": "stepAfter" if self.draw is Draw.STEPS else "linear",
            "lineWidth": 1,
            "fillOpacity": {Draw.LINES: 0, Draw.STEPS: 0, Draw.STACK: 40, Draw.BARS: 80}[self.draw],
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
            "showPoints": "never",
            # A gap longer than this is missing telemetry and is shown as such.
            "spanNulls": 180_000,
            "thresholdsStyle": {"mode": "line+area" if self.show_thresholds else "off"},
        }

    def _options(self) -> Json:
        match self.kind:
            case Kind.TIME_SERIES:
                legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
                return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
            case Kind.STAT:
                return {
                    "reduceOptions": {"calcs": [self.reduce], "fields": "", "values": False},
                    "colorMode": "background",
                    "graphMode": "none",
                    "textMode": "value",
                    "justifyMode": "center",
                }
            case Kind.TABLE:
                return {"showHeader": True, "cellHeight": "sm"}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, left to right and then down."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the head of the dashboard.

    Attributes:
        several: more than one value, or all of them, can be chosen.
    """

    name: str
    label: str
    influxql: str
    several: bool = False

    def to_json(self) -> Json:
        """The variable as Grafana keeps it; it is read anew whenever the time range changes."""
        choice: Json = {"includeAll": False, "multi": False}
        if self.several:
            everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
            choice = {"includeAll": True, "multi": True, "allValue": ".*", "current": everything}
        return {
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": datasource_reference(),
            "query": self.influxql,
            "definition": self.influxql,
            "refresh": 2,
            "sort": 7,
            "hide": 0,
            **choice,
        }


def datasource_reference() -> Json:
    """How panels, queries and variables name the data source."""
    return {"type": "influxdb", "uid": DATASOURCE_UID}


def lay_out(rows: Sequence[Row]) -> list[Json]:
    """Every row and panel with its own id and place.

    Raises:
        ValueError: a panel is wider than the grid.
    """
    placed: list[Json] = []
    y = 0
    for row in rows:
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        heading: Json = {"type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        placed.append({"id": len(placed) + 1, **heading})
        y += 1
        x = line_height = 0
        for panel in row.panels:
            if panel.width > COLUMNS:
                raise ValueError(f"panel {panel.title!r} is wider than {COLUMNS} columns")
            if x + panel.width > COLUMNS:
                x, y, line_height = 0, y + line_height, 0
            placed.append(panel.to_json(len(placed) + 1, x, y))
            x += panel.width
            line_height = max(line_height, panel.height)
        y += line_height
    return placed
