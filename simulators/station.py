"""A charge point without its network: outlets, what is plugged in, what they offer and what is drawn.

Pure: it is advanced to a moment and asked. Between two moments the profiles' own changes take effect exactly when
they are due, so nobody has to look in at that moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from simulators.composite import Scene, changes, limit_at
from simulators.profile_store import ProfileStore
from simulators.quirks import Quirks
from simulators.vehicle import PilotState, Vehicle
from twin_core.models.charger import ChargerSpec, ConnectorSpec, ConnectorStatus, ProfilePurpose
from twin_core.models.ids import IdTag
from twin_core.models.quantities import (
    MINIMUM_CURRENT_A,
    NO_CURRENT,
    PhaseCurrents,
    add_currents,
    current_on,
    quantise_down,
)

_LOOK_AHEAD_S = 3600.0
_RESOLUTION_S = 1e-3
"""Unix time in a float is good for about a microsecond: a change may be found this much late, never in vain."""
_DRAWING_A = 0.2
"""Current above which a vehicle counts as charging."""


@dataclass(slots=True)
class LocalTransaction:
    """A transaction as the charge point knows it.

    Attributes:
        id: given by the central system; None until it answered.
        started_s: on the charge point's own UTC clock.
        meter_stop_wh: None while it runs.
        stop_answered: the central system has answered its StopTransaction.
    """

    id_tag: IdTag
    started_s: float
    meter_start_wh: int
    id: int | None = None
    accepted: bool = True
    meter_stop_wh: int | None = None
    stop_answered: bool = False


class Outlet:
    """One connector.

    Attributes:
        register_kwh: lifetime import register.
        offered_a: current the control pilot offers now.
        available: False while it is out of service.
        finishing: a transaction ended and the vehicle is still here.
        out_of_service_next: it goes out of service when the running transaction ends.
    """

    def __init__(self, spec: ConnectorSpec, register_kwh: float = 0.0) -> None:
        self.spec = spec
        self.vehicle: Vehicle | None = None
        self.transaction: LocalTransaction | None = None
        self.offered_a = 0.0
        self.available = True
        self.finishing = False
        self.out_of_service_next = False
        self._base_kwh = register_kwh

    @property
    def number(self) -> int:
        """The connector's number, from 1."""
        return self.spec.id.number

    @property
    def register_kwh(self) -> float:
        """Lifetime import register."""
        return self._base_kwh + (self.vehicle.delivered_kwh if self.vehicle else 0.0)

    @property
    def n_phases(self) -> int:
        """Phases the plugged-in vehicle uses here, all of the connector's when there is none."""
        installed = len(self.spec.phases)
        return min(installed, self.vehicle.battery.n_phases) if self.vehicle else installed

    @property
    def current_a(self) -> float:
        """Current per phase in use."""
        return self.vehicle.current_a if self.vehicle else 0.0

    def grid_currents(self) -> PhaseCurrents:
        """What it draws from each phase of the grid connection."""
        if self.vehicle is None:
            return NO_CURRENT
        return current_on(self.spec.phases[: self.n_phases], self.vehicle.current_a)

    @property
    def pilot(self) -> PilotState:
        """State of the vehicle interface."""
        if not self.available and self.vehicle is None:
            return PilotState.FAULT
        if self.vehicle is None:
            return PilotState.NO_VEHICLE
        charging = self.offered_a >= MINIMUM_CURRENT_A and not self.vehicle.satisfied
        return PilotState.CHARGING if charging else PilotState.CONNECTED

    @property
    def status(self) -> ConnectorStatus:
        """What StatusNotification has to say."""
        if self.vehicle is None:
            return ConnectorStatus.AVAILABLE if self.available else ConnectorStatus.UNAVAILABLE
        if self.transaction is None:
            return ConnectorStatus.FINISHING if self.finishing else ConnectorStatus.PREPARING
        if self.current_a > _DRAWING_A:
            return ConnectorStatus.CHARGING
        if self.offered_a < MINIMUM_CURRENT_A:
            return ConnectorStatus.SUSPENDED_EVSE
        return ConnectorStatus.SUSPENDED_EV if self.vehicle.satisfied else ConnectorStatus.CHARGING

    def release(self) -> Vehicle | None:
        """Take the vehicle out; its energy stays in the register."""
        self._base_kwh = self.register_kwh
        vehicle, self.vehicle = self.vehicle, None
        self.finishing = False
        self.offered_a = 0.0
        return vehicle


class Station:
    """All outlets of one charge point, its supply and its profiles.

    Attributes:
        clock_offset_s: what the charge point's own UTC clock shows, less the monotonic clock.
    """

    def __init__(self, spec: ChargerSpec, quirks: Quirks, *, at_s: float, clock_offset_s: float) -> None:
        self.spec = spec
        self.quirks = quirks
        self.profiles = ProfileStore(quirks)
        self.outlets = {c.id.number: Outlet(c) for c in spec.connectors}
        self.clock_offset_s = clock_offset_s
        self._at_s = at_s
        self._begun_s = at_s
        self._valid_until_s = -math.inf
        self._version = -1

    @property
    def own_s(self) -> float:
        """Unix time on the charge point's own clock, at the moment it was advanced to."""
        return self._at_s + self.clock_offset_s

    @property
    def own_time(self) -> datetime:
        """The charge point's own clock."""
        return datetime.fromtimestamp(self.own_s, UTC)

    def set_clock(self, own_utc: datetime) -> None:
        """Set the charge point's clock."""
        self.clock_offset_s = own_utc.timestamp() - self._at_s
        self.reconsider()

    def uptime_s(self) -> float:
        """Seconds since it began."""
        return self._at_s - self._begun_s

    def scene(self, connector: int) -> Scene:
        """What schedules of a connector depend on."""
        outlet = self.outlets.get(connector)
        if outlet is None:
            return Scene(0)
        running = outlet.transaction
        return Scene(
            connector,
            n_phases=len(outlet.spec.phases),
            transaction_start_s=running.started_s if running else None,
            transaction_id=running.id if running else None,
        )

    def reconsider(self) -> None:
        """What is offered may have changed for another reason than a profile."""
        self._valid_until_s = -math.inf

    def advance(self, to_s: float) -> None:
        """Live on to a moment on the monotonic clock."""
        while True:
            if self._at_s >= self._valid_until_s or self._version != self.profiles.version:
                self._offer()
            until = min(to_s, self._valid_until_s)
            for outlet in self.outlets.values():
                if outlet.vehicle is not None:
                    outlet.vehicle.advance(until)
            self._at_s = max(self._at_s, until)
            if until >= to_s:
                return

    def grid_currents(self) -> PhaseCurrents:
        """What the whole charge point draws from each phase of the grid connection."""
        total = NO_CURRENT
        for outlet in self.outlets.values():
            if outlet.vehicle is not None:
                total = add_currents(total, outlet.grid_currents())
        return total

    def _offer(self) -> None:
        wishes = {number: self._wish(outlet) for number, outlet in self.outlets.items()}
        for number, offered_a in self._share(wishes).items():
            outlet = self.outlets[number]
            outlet.offered_a = offered_a
            if outlet.vehicle is not None:
                outlet.vehicle.offer(offered_a, self._at_s)
        self._version = self.profiles.version
        self._valid_until_s = self._next_change_s()

    def _disobeys(self) -> bool:
        since = self.quirks.disobeys_from_s
        return since is not None and self.uptime_s() >= since

    def _wish(self, outlet: Outlet) -> float:
        """What an outlet may offer by itself."""
        if outlet.transaction is None or not outlet.transaction.accepted or not outlet.available:
            return 0.0
        hardware_a = outlet.spec.hardware_max_a
        if self._disobeys():
            return hardware_a
        limit_a = limit_at(self.profiles.profiles, self.own_s, self.scene(outlet.number))
        offered_a = quantise_down(hardware_a if limit_a is None else min(limit_a, hardware_a), self.quirks.step_a)
        return self.quirks.offers(offered_a if offered_a >= MINIMUM_CURRENT_A else 0.0, outlet, self)

    def _share(self, wishes: dict[int, float]) -> dict[int, float]:
        """Divide the supply, and a ChargePointMaxProfile, evenly among the outlets that want some of it."""
        station_a = self._station_limit_a()
        wanting = [number for number, wish in wishes.items() if wish > 0]
        while wanting and sum(wishes[n] for n in wanting) > station_a:
            even_a = quantise_down(station_a / len(wanting), self.quirks.step_a)
            if even_a >= MINIMUM_CURRENT_A:
                wishes = {n: min(wish, even_a) for n, wish in wishes.items()}
                break
            wishes[wanting.pop()] = 0.0
        return wishes

    def _station_limit_a(self) -> float:
        if self._disobeys():
            return self.spec.supply_max_a
        own = [p for p in self.profiles.profiles if p.purpose is ProfilePurpose.CHARGE_POINT_MAX]
        limit_a = limit_at(own, self.own_s, Scene(0))
        return self.spec.supply_max_a if limit_a is None else min(limit_a, self.spec.supply_max_a)

    def _next_change_s(self) -> float:
        """Monotonic time of the next moment at which an offer may change by itself."""
        horizon_s = self.own_s + _LOOK_AHEAD_S
        moments = [horizon_s]
        for number in self.outlets:
            moments += changes(self.profiles.profiles, self.own_s, horizon_s, self.scene(number))[:1]
        if self.quirks.disobeys_from_s is not None and not self._disobeys():
            moments.append(self._begun_s + self.quirks.disobeys_from_s + self.clock_offset_s)
        return max(min(moments) - self.clock_offset_s, self._at_s + _RESOLUTION_S)
