"""Seeded problems that planning is measured on: the thesis' fleet on one limit, a site tree, V2G, a demand charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import (
    Array,
    Cap,
    Horizon,
    PlanningProblem,
    SessionNeed,
    SiteFlows,
    VehicleBattery,
)

START = datetime(2026, 6, 1, tzinfo=UTC)
EV_KW = 22.0


def plain(n_sessions: int, n_steps: int, kw_per_ev: float = 11.3, seed: int = 7) -> PlanningProblem:
    """A day of the thesis' fleet (set-up a) below one limit: arrivals Beta(5.52, 12), stays N(6, 1) h, three phases.

    Args:
        n_sessions: vehicles in the day.
        n_steps: steps in the day.
        kw_per_ev: limit of the site for each of them; 11.3 leaves room, 7 is tight, 5 is scarce.
        seed: of the arrivals, stays and demands.
    """
    random = np.random.default_rng(seed)
    arrival_h = random.beta(5.52, 12.0, n_sessions) * 24.0
    stay_h = np.minimum(np.maximum(random.normal(6.0, 1.0, n_sessions), 0.5), 24.0 - arrival_h)
    share = random.uniform(0.0, 1.0, n_sessions)
    sessions = tuple(
        _car(i, arrival_h[i], arrival_h[i] + stay_h[i], share[i] * EV_KW * stay_h[i]) for i in range(n_sessions)
    )
    return PlanningProblem(
        horizon=Horizon(START, 24.0 / n_steps, n_steps),
        sessions=sessions,
        price_eur_per_kwh=day_ahead(n_steps, random),
        caps=(Cap("site", np.ones(n_sessions), np.full(n_steps, kw_per_ev * n_sessions)),),
    )


def day_ahead(n_steps: int, random: np.random.Generator) -> Array:
    """Prices with a morning and an evening peak and a little noise, in €/kWh."""
    hour = np.arange(n_steps) * 24.0 / n_steps
    morning, evening = np.exp(-(((hour - 8.5) / 2.0) ** 2)), np.exp(-(((hour - 19.0) / 2.5) ** 2))
    prices: Array = 0.085 + 0.02 * morning + 0.035 * evening + 0.001 * random.normal(size=n_steps)
    return prices


def tree(n_sessions: int = 1200, n_steps: int = 96, n_stations: int = 60, room: float = 1.0) -> PlanningProblem:
    """The fleet below stations, ten feeders and three phases: a third of the cars charges on one phase each.

    Args:
        room: factor on every limit.
    """
    problem = plain(n_sessions, n_steps)
    index = np.arange(n_sessions)
    single, phase = index % 3 == 0, index // 3 % 3
    sessions = tuple(
        replace(s, max_kw=7.4, min_kw=1.4, kw_per_a=0.23, energy_kwh=s.energy_kwh / 3) if single[i] else s
        for i, s in enumerate(problem.sessions)
    )
    per_station, groups = n_sessions // n_stations, index * n_stations // n_sessions
    caps = [
        Cap(f"station {k}", (groups == k).astype(float), np.full(n_steps, 8.0 * per_station)) for k in range(n_stations)
    ]
    feeders = index * 10 // n_sessions
    caps += [
        Cap(f"feeder {k}", (feeders == k).astype(float), np.full(n_steps, 7.5 * n_sessions / 10)) for k in range(10)
    ]
    for p in range(3):
        load = np.where(single, np.where(phase == p, 1 / 0.23, 0.0), 1 / 0.69)
        caps.append(Cap(f"site L{p + 1}", load, np.full(n_steps, 7.0 * n_sessions / 0.69)))
    return replace(problem, sessions=sessions, caps=tuple(replace(c, limit=c.limit * room) for c in caps))


def three_phase_tree(
    n_sessions: int = 1200, n_steps: int = 96, n_stations: int = 60, room: float = 1.0
) -> PlanningProblem:
    """The same limits above cars that all charge on three phases."""
    problem = tree(n_sessions, n_steps, n_stations, room)
    load = np.full(n_sessions, 1 / 0.69)
    caps = tuple(replace(c, load=load) if c.name.startswith("site") else c for c in problem.caps)
    return replace(plain(n_sessions, n_steps), caps=caps)


def demand_charge(n_sessions: int = 1200, n_steps: int = 96) -> PlanningProblem:
    """The fleet where the highest import of the day costs 0.25 €/kW."""
    problem = plain(n_sessions, n_steps)
    nothing = np.zeros(n_steps)
    flows = SiteFlows(nothing, nothing, nothing, demand_charge_eur_per_kw=0.25)
    return replace(problem, site=flows)


def v2g(n_sessions: int = 50, n_steps: int = 96) -> PlanningProblem:
    """Vehicles that may give back, prices 2.5 times as spread, a floor on what the site may export."""
    problem = plain(n_sessions, n_steps)
    mean = problem.price_eur_per_kwh.mean()
    batteries = [
        VehicleBattery(
            capacity_kwh=s.energy_kwh + 40.0,
            stored_kwh=20.0,
            least_kwh=10.0,
            discharge_max_kw=EV_KW,
            wear_eur_per_kwh=0.005,
        )
        for s in problem.sessions
    ]
    sessions = tuple(replace(s, battery=battery) for s, battery in zip(problem.sessions, batteries, strict=True))
    price = mean + 2.5 * (problem.price_eur_per_kwh - mean)
    site = replace(problem.caps[0], floor=-problem.caps[0].limit)
    return replace(problem, sessions=sessions, price_eur_per_kwh=price, caps=(site,))


def _car(index: int, arrival_h: float, departure_h: float, energy_kwh: float) -> SessionNeed:
    return SessionNeed(
        session_id=SessionId(f"car {index}"),
        connector_id=ConnectorId(ChargerId(f"charger {index}"), 1),
        energy_kwh=float(energy_kwh),
        arrival_h=float(arrival_h),
        departure_h=float(departure_h),
        max_kw=EV_KW,
        min_kw=4.1,
        kw_per_a=0.69,
    )
