"""Small planning problems, by hand and by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st

from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import (
    Array,
    Cap,
    Horizon,
    PlanningProblem,
    SessionNeed,
    SiteBattery,
    SiteFlows,
    Taper,
    VehicleBattery,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def car(name: str, energy_kwh: float, arrival_h: float = 0.0, departure_h: float = 100.0, **other: Any) -> SessionNeed:
    """A session of a car that takes 10 kW unless `other` says otherwise."""
    fields = {"max_kw": 10.0, "min_kw": 1.38, "kw_per_a": 0.23, **other}
    return SessionNeed(SessionId(name), ConnectorId(ChargerId(name), 1), energy_kwh, arrival_h, departure_h, **fields)


def depot(
    sessions: Sequence[SessionNeed],
    site_kw: float | Sequence[float] | None = None,
    prices: Sequence[float] = (0.2, 0.2, 0.2, 0.2),
    step_h: float = 1.0,
    caps: Sequence[Cap] = (),
) -> PlanningProblem:
    """A problem with one step for each price, a limit on the sum of powers and perhaps further caps."""
    n_steps = len(prices)
    site = () if site_kw is None else (Cap("site", np.ones(len(sessions)), np.full(n_steps, 1.0) * np.array(site_kw)),)
    return PlanningProblem(
        Horizon(NOON, step_h, n_steps), tuple(sessions), np.array(prices, dtype=float), (*site, *caps)
    )


def limit(name: str, load: Sequence[float], limits: Sequence[float]) -> Cap:
    return Cap(name, np.array(load, dtype=float), np.array(limits, dtype=float))


def energy_kwh(problem: PlanningProblem, power_kw: Array) -> list[float]:
    return [float(e) for e in power_kw @ problem.horizon.hours[: power_kw.shape[1]]]


PRICES = st.floats(-0.3, 0.8)
POWERS = st.sampled_from([0.0, 3.7, 7.4, 11.0, 22.0])
LOADS = st.sampled_from([0.0, 0.0, 1.0, 1.45, 4.35])
LIMITS = st.one_of(st.sampled_from([-5.0, 0.0, float("inf")]), st.floats(0.0, 80.0))


def series(values: st.SearchStrategy[float], length: int) -> st.SearchStrategy[list[float]]:
    """A value for every step."""
    return st.lists(values, min_size=length, max_size=length)


@st.composite
def cars(draw: st.DrawFn, name: str) -> SessionNeed:
    """A car that is gone, here or coming, and wants nothing, something or too much."""
    return car(
        name,
        draw(st.one_of(st.just(0.0), st.floats(-1.0, 60.0))),
        draw(st.floats(-2.0, 6.0)),
        draw(st.one_of(st.just(float("inf")), st.floats(-1.0, 9.0))),
        max_kw=draw(POWERS),
        waited_h=draw(st.floats(0.0, 5.0)),
        shortfall_eur_per_kwh=draw(st.sampled_from([0.0, 0.1, 1.0, 5.0])),
        priority=draw(st.sampled_from([1.0, 1.0, 4.0])),
    )


@st.composite
def problems(draw: st.DrawFn) -> PlanningProblem:
    """Up to six cars, gone, here and coming, wanting nothing or too much, below up to four caps, some of them shut."""
    n_sessions = draw(st.integers(0, 6))
    n_steps = draw(st.integers(0, 8))
    sessions = [draw(cars(f"car {i}")) for i in range(n_sessions)]
    prices = draw(series(PRICES, n_steps))
    caps = [
        limit(f"cap {c}", draw(series(LOADS, n_sessions)), draw(series(LIMITS, n_steps)))
        for c in range(draw(st.integers(0, 4)))
    ]
    return depot(sessions, None, prices, draw(st.sampled_from([1 / 12, 0.25, 0.5, 1.0])), caps)


@st.composite
def single_cap_problems(draw: st.DrawFn) -> PlanningProblem:
    """Cars below one cap on the sum of their powers: the plain site."""
    problem = draw(problems())
    shut = draw(series(LIMITS, problem.horizon.n_steps))
    return replace(problem, caps=(limit("site", [1.0] * len(problem.sessions), shut),))


@st.composite
def tree_problems(draw: st.DrawFn) -> PlanningProblem:
    """Cars below stations below a site, as the sum of powers: any two caps are one inside the other or apart."""
    problem = draw(problems())
    n_sessions, n_steps = len(problem.sessions), problem.horizon.n_steps
    station = [draw(st.integers(0, 2)) for _ in range(n_sessions)]
    caps = [limit(f"station {s}", [float(at == s) for at in station], draw(series(LIMITS, n_steps))) for s in range(3)]
    feeder = limit("feeder", [float(at < 2) for at in station], draw(series(LIMITS, n_steps)))
    return replace(problem, caps=(*caps, feeder, limit("site", [1.0] * n_sessions, draw(series(LIMITS, n_steps)))))


def graded(draw: st.DrawFn, problem: PlanningProblem) -> PlanningProblem:
    """The same with a length for every step, the whole still short of a day."""
    lengths_h = draw(series(st.sampled_from([1 / 12, 0.25, 1.0, 2.0]), problem.horizon.n_steps))
    if not lengths_h:
        return problem
    return replace(problem, horizon=Horizon(NOON, lengths_h[0], len(lengths_h), tuple(lengths_h)))


def with_carbon(draw: st.DrawFn, problem: PlanningProblem) -> PlanningProblem:
    """The same where the carbon of energy is known and counts, or does not."""
    carbon = np.array(draw(series(st.floats(0.0, 0.9), problem.horizon.n_steps)))
    return replace(problem, carbon_kg_per_kwh=carbon, carbon_eur_per_kg=draw(st.sampled_from([0.0, 0.07, 0.6])))


@st.composite
def session_problems(draw: st.DrawFn) -> PlanningProblem:
    """Sessions and caps and nothing else, over equal steps or unequal ones, with or without carbon."""
    problem = draw(st.one_of(problems(), single_cap_problems(), tree_problems()))
    if draw(st.booleans()):
        problem = graded(draw, problem)
    return with_carbon(draw, problem) if draw(st.booleans()) else problem


@st.composite
def site_batteries(draw: st.DrawFn) -> SiteBattery:
    """A battery that need not end fuller than it begins."""
    capacity_kwh = draw(st.sampled_from([5.0, 20.0, 60.0]))
    stored_kwh = capacity_kwh * draw(st.sampled_from([0.1, 0.5, 1.0]))
    return SiteBattery(
        capacity_kwh,
        stored_kwh,
        draw(st.sampled_from([0.0, 5.0, 20.0])),
        draw(st.sampled_from([0.0, 5.0, 20.0])),
        least_kwh=0.1 * capacity_kwh,
        end_kwh=stored_kwh * draw(st.sampled_from([0.0, 1.0])),
        charge_efficiency=draw(st.sampled_from([0.8, 0.95, 1.0])),
        discharge_efficiency=draw(st.sampled_from([0.9, 1.0])),
        wear_eur_per_kwh=draw(st.sampled_from([0.0, 0.03])),
    )


@st.composite
def site_problems(draw: st.DrawFn) -> PlanningProblem:
    """Sessions behind a meter with base load, sun, an export price, perhaps a demand charge and a battery."""
    problem = draw(session_problems())
    n_steps = problem.horizon.n_steps
    battery = draw(st.one_of(st.none(), site_batteries()))
    site = SiteFlows(
        base_kw=np.array(draw(series(st.floats(0.0, 30.0), n_steps))),
        pv_kw=np.array(draw(series(st.sampled_from([0.0, 8.0, 40.0]), n_steps))),
        export_eur_per_kwh=np.array(draw(series(st.floats(-0.2, 0.5), n_steps))),
        demand_charge_eur_per_kw=draw(st.sampled_from([0.0, 0.25, 4.0])),
        peak_so_far_kw=draw(st.sampled_from([0.0, 15.0])),
        battery=battery,
    )
    loads = [0.0 if battery is None else draw(st.sampled_from([0.0, 1.0, 1.45])) for _ in problem.caps]
    caps = tuple(_beside_a_battery(cap, load) for cap, load in zip(problem.caps, loads, strict=True))
    return replace(problem, site=site, caps=caps)


def _beside_a_battery(cap: Cap, load: float) -> Cap:
    """A limit that the site's battery loads too; one below zero would ask the battery for what it may not have."""
    return replace(cap, battery_load=load, limit=np.maximum(cap.limit, 0.0)) if load else cap


def with_v2g(draw: st.DrawFn, problem: PlanningProblem) -> PlanningProblem:
    """The same where some vehicles give back, and caps have floors."""
    sessions = tuple(_bidirectional(draw, s) if draw(st.booleans()) else s for s in problem.sessions)
    caps = tuple(
        replace(c, limit=np.maximum(c.limit, 0.0), floor=np.full(c.limit.size, -draw(st.sampled_from([0.0, 9.0]))))
        if draw(st.booleans())
        else c
        for c in problem.caps
    )
    return replace(problem, sessions=sessions, caps=caps)


def _bidirectional(draw: st.DrawFn, session: SessionNeed) -> SessionNeed:
    capacity_kwh = draw(st.sampled_from([30.0, 60.0]))
    battery = VehicleBattery(
        capacity_kwh,
        stored_kwh=capacity_kwh * draw(st.sampled_from([0.2, 0.5, 0.9])),
        least_kwh=0.2 * capacity_kwh,
        discharge_max_kw=draw(st.sampled_from([0.0, 7.4, 11.0])),
        charge_efficiency=draw(st.sampled_from([0.85, 0.95, 1.0])),
        discharge_efficiency=draw(st.sampled_from([0.9, 1.0])),
        wear_eur_per_kwh=draw(st.sampled_from([0.0, 0.05])),
    )
    return replace(session, battery=battery)


def with_slow_cars(draw: st.DrawFn, problem: PlanningProblem) -> PlanningProblem:
    """The same where some vehicles taper near full or rise slowly."""
    return replace(problem, sessions=tuple(_slow(draw, s) for s in problem.sessions))


def _slow(draw: st.DrawFn, session: SessionNeed) -> SessionNeed:
    flat_kwh = draw(st.sampled_from([0.0, 4.0, 15.0]))
    return replace(
        session,
        taper=draw(st.sampled_from([None, Taper(flat_kwh, flat_kwh + 10.0)])),
        ramp_kw_per_h=draw(st.sampled_from([float("inf"), 4.0, 40.0])),
        now_kw=min(session.max_kw, draw(st.sampled_from([0.0, 3.7]))),
    )


@st.composite
def v2g_problems(draw: st.DrawFn) -> PlanningProblem:
    """Sessions of which some give back, with or without the site's own flows."""
    return with_v2g(draw, draw(st.one_of(session_problems(), site_problems())))


@st.composite
def rich_problems(draw: st.DrawFn) -> PlanningProblem:
    """Everything a problem can hold but whole-numbered setpoints and phase switching."""
    problem = draw(st.one_of(session_problems(), site_problems()))
    if draw(st.booleans()):
        problem = with_v2g(draw, problem)
    return with_slow_cars(draw, problem) if draw(st.booleans()) else problem
