"""What a problem and its histories say about the uncertain, as the variants under uncertainty take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

import numpy as np

from connectors.problems.history import BaseLoadDays, History, PriceDays, StayDays
from connectors.problems.problem_file import FuturePart, ProblemFile
from connectors.problems.series import laid_out
from connectors.problems.translation import need_of, planning_problem
from twin_core.errors import ConfigurationError
from twin_core.forecasting.departures import hours_left, spread_departures
from twin_core.forecasting.scenarios import bootstrap_days, gaussian_days, hourly_on_steps, shrunk_covariance
from twin_core.forecasting.stay_scenarios import arrival_scenarios
from twin_core.models.hours import hour_shares
from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.models.quantities import NOMINAL_VOLTAGE_V
from twin_core.planning.uncertainty.outlook import Outlook
from twin_core.planning.uncertainty.two_stage import Future

Way = Literal["bootstrap", "gaussian"]
"""How days of prices are drawn: whole past days, or a Gaussian with their mean and shrunk covariance."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How scenarios are drawn from a history.

    Attributes:
        count: how many.
        seed: the same seed draws the same.
        way: of prices; stays are drawn as whole days.
    """

    count: int = 50
    seed: int = 0
    way: Way = "bootstrap"


def outlook_of(
    file: ProblemFile, problem: PlanningProblem, histories: Sequence[History] = (), draw: Draw | None = None
) -> Outlook:
    """Scenarios as the problem gives them, and those drawn from histories in place of those it does not give.

    Raises:
        ConfigurationError: a scenario does not fit the problem; the text names the field.
    """
    known = _from_file(file, problem)
    draw = draw or Draw()
    for history in histories:
        rng = np.random.default_rng(draw.seed)
        match history:
            case PriceDays():
                known = _with_prices(known, problem, history, draw, rng)
            case BaseLoadDays():
                sigma = {**known.base_load_sigma}
                for node, days in history.by_node.items():
                    hourly = np.std(days, axis=0, ddof=1)[None]
                    sigma.update(_sigma(file, problem, node, hourly_on_steps(hourly, problem.horizon)[0]))
                known = replace(known, base_load_sigma=sigma)
            case StayDays():
                known = _with_stays(known, problem, history, draw, rng)
            case _:
                assert_never(history)
    if known.futures and known.left_h is None and not callable(known.futures):
        known = replace(known, left_h=tuple(np.array([f.departure_h for f in known.futures]).T))
    # Imminent steps that are rounded to what can be offered are planned anew from a later start.
    return replace(known, horizon=problem.horizon)


def _from_file(file: ProblemFile, problem: PlanningProblem) -> Outlook:
    part = file.outlook
    if part is None:
        return Outlook()
    horizon, given = problem.horizon, part.prices_eur_per_kwh
    rows = [laid_out(f"outlook: prices_eur_per_kwh.{n}", series, horizon) for n, series in enumerate(given)]
    sigma: dict[str, Array | float] = {}
    for node, series in part.base_load_sigma_kw.items():
        field = f"outlook: base_load_sigma_kw.{node}"
        sigma.update(_sigma(file, problem, node, laid_out(field, series, horizon)))
    covariance = None
    if len(rows) > 1:
        covariance = shrunk_covariance(_by_hour(np.array(rows), problem)).covariance
    return Outlook(
        prices_eur_per_kwh=np.array(rows) if rows else None,
        hour_covariance=covariance,
        base_load_sigma=sigma,
        futures=tuple(_future(file, problem, future) for future in part.futures),
    )


def _by_hour(prices: Array, problem: PlanningProblem) -> Array:
    """Prices of scenarios by the hour of the day, shape (n_scenarios, 24); hours outside the horizon never vary."""
    shares = hour_shares(problem.horizon)
    weight = shares.sum(axis=1)
    means: Array = np.divide(prices @ shares.T, weight, out=np.zeros((len(prices), weight.size)), where=weight > 0)
    return means


def _with_prices(
    known: Outlook, problem: PlanningProblem, history: PriceDays, draw: Draw, rng: np.random.Generator
) -> Outlook:
    covariance = known.hour_covariance
    if covariance is None:
        covariance = shrunk_covariance(history.eur_per_kwh).covariance
    if known.prices_eur_per_kwh is not None:
        return replace(known, hour_covariance=covariance)
    drawn = bootstrap_days if draw.way == "bootstrap" else gaussian_days
    days = drawn(history.eur_per_kwh, draw.count, rng)
    return replace(known, prices_eur_per_kwh=hourly_on_steps(days, problem.horizon), hour_covariance=covariance)


def _sigma(file: ProblemFile, problem: PlanningProblem, node: str, sigma_kw: Array) -> dict[str, Array | float]:
    """What the spread of a node's base load is at its own limits: in kW, and in A with a third on each phase."""
    root = next((n.id for n in file.nodes if n.parent is None), "")
    name = node or root
    if name not in {n.id for n in file.nodes}:
        raise ConfigurationError(f"base load of node {name!r}: there is no such node in the problem")
    a_per_kw = 1000.0 / (3.0 * NOMINAL_VOLTAGE_V)
    caps = {cap.name for cap in problem.caps}
    units = {"kW": 1.0, "L1": a_per_kw, "L2": a_per_kw, "L3": a_per_kw}
    return {f"{name} {unit}": sigma_kw * per_kw for unit, per_kw in units.items() if f"{name} {unit}" in caps}


def _future(file: ProblemFile, problem: PlanningProblem, part: FuturePart) -> Future:
    departure_h = [
        file.hours_of(part.departures[s.session_id]) if s.session_id in part.departures else s.departure_h
        for s in problem.sessions
    ]
    arrivals = tuple(need_of(file, session) for session in part.arrivals)
    load = None
    if arrivals:
        # An arrival at a known place loads what a session there would: the caps of the problem with it in it say so.
        beside = file.model_copy(update={"sessions": (*file.sessions, *part.arrivals)})
        load = _arrival_load(beside, problem, len(arrivals))
    return Future(np.array(departure_h, dtype=float), arrivals, load)


def _arrival_load(file: ProblemFile, problem: PlanningProblem, n_arrivals: int) -> Array:
    caps = {cap.name: cap for cap in planning_problem(file).caps}
    rows = [caps[cap.name].load[-n_arrivals:] for cap in problem.caps]
    return np.array(rows, dtype=float).reshape(len(problem.caps), n_arrivals)


def _with_stays(
    known: Outlook, problem: PlanningProblem, history: StayDays, draw: Draw, rng: np.random.Generator
) -> Outlook:
    """Departures of those who are here from the lengths of past stays, arrivals of whole past days."""
    if known.futures:
        return known
    past_h = np.array([stay.stay_h for day in history.days for stay in day])
    waited_h = np.array([s.waited_h for s in problem.sessions])
    end_h = float(problem.horizon.edges_h[-1])
    announced_h = np.array([min(s.departure_h, 2 * end_h) for s in problem.sessions])
    left_h = tuple(
        left if session.arrival_h <= 0 else announced_h[row : row + 1]
        for row, (session, left) in enumerate(
            zip(problem.sessions, hours_left(past_h, waited_h, announced_h), strict=True)
        )
    )
    departure_h = spread_departures(left_h, draw.count, rng)
    return replace(known, futures=_futures(problem, history, departure_h, rng), left_h=left_h)


def _futures(
    problem: PlanningProblem, history: StayDays, departure_h: Array, rng: np.random.Generator
) -> tuple[Future, ...]:
    """One future for each row of departures, with the arrivals of a whole past day."""
    end_h = float(problem.horizon.edges_h[-1])
    start = problem.horizon.start
    now_h = start.hour + start.minute / 60.0
    days = arrival_scenarios(history.days, now_h, end_h, len(departure_h), rng)
    max_kw = history.max_kw or float(np.mean([s.max_kw for s in problem.sessions] or [11.0]))
    return tuple(
        Future(left_h, tuple(_visitor(n, stay.arrival_h, stay.stay_h, stay.energy_kwh, max_kw) for n, stay in day))
        for left_h, day in zip(departure_h, (tuple(enumerate(day)) for day in days), strict=True)
    )


def _visitor(number: int, arrival_h: float, stay_h: float, energy_kwh: float, max_kw: float) -> SessionNeed:
    name = f"arrival {number + 1}"
    kw_per_a = 3.0 * NOMINAL_VOLTAGE_V / 1000.0
    return SessionNeed(
        session_id=SessionId(name),
        connector_id=ConnectorId(ChargerId(name), 1),
        energy_kwh=energy_kwh,
        arrival_h=arrival_h,
        departure_h=arrival_h + stay_h,
        max_kw=max_kw,
        min_kw=min(max_kw, 6.0 * kw_per_a),
        kw_per_a=kw_per_a,
    )
