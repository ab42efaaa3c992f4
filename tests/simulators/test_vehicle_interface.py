"""What a charger says at the vehicle interface, and what a vehicle makes of it, second by second."""

from __future__ import annotations

import pytest

from simulators.hardware import Hardware
from simulators.pilot import DIGITAL_DUTY, Cable, PilotFault, PilotState, duty_of
from simulators.station import MATCH_S, Station
from simulators.vehicle import FOLLOW_S, Habits
from simulators.wakeup import MAX_PULSES, PULSE_S
from tests.simulators.stations import begin, station, told, vehicle
from twin_core.models.charger import ConnectorStatus


def drawn(one: Station, number: int = 1) -> float:
    return one.outlets[number].current_a


def test_the_pilot_goes_from_a_to_b_to_c_and_back() -> None:
    one = station()
    outlet = one.outlets[1]
    seen = [(outlet.pilot, outlet.duty_percent)]
    outlet.vehicle = vehicle()
    one.advance(1.0)
    seen.append((outlet.pilot, outlet.duty_percent))
    begin(one, 1, vehicle(), 1.0)
    one.advance(2.0)
    seen.append((outlet.pilot, outlet.duty_percent))
    outlet.release()
    seen.append((outlet.pilot, outlet.duty_percent))
    steady, full = None, duty_of(32.0)
    assert seen == [
        (PilotState.NO_VEHICLE, steady),
        (PilotState.CONNECTED, steady),
        (PilotState.CHARGING, full),
        (PilotState.NO_VEHICLE, steady),
    ]


@pytest.mark.parametrize("fault", list(PilotFault))
def test_a_fault_opens_the_contactor_at_once_and_charging_goes_on_when_it_is_mended(fault: PilotFault) -> None:
    one = station()
    begin(one, 1, vehicle())
    one.advance(20.0)
    assert drawn(one) == 32.0
    one.fail(1, fault)
    outlet = one.outlets[1]
    assert (drawn(one), outlet.status, outlet.pilot) == (0.0, ConnectorStatus.FAULTED, fault.state)
    assert outlet.error_code != "NoError"
    one.advance(60.0)
    assert (drawn(one), outlet.offered_a) == (0.0, 0.0)
    one.mend(1)
    one.advance(80.0)
    assert (drawn(one), outlet.status, outlet.error_code) == (32.0, ConnectorStatus.CHARGING, "NoError")


@pytest.mark.parametrize(("ventilated", "state", "amps"), [(True, PilotState.VENTILATION, 32.0), (False, "B", 0.0)])
def test_a_vehicle_that_needs_ventilation_charges_only_where_there_is_some(
    ventilated: bool, state: str, amps: float
) -> None:
    one = station(hardware=Hardware(ventilated=ventilated))
    begin(one, 1, vehicle(habits=Habits(needs_ventilation=True)))
    one.advance(20.0)
    assert (one.outlets[1].pilot, drawn(one)) == (state, amps)


@pytest.mark.parametrize(
    ("cable", "amps"), [(Cable.A13, 13), (Cable.A20, 20), (Cable.A32, 32), (Cable.A63, 32), (None, 32)]
)
def test_no_more_is_offered_than_the_cable_bears(cable: Cable | None, amps: float) -> None:
    one = station()
    begin(one, 1, vehicle(cable=cable))
    one.advance(20.0)
    assert (one.outlets[1].offered_a, drawn(one)) == (amps, amps)


def test_a_vehicle_takes_nothing_below_its_own_least_current() -> None:
    one = station()
    begin(one, 1, vehicle(habits=Habits(min_current_a=8.0)))
    told(one, 1, 7.0)
    one.advance(20.0)
    assert (drawn(one), one.outlets[1].status) == (0.0, ConnectorStatus.SUSPENDED_EV)
    told(one, 1, 8.0)
    one.advance(40.0)
    assert drawn(one) == 8.0


def paused_for_ten_minutes(hardware: Hardware) -> Station:
    one = station(hardware=hardware)
    begin(one, 1, vehicle(habits=Habits(sleeps_after_s=300.0)))
    told(one, 1, 0.0)
    one.advance(600.0)
    told(one, 1, 16.0)
    return one


def test_a_vehicle_that_fell_asleep_in_a_long_pause_stays_asleep() -> None:
    one = paused_for_ten_minutes(Hardware())
    one.advance(3000.0)
    assert (drawn(one), one.outlets[1].status) == (0.0, ConnectorStatus.SUSPENDED_EV)


def test_an_interrupted_pilot_wakes_it() -> None:
    one = paused_for_ten_minutes(Hardware(wakes_after_s=30.0))
    one.advance(629.0)
    assert one.outlets[1].pilot is PilotState.CONNECTED
    one.advance(630.0 + PULSE_S / 2)
    assert (one.outlets[1].pilot, one.outlets[1].offered_a) == (PilotState.NO_PILOT, 0.0)
    one.advance(630.0 + PULSE_S + FOLLOW_S)
    assert drawn(one) == 16.0


def test_a_vehicle_that_is_full_is_not_woken_for_ever() -> None:
    one = station(hardware=Hardware(wakes_after_s=30.0))
    begin(one, 1, vehicle(wanted=0.0))
    pulses, before = 0, False
    for second in range(1200):
        one.advance(float(second))
        pulses += one.outlets[1].interrupted and not before
        before = one.outlets[1].interrupted
    assert pulses == MAX_PULSES


def test_a_short_pause_sends_nobody_to_sleep() -> None:
    one = station()
    begin(one, 1, vehicle(habits=Habits(sleeps_after_s=300.0)))
    one.advance(60.0)
    told(one, 1, 0.0)
    one.advance(300.0)
    told(one, 1, 10.0)
    one.advance(2000.0)
    assert drawn(one) == 10.0


# ISO 15118 ------------------------------------------------------------------------------------------------------------


def digital(charges: bool, speaks: bool) -> Station:
    one = station(hardware=Hardware(digital=charges))
    begin(one, 1, vehicle(habits=Habits(digital=speaks)))
    told(one, 1, 13.0)
    return one


def test_at_five_percent_duty_a_vehicle_follows_the_current_it_is_told_by_message() -> None:
    one = digital(charges=True, speaks=True)
    one.advance(MATCH_S - 0.1)
    assert (one.outlets[1].duty_percent, drawn(one)) == (DIGITAL_DUTY, 0.0)
    one.advance(MATCH_S + FOLLOW_S)
    assert (one.outlets[1].duty_percent, drawn(one)) == (DIGITAL_DUTY, 13.0)
    told(one, 1, 9.5)
    one.advance(60.0)
    assert (one.outlets[1].duty_percent, drawn(one)) == (DIGITAL_DUTY, 9.5)
    told(one, 1, 0.0)
    one.advance(90.0)
    assert (one.outlets[1].duty_percent, drawn(one)) == (DIGITAL_DUTY, 0.0)
    assert one.outlets[1].status is ConnectorStatus.SUSPENDED_EVSE


def test_a_fault_ends_the_talk_until_it_is_mended() -> None:
    one = digital(charges=True, speaks=True)
    one.advance(60.0)
    one.fail(1, PilotFault.SHORT)
    one.advance(70.0)
    assert (one.outlets[1].duty_percent, drawn(one)) == (None, 0.0)
    one.mend(1)
    one.advance(90.0)
    assert (one.outlets[1].duty_percent, drawn(one)) == (DIGITAL_DUTY, 13.0)


def test_a_vehicle_that_does_not_answer_gets_its_current_by_the_duty_cycle_in_the_end() -> None:
    one = digital(charges=True, speaks=False)
    one.advance(MATCH_S - 0.1)
    assert (one.outlets[1].duty_percent, drawn(one)) == (DIGITAL_DUTY, 0.0)
    one.advance(MATCH_S + FOLLOW_S)
    assert (one.outlets[1].duty_percent, drawn(one)) == (duty_of(13.0), 13.0)


def test_a_vehicle_that_could_speak_goes_by_the_duty_cycle_of_a_charger_that_cannot() -> None:
    one = digital(charges=False, speaks=True)
    one.advance(FOLLOW_S)
    assert (one.outlets[1].duty_percent, drawn(one)) == (duty_of(13.0), 13.0)


# The way back ---------------------------------------------------------------------------------------------------------


def test_a_vehicle_draws_nothing_while_it_is_unplugged_and_goes_on_when_it_is_plugged_in_again() -> None:
    one = station()
    begin(one, 1, vehicle(habits=Habits(sleeps_after_s=300.0)))
    one.advance(600.0)
    car = one.outlets[1].release()
    assert car is not None
    before_kwh = one.outlets[1].register_kwh
    assert (car.delivered_kwh, car.current_a) == (before_kwh, 0.0)
    one.advance(1200.0)
    car.arrive(1200.0)
    one.outlets[1].vehicle = car
    one.reconsider()
    one.advance(1200.0)
    assert one.outlets[1].register_kwh == before_kwh
    one.advance(1200.0 + FOLLOW_S)
    assert drawn(one) == 32.0
