"""What the meters of a charge point show."""

from __future__ import annotations

import pytest

from simulators.hardware import Hardware, Rotation
from simulators.sampling import can_sample, inlet_reading, meter_value, outlet_reading
from simulators.station import Station
from tests.simulators.chargers import charger
from tests.simulators.stations import begin, station, told, vehicle
from twin_core.models.quantities import NOMINAL_VOLTAGE_V


def read(one: Station, names: list[str]) -> dict[tuple[str, str], float]:
    sampled = meter_value(outlet_reading(one.outlets[1]), names, "Sample.Periodic", one.own_time)["sampledValue"]
    return {(v["measurand"], v.get("phase", "")): float(v["value"]) for v in sampled}


def test_a_meter_reads_too_much_by_its_own_error_in_current_power_and_energy_alike() -> None:
    true, wrong = station(), station(hardware=Hardware(meter_error=0.01))
    for one in (true, wrong):
        begin(one, 1, vehicle())
        one.advance(3600.0)
    assert wrong.grid_currents() == true.grid_currents()
    assert wrong.outlets[1].register_kwh == pytest.approx(true.outlets[1].register_kwh * 1.01)
    assert read(wrong, ["Current.Import"])["Current.Import", "L1"] == pytest.approx(32.32)
    assert read(wrong, ["Power.Active.Import"])["Power.Active.Import", ""] == pytest.approx(32.32 * 690, abs=1)


def test_a_measurand_may_be_asked_for_by_phase() -> None:
    one = station()
    begin(one, 1, vehicle(n_phases=1))
    one.advance(20.0)
    names = ["Current.Import.L1", "Current.Import.L2", "Power.Active.Import.L1", "Voltage.L3", "SoC.L1", "Energy.L1"]
    assert [can_sample(name) for name in names] == [True, True, True, True, False, False]
    assert read(one, names) == {
        ("Current.Import", "L1"): 32.0,
        ("Current.Import", "L2"): 0.0,
        ("Power.Active.Import", "L1-N"): 32 * NOMINAL_VOLTAGE_V,
        ("Voltage", "L3-N"): NOMINAL_VOLTAGE_V,
    }


def test_each_phase_has_a_register_of_what_flowed_through_it_whatever_was_switched() -> None:
    one = station(hardware=Hardware(switches_phases=True))
    begin(one, 1, vehicle())
    told(one, 1, 16.0)
    one.advance(600.0)
    three = one.outlets[1].registers_kwh
    assert three[0] == three[1] == three[2] > 0
    told(one, 1, 16.0, n_phases=1)
    one.advance(1200.0)
    outlet = one.outlets[1]
    assert outlet.registers_kwh[0] > 1.9 * three[0]
    assert outlet.registers_kwh[1:] == pytest.approx(three[1:], rel=0.01)
    assert outlet.vehicle is not None
    assert sum(outlet.registers_kwh) == outlet.register_kwh == pytest.approx(outlet.vehicle.delivered_kwh)
    names = ["Energy.Active.Import.Register", "Energy.Active.Import.Register.L2"]
    shown = read(one, names)
    assert shown["Energy.Active.Import.Register", "L2"] == round(outlet.registers_kwh[1] * 1000)
    assert shown["Energy.Active.Import.Register", ""] == round(outlet.register_kwh * 1000)


def test_the_meter_of_a_turned_connector_shows_the_phase_of_the_supply_that_it_loads() -> None:
    one = station(charger(connectors=2), hardware=Hardware(rotation=(Rotation.RST, Rotation.STR)))
    begin(one, 2, vehicle(n_phases=1))
    one.advance(20.0)
    assert one.outlets[2].metered_currents() == (0.0, 32.0, 0.0)
    one.advance(600.0)
    assert [kwh > 0 for kwh in one.outlets[2].registers_kwh] == [False, True, False]


def test_what_intervals_count_adds_up_to_the_register() -> None:
    one = station()
    begin(one, 1, vehicle())
    before, counted = one.outlets[1].registers_kwh, 0.0
    for minute in range(1, 11):
        one.advance(60.0 * minute)
        reading = outlet_reading(one.outlets[1], before)
        names = ["Energy.Active.Import.Interval", "Energy.Active.Import.Interval.L3"]
        total, third = meter_value(reading, names, "Sample.Periodic", one.own_time)["sampledValue"]
        assert float(third["value"]) == pytest.approx(float(total["value"]) / 3, abs=0.1)
        counted += float(total["value"])
        before = reading.registers_kwh
    assert counted == pytest.approx(one.outlets[1].register_kwh * 1000, abs=1)


def test_the_main_meter_shows_all_outlets_together_and_no_vehicle() -> None:
    turned = Hardware(rotation=(Rotation.RST, Rotation.STR))
    one = station(charger(connectors=2, supply_max_a=64.0), hardware=turned)
    for number, n_phases in ((1, 3), (2, 1)):
        begin(one, number, vehicle(n_phases=n_phases, max_a=16.0))
    one.advance(600.0)
    reading = inlet_reading(one)
    assert reading.current_a == (16.0, 32.0, 16.0)
    assert sum(reading.registers_kwh) == pytest.approx(sum(o.register_kwh for o in one.outlets.values()))
    value = meter_value(reading, ["Current.Import.L2", "SoC", "Current.Offered"], "Sample.Clock", one.own_time)
    assert [(v["value"], v["location"]) for v in value["sampledValue"]] == [("32.00", "Inlet")]
