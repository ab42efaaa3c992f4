"""A vehicle at a control pilot (IEC 61851-1), as far as a charger sees it.

Pure: it is told what is offered and when, and advanced to a moment. It follows the pilot with a delay and a slew that
together never take more than 5 s, takes nothing below 6 A, tapers at high state of charge (CC–CV) and stops by itself
when it has what it wants.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass

from simulators.pilot import asks_digitally, offered_by
from twin_core.models.quantities import MINIMUM_CURRENT_A, power_kw

FOLLOW_S = 5.0
"""Longest time a vehicle may take to follow a change of the pilot (IEC 61851-1)."""
DRAWING_A = 0.2
"""Current above which a vehicle counts as charging."""
_FOLLOW_MARGIN_S = 0.3
_TRICKLE = 0.1
"""Share of its full current that a battery still takes when it is full."""
_CHUNK_S = 10.0
"""Longest stretch over which the battery's acceptance counts as constant."""


@dataclass(frozen=True, slots=True)
class Battery:
    """What a vehicle can take.

    Attributes:
        capacity_kwh: usable energy.
        n_phases: phases the on-board charger uses.
        max_current_a: current per phase it takes at most.
        taper_soc: state of charge above which it takes less and less.
        efficiency: energy into the battery per energy from the socket.
    """

    capacity_kwh: float
    n_phases: int = 3
    max_current_a: float = 32.0
    taper_soc: float = 0.8
    efficiency: float = 0.92

    def acceptance(self, soc: float) -> float:
        """Share of its full current that it takes at a state of charge, in [0.1, 1]."""
        if soc <= self.taper_soc or self.taper_soc >= 1:
            return 1.0
        part = min(1.0, (soc - self.taper_soc) / (1 - self.taper_soc))
        return 1 - (1 - _TRICKLE) * part

    def deliverable_kwh(self, soc: float, offered_a: float, n_phases: int, seconds: float) -> float:
        """Energy from the socket at most, when `offered_a` is offered for `seconds` from a state of charge on."""
        full_kw = power_kw(min(offered_a, self.max_current_a), min(n_phases, self.n_phases))
        if not full_kw > 0:
            return 0.0
        hours = max(0.0, seconds) / 3600
        per_soc = self.capacity_kwh / self.efficiency
        flat_kwh = max(0.0, self.taper_soc - soc) * per_soc
        if full_kw * hours <= flat_kwh or self.taper_soc >= 1:
            return min(full_kw * hours, max(0.0, 1 - soc) * per_soc)
        # Above the taper the acceptance falls linearly with the charge, so the charge rises exponentially.
        band_kwh = (1 - self.taper_soc) * per_soc
        part = max(0.0, (soc - self.taper_soc) / (1 - self.taper_soc)) if self.taper_soc < 1 else 1.0
        cap_kw = power_kw(self.max_current_a, min(n_phases, self.n_phases))
        left_h = hours - flat_kwh / full_kw
        flat_part = min(1.0, (1 - full_kw / cap_kw) / (1 - _TRICKLE))
        if part < flat_part:
            steady_h = min(left_h, (flat_part - part) * band_kwh / full_kw)
            part += steady_h * full_kw / band_kwh
            left_h -= steady_h
        accept = 1 - (1 - _TRICKLE) * part
        end = 1 - accept * math.exp(-(1 - _TRICKLE) * cap_kw * left_h / band_kwh)
        reached = min(1.0, max(part, end / (1 - _TRICKLE)))
        start_kwh = max(0.0, soc - self.taper_soc) * per_soc
        return flat_kwh + reached * band_kwh - start_kwh


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What one vehicle does unlike others.

    Attributes:
        min_current_a: offers below this are as good as none to it.
        needs_ventilation: it asks for state D, and takes nothing where the place is not ventilated.
        sleeps_after_s: offered nothing for so long it sleeps until its pilot is interrupted; None for never.
        digital: it speaks ISO 15118, and follows the current it is told where the pilot says so.
    """

    min_current_a: float = MINIMUM_CURRENT_A
    needs_ventilation: bool = False
    sleeps_after_s: float | None = None
    digital: bool = False


class Vehicle:
    """One plugged-in vehicle.

    Attributes:
        wanted_kwh: energy from the socket after which it stops by itself.
        proximity_ohm: by which the cable that it brought says what it bears; None for one that is part of the charger.
        n_phases: phases it draws from where it is plugged in.
        delivered_kwh: energy from the socket so far.
        current_a: current per phase it draws now.
        soc: state of charge now, in [0, 1].
    """

    def __init__(
        self,
        battery: Battery,
        *,
        soc: float,
        wanted_kwh: float,
        at_s: float,
        rng: random.Random,
        habits: Habits = Habits(),
        proximity_ohm: float | None = None,
    ) -> None:
        self.battery = battery
        self.soc = soc
        self.wanted_kwh = wanted_kwh
        self.habits = habits
        self.proximity_ohm = proximity_ohm
        self.n_phases = battery.n_phases
        self.delivered_kwh = 0.0
        self.current_a = 0.0
        self._at_s = at_s
        self._pilot_a = 0.0
        self._announced_a = 0.0
        self._pending: deque[tuple[float, float]] = deque()
        self._asleep_from_s = self._bedtime_s()
        self._delay_s = rng.uniform(0.3, 2.5)
        # Fast enough to lose its whole current in what is left of the 5 s: then no offer older than 5 s still counts.
        slowest = battery.max_current_a / (FOLLOW_S - _FOLLOW_MARGIN_S - self._delay_s)
        self._slew_a_per_s = slowest * rng.uniform(1.0, 2.5)

    @property
    def satisfied(self) -> bool:
        """Whether it has what it wants, or its battery is full."""
        return self.delivered_kwh >= self.wanted_kwh - 1e-9 or self.soc >= 1 - 1e-9

    @property
    def asleep(self) -> bool:
        """Whether it no longer looks at the pilot."""
        return self._at_s >= self._asleep_from_s

    def asks(self, offered_a: float) -> bool:
        """Whether it would close its contactor (state C or D) at an offer."""
        return offered_a >= self.habits.min_current_a and not self.satisfied and not self.asleep

    def connect(self, n_phases: int) -> None:
        """It is, or goes on, at an outlet with so many phases."""
        self.n_phases = min(n_phases, self.battery.n_phases)

    def offer(self, duty: float | None, at_s: float, *, message_a: float | None = None) -> None:
        """The pilot changes at a moment not before the one it was advanced to.

        Args:
            duty: in percent; None for a steady pilot.
            at_s: when.
            message_a: current per phase that it is told digitally, where the duty cycle says that it is.
        """
        offered_a = (message_a or 0.0) if asks_digitally(duty) else offered_by(duty)
        if offered_a != self._announced_a:
            self._announced_a = offered_a
            self._pending.append((at_s + self._delay_s, offered_a))

    def cut(self) -> None:
        """The charger opens its contactor: nothing flows from this moment on, and the pilot offers nothing."""
        self.current_a = 0.0
        self._pending.clear()
        self._announced_a = 0.0
        self._see(0.0)

    def arrive(self, at_s: float) -> None:
        """It is plugged in: what it did not live through, it stood somewhere else."""
        self._at_s = max(self._at_s, at_s)
        self.wake()

    def wake(self) -> None:
        """The pilot was interrupted: a sleeping vehicle looks at it again."""
        self._asleep_from_s = self._bedtime_s()

    def advance(self, to_s: float) -> None:
        """Live on to a moment."""
        while self._at_s < to_s:
            while self._pending and self._pending[0][0] <= self._at_s:
                self._see(self._pending.popleft()[1])
            until = min(to_s, self._at_s + _CHUNK_S)
            if self._pending:
                until = min(until, self._pending[0][0])
            self._draw(until - self._at_s)
            self._at_s = until

    def steady_until_s(self) -> float:
        """Until when it surely neither begins nor ceases to charge while nobody touches the pilot."""
        target_a = self._target_a()
        if (target_a > DRAWING_A) != (self.current_a > DRAWING_A):
            return self._at_s
        moments = [self._pending[0][0]] if self._pending else []
        if not self.asleep:
            moments.append(self._asleep_from_s)
        most_kw = power_kw(max(target_a, self.current_a), self.n_phases)
        if most_kw > 0:
            moments.append(self._at_s + self._room_kwh() / most_kw * 3600)
        return min(moments, default=math.inf)

    def _room_kwh(self) -> float:
        """Energy from the socket that it will still take."""
        return min(
            self.wanted_kwh - self.delivered_kwh,
            (1 - self.soc) * self.battery.capacity_kwh / self.battery.efficiency,
        )

    def _bedtime_s(self) -> float:
        return math.inf if self.habits.sleeps_after_s is None else self._at_s + self.habits.sleeps_after_s

    def _see(self, pilot_a: float) -> None:
        """The pilot it goes by changes; a pause is what sends it to sleep."""
        paused, was_paused = pilot_a < MINIMUM_CURRENT_A, self._pilot_a < MINIMUM_CURRENT_A
        self._pilot_a = pilot_a
        if not self.asleep and paused != was_paused:
            self._asleep_from_s = self._bedtime_s() if paused else math.inf

    def _target_a(self) -> float:
        if not self.asks(self._pilot_a):
            return 0.0
        return min(self._pilot_a, self.battery.acceptance(self.soc) * self.battery.max_current_a)

    def _draw(self, dt_s: float) -> None:
        target = self._target_a()
        gap = target - self.current_a
        ramp_s = min(dt_s, abs(gap) / self._slew_a_per_s)
        reached = target if ramp_s < dt_s else self.current_a + math.copysign(self._slew_a_per_s * ramp_s, gap)
        ampere_s = (self.current_a + reached) / 2 * ramp_s + reached * (dt_s - ramp_s)
        energy_kwh = power_kw(ampere_s, self.n_phases) / 3600
        room_kwh = self._room_kwh()
        self.current_a = reached
        if energy_kwh >= room_kwh:
            energy_kwh = max(0.0, room_kwh)
            self.current_a = 0.0
        self.delivered_kwh += energy_kwh
        self.soc = min(1.0, self.soc + energy_kwh * self.battery.efficiency / self.battery.capacity_kwh)
