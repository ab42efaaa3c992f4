"""What a charger passes on of its limit."""

from __future__ import annotations

import math

import pytest

from twin_core.models.charger import ConnectorReading, RateUnit
from twin_core.safety.offered import passed_on_a

AMPERE, WATT = RateUnit.AMPERE, RateUnit.WATT


@pytest.mark.parametrize(
    ("reading", "unit", "expected_a"),
    [
        (None, AMPERE, 20.0),
        (ConnectorReading(voltage_v=230.0), AMPERE, 20.0),
        (ConnectorReading(offered_a=18.0), AMPERE, 18.0),
        (ConnectorReading(offered_a=25.0), AMPERE, 20.0),
        (ConnectorReading(offered_a=9.0), AMPERE, 20.0),
        (ConnectorReading(offered_a=math.nan), AMPERE, 20.0),
        (ConnectorReading(voltage_v=230.0), WATT, 18.0),
        (ConnectorReading(voltage_v=207.0), WATT, 20.0),
        (ConnectorReading(voltage_v=60.0), WATT, 20.0),
        (ConnectorReading(offered_a=19.0, voltage_v=230.0), WATT, 19.0),
        (None, WATT, 20.0 * 207.0 / 253.0),
    ],
)
def test_a_limit_of_twenty_amperes_is_passed_on_as(
    reading: ConnectorReading | None, unit: RateUnit, expected_a: float
) -> None:
    assert passed_on_a(20.0, reading, unit) == pytest.approx(expected_a)
