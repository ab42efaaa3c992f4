"""A whole simulated depot: charge points on their sockets, vehicles that come and go, meters and drivers' wishes."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.base_load import base_currents
from simulators.charge_point import ChargePoint
from simulators.day import plan_sessions
from simulators.fitting import check_fit
from simulators.limits import Limits
from simulators.meters import Publish, publish_meter
from simulators.quirks import quirks
from simulators.scenario import Build, Scenario
from simulators.staging import happen
from simulators.vehicle import Vehicle
from simulators.visit import PlannedSession, feasible_kwh
from twin_core.errors import ConfigurationError
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId
from twin_core.models.quantities import NO_CURRENT, Instant, PhaseCurrents, add_currents
from twin_core.models.site import SiteTree
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

_ANNOUNCED_S = 5.0
"""Drivers' wishes are known this long before they plug in."""
_BOOT_SPREAD_S = 3.0
_COMPLETE = 0.99
"""A session that got this share of what it wanted counts as completed: the last watt-hours hide in rounding."""


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """How a visit ended.

    Attributes:
        requested_kwh: wanted.
        feasible_kwh: what the stay allows at full power, taper included.
        delivered_kwh: truly charged.
        started: a transaction began.
        completed: it got what it wanted, or all that its stay allows.
    """

    id_tag: IdTag
    connector_id: ConnectorId
    arrival: datetime
    departure: datetime
    requested_kwh: float
    feasible_kwh: float
    delivered_kwh: float
    started: bool
    completed: bool


class DepotSimulation:
    """The other side of a gateway's wires, for one site and one scenario.

    Attributes:
        ready: set when every charge point has been accepted.
        planned: every visit that is going to happen.
        charge_points: by name of the charger.
    """

    def __init__(
        self,
        scenario: Scenario,
        site: SiteTree,
        *,
        clock: Clock,
        minutes: float,
        seed: int,
        ocpp_url: str,
        publish: Publish,
        sessions: Iterable[PlannedSession] | None = None,
    ) -> None:
        """Prepare it; nothing is opened yet.

        Args:
            scenario: what happens.
            site: what is installed.
            clock: of the whole run.
            minutes: length of the run.
            seed: same seed, same day.
            ocpp_url: of the gateway, without an identity.
            publish: publishes (topic, payload, retain) over MQTT; may raise OSError while the broker is away.
            sessions: in place of those that the scenario plans, such as a replayed day.

        Raises:
            ConfigurationError: the scenario names something that the site has not.
        """
        check_fit(scenario, site)
        self.scenario = scenario
        self.site = site
        self.minutes = minutes
        self.ready = asyncio.Event()
        self.planned = (
            plan_sessions(scenario, tuple(site.connector_by_id.values()), minutes, seed, site)
            if sessions is None
            else tuple(sessions)
        )
        self.charge_points = {
            spec.id: ChargePoint(
                spec,
                ocpp_url,
                clock=clock,
                rng=random.Random(f"charger:{seed}:{spec.id}"),
                quirks=quirks(scenario.quirks.get(spec.id, ())),
                hardware=scenario.hardware.get(spec.id, Build()).hardware,
            )
            for spec in site.chargers
        }
        for name, values in scenario.settings.items():
            _deliver(self.charge_points[ChargerId(name)], values)
        self._present: dict[ConnectorId, PlannedSession] = {}
        self._clock = clock
        self._seed = seed
        self._publish = publish
        self._begun: Instant | None = None
        self._outcomes: list[SessionOutcome] = []
        self._currents_at = -1.0
        self._currents: dict[NodeId, PhaseCurrents] = {}

    @property
    def outcomes(self) -> tuple[SessionOutcome, ...]:
        """Visits that are over, in the order they ended."""
        return tuple(self._outcomes)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began; 0 before."""
        return 0.0 if self._begun is None else self._clock.now().monotonic_s - self._begun.monotonic_s

    async def run(self) -> None:
        """Switch everything on, let the day happen, and return when its minutes are over."""
        self._begun = self._clock.now()
        end_s = self._begun.monotonic_s + self.minutes * 60
        async with asyncio.TaskGroup() as group:
            lasting = [
                group.create_task(self._switch_on(charge_point), name=f"charger-{name}")
                for name, charge_point in self.charge_points.items()
            ]
            lasting += [
                group.create_task(publish_meter(meter, self.true_currents, self._publish, self._clock, self._seed))
                for meter in self.scenario.meters
            ]
            lasting.append(group.create_task(self._watch_boots(), name="boots"))
            lasting.append(group.create_task(self._announce_limits(), name="limits"))
            lasting += [
                group.create_task(happen(event, self.charge_points, self._until, self._staying), name=event.what)
                for event in self.scenario.events
            ]
            visits = [group.create_task(self._visit(session)) for session in self.planned]
            await asyncio.gather(*visits)
            await asyncio.sleep(max(0.0, end_s - self._clock.now().monotonic_s))
            for task in lasting:
                task.cancel()

    def true_currents(self) -> dict[NodeId, PhaseCurrents]:
        """What truly flows through each node now, vehicles and base load, by phase."""
        now = self._clock.now()
        if now.monotonic_s != self._currents_at:
            self._currents = self._sum_up(now)
            self._currents_at = now.monotonic_s
        return self._currents

    def _sum_up(self, now: Instant) -> dict[NodeId, PhaseCurrents]:
        total = dict.fromkeys((node.id for node in self.site.nodes), NO_CURRENT)
        local = self.scenario.begins + timedelta(seconds=self.elapsed_s)
        for load in self.scenario.base_load:
            total[NodeId(load.node)] = base_currents(
                load, self._seed, self.elapsed_s, local.astimezone(self.scenario.zone)
            )
        for name, charge_point in self.charge_points.items():
            node = NodeId(name)
            total[node] = add_currents(total[node], charge_point.grid_currents())
        # Parents come before their children, so backwards every child is complete when it is added.
        for entry in reversed(self.site.nodes):
            if entry.parent is not None:
                total[entry.parent] = add_currents(total[entry.parent], total[entry.id])
        return total

    async def _switch_on(self, charge_point: ChargePoint) -> None:
        await asyncio.sleep(random.Random(f"boot:{self._seed}:{charge_point.spec.id}").uniform(0, _BOOT_SPREAD_S))
        await charge_point.run()

    async def _watch_boots(self) -> None:
        for charge_point in self.charge_points.values():
            await charge_point.booted.wait()
        self.ready.set()

    async def _until(self, elapsed_s: float) -> None:
        await asyncio.sleep(max(0.0, elapsed_s - self.elapsed_s))

    async def _visit(self, session: PlannedSession) -> None:
        """One vehicle's visit: wish, plug in, stay, leave."""
        begun = self._begun or self._clock.now()
        rng = random.Random(f"vehicle:{self._seed}:{session.connector_id}:{session.arrival_s}")
        await self._until(session.arrival_s - _ANNOUNCED_S)
        if self.scenario.requests:
            await self._announce_wish(session, begun)
        await self._until(session.arrival_s)
        charge_point = self.charge_points[session.connector_id.charger]
        vehicle = Vehicle(
            session.battery,
            soc=session.soc,
            wanted_kwh=session.energy_kwh,
            at_s=self._clock.now().monotonic_s,
            rng=rng,
            habits=session.habits,
            proximity_ohm=session.proximity_ohm,
        )
        self._present[session.connector_id] = session
        started = await charge_point.plug(session.connector_id.number, vehicle, session.id_tag)
        await self._until(session.departure_s)
        if self._present.get(session.connector_id) is session:
            del self._present[session.connector_id]
        await charge_point.leave(session.connector_id.number, session.id_tag)
        outcome = self._outcome(session, vehicle, begun, started=started)
        self._outcomes.append(outcome)
        if not outcome.completed:
            wanted = {"requested_kwh": outcome.requested_kwh, "feasible_kwh": round(outcome.feasible_kwh, 3)}
            got = {"delivered_kwh": round(outcome.delivered_kwh, 3), "stayed_min": round(session.stay_s / 60, 1)}
            logger.warning("left unserved", extra={"connector": str(session.connector_id), **wanted, **got})

    def _staying(self, connector: ConnectorId) -> IdTag | None:
        session = self._present.get(connector)
        return None if session is None else session.id_tag

    def _outcome(self, session: PlannedSession, vehicle: Vehicle, begun: Instant, *, started: bool) -> SessionOutcome:
        connector = self.site.connector_by_id[session.connector_id]
        most_kwh = feasible_kwh(session, connector)
        return SessionOutcome(
            id_tag=session.id_tag,
            connector_id=session.connector_id,
            arrival=begun.later(session.arrival_s).utc,
            departure=begun.later(session.departure_s).utc,
            requested_kwh=session.energy_kwh,
            feasible_kwh=most_kwh,
            delivered_kwh=vehicle.delivered_kwh,
            started=started,
            completed=vehicle.delivered_kwh >= _COMPLETE * min(session.energy_kwh, most_kwh),
        )

    async def _announce_wish(self, session: PlannedSession, begun: Instant) -> None:
        wish = {
            "id_tag": session.id_tag,
            "connector": str(session.connector_id),
            "energy_kwh": round(session.energy_kwh, 3),
            "departure": _utc(begun.later(session.departure_s)),
            "soc": round(session.soc, 3),
        }
        await self._say(f"depot/{self.site.name}/request", wish)

    async def _announce_limits(self) -> None:
        """Say every change of a limit when it is made and when it is taken back."""
        limits = Limits(self.site, self.scenario.limit_changes)
        moments = [(change.at_min, change) for change in self.scenario.limit_changes]
        moments += [(c.until_min, c) for c in self.scenario.limit_changes if c.until_min is not None]
        for minute, change in sorted(moments, key=lambda moment: moment[0]):
            await self._until(minute * 60)
            limit_a, limit_kw = limits.at(NodeId(change.node), minute * 60)
            message: dict[str, object] = {"node": change.node, "limit_a": limit_a, "limit_kw": limit_kw}
            reason = change.reason if minute == change.at_min else f"{change.reason}: back to normal"
            await self._say(f"depot/{self.site.name}/limit", {**message, "reason": reason})

    async def _say(self, topic: str, message: dict[str, object]) -> None:
        try:
            await self._publish(topic, json.dumps(message).encode(), False)
        except OSError as error:
            logger.warning("not announced", extra={"topic": topic, "reason": str(error)[:120]})


def _utc(moment: Instant) -> str:
    return moment.utc.isoformat(timespec="seconds").replace("+00:00", "Z")


def _deliver(charge_point: ChargePoint, values: Mapping[str, str]) -> None:
    """Give a charge point the settings it is delivered with.

    Raises:
        ConfigurationError: it has no such key, or the key takes no such value.
    """
    for key, value in values.items():
        if charge_point.controller.configuration.set(key, value) != "Accepted":
            raise ConfigurationError(f"scenario.settings.{charge_point.spec.id}.{key}: it cannot be {value!r}")
