"""What was: rows over time for the charts, from a store where there is one and from memory where there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from panel.shapes import SiteView

SITE_FIELDS = ("power_kw", "base_kw", "limit_kw", "price_eur_per_kwh")
"""What the site's chart draws, named as in `SiteView`; a store that serves it has them under the measurement "site"."""

FINEST_STEP_S = 10.0


class HistoryPort(Protocol):
    """A store of what was."""

    async def series(
        self,
        measurement: str,
        tags: Mapping[str, str],
        field: str,
        since: datetime,
        until: datetime,
        step_s: float = ...,
    ) -> Sequence[tuple[datetime, float]]:
        """One value for each step of about `step_s` in [since, until) that has one, with the step's start, in order.

        Raises:
            StorageError: it cannot be read now.
        """


class History(BaseModel):
    """Rows over time, by column; None where a column has no value."""

    model_config = ConfigDict(extra="forbid")

    measurement: str
    time_s: list[float]
    columns: dict[str, list[float | None]]


async def history_of(
    port: HistoryPort,
    measurement: str,
    tags: Mapping[str, str],
    fields: Sequence[str],
    since: datetime,
    until: datetime,
    *,
    max_rows: int,
) -> History:
    """Several fields of one measurement side by side, thinned to about `max_rows`.

    Raises:
        StorageError: the store cannot be read now.
    """
    step_s = max(FINEST_STEP_S, (until - since).total_seconds() / max_rows)
    found = {name: dict(await port.series(measurement, tags, name, since, until, step_s)) for name in fields}
    times = sorted(set().union(*found.values()))
    return History(
        measurement=measurement,
        time_s=[when.timestamp() for when in times],
        columns={name: [values.get(when) for when in times] for name, values in found.items()},
    )


class RecentHistory:
    """The last hours of the site, kept in memory: the history of a gateway that has no store.

    Args:
        every_s: least distance between two rows, in the site's time.
        rows: rows kept; the oldest goes when a new one comes.
    """

    def __init__(self, *, every_s: float = FINEST_STEP_S, rows: int = 2880) -> None:
        self._every_s = every_s
        self._rows: deque[SiteView] = deque(maxlen=rows)

    def record(self, site: SiteView) -> None:
        """Take in the site as it is, if the last row is old enough; a clock set back starts anew."""
        if self._rows and site.time < self._rows[-1].time:
            self._rows.clear()
        if not self._rows or (site.time - self._rows[-1].time).total_seconds() >= self._every_s:
            self._rows.append(site)

    async def series(
        self,
        measurement: str,
        tags: Mapping[str, str],
        field: str,
        since: datetime,
        until: datetime,
        step_s: float = FINEST_STEP_S,
    ) -> list[tuple[datetime, float]]:
        """The first row of each step, for the fields in `SITE_FIELDS` of "site"; of anything else memory keeps none."""
        if measurement != "site" or field not in SITE_FIELDS:
            return []
        found: list[tuple[datetime, float]] = []
        for site in self._rows:
            value = getattr(site, field)
            inside = since <= site.time < until
            if inside and value is not None and not (found and (site.time - found[-1][0]).total_seconds() < step_s):
                found.append((site.time, value))
        return found
