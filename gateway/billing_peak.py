"""The highest import of the billing month so far, from what the history kept of the site's meter."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from connectors.store.history import HistorySink
from twin_core.models.site import Node

QUARTER_S = 900
"""Peaks are billed on means of a quarter of an hour."""


async def peak_so_far_kw(history: HistorySink, site: str, root: Node, now: datetime, zone: ZoneInfo) -> float:
    """The highest mean import of a whole quarter of an hour in this month; 0 where nothing was measured.

    Raises:
        StorageError: the history cannot be read.
    """
    local = now.astimezone(zone)
    month = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    quarter = datetime.fromtimestamp(now.timestamp() // QUARTER_S * QUARTER_S, UTC)
    tags = {"site": site, "node": root.id, "kind": root.kind.value}
    means = await history.series("node", tags, "power_kw", month, quarter, QUARTER_S)
    return max(0.0, *(mean_kw for _, mean_kw in means)) if means else 0.0
