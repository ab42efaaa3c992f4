"""What the first view of a running depot shows: its rows, panels and queries.

Queries are InfluxQL, which InfluxDB 1.x, 2.x (with a DBRP mapping) and 3 all answer; the measurements are those of
`docs/telemetry.md`. What is limited is drawn with its highest value in each interval, what limits with its lowest, so
that zooming out never hides a breach.
"""

from __future__ import annotations

from connectors.grafana.panels import Draw, Kind, Panel, Query, Row, Style, Unit, Variable

_SITE = '"site" =~ /^${site:regex}$/'
_CONNECTOR = '"connector" =~ /^${connector:regex}$/'
_GRID = f"{_SITE} AND \"kind\" = 'grid'"

SITE = Variable("site", "Site", 'SHOW TAG VALUES FROM "node" WITH KEY = "site"')
CONNECTOR = Variable(
    "connector", "Connector", f'SHOW TAG VALUES FROM "connector" WITH KEY = "connector" WHERE {_SITE}', several=True
)

_GOOD, _WARN, _BAD, _QUIET = "green", "orange", "red", "gray"


def _series(value: str, measurement: str, where: str, *tags: str, alias: str) -> Query:
    """A value over time, one series for each combination of tags."""
    groups = ", ".join(["time($__interval)", *(f'"{tag}"' for tag in tags)])
    return Query(
        f'SELECT {value} FROM "{measurement}" WHERE {where} AND $timeFilter GROUP BY {groups} fill(null)', alias
    )


def _number(value: str, measurement: str, where: str) -> Query:
    """One number for the whole time range."""
    return Query(f'SELECT {value} FROM "{measurement}" WHERE {where} AND $timeFilter')


def _stat(
    title: str,
    description: str,
    query: Query,
    unit: Unit,
    *thresholds: tuple[float | None, str],
    decimals: int | None = None,
    no_value: str | None = None,
) -> Panel:
    return Panel(
        title,
        description,
        (query,),
        unit,
        width=3,
        height=4,
        kind=Kind.STAT,
        thresholds=thresholds,
        decimals=decimals,
        no_value=no_value,
    )


_NOW = Row(
    "Now",
    (
        _stat(
            "Site power",
            "Power drawn from the grid, latest value; import is positive.",
            _number('last("power_kw")', "node", _GRID),
            Unit.KILOWATT,
            (None, "blue"),
            decimals=1,
        ),
        _stat(
            "Share of the limit",
            "Latest site power as a share of the power limit of the grid connection.",
            _number('last("power_kw") / last("limit_kw")', "node", _GRID),
            Unit.FRACTION,
            (None, _GOOD),
            (0.9, _WARN),
            (1.0, _BAD),
            decimals=0,
        ),
        _stat(
            "Smallest margin",
            "Limit less worst case, the smallest at any node in the time range. Below zero while chargers that have "
            "not reported yet count at their maximum, and for moments after a limit fell or other loads rose under "
            "grants already given: chargers are then shed. At any other time it is a breach.",
            _number('min("margin_a")', "node", _SITE),
            Unit.AMPERE,
            (None, _WARN),
            (0.0, _GOOD),
            decimals=1,
        ),
        _stat(
            "Price",
            "Import price in force.",
            _number('last("price_eur_per_kwh")', "price", _SITE),
            Unit.EUR_PER_KWH,
            (None, "blue"),
            decimals=3,
        ),
        _stat(
            "Age of the plan",
            "Time since the plan in force was made. It grows when planning stands still, and while there is no vehicle "
            "to plan for.",
            _number('last("age_s")', "plan", _SITE),
            Unit.SECONDS,
            (None, _GOOD),
            (300.0, _WARN),
            (900.0, _BAD),
        ),
        _stat(
            "Not obeyed",
            "Verdicts in the time range that a charger drew more than it was granted.",
            _number('count("limit_a")', "setpoint", f"{_SITE} AND \"verdict\" = 'not_obeyed'"),
            Unit.COUNT,
            (None, _GOOD),
            (1.0, _BAD),
            no_value="0",
        ),
        _stat(
            "Energy delivered",
            "Energy of the sessions that ended in the time range.",
            _number('sum("energy_kwh")', "session", _SITE),
            Unit.KILOWATT_HOUR,
            (None, "blue"),
            no_value="0",
        ),
        _stat(
            "Energy not served",
            "Energy wanted and not delivered by departure, sessions that ended in the time range.",
            _number('sum("unserved_kwh")', "session", _SITE),
            Unit.KILOWATT_HOUR,
            (None, _GOOD),
            (0.5, _WARN),
            (10.0, _BAD),
            decimals=1,
            no_value="0",
        ),
    ),
)

_SITE_ROW = Row(
    "Site",
    (
        Panel(
            "Site power, limit and price",
            "Power from the grid against what the connection may carry, with the import price on the right. The mean "
            "of each interval is filled; its highest value is the thin line that must stay below the limit.",
            (
                _series('mean("power_kw")', "node", _GRID, alias="site power"),
                _series('max("power_kw")', "node", _GRID, alias="highest in interval"),
                _series('min("limit_kw")', "node", _GRID, alias="limit"),
                _series('mean("base_kw")', "node", _GRID, alias="building and other loads"),
                _series('mean("price_eur_per_kwh")', "price", _SITE, alias="price"),
            ),
            Unit.KILOWATT,
            width=16,
            height=10,
            styles=(
                Style("site power", color="blue", filled=True),
                Style("highest in interval", color="light-blue"),
                Style("limit", color=_BAD, steps=True, dashed=True),
                Style("building and other loads", color=_QUIET),
                Style("price", color="yellow", unit=Unit.EUR_PER_KWH, right_axis=True, steps=True),
            ),
        ),
        Panel(
            "Current by phase",
            "Highest measured current on each phase of the grid connection, and what the safety envelope counts there "
            "in the worst case.",
            (
                _series('max("current_a")', "node_phase", _GRID, "phase", alias="$tag_phase measured"),
                _series('max("worst_a")', "node_phase", _GRID, "phase", alias="$tag_phase worst case"),
                _series('min("limit_a")', "node", _GRID, alias="limit"),
            ),
            Unit.AMPERE,
            width=8,
            height=10,
            styles=(
                Style("limit", color=_BAD, steps=True, dashed=True),
                Style("/worst case$/", dashed=True, steps=True),
            ),
        ),
    ),
)

_CONNECTOR_ROW = Row(
    "Connectors",
    (
        Panel(
            "Power by connector",
            "Mean power into each vehicle, stacked.",
            (
                _series(
                    'mean("power_kw")', "connector", f"{_SITE} AND {_CONNECTOR}", "connector", alias="$tag_connector"
                ),
            ),
            Unit.KILOWATT,
            width=12,
            height=9,
            draw=Draw.STACK,
            minimum=0.0,
        ),
        Panel(
            "Grant by connector",
            "Current per phase that each charger is allowed, the lease in force.",
            (
                _series(
                    'last("limit_a")', "connector", f"{_SITE} AND {_CONNECTOR}", "connector", alias="$tag_connector"
                ),
            ),
            Unit.AMPERE,
            width=12,
            height=9,
            draw=Draw.STEPS,
            minimum=0.0,
        ),
        Panel(
            "Wish, grant, worst case and draw",
            "For the chosen connectors: what the planner would give, what the envelope granted, what it counts as "
            "worst case, and the highest current measured. Choose one connector to read it well.",
            tuple(
                _series(
                    f'max("{name}")',
                    "connector",
                    f"{_SITE} AND {_CONNECTOR}",
                    "connector",
                    alias=f"$tag_connector {label}",
                )
                for name, label in (
                    ("wish_a", "wish"),
                    ("limit_a", "grant"),
                    ("worst_a", "worst case"),
                    ("measured_a", "draw"),
                )
            ),
            Unit.AMPERE,
            width=12,
            height=9,
            styles=(
                Style("/wish$/", dashed=True, steps=True),
                Style("/grant$/", steps=True),
                Style("/worst case$/", dashed=True, steps=True),
                Style("/draw$/", filled=True),
            ),
            minimum=0.0,
        ),
        Panel(
            "State of charge",
            "Battery state as the vehicle reports it, or as the twin estimates it from delivered energy.",
            (_series('mean("soc")', "connector", f"{_SITE} AND {_CONNECTOR}", "connector", alias="$tag_connector"),),
            Unit.FRACTION,
            width=12,
            height=9,
            minimum=0.0,
            maximum=1.0,
        ),
    ),
)

_ENVELOPE_ROW = Row(
    "Safety envelope",
    (
        Panel(
            "Margin by node",
            "Limit less worst case on the tightest phase of each node, lowest in each interval. Whatever chargers do, "
            "it is not negative, except while chargers that have not reported yet count at their maximum, and for "
            "moments after a limit fell or other loads rose under grants already given.",
            (_series('min("margin_a")', "node", _SITE, "node", alias="$tag_node"),),
            Unit.AMPERE,
            width=12,
            height=8,
            thresholds=((None, _BAD), (0.0, "transparent")),
            show_thresholds=True,
        ),
        Panel(
            "Margin by node in power",
            "Limit less worst case of the total power of each node, lowest in each interval.",
            (_series('min("margin_kw")', "node", _SITE, "node", alias="$tag_node"),),
            Unit.KILOWATT,
            width=12,
            height=8,
            thresholds=((None, _BAD), (0.0, "transparent")),
            show_thresholds=True,
        ),
    ),
)

_PLAN_ROW = Row(
    "Planner",
    (
        Panel(
            "Age of the plan",
            "Time since the plan in force was made, highest in each interval.",
            (_series('max("age_s")', "plan", _SITE, alias="age"),),
            Unit.SECONDS,
            width=6,
            height=8,
            minimum=0.0,
        ),
        Panel(
            "Solve time",
            "Longest time the planner took in each interval, on the wall.",
            (_series('max("solve_ms")', "plan", _SITE, "planner", alias="$tag_planner"),),
            Unit.MILLISECONDS,
            width=6,
            height=8,
            minimum=0.0,
        ),
        Panel(
            "Cycles by status of the plan",
            "Proved optimal, feasible, or a rule that stepped in because the planner was late or failed.",
            (_series('count("age_s")', "plan", _SITE, "status", alias="$tag_status"),),
            Unit.COUNT,
            width=6,
            height=8,
            draw=Draw.BARS,
            styles=(
                Style("proved", color=_GOOD),
                Style("feasible", color="blue"),
                Style("fallback", color=_WARN),
            ),
        ),
        Panel(
            "Energy the plan leaves out",
            "Wanted energy that the plan in force does not deliver by departure, all sessions together.",
            (_series('max("unserved_kwh")', "plan", _SITE, alias="not served"),),
            Unit.KILOWATT_HOUR,
            width=6,
            height=8,
            minimum=0.0,
        ),
    ),
)

_VERDICT_ROW = Row(
    "Setpoints and sessions",
    (
        Panel(
            "Verdicts",
            "What measured draws said of the grants in force.",
            (_series('count("limit_a")', "setpoint", f"{_SITE} AND {_CONNECTOR}", "verdict", alias="$tag_verdict"),),
            Unit.COUNT,
            width=8,
            height=9,
            draw=Draw.BARS,
            styles=(
                Style("obeyed", color=_GOOD),
                Style("limited_by_car", color="blue"),
                Style("not_obeyed", color=_BAD),
                Style("unmeasured", color=_WARN),
                Style("pending", color=_QUIET),
            ),
        ),
        Panel(
            "Grants not obeyed",
            "Chargers that drew more than they were granted, newest first. From then on they count at their hardware "
            "maximum.",
            (
                Query(
                    'SELECT "connector", "limit_a", "measured_a" FROM "setpoint" '
                    f"WHERE {_SITE} AND {_CONNECTOR} AND \"verdict\" = 'not_obeyed' AND $timeFilter "
                    "ORDER BY time DESC LIMIT 50"
                ),
            ),
            Unit.AMPERE,
            width=6,
            height=9,
            kind=Kind.TABLE,
        ),
        Panel(
            "Sessions",
            "Sessions that ended in the time range, newest first.",
            (
                Query(
                    'SELECT "connector", "energy_kwh", "requested_kwh", "unserved_kwh", "duration_h" FROM "session" '
                    f"WHERE {_SITE} AND {_CONNECTOR} AND $timeFilter ORDER BY time DESC LIMIT 100"
                ),
            ),
            Unit.KILOWATT_HOUR,
            width=10,
            height=9,
            kind=Kind.TABLE,
            styles=(Style("duration_h", unit=Unit.HOURS),),
            decimals=1,
        ),
    ),
)

ROWS: tuple[Row, ...] = (_NOW, _SITE_ROW, _CONNECTOR_ROW, _ENVELOPE_ROW, _PLAN_ROW, _VERDICT_ROW)
