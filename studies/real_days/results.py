"""Rows put side by side: means over days, and differences of two planners on the same days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from studies.real_days.case import Row
from twin_core.models.problem import Array

_DRAWS = 5000
_IDENTITY = ("site", "day", "limit", "wiring", "departures", "planner")
_COUNTS = ("violations", "refusals")

CaseKey = tuple[str, str, str]
"""Limit, wiring and departures."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over days and how sure it is.

    Attributes:
        low: lower end of its 95 % interval, by drawing the days anew with replacement.
        high: upper end.
    """

    mean: float
    low: float
    high: float
    days: int

    @classmethod
    def of(cls, values: Sequence[float] | Array) -> Spread:
        """The spread of at least one day's values; the same values give the same interval."""
        found = np.asarray(values, dtype=float)
        drawn = found[np.random.default_rng(0).integers(found.size, size=(_DRAWS, found.size))].mean(axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        return cls(float(found.mean()), float(low), float(high), int(found.size))

    def as_dict(self) -> dict[str, float]:
        """As part of a summary."""
        return asdict(self)


class Results:
    """All rows of a study."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = sorted(rows, key=lambda row: [str(row[name]) for name in _IDENTITY[:-1]])
        self._by_case: dict[CaseKey, dict[str, dict[tuple[str, str], Row]]] = {}
        for row in self.rows:
            key = (str(row["limit"]), str(row["wiring"]), str(row["departures"]))
            of_planner = self._by_case.setdefault(key, {}).setdefault(str(row["planner"]), {})
            of_planner[str(row["site"]), str(row["day"])] = row

    @property
    def cases(self) -> tuple[CaseKey, ...]:
        """In the order of the rows: tight before loose is the reader's wish, so limits are in falling order."""
        return tuple(sorted(self._by_case, key=lambda key: (key[0] != "tight", key[1], key[2] != "true")))

    def planners(self, case: CaseKey) -> tuple[str, ...]:
        """Who took part in a case, in the order of the table."""
        return tuple(self._by_case[case])

    def values(self, case: CaseKey, planner: str, metric: str) -> Array:
        """One number a site and day, shape (n_days,), of every planner in the same order."""
        rows = self._by_case[case][planner]
        return np.array([float(rows[key][metric]) for key in sorted(rows)])

    def spread(self, case: CaseKey, planner: str, metric: str) -> Spread:
        """A number over days."""
        return Spread.of(self.values(case, planner, metric))

    def difference(self, case: CaseKey, planner: str, other: str, metric: str) -> Spread:
        """How much higher a planner's number is than another's, day by day."""
        return Spread.of(self.values(case, planner, metric) - self.values(case, other, metric))

    def means(self) -> list[Row]:
        """Mean over days of every number for each site, case and planner, and for both sites; counts are summed."""
        groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        several = len({row["site"] for row in self.rows}) > 1
        for row in self.rows:
            key = tuple(str(row[name]) for name in _IDENTITY if name not in ("day", "site"))
            groups[str(row["site"]), *key].append(row)
            if several:
                groups["all", *key].append(row)
        return [_mean(key, rows) for key, rows in sorted(groups.items(), key=lambda item: item[0][:4])]


def _mean(key: tuple[str, ...], rows: Sequence[Row]) -> Row:
    mean: Row = dict(zip((name for name in _IDENTITY if name != "day"), key, strict=True))
    mean["days"] = len(rows)
    for field in rows[0]:
        if field not in _IDENTITY:
            numbers = [float(row[field]) for row in rows]
            mean[field] = sum(numbers) if field in _COUNTS else float(np.mean(numbers))
    return mean
