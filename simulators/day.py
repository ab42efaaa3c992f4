"""The visits of a run, whether spelt out, by chance, or as they once really happened."""

from __future__ import annotations

import random
from collections.abc import Sequence

from simulators.acn import replayed_sessions
from simulators.arrivals import generated_sessions, served_together
from simulators.scenario import Scenario
from simulators.visit import PlannedSession
from twin_core.errors import ConfigurationError
from twin_core.models.charger import ConnectorSpec
from twin_core.models.ids import IdTag
from twin_core.models.site import SiteTree


def plan_sessions(
    scenario: Scenario,
    connectors: Sequence[ConnectorSpec],
    minutes: float,
    seed: int,
    site: SiteTree | None = None,
) -> tuple[PlannedSession, ...]:
    """All visits of a run, by arrival.

    Args:
        scenario: who comes.
        connectors: of the site, all of them.
        minutes: length of the run; every visit lies inside it.
        seed: same seed, same visits.
        site: when given, generated sessions are cut to what its limits can serve together.

    Raises:
        ConfigurationError: an explicit session names no connector of the site, or the day to replay is
            not on this machine.
    """
    if scenario.replay is not None:
        planned = list(replayed_sessions(scenario, connectors, minutes))
    elif scenario.sessions:
        planned = _explicit(scenario, connectors, minutes)
    else:
        planned = generated_sessions(scenario, connectors, minutes, random.Random(f"arrivals:{seed}"))
        if site is not None:
            planned = served_together(planned, site, scenario, minutes)
    return tuple(sorted(planned, key=lambda session: (session.arrival_s, str(session.connector_id))))


def _explicit(scenario: Scenario, connectors: Sequence[ConnectorSpec], minutes: float) -> list[PlannedSession]:
    by_name = {str(connector.id): connector for connector in connectors}
    planned = []
    for number, session in enumerate(scenario.sessions, start=1):
        connector = by_name.get(session.connector)
        if connector is None:
            raise ConfigurationError(f"scenario.sessions: there is no connector {session.connector!r}")
        if session.arrive_min >= minutes:
            continue
        kind = scenario.kind(session.kind)
        soc = session.soc
        if soc is None:
            soc = max(0.05, 0.9 - session.energy_kwh * kind.efficiency / kind.battery_kwh)
        planned.append(
            PlannedSession(
                id_tag=IdTag(session.id_tag or kind.tag(number)),
                connector_id=connector.id,
                arrival_s=session.arrive_min * 60,
                departure_s=min(session.depart_min, minutes) * 60,
                energy_kwh=session.energy_kwh,
                soc=soc,
                battery=kind.battery(len(connector.phases)),
                habits=kind.habits,
                proximity_ohm=kind.resistance_ohm,
            )
        )
    return planned
