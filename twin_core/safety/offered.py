"""What a charger passes on of its limit, where that is less than the limit itself."""

from __future__ import annotations

from twin_core.models.charger import ConnectorReading, RateUnit
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

LEAST_PART = 0.8
"""A charger that passes on less than this of its limit is no better than a vehicle that takes less."""

LOWEST_V, HIGHEST_V = 0.9 * NOMINAL_VOLTAGE_V, 1.1 * NOMINAL_VOLTAGE_V
"""Voltages EN 50160 allows."""


def passed_on_a(limit_a: float, reading: ConnectorReading | None, unit: RateUnit) -> float:
    """The current per phase that a vehicle with an appetite draws under a limit.

    What the charger says it offers, if anything. Watts are written for the lowest voltage that may be, so that at the
    voltage measured, or the highest, they are fewer amperes than were granted.
    """
    offered_a = None if reading is None else reading.offered_a
    if offered_a is None and unit is RateUnit.WATT:
        voltage_v = HIGHEST_V if reading is None or reading.voltage_v is None else reading.voltage_v
        offered_a = limit_a * LOWEST_V / min(HIGHEST_V, max(LOWEST_V, voltage_v))
    if offered_a is None or not offered_a >= LEAST_PART * limit_a:
        return limit_a
    return min(limit_a, offered_a)
