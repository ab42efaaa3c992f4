"""A number that may change from step to step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, Tag

from twin_core.errors import ConfigurationError
from twin_core.models.problem import Array, Horizon

MOST = 1e6
"""Largest number that is read, in any unit: a gigawatt, a gigawatt hour. Beyond it there are only slips of the pen."""

LEAST = 1e-6
"""Smallest number above 0 that is told from 0: below it solvers see nothing but their own rounding."""


def _without_dust(value: float) -> float:
    return 0.0 if abs(value) < LEAST else value


Finite = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-MOST, le=MOST), AfterValidator(_without_dust)]
NotNegative = Annotated[float, Field(strict=True, ge=0, le=MOST, allow_inf_nan=False), AfterValidator(_without_dust)]
Positive = Annotated[float, Field(strict=True, ge=LEAST, le=MOST, allow_inf_nan=False)]
Ratio = Annotated[float, Field(strict=True, ge=0.01, le=1)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


def _form(given: object) -> str:
    if isinstance(given, dict):
        return "by time"
    return "by step" if isinstance(given, list | tuple) else "one value"


Series = Annotated[
    Annotated[dict[TimeOfDay, Finite], Tag("by time"), Field(min_length=1)]
    | Annotated[tuple[Finite, ...], Tag("by step")]
    | Annotated[Finite, Tag("one value")],
    Discriminator(_form),
]
"""One value, a list with one for each step, or values by time of day, each valid from its time until the next."""


def _not_below_zero(series: Series) -> Series:
    for value in _values(series):
        if value < 0:
            raise ValueError(f"{value:g} is below 0")
    return series


NotNegativeSeries = Annotated[Series, AfterValidator(_not_below_zero)]
"""The same, of values that cannot be below 0."""


def _values(series: Series) -> Iterable[float]:
    if isinstance(series, dict):
        return series.values()
    return series if isinstance(series, tuple) else (series,)


def laid_out(field: str, series: Series, horizon: Horizon) -> Array:
    """The value of every step, shape (n_steps,); by time of day, the mean over a step.

    Raises:
        ConfigurationError: a list of another length than the horizon; the text names the field.
    """
    if isinstance(series, dict):
        return _by_time(series, horizon)
    if isinstance(series, tuple):
        if len(series) != horizon.n_steps:
            raise ConfigurationError(
                f"{field}: {len(series)} values for {horizon.n_steps} steps: give one for each step, one for all, "
                'or values by time of day such as {"00:00": 0.20, "07:00": 0.31}'
            )
        return np.array(series, dtype=float)
    return np.full(horizon.n_steps, series, dtype=float)


def _by_time(series: dict[str, float], horizon: Horizon) -> Array:
    """Means over the steps of a daily pattern in the local time of the horizon's start; the last value wraps round."""
    minutes = np.array([60 * at.hour + at.minute for at in map(time.fromisoformat, sorted(series))])
    values = np.array([series[at] for at in sorted(series)])
    edges_min = (_minute_of_day(horizon.start) + horizon.edges_h * 60.0).tolist()
    means = np.empty(horizon.n_steps)
    for step, (begin, end) in enumerate(pairwise(edges_min)):
        days = range(int(begin // 1440), int(end // 1440) + 1)
        changes = [m + 1440 * day for day in days for m in minutes.tolist() if begin < m + 1440 * day < end]
        cuts = np.array([begin, *changes, end])
        rows = np.searchsorted(minutes, cuts[:-1] % 1440, side="right") - 1
        means[step] = values[rows] @ np.diff(cuts) / (end - begin)
    return means


def _minute_of_day(when: datetime) -> float:
    return (when - when.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(minutes=1)
