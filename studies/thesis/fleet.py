"""The cars of a day, drawn by the set-up's distributions, and the planning problem they make."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from studies.prices import PriceHistory, by_step
from studies.thesis.scenario import DAY_H, CarsSetUp, EmissionSetUp, Group
from twin_core.models.ids import ChargerId, ConnectorId, SessionId
from twin_core.models.problem import Array, Cap, Horizon, PlanningProblem, SessionNeed

KG_PER_T = 1000.0
G_PER_KG = 1000.0
_MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
_KW_PER_A = 3 * 0.23


def draw(set_up: CarsSetUp, prices: PriceHistory, seed: int) -> PlanningProblem:
    """The day of one seed; the same seed is the same day.

    Args:
        set_up: who comes and what is paid.
        prices: a history, of which the set-up's days give the mean price of each hour.
        seed: of the draw.

    Raises:
        ConfigurationError: the history has none of the set-up's days.
    """
    rng = np.random.default_rng(seed)
    drawn = [row for group in set_up.groups for row in _group(group, set_up, rng)]
    drawn.sort()
    shortfall_eur_per_kwh = 1.0 if isinstance(set_up, EmissionSetUp) else set_up.shortfall_eur_per_kwh
    sessions = tuple(
        SessionNeed(
            session_id=SessionId(f"car-{number:04d}"),
            connector_id=ConnectorId(ChargerId(f"CP{number:04d}"), 1),
            energy_kwh=energy_kwh,
            arrival_h=arrival_h,
            departure_h=departure_h,
            max_kw=set_up.max_kw,
            min_kw=0.0,
            kw_per_a=_KW_PER_A,
            shortfall_eur_per_kwh=shortfall_eur_per_kwh,
        )
        for number, (arrival_h, departure_h, energy_kwh) in enumerate(drawn, start=1)
    )
    history = prices.between(set_up.prices.first, set_up.prices.last)
    return PlanningProblem(
        horizon=Horizon(_MIDNIGHT, set_up.step_h, set_up.steps),
        sessions=sessions,
        price_eur_per_kwh=by_step(history.hourly_mean(), set_up.steps),
        caps=(Cap("site", np.ones(len(sessions)), np.full(set_up.steps, set_up.cap_kw)),),
        carbon_kg_per_kwh=carbon_kg_per_kwh(set_up) if isinstance(set_up, EmissionSetUp) else None,
        carbon_eur_per_kg=carbon_eur_per_kg(set_up, set_up.carbon.weight) if isinstance(set_up, EmissionSetUp) else 0.0,
    )


def carbon_kg_per_kwh(set_up: EmissionSetUp) -> Array:
    """Carbon intensity of each step, shape (n_steps,)."""
    return by_step(np.array(set_up.carbon.hourly_g_per_kwh) / G_PER_KG, set_up.steps)


def carbon_eur_per_kg(set_up: EmissionSetUp, weight: float) -> float:
    """What a kg counts at a weight λ: λ times the carbon price."""
    return weight * set_up.carbon.price_eur_per_t / KG_PER_T


def _group(group: Group, set_up: CarsSetUp, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Arrival, departure and energy wanted of each car, in h, h and kWh."""
    step_h = set_up.step_h
    arrival_h = DAY_H * rng.beta(*group.arrival_beta, group.cars)
    stay_h = np.maximum(rng.normal(group.stay_mean_h, group.stay_sd_h, group.cars), step_h)
    part = rng.beta(*group.demand_beta, group.cars)
    # Whoever comes in the last step of the day still finds one whole step.
    arrival_h = np.minimum(arrival_h, DAY_H - step_h)
    if set_up.whole_steps:
        arrival_h = np.floor(arrival_h / step_h) * step_h
        stay_h = np.floor(stay_h / step_h) * step_h
    departure_h = np.minimum(arrival_h + np.maximum(stay_h, step_h), DAY_H)
    energy_kwh = part * set_up.max_kw * (departure_h - arrival_h)
    return list(zip(arrival_h.tolist(), departure_h.tolist(), energy_kwh.tolist(), strict=True))
