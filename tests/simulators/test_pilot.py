"""What a control pilot and a cable say, by the tables of IEC 61851-1 annexes A and B."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.pilot import Cable, PilotFault, PilotState, asks_digitally, cable_of, duty_of, offered_by


@pytest.mark.parametrize(
    ("current_a", "duty"),
    [(6, 10), (10, 16.7), (16, 26.7), (20, 33.3), (32, 53.3), (51, 85), (63, 89.2), (70, 92), (80, 96)],
)
def test_a_charger_offers_a_current_by_the_duty_of_the_table(current_a: float, duty: float) -> None:
    assert duty_of(current_a) == pytest.approx(duty, abs=0.05)


@pytest.mark.parametrize("current_a", [0.0, 5.99, -1.0, float("nan")])
def test_below_six_amperes_the_pilot_is_steady(current_a: float) -> None:
    assert duty_of(current_a) is None
    assert offered_by(duty_of(current_a)) == 0.0


@pytest.mark.parametrize(
    ("duty", "current_a"),
    [
        *[(0, 0), (2.9, 0), (5, 0), (7.5, 0), (8, 6), (9.9, 6), (10, 6), (50, 30), (85, 51), (86, 55), (90, 65)],
        *[(96, 80), (96.5, 80), (97, 80), (97.1, 0), (100, 0), (float("nan"), 0)],
    ],
)
def test_a_vehicle_reads_every_duty_as_the_table_says(duty: float, current_a: float) -> None:
    assert offered_by(duty) == pytest.approx(current_a)


@pytest.mark.parametrize(
    ("duty", "digital"), [(2.9, False), (3, True), (5, True), (7, True), (7.1, False), (None, False)]
)
def test_five_percent_asks_for_digital_communication(duty: float | None, digital: bool) -> None:
    assert asks_digitally(duty) is digital


@given(st.floats(6, 80))
def test_what_is_offered_is_what_is_read(current_a: float) -> None:
    """Where the two lines of the table overlap, from 51 to 52.5 A, a vehicle reads up to 1.9 A less; never more."""
    read_a = offered_by(duty_of(current_a))
    assert read_a <= current_a + 1e-9
    assert read_a == pytest.approx(current_a) or 51 < current_a <= 52.5


def test_nobody_offers_more_than_eighty_amperes() -> None:
    assert offered_by(duty_of(125.0)) == 80.0


@pytest.mark.parametrize(
    ("ohm", "cable"),
    [(1500, Cable.A13), (680, Cable.A20), (220, Cable.A32), (100, Cable.A63), (5000, None), (40, None), (350, None)],
)
def test_a_resistor_codes_what_a_cable_bears(ohm: float, cable: Cable | None) -> None:
    assert cable_of(ohm) is cable
    assert cable is None or cable.resistance_ohm == ohm


def test_a_shorted_pilot_shows_e_and_every_other_fault_f() -> None:
    assert {fault: fault.state for fault in PilotFault}[PilotFault.SHORT] is PilotState.NO_PILOT
    assert {fault.state for fault in PilotFault if fault is not PilotFault.SHORT} == {PilotState.FAULT}
