"""The ways a day is run, and the rows that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from studies.real_days.contenders import HINDSIGHT, YARDSTICK, Contender, Rescued
from studies.real_days.day import STEP_H, Day, Stay
from studies.real_days.metrics import Score, over_cheapest, same_energy, saving, score
from studies.real_days.network import Network, Wiring, peak_kw
from studies.real_days.record import Record
from studies.real_days.rolling import Foresight, live, whole_day
from twin_core.forecasting.arrivals import ArrivalForecast
from twin_core.forecasting.stays import PastStay, StayForecast
from twin_core.models.problem import Array
from twin_core.planning.table import planner

SHARES: Final = {"tight": 0.25, "loose": 0.7}
"""Limit of the site as a part of the power it would draw were everybody served at once."""

TRUE, ANNOUNCED, RECORDED = "true", "announced", "recorded"
DEPARTURES: Final = {
    TRUE: "planners know when each car will leave",
    ANNOUNCED: "they know what drivers announced, and of who announced nothing how long earlier drivers stayed",
    RECORDED: "as announced, but who announced nothing is known to leave when it did, as the record has it: flattering",
}

Row = dict[str, str | float]


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run a day.

    Attributes:
        limit: a key of `SHARES`.
        departures: a key of `DEPARTURES`.
    """

    limit: str
    wiring: Wiring
    departures: str

    def __str__(self) -> str:
        return f"{self.limit} {self.wiring} {self.departures}"


CASES: Final = tuple(
    Case(limit, wiring, departures) for limit in SHARES for wiring in Wiring for departures in (TRUE, ANNOUNCED)
)


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does at a time: a day in one case under all contenders."""

    site: str
    when: date
    case: Case
    contenders: tuple[Contender, ...]

    def __str__(self) -> str:
        return f"{self.site} {self.when} {self.case}"


def rows_of(task: Task, record: Record) -> list[Row]:
    """Hindsight first, then every contender.

    Raises:
        ConfigurationError: the day has no session.
        PlanningError: the day as a whole cannot be planned, or a plan breaks a limit.
    """
    case, past = task.case, record.before(task.site, task.when)
    day = record.day(task.site, task.when)
    network = Network(case.wiring, SHARES[case.limit] * peak_kw(day))
    known = day.with_typical_stays(past) if case.departures == ANNOUNCED else day.with_all_claimed()
    whole = whole_day(day, network)
    optimum_kwh = float(planner(YARDSTICK).plan(whole).power_kw.sum()) * STEP_H
    row = _Rows(task, day, network, optimum_kwh)
    hindsight_kw = planner("service_first").plan(whole).power_kw
    lived = {each.name: _lived(known, past, network, case, each) for each in task.contenders}
    yardstick = lived[YARDSTICK][0]
    rows = [row.row(HINDSIGHT, score(day, hindsight_kw, 0), hindsight_kw, yardstick, np.zeros(1), 0)]
    for name, (result, power_kw, tick_ms, refusals) in lived.items():
        rows.append(row.row(name, result, power_kw, yardstick, tick_ms, refusals))
    return rows


def _lived(
    known: Day, past: Sequence[Day], network: Network, case: Case, contender: Contender
) -> tuple[Score, Array, Array, int]:
    """What a contender made of the day; the true departures are in force whatever it was told."""
    told_announced = case.departures != TRUE
    knows = learned(past, announced=told_announced) if contender.told_of_earlier_days else Foresight(told_announced)
    asked = Rescued(contender.planner())
    outcome = live(known, network, asked, knows)
    return (
        score(known, outcome.power_kw, outcome.violations),
        outcome.power_kw,
        outcome.tick_ms,
        len(asked.refusals),
    )


def learned(past: Sequence[Day], *, announced: bool) -> Foresight:
    """What can be known of a day from earlier ones of its kind; who announced nothing teaches nothing of promises."""
    if not past:
        return Foresight(announced)
    days = [[_past(stay) for stay in day.stays] for day in past]
    claimed = (_past(stay) for day in past for stay in day.stays if stay.claimed)
    stays = StayForecast(claimed) if announced else None
    return Foresight(announced, stays, ArrivalForecast(days))


def _past(stay: Stay) -> PastStay:
    announced_h = (stay.announced - stay.arrival) * STEP_H
    return PastStay(stay.arrival * STEP_H, stay.steps * STEP_H, stay.energy_kwh, announced_h)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Makes the rows of a task."""

    task: Task
    day: Day
    network: Network
    optimum_kwh: float

    def row(self, name: str, result: Score, power_kw: Array, yardstick: Score, tick_ms: Array, refusals: int) -> Row:
        day, case = self.day, self.task.case
        return {
            "site": day.site,
            "day": str(day.date),
            "limit": case.limit,
            "wiring": str(case.wiring),
            "departures": case.departures,
            "planner": name,
            "limit_kw": self.network.limit_kw,
            "stays": len(day.stays),
            "unclaimed": day.unclaimed,
            "wanted_kwh": day.wanted_kwh,
            "energy_kwh": result.energy_kwh,
            "energy_met": result.energy_met,
            "below_optimum": (self.optimum_kwh - result.energy_kwh) / day.wanted_kwh,
            "demands_met": result.demands_met,
            "worst_decile": result.worst_decile,
            "jain": result.jain,
            "cost_usd": result.cost_usd,
            "cost_per_kwh": result.cost_per_kwh,
            "saving": saving(day, result, yardstick),
            "same_energy": float(same_energy(result, yardstick)),
            "over_cheapest": over_cheapest(day, self.network, power_kw),
            "violations": result.violations,
            "refusals": refusals,
            "tick_ms": float(np.median(tick_ms)) if tick_ms.size else 0.0,
            "tick_p95_ms": float(np.quantile(tick_ms, 0.95)) if tick_ms.size else 0.0,
        }
