"""A charge point without its network: outlets, what is plugged in, what they offer and what is drawn.

Pure: it is advanced to a moment and asked. Between two moments the profiles' own changes take effect exactly when
they are due, so nobody has to look in at that moment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from simulators.composite import Profile, Scene, Step, composite
from simulators.hardware import Hardware
from simulators.outlet import LocalTransaction, Outlet
from simulators.pilot import PilotFault
from simulators.profile_store import ProfileStore
from simulators.quirks import Quirks
from simulators.sharing import Claim, share
from simulators.wakeup import Waker
from twin_core.models.charger import ChargerSpec, ProfilePurpose
from twin_core.models.quantities import MINIMUM_CURRENT_A, NO_CURRENT, PhaseCurrents, add_currents, quantise_down

__all__ = ["LocalTransaction", "Outlet", "Station"]

MATCH_S = 15.0
"""Time in which a charger tries to reach a vehicle by ISO 15118 before it offers by the duty cycle what it has."""
SWITCH_S = 10.0
"""Pause a charger makes to go over to another number of phases."""
_LOOK_AHEAD_S = 3600.0
_RESOLUTION_S = 1e-3
"""Unix time in a float is good for about a microsecond: a change may be found this much late, never in vain."""


class Station:
    """All outlets of one charge point, its supply and its profiles.

    Attributes:
        hardware: its maker's choices.
        clock_offset_s: what the charge point's own UTC clock shows, less the monotonic clock.
        on_reconsider: called when what is offered may have changed for another reason than a profile.
    """

    def __init__(
        self,
        spec: ChargerSpec,
        quirks: Quirks,
        *,
        at_s: float,
        clock_offset_s: float,
        hardware: Hardware = Hardware(),  # noqa: B008 - frozen, so sharing it is safe
    ) -> None:
        self.spec = spec
        self.quirks = quirks
        self.profiles = ProfileStore(quirks)
        self.outlets = {c.id.number: Outlet(c) for c in spec.connectors}
        self._switching: dict[int, tuple[int, float]] = {}
        self._n_phases = len({phase for c in spec.connectors for phase in c.phases})
        self.clock_offset_s = clock_offset_s
        self._at_s = at_s
        self._begun_s = at_s
        self._valid_until_s = -math.inf
        self._version = -1
        self.on_reconsider: Callable[[], None] = lambda: None
        self.hardware = hardware
        self._wakers = {number: Waker(hardware.wakes_after_s) for number in self.outlets}
        for outlet in self.outlets.values():
            outlet.meter_error = hardware.meter_error
        for outlet, rotation in zip(self.outlets.values(), hardware.rotation, strict=False):
            outlet.turn(rotation)

    @property
    def own_s(self) -> float:
        """Unix time on the charge point's own clock, at the moment it was advanced to."""
        return self._at_s + self.clock_offset_s

    @property
    def own_time(self) -> datetime:
        """The charge point's own clock."""
        return datetime.fromtimestamp(self.own_s, UTC)

    def set_clock(self, own_s: float) -> None:
        """Set the charge point's clock, at the moment it was advanced to, to a Unix time."""
        self.clock_offset_s = own_s - self._at_s
        self.reconsider()

    def uptime_s(self) -> float:
        """Seconds since it began."""
        return self._at_s - self._begun_s

    def scene(self, connector: int) -> Scene:
        """What schedules of a connector depend on."""
        outlet = self.outlets.get(connector)
        if outlet is None:
            return Scene(0, n_phases=self._n_phases)
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
        self.on_reconsider()

    def steady_until_s(self) -> float:
        """Until when no outlet changes its status by itself, on the monotonic clock; surely not too late."""
        if self._version != self.profiles.version:
            return self._at_s
        vehicles = [outlet.vehicle for outlet in self.outlets.values() if outlet.vehicle is not None]
        return min(self._valid_until_s, *(vehicle.steady_until_s() for vehicle in vehicles), math.inf)

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

    def fail(self, number: int, fault: PilotFault) -> None:
        """Something breaks at a connector: its contactor opens at once."""
        outlet = self.outlets[number]
        outlet.broken = (*outlet.broken, fault)
        outlet.offered_a = 0.0
        if outlet.vehicle is not None:
            outlet.vehicle.cut()
        self.reconsider()

    def mend(self, number: int, fault: PilotFault | None = None) -> None:
        """A fault at a connector is over, all of them where none is named; what else is broken there stays so."""
        outlet = self.outlets[number]
        left = list(outlet.broken)
        if fault in left:
            left.remove(fault)
        outlet.broken = () if fault is None else tuple(left)
        self.reconsider()

    # What is offered -------------------------------------------------------------------------------------------------

    def _offer(self) -> None:
        """Decide what every pilot offers, and until when that stands if nobody interferes."""
        horizon_s = self._at_s + _LOOK_AHEAD_S
        moments = [horizon_s]
        claims: list[Claim] = []
        for outlet in self.outlets.values():
            claim, until_s = self._claim(outlet)
            moments.append(until_s)
            if claim is not None:
                claims.append(claim)
        cap_a, until_s = self._supply()
        granted = share(
            claims,
            cap_a,
            self.hardware.sharing,
            connectors=len(self.outlets),
            step_a=self.quirks.step_a,
        )
        for number, outlet in self.outlets.items():
            moments.append(self._set_pilot(outlet, granted.get(number, 0.0)))
        if self.quirks.disobeys_from_s is not None and not self._disobeys():
            moments.append(self._begun_s + self.quirks.disobeys_from_s)
        self._version = self.profiles.version
        self._valid_until_s = max(min(*moments, until_s), self._at_s + _RESOLUTION_S)

    def _set_pilot(self, outlet: Outlet, granted_a: float) -> float:
        """Offer a current, or what a waking pulse leaves of it; when that has to be looked at again."""
        vehicle = outlet.vehicle
        if vehicle is None:
            outlet.offered_a = granted_a
            return math.inf
        pulse, again_s = self._wakers[outlet.number].look(vehicle, granted_a, self._at_s)
        outlet.interrupted = pulse
        outlet.offered_a = 0.0 if pulse else granted_a
        matched_s = self._matched_s(outlet)
        speaks = self.hardware.digital and outlet.fault is None
        outlet.digital = speaks and (vehicle.habits.digital or self._at_s < matched_s)
        message_a = outlet.offered_a if vehicle.habits.digital and self._at_s >= matched_s else None
        vehicle.offer(outlet.duty_percent, self._at_s, message_a=message_a)
        return min(again_s, matched_s) if self._at_s < matched_s else again_s

    def _matched_s(self, outlet: Outlet) -> float:
        """When it is known whether the vehicle speaks ISO 15118, on the monotonic clock."""
        if not self.hardware.digital or outlet.transaction is None:
            return -math.inf
        return outlet.transaction.started_s - self.clock_offset_s + MATCH_S

    def _disobeys(self) -> bool:
        since = self.quirks.disobeys_from_s
        return since is not None and self.uptime_s() >= since

    def _claim(self, outlet: Outlet) -> tuple[Claim | None, float]:
        """What an outlet asks of the supply, None for nothing, and until when on the monotonic clock."""
        running, vehicle = outlet.transaction, outlet.vehicle
        if running is None or vehicle is None or not running.accepted or not outlet.available:
            return None, math.inf
        if vehicle.habits.needs_ventilation and not self.hardware.ventilated:
            return None, math.inf
        step, until_s = self._now(self.profiles.profiles, self.scene(outlet.number))
        if self._disobeys():
            step = Step(step.start_s, None)
        ready_s = self._phases_ready_s(outlet, step.n_phases)
        if ready_s > self._at_s:
            return None, min(until_s, ready_s)
        wish_a = self._wish(outlet, step.limit_a)
        # A limit below what pays is obeyed; the supply is only not cut up so small by the charger itself.
        least_a = max(MINIMUM_CURRENT_A, min(step.least_a, wish_a))
        phases = outlet.wiring(outlet.phases_on)
        return Claim(outlet.number, wish_a, phases, running.started_s, least_a), until_s

    def _wish(self, outlet: Outlet, limit_a: float | None) -> float:
        """What an outlet would offer if it had the supply to itself."""
        hardware_a = outlet.most_a
        offered_a = quantise_down(hardware_a if limit_a is None else min(limit_a, hardware_a), self.quirks.step_a)
        return self.quirks.offers(offered_a if offered_a >= MINIMUM_CURRENT_A else 0.0, outlet, self)

    def _phases_ready_s(self, outlet: Outlet, asked: int | None) -> float:
        """When the contactor closes as many phases as a profile asks for, where the charger can choose at all."""
        installed = len(outlet.spec.phases)
        wanted = 1 if asked == 1 else installed
        if not self.hardware.switches_phases or wanted == outlet.phases_on:
            self._switching.pop(outlet.number, None)
            return self._at_s
        target, ready_s = self._switching.get(outlet.number, (0, 0.0))
        if target != wanted:
            ready_s = self._at_s + SWITCH_S
            self._switching[outlet.number] = (wanted, ready_s)
        if self._at_s >= ready_s:
            outlet.close(wanted)
            del self._switching[outlet.number]
        return ready_s

    def _supply(self) -> tuple[float, float]:
        """Current per phase that all outlets share, and until when on the monotonic clock."""
        own = [p for p in self.profiles.profiles if p.purpose is ProfilePurpose.CHARGE_POINT_MAX]
        if not own or self._disobeys():
            return self.spec.supply_max_a, math.inf
        step, until_s = self._now(own, self.scene(0))
        cap_a = self.spec.supply_max_a if step.limit_a is None else min(step.limit_a, self.spec.supply_max_a)
        return cap_a, until_s

    def _now(self, profiles: Iterable[Profile], scene: Scene) -> tuple[Step, float]:
        """The limit in force, and when it changes by itself on the monotonic clock."""
        steps = composite(profiles, self.own_s, self.own_s + _LOOK_AHEAD_S, scene)
        return steps[0], math.inf if len(steps) == 1 else steps[1].start_s - self.clock_offset_s
