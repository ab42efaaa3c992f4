"""How a charger wakes a vehicle that does not take what it is offered: it interrupts the pilot for a moment."""

from __future__ import annotations

import math

from simulators.vehicle import Vehicle
from twin_core.models.quantities import MINIMUM_CURRENT_A

PULSE_S = 4.0
"""How long the pilot is interrupted."""
MAX_PULSES = 3
"""A vehicle that is full does not take what it is offered either: after so many pulses it is left alone."""


class Waker:
    """Wakes what is plugged into one outlet.

    Args:
        after_s: a vehicle that takes nothing for so long is woken; None for never.
    """

    def __init__(self, after_s: float | None) -> None:
        self._after_s = after_s
        self._vehicle: Vehicle | None = None
        self._ignored_since_s: float | None = None
        self._pulse_until_s: float | None = None
        self._pulses = 0

    def look(self, vehicle: Vehicle, granted_a: float, at_s: float) -> tuple[bool, float]:
        """Whether the pilot is interrupted now, and when to look again."""
        if self._after_s is None:
            return False, math.inf
        if vehicle is not self._vehicle:
            self._vehicle, self._pulse_until_s = vehicle, None
            self._rest()
        if self._pulse_until_s is not None:
            if at_s < self._pulse_until_s:
                return True, self._pulse_until_s
            self._pulse_until_s, self._ignored_since_s = None, None
            vehicle.wake()
        if granted_a < MINIMUM_CURRENT_A or vehicle.asks(granted_a):
            self._rest()
            return False, math.inf
        return self._ignored(at_s, self._after_s)

    def _ignored(self, at_s: float, after_s: float) -> tuple[bool, float]:
        if self._ignored_since_s is None:
            self._ignored_since_s = at_s
        if self._pulses >= MAX_PULSES:
            return False, math.inf
        due_s = self._ignored_since_s + after_s
        if at_s < due_s:
            return False, due_s
        self._pulses += 1
        self._pulse_until_s = at_s + PULSE_S
        return True, self._pulse_until_s

    def _rest(self) -> None:
        self._ignored_since_s, self._pulses = None, 0
