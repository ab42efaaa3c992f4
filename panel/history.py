"""What was: rows over time for the charts, from a store where there is one and from memory where there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol

from panel.shapes import SiteView

SITE_FIELDS = ("power_kw", "charging_kw", "base_kw", "worst_kw", "limit_kw", "price_eur_per_kwh")
"""What the site's chart needs, named as in `SiteView`; a store that serves the panel has these columns."""


@dataclass(frozen=True, slots=True)
class HistorySeries:
    """Rows over time, by column.

    Attributes:
        time_s: Unix time of each row, rising.
        columns: one value a row, None where nothing is known; units stand in the names.
    """

    time_s: tuple[float, ...]
    columns: dict[str, tuple[float | None, ...]]


class HistoryPort(Protocol):
    """A store of what was."""

    async def series(
        self, measurement: str, *, tags: Mapping[str, str], since: datetime, until: datetime, max_rows: int
    ) -> HistorySeries:
        """Rows of a measurement with these tags, `since` included and `until` not, thinned to about `max_rows`."""


class RecentHistory:
    """The last hours of the site, kept in memory: a history for a gateway that has no store.

    Args:
        every_s: least distance between two rows, in the site's time.
        rows: rows kept; the oldest goes when a new one comes.
    """

    def __init__(self, *, every_s: float = 10.0, rows: int = 2880) -> None:
        self._every_s = every_s
        self._rows: deque[tuple[float, SiteView]] = deque(maxlen=rows)

    def record(self, site: SiteView) -> None:
        """Take in the site as it is, if the last row is old enough; a clock set back starts anew."""
        time_s = site.time.timestamp()
        if self._rows and time_s < self._rows[-1][0]:
            self._rows.clear()
        if not self._rows or time_s - self._rows[-1][0] >= self._every_s:
            self._rows.append((time_s, site))

    async def series(
        self, measurement: str, *, tags: Mapping[str, str], since: datetime, until: datetime, max_rows: int
    ) -> HistorySeries:
        """Rows of "site"; of anything else memory keeps none."""
        first_s, last_s = since.timestamp(), until.timestamp()
        rows = [row for row in self._rows if first_s <= row[0] < last_s] if measurement == "site" and not tags else []
        rows = list(islice(rows, 0, None, max(1, -(-len(rows) // max_rows))))
        return HistorySeries(
            time_s=tuple(time_s for time_s, _ in rows),
            columns={name: tuple(getattr(site, name) for _, site in rows) for name in SITE_FIELDS},
        )
