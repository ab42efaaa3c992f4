"""What the meters of a charge point show."""

from __future__ import annotations

import pytest

from simulators.hardware import Hardware
from simulators.sampling import can_sample, meter_value, outlet_reading
from simulators.station import Station
from tests.simulators.stations import begin, station, vehicle
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
