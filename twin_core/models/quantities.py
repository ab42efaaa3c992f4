"""Time and electricity as values.

Units live in names: kW, kWh, A, V, h; power into a vehicle and import at the site are positive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

NOMINAL_VOLTAGE_V = 230.0
"""Line to neutral, Europe (IEC 60038)."""

MINIMUM_CURRENT_A = 6.0
"""The lowest current a control pilot can offer (IEC 61851-1, 10 % duty); below it there is only 0."""


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """One moment on both clocks.

    Attributes:
        monotonic_s: seconds on the loop's clock; all durations and deadlines are counted on it.
        utc: aware UTC time; used for prices, departures and what chargers are told, never for safety durations.
    """

    monotonic_s: float
    utc: datetime

    def later(self, seconds: float) -> Instant:
        """The moment `seconds` after this one, if no clock is set meanwhile."""
        return Instant(self.monotonic_s + seconds, self.utc + timedelta(seconds=seconds))


class Phase(IntEnum):
    """A line conductor of the grid connection; also the index into every `(3,)` array."""

    L1 = 0
    L2 = 1
    L3 = 2


ALL_PHASES: tuple[Phase, ...] = (Phase.L1, Phase.L2, Phase.L3)

PhaseCurrents = tuple[float, float, float]
"""Amperes on L1, L2 and L3 of the grid connection."""

NO_CURRENT: PhaseCurrents = (0.0, 0.0, 0.0)


def add_currents(left: PhaseCurrents, right: PhaseCurrents) -> PhaseCurrents:
    """Sum by phase."""
    return (left[0] + right[0], left[1] + right[1], left[2] + right[2])


def current_on(phases: Iterable[Phase], current_a: float) -> PhaseCurrents:
    """The same current on each of the given phases, nothing on the others."""
    values = [0.0, 0.0, 0.0]
    for phase in phases:
        values[phase] = current_a
    return (values[0], values[1], values[2])


def power_kw(current_a: float, n_phases: int, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
    """Power of a balanced load of `current_a` on `n_phases` lines at unity power factor."""
    return current_a * n_phases * voltage_v / 1000.0


def current_a(power_kw: float, n_phases: int, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
    """Current per line of a balanced load of `power_kw` on `n_phases` lines at unity power factor."""
    return power_kw * 1000.0 / (n_phases * voltage_v)


def quantise_down(value: float, step: float) -> float:
    """The largest multiple of `step` not above `value`, robust to binary fractions such as 6.3 / 0.1.

    A value within one part in 10⁶ of the next multiple counts as that multiple; NaN and negatives give 0.
    """
    if not value > 0:
        return 0.0
    return round(math.floor(value / step + 1e-6) * step, 6)
