"""Queries of the dashboard as Grafana sends them, so that they can be run on a real server without Grafana."""

from __future__ import annotations

import re
from datetime import datetime


def as_grafana_sends_it(
    influxql: str,
    begin: datetime,
    end: datetime,
    *,
    site: str,
    connectors: tuple[str, ...] | None = None,
    interval: str = "60s",
) -> str:
    """A query with its macros and variables filled in; no connectors means that "All" is chosen."""
    begin_ms, end_ms = (int(t.timestamp() * 1000) for t in (begin, end))
    every = ".*" if connectors is None else "|".join(map(_regex_escaped, connectors))
    chosen = f"({every})" if connectors is not None and len(connectors) > 1 else every
    filled = (
        influxql.replace("$timeFilter", f"time >= {begin_ms}ms and time <= {end_ms}ms")
        .replace("$__interval", interval)
        .replace("${site:regex}", _regex_escaped(site))
        .replace("${connector:regex}", chosen)
    )
    assert "$" not in filled.replace("$/", "/"), f"left over: {filled}"
    return filled


def _regex_escaped(value: str) -> str:
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", value)
