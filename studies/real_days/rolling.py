"""A day lived step by step: plan for who is here, apply the first step, go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from simulators.acn import ZONE
from studies.real_days.day import MAX_KW, STEP_H, STEPS, Day, Stay
from studies.real_days.network import Network
from twin_core.forecasting.arrivals import ArrivalForecast
from twin_core.forecasting.stays import COUNTED_ON, LIKELY, StayForecast, StayOutlook
from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import Array, Horizon, PlanningProblem, SessionNeed
from twin_core.planning.planner import Planner

_DONE_KWH: Final = 1e-6
_OVERDUE_STEPS: Final = 3
"""Who has outstayed the announcement is taken to leave in a quarter of an hour, again and again."""

_EXPECTED_PRIORITY: Final = 1e-6
"""Who is not here is nobody to be served in full."""

_GRADES: Final = ((12, 1 / 12), (12, 1 / 4), (40, 1 / 2))
"""5 min for the first hour, 15 min for three, then half hours."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a planner is told about the time to come.

    Attributes:
        announced: whether departures are those the drivers announced; else the true ones.
        stays: what past stays say about announced departures; None takes these at their word.
        arrivals: sessions expected, by earlier days; None plans for who is here.
    """

    announced: bool = False
    stays: StayForecast | None = None
    arrivals: ArrivalForecast | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a day.

    Attributes:
        power_kw: shape (n_stays, STEPS), as charged.
        violations: step-limits exceeded.
        tick_ms: time of each planning on the wall.
    """

    power_kw: Array
    violations: int
    tick_ms: Array

    @property
    def energy_kwh(self) -> Array:
        """Delivered to each stay, shape (n_stays,)."""
        energy_kwh: Array = self.power_kw.sum(axis=1) * STEP_H
        return energy_kwh


def live(
    day: Day, network: Network, planner: Planner, foresight: Foresight, progress: Callable[[int], None] | None = None
) -> Outcome:
    """The day under a planner, with ideal batteries and chargers that do as they are told."""
    power_kw = np.zeros((len(day.stays), STEPS))
    remaining_kwh = np.array([stay.energy_kwh for stay in day.stays])
    tick_ms: list[float] = []
    violations = 0
    for step in range(STEPS):
        here = [
            row
            for row, stay in enumerate(day.stays)
            if stay.arrival <= step < stay.departure and remaining_kwh[row] > _DONE_KWH
        ]
        if not here:
            continue
        problem = problem_at(day, network, foresight, step, here, remaining_kwh, power_kw)
        begun = time.perf_counter()
        plan = planner.plan(problem)
        tick_ms.append((time.perf_counter() - begun) * 1000)
        applied = np.minimum(plan.power_kw[: len(here), 0], remaining_kwh[here] / STEP_H)
        violations += _broken(day, network, here, applied)
        power_kw[here, step] = applied
        remaining_kwh[here] -= applied * STEP_H
        if progress is not None:
            progress(step)
    return Outcome(power_kw, violations, np.array(tick_ms))


def problem_at(
    day: Day,
    network: Network,
    foresight: Foresight,
    step: int,
    here: Sequence[int],
    remaining_kwh: Array,
    charged_kw: Array | None = None,
) -> PlanningProblem:
    """What a planner is asked at a step: first who is here, then who is expected.

    Args:
        here: rows of the day's stays.
        remaining_kwh: shape (n_stays,).
        charged_kw: shape (n_stays, STEPS), as charged so far; None says nothing of whose turn it was.
    """
    present = [day.stays[row] for row in here]
    needs = [
        _present(
            row,
            stay,
            step,
            float(remaining_kwh[row]),
            foresight,
            None if charged_kw is None else _idle_h(charged_kw[row, :step]),
        )
        for row, stay in zip(here, present, strict=True)
    ]
    pairs = [stay.pair for stay in present]
    if foresight.arrivals is not None:
        expected = _expected(foresight.arrivals, step)
        needs += expected
        pairs += [index % 3 for index in range(len(expected))]
    horizon = _horizon(day, step, max(need.departure_h for need in needs))
    price = np.interp(horizon.edges_h, np.arange(STEPS - step + 1) * STEP_H, _paid(day, step))
    return PlanningProblem(horizon, tuple(needs), np.diff(price) / horizon.hours, network.caps(pairs, horizon.n_steps))


def whole_day(day: Day, network: Network) -> PlanningProblem:
    """The day as one problem in which everything is known from the start: the bound for all who do not."""
    needs = tuple(
        _need(f"stay {row}", stay.energy_kwh, stay.departure * STEP_H, arrival_h=stay.arrival * STEP_H)
        for row, stay in enumerate(day.stays)
    )
    midnight = datetime.combine(day.date, datetime.min.time(), ZONE)
    caps = network.caps([stay.pair for stay in day.stays], STEPS)
    return PlanningProblem(Horizon(midnight, STEP_H, STEPS), needs, day.price_eur_per_kwh, caps)


def _idle_h(charged_kw: Array) -> float | None:
    """Hours since the last of these steps in which it charged; None where it never did."""
    charged = np.flatnonzero(charged_kw)
    return (charged_kw.size - 1 - int(charged[-1])) * STEP_H if charged.size else None


def _present(
    row: int, stay: Stay, step: int, remaining_kwh: float, foresight: Foresight, idle_h: float | None
) -> SessionNeed:
    """Who is here, and how long for by all that is told."""
    name, waited_h, until_midnight_h = f"stay {row}", (step - stay.arrival) * STEP_H, (STEPS - step) * STEP_H
    if not foresight.announced:
        return _need(name, remaining_kwh, (stay.departure - step) * STEP_H, waited_h=waited_h, idle_h=idle_h)
    if foresight.stays is None:
        left = stay.announced - step if stay.announced > step else _OVERDUE_STEPS
        return _need(name, remaining_kwh, min(left * STEP_H, until_midnight_h), waited_h=waited_h, idle_h=idle_h)
    outlook = _outlook(foresight.stays, stay)
    counted_h, likely_h = (
        min(max(outlook.left_h(waited_h, part), STEP_H), until_midnight_h) for part in (COUNTED_ON, LIKELY)
    )
    return _need(name, remaining_kwh, counted_h, waited_h=waited_h, idle_h=idle_h, likely_departure_h=likely_h)


def _outlook(forecast: StayForecast, stay: Stay) -> StayOutlook:
    """What the forecast says of a stay when it begins, from what is known then."""
    announced_h = (stay.announced - stay.arrival) * STEP_H if stay.claimed else np.inf
    return forecast.outlook(announced_h, stay.arrival * STEP_H, stay.energy_kwh)


def _expected(forecast: ArrivalForecast, step: int) -> list[SessionNeed]:
    """Expected arrivals of each hour, a third of them on each pair of lines."""
    until_midnight_h = (STEPS - step) * STEP_H
    return [
        _need(
            f"expected {slot} {pair}",
            coming.energy_kwh / 3,
            min(coming.departure_h, until_midnight_h),
            arrival_h=coming.arrival_h,
            max_kw=max(1.0, coming.count) * MAX_KW / 3,
            priority=_EXPECTED_PRIORITY,
        )
        for slot, coming in enumerate(forecast.rest_of_day(step * STEP_H))
        for pair in range(3)
    ]


def _need(
    name: str,
    energy_kwh: float,
    departure_h: float,
    *,
    arrival_h: float = 0.0,
    waited_h: float = 0.0,
    idle_h: float | None = None,
    max_kw: float = MAX_KW,
    priority: float = 1.0,
    likely_departure_h: float | None = None,
) -> SessionNeed:
    return SessionNeed(
        session_id=SessionId(name),
        connector_id=ConnectorId(ChargerId(name), 1),
        energy_kwh=energy_kwh,
        arrival_h=arrival_h,
        departure_h=departure_h,
        max_kw=max_kw,
        min_kw=0.0,
        kw_per_a=0.208,
        waited_h=waited_h,
        idle_h=idle_h,
        priority=priority,
        likely_departure_h=likely_departure_h,
    )


def _horizon(day: Day, step: int, until_h: float) -> Horizon:
    """Graded steps from now until everybody has left, at most until midnight."""
    lengths_h: list[float] = []
    room_h = min(until_h, (STEPS - step) * STEP_H)
    for count, length_h in _GRADES:
        for _ in range(count):
            if room_h <= 1e-9:
                break
            lengths_h.append(min(length_h, room_h))
            room_h -= lengths_h[-1]
    midnight = datetime.combine(day.date, datetime.min.time(), ZONE)
    return Horizon(midnight + timedelta(hours=step * STEP_H), lengths_h[0], len(lengths_h), tuple(lengths_h))


def _paid(day: Day, step: int) -> Array:
    """What a steady kW has cost from now until each later step, shape (STEPS - step + 1,)."""
    return np.concatenate([[0.0], np.cumsum(day.price_eur_per_kwh[step:] * STEP_H)])


def _broken(day: Day, network: Network, here: Sequence[int], applied_kw: Array) -> int:
    caps = network.caps([day.stays[row].pair for row in here], 1)
    over = sum(not float(cap.load @ applied_kw) <= cap.limit[0] * (1 + 1e-6) for cap in caps)
    return over + int(np.count_nonzero(~((applied_kw >= -1e-6) & (applied_kw <= MAX_KW + 1e-6))))
