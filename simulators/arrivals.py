"""Vehicles that come to the depot by chance: pure and seeded.

What they want is cut until one schedule is known that serves them all within every limit of the site: a demand that
nobody could meet would say nothing about who failed to meet it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import replace

from simulators.scenario import Arrivals, Scenario, VehicleKind
from simulators.visit import SETTLE_S, PlannedSession, feasible_kwh
from simulators.witness import Witness
from twin_core.models.charger import ConnectorSpec
from twin_core.models.ids import IdTag
from twin_core.models.site import SiteTree

logger = logging.getLogger(__name__)

_TURNAROUND_S = 45.0
"""Between one vehicle's leaving a connector and the next one's coming."""
_REACTION_S = 90.0
"""A gateway gets this long to plan and the vehicle to start; what a stay allows is counted from then on."""
_LEAST_KWH = 0.05
_ROUNDS = 10
_SLACK = 0.7
"""Of what the known schedule gives a session, it wants at most this share: leases, ramps and whole steps cost some."""


def generated_sessions(
    scenario: Scenario, connectors: Sequence[ConnectorSpec], minutes: float, rng: random.Random
) -> list[PlannedSession]:
    """Visits by chance: each at a connector that is free, with a vehicle that is not here."""
    rules, run_s = scenario.arrivals, minutes * 60
    wanted = len(connectors) if rules.count is None else rules.count
    first_s, last_s = min(SETTLE_S, 0.1 * run_s), rules.until_share * run_s
    moments = sorted(rng.uniform(first_s, last_s) for _ in range(wanted))
    free_from = {connector.id: 0.0 for connector in connectors}
    away_from: dict[str, float] = {}
    planned: list[PlannedSession] = []
    for arrival_s in moments:
        free = [connector for connector in connectors if free_from[connector.id] <= arrival_s]
        if not free:
            logger.info("turned away", extra={"arrival_s": round(arrival_s), "reason": "every connector is taken"})
            continue
        connector = rng.choice(free)
        kind, tag = _vehicle(scenario, arrival_s, away_from, rng)
        session = _visit(kind, tag, connector, arrival_s, run_s, rules, rng)
        free_from[connector.id] = session.departure_s + _TURNAROUND_S
        away_from[tag] = session.departure_s
        planned.append(session)
    return planned


def _vehicle(
    scenario: Scenario, arrival_s: float, away_from: dict[str, float], rng: random.Random
) -> tuple[VehicleKind, str]:
    """A vehicle of the fleet that is not at the depot; a guest of some kind when all are."""
    away = [
        (kind, kind.tag(number))
        for kind in scenario.fleet
        for number in range(1, kind.count + 1)
        if away_from.get(kind.tag(number), 0.0) <= arrival_s
    ]
    if away:
        return rng.choice(away)
    kind = rng.choice(scenario.fleet)
    return kind, kind.tag(kind.count + 1 + len(away_from))


def _visit(
    kind: VehicleKind,
    tag: str,
    connector: ConnectorSpec,
    arrival_s: float,
    run_s: float,
    rules: Arrivals,
    rng: random.Random,
) -> PlannedSession:
    stay_s = rng.uniform(*rules.stay_share) * run_s
    # Spread over the end of the run rather than pile up at its last moment.
    latest_s = rng.uniform(0.85, 1.0) * rules.gone_by_share * run_s
    departure_s = max(arrival_s + 0.25 * run_s, min(arrival_s + stay_s, latest_s))
    session = PlannedSession(
        id_tag=IdTag(tag),
        connector_id=connector.id,
        arrival_s=arrival_s,
        departure_s=departure_s,
        energy_kwh=rng.uniform(*rules.energy_kwh),
        soc=rng.uniform(0.1, 0.5),
        battery=kind.battery(len(connector.phases)),
        habits=kind.habits,
        proximity_ohm=kind.resistance_ohm,
    )
    reaction_s = min(_REACTION_S, 0.3 * session.stay_s)
    most_kwh = feasible_kwh(session, connector, reaction_s=reaction_s) * rules.use_share
    energy_kwh = min(session.energy_kwh, most_kwh, (0.98 - session.soc) * kind.battery_kwh / kind.efficiency)
    return replace(session, energy_kwh=max(_LEAST_KWH, round(energy_kwh, 2)))


def served_together(
    planned: list[PlannedSession], site: SiteTree, scenario: Scenario, minutes: float
) -> list[PlannedSession]:
    """Cut what sessions want to what one schedule within all limits gives them, in even rounds so that nobody starves.

    The schedule gives in the order of departure; a session that gets nothing in the first round is turned away.
    """
    witness = Witness(site, scenario, minutes)
    given_kwh = dict.fromkeys(planned, 0.0)
    for _ in range(_ROUNDS):
        for session in sorted(planned, key=lambda s: (s.departure_s, str(s.connector_id))):
            begin_s = session.arrival_s + min(_REACTION_S, 0.3 * session.stay_s)
            portion_kwh = session.energy_kwh / _SLACK / _ROUNDS
            given_kwh[session] += witness.serve(
                session.connector_id, session.battery, begin_s, session.departure_s, portion_kwh
            )
    served = []
    for session, kwh in given_kwh.items():
        energy_kwh = round(min(session.energy_kwh, kwh * _SLACK), 2)
        if energy_kwh >= _LEAST_KWH:
            served.append(replace(session, energy_kwh=energy_kwh))
        else:
            logger.info("turned away", extra={"id_tag": session.id_tag, "reason": "the site has no room"})
    return served
