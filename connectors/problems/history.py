"""What happened before, as CSV: prices, base load, or stays; a file's columns say which."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TypeVar

import numpy as np

from twin_core.errors import ConfigurationError
from twin_core.forecasting.stays import PastStay
from twin_core.models.hours import HOURS_A_DAY
from twin_core.models.problem import Array

_T = TypeVar("_T")

_PRICES = {"price_eur_per_kwh": 1.0, "price_eur_per_mwh": 1e-3}
_KINDS = (
    "`time` with `price_eur_per_kwh` or `price_eur_per_mwh`, `time` with `base_kw` (and `node`), or `arrival` with "
    "`departure` and `energy_kwh` (and `max_kw`)"
)


@dataclass(frozen=True, slots=True)
class PriceDays:
    """Prices of whole days.

    Attributes:
        eur_per_kwh: shape (n_days, 24), by the hour of the day in the time zone of the horizon's start.
    """

    eur_per_kwh: Array


@dataclass(frozen=True, slots=True)
class BaseLoadDays:
    """Base load of whole days, by node; the empty name is the root.

    Attributes:
        by_node: shape (n_days, 24) each, in kW.
    """

    by_node: dict[str, Array]


@dataclass(frozen=True, slots=True)
class StayDays:
    """Stays by the day of their arrival, days without any included.

    Attributes:
        days: `arrival_h` counted from midnight.
        max_kw: mean power of those whose power is known; None where none is.
    """

    days: tuple[tuple[PastStay, ...], ...]
    max_kw: float | None


History = PriceDays | BaseLoadDays | StayDays


def read_history(path: Path, zone: tzinfo | None) -> History:
    """What a CSV tells.

    Args:
        path: the file; times without a zone are read in `zone`, those with one are brought into it.
        zone: of the horizon's start.

    Raises:
        ConfigurationError: it cannot be read, or a line makes no sense; the text names line, column and value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--history {path} cannot be read: {error}") from error
    table = _Table(path.name, text, zone)
    price = next((name for name in _PRICES if name in table.columns), None)
    if "time" in table.columns and price is not None:
        hourly = [(when, value * _PRICES[price]) for when, value in table.hourly(price)]
        return PriceDays(_whole_days(path.name, hourly))
    if {"time", "base_kw"} <= table.columns:
        return BaseLoadDays({node: _whole_days(path.name, rows) for node, rows in table.by_node("base_kw").items()})
    if {"arrival", "departure", "energy_kwh"} <= table.columns:
        return table.stays()
    raise ConfigurationError(f"{path.name}: columns are {', '.join(sorted(table.columns)) or 'none'}; needs {_KINDS}")


class _Table:
    """The rows of a CSV, each value checked where it is read."""

    def __init__(self, name: str, text: str, zone: tzinfo | None) -> None:
        self._name, self._zone = name, zone
        reader = csv.DictReader(io.StringIO(text))
        self.columns = {column.strip() for column in reader.fieldnames or ()}
        self._rows = [
            (reader.line_num, {(k or "").strip(): v for k, v in row.items() if isinstance(v, str)}) for row in reader
        ]

    def hourly(self, column: str) -> Iterator[tuple[datetime, float]]:
        """Time and value of every row."""
        for line, row in self._rows:
            yield self._moment(line, row, "time"), self._number(line, row, column)

    def by_node(self, column: str) -> dict[str, list[tuple[datetime, float]]]:
        """The same for each node; the empty name where none is given."""
        found: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
        for line, row in self._rows:
            found[row.get("node", "").strip()].append(
                (self._moment(line, row, "time"), self._number(line, row, column))
            )
        return dict(found)

    def stays(self) -> StayDays:
        """Stays by day."""
        by_day: dict[date, list[PastStay]] = defaultdict(list)
        powers = []
        for line, row in self._rows:
            arrival, departure = self._moment(line, row, "arrival"), self._moment(line, row, "departure")
            energy_kwh = self._number(line, row, "energy_kwh")
            if not departure > arrival or energy_kwh < 0:
                raise ConfigurationError(
                    f"{self._name} line {line}: departure must be after arrival, energy_kwh not below 0"
                )
            midnight = arrival.replace(hour=0, minute=0, second=0, microsecond=0)
            hours = [(when - since) / timedelta(hours=1) for when, since in ((arrival, midnight), (departure, arrival))]
            by_day[arrival.date()].append(PastStay(hours[0], hours[1], energy_kwh))
            if row.get("max_kw"):
                powers.append(self._number(line, row, "max_kw"))
        if not by_day:
            raise ConfigurationError(f"{self._name}: no stay in it")
        first, last = min(by_day), max(by_day)
        days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
        return StayDays(tuple(tuple(by_day.get(day, ())) for day in days), float(np.mean(powers)) if powers else None)

    def _moment(self, line: int, row: dict[str, str], column: str) -> datetime:
        when = self._read(line, row, column, datetime.fromisoformat)
        return when.replace(tzinfo=self._zone) if when.tzinfo is None else when.astimezone(self._zone)

    def _number(self, line: int, row: dict[str, str], column: str) -> float:
        value = self._read(line, row, column, float)
        if not np.isfinite(value):
            raise ConfigurationError(f"{self._name} line {line}: {column} is {value}, must be finite")
        return value

    def _read(self, line: int, row: dict[str, str], column: str, read: Callable[[str], _T]) -> _T:
        try:
            return read(row.get(column, "").strip())
        except ValueError as error:
            raise ConfigurationError(
                f"{self._name} line {line}: {column} is {row.get(column, '')!r}: {error}"
            ) from error


def _whole_days(name: str, rows: list[tuple[datetime, float]]) -> Array:
    """Means by hour of the days that have a value for each of their 24 hours, shape (n_days, 24)."""
    total: dict[date, Array] = defaultdict(lambda: np.zeros(HOURS_A_DAY))
    count: dict[date, Array] = defaultdict(lambda: np.zeros(HOURS_A_DAY))
    for when, value in rows:
        total[when.date()][when.hour] += value
        count[when.date()][when.hour] += 1
    whole = [day for day in sorted(total) if (count[day] > 0).all()]
    if len(whole) < 2:
        raise ConfigurationError(
            f"{name}: {len(whole)} days have a value for each of their 24 hours, at least 2 are needed"
        )
    return np.array([total[day] / count[day] for day in whole])
