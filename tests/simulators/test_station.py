"""What a charge point offers and what vehicles draw from it, second by second and without a network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.hardware import Hardware
from simulators.pilot import Cable, PilotFault, PilotState, duty_of
from simulators.sampling import can_sample, meter_value, outlet_reading
from simulators.sharing import Sharing
from simulators.station import SWITCH_S, Station
from simulators.vehicle import FOLLOW_S, Habits
from simulators.wakeup import MAX_PULSES, PULSE_S
from tests.simulators.chargers import charger
from tests.simulators.stations import begin, station, told, vehicle
from twin_core.models.charger import ConnectorStatus
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, Phase

L1, L2, L3 = Phase.L1, Phase.L2, Phase.L3


def drawn(one: Station, number: int = 1) -> float:
    return one.outlets[number].current_a


# The vehicle interface ------------------------------------------------------------------------------------------------


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


# Phases ---------------------------------------------------------------------------------------------------------------


def test_a_three_phase_car_on_one_phase_draws_one_phase_of_energy() -> None:
    one = station(charger(phases=(L2,)))
    begin(one, 1, vehicle(wanted=3.0))
    one.advance(600.0)
    assert one.grid_currents() == (0.0, 32.0, 0.0)
    assert one.outlets[1].register_kwh == pytest.approx(32 * 230 / 1000 * 600 / 3600, rel=0.02)


@pytest.mark.parametrize(("n_phases", "grid"), [(1, (0, 0, 10)), (2, (10, 0, 10)), (3, (10, 10, 10))])
def test_a_turned_connection_puts_each_phase_where_it_is_wired(n_phases: int, grid: tuple[float, ...]) -> None:
    one = station(charger(phases=(L3, L1, L2)))
    begin(one, 1, vehicle(n_phases=n_phases))
    told(one, 1, 10.0)
    one.advance(20.0)
    assert one.grid_currents() == grid


def test_a_charger_that_can_goes_over_to_one_phase_with_a_pause_and_back() -> None:
    one = station(hardware=Hardware(switches_phases=True))
    begin(one, 1, vehicle())
    told(one, 1, 16.0)
    one.advance(20.0)
    assert one.grid_currents() == (16.0, 16.0, 16.0)
    told(one, 1, 16.0, n_phases=1)
    one.advance(20.0 + SWITCH_S - 1)
    assert one.grid_currents() == (0.0, 0.0, 0.0)
    one.advance(20.0 + SWITCH_S + FOLLOW_S)
    assert one.grid_currents() == (16.0, 0.0, 0.0)
    told(one, 1, 16.0)
    one.advance(40.0 + SWITCH_S + FOLLOW_S)
    assert one.grid_currents() == (16.0, 16.0, 16.0)


def test_a_charger_that_cannot_stays_on_its_phases() -> None:
    one = station()
    begin(one, 1, vehicle())
    told(one, 1, 16.0, n_phases=1)
    one.advance(20.0)
    assert one.grid_currents() == (16.0, 16.0, 16.0)


# The shared supply ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sharing", "offers"),
    [(Sharing.EQUAL, [12.0, 12.0]), (Sharing.FIRST_COME, [6.0, 18.0]), (Sharing.PER_CONNECTOR, [8.0, 8.0])],
)
def test_makers_share_a_supply_in_their_own_ways(sharing: Sharing, offers: list[float]) -> None:
    one = station(charger(connectors=3, supply_max_a=24.0), hardware=Hardware(sharing=sharing))
    begin(one, 2, vehicle(max_a=20.0))
    told(one, 2, 18.0)
    begin(one, 1, vehicle(10.0), 10.0)
    one.advance(20.0)
    assert [one.outlets[1].offered_a, one.outlets[2].offered_a] == offers


def test_one_phase_connectors_on_different_phases_have_the_supply_each_to_themselves() -> None:
    turned = [replace(charger(connectors=3).connectors[k], phases=(phase,)) for k, phase in enumerate((L1, L2, L2))]
    one = station(replace(charger(connectors=3), connectors=tuple(turned)))
    for number in (1, 2, 3):
        begin(one, number, vehicle(seed=number))
    one.advance(20.0)
    assert one.grid_currents() == (32.0, 32.0, 0.0)
    assert [outlet.offered_a for outlet in one.outlets.values()] == [32.0, 16.0, 16.0]


def test_a_maximum_for_the_charge_point_is_shared_by_its_connectors_not_given_to_each() -> None:
    one = station(charger(connectors=2, supply_max_a=64.0))
    begin(one, 1, vehicle())
    begin(one, 2, vehicle(seed=2))
    assert told(one, 0, 20.0, "ChargePointMaxProfile") == "Accepted"
    one.advance(20.0)
    assert one.grid_currents() == (20.0, 20.0, 20.0)


def test_a_rate_that_does_not_pay_is_not_handed_out_by_the_charger_itself() -> None:
    one = station(charger(connectors=2, supply_max_a=20.0))
    begin(one, 1, vehicle())
    begin(one, 2, vehicle(10.0, seed=2), 10.0)
    told(one, 2, 32.0, least=14.0)
    one.advance(30.0)
    assert [outlet.offered_a for outlet in one.outlets.values()] == [20.0, 0.0]


def test_without_a_link_a_lease_ends_on_its_second_and_the_default_holds_on() -> None:
    """§3.13.6: offline, it goes on with what it has; nothing here knows of a link."""
    one = station()
    begin(one, 1, vehicle())
    told(one, 1, 8.0, "TxDefaultProfile")
    one.advance(100.0)
    told(one, 1, 20.0, duration=600)
    one.advance(699.99)
    assert one.outlets[1].offered_a == 20.0
    one.advance(700.01)
    assert one.outlets[1].offered_a == 8.0
    one.advance(40_000.0)
    assert one.outlets[1].offered_a == 8.0


# The meter ------------------------------------------------------------------------------------------------------------


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


# Always ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Act:
    """Something happens `pause_s` after what happened before."""

    pause_s: float
    number: int
    kind: str
    limit: float
    extra: int


acts = st.lists(
    st.builds(
        Act,
        st.floats(0.2, 40.0),
        st.integers(1, 3),
        st.sampled_from(["plug", "plug", "limit", "limit", "limit", "lease", "station", "leave", "fault", "mend"]),
        st.sampled_from([0.0, 5.0, 6.0, 8.5, 13.0, 16.0, 25.0, 32.0]),
        st.integers(0, 50),
    ),
    min_size=3,
    max_size=14,
)
arrivals = st.tuples(
    *(
        st.builds(Act, st.floats(0.2, 9.0), st.just(n), st.just("plug"), st.just(32.0), st.integers(0, 50))
        for n in (1, 2, 3)
    )
).map(list)
CABLES = [None, *Cable]


def happen(one: Station, act: Act, now: float) -> None:
    outlet = one.outlets[act.number]
    match act.kind:
        case "plug" if outlet.vehicle is None:
            car = vehicle(
                now,
                n_phases=1 + act.extra % 3,
                max_a=max(6.0, act.limit),
                seed=act.extra,
                cable=CABLES[act.extra % 5],
                habits=Habits(sleeps_after_s=60.0 if act.extra % 7 == 0 else None),
            )
            begin(one, act.number, car, now)
        case "limit" if outlet.transaction is not None:
            told(one, act.number, act.limit, n_phases=1 if act.extra % 2 else 3)
        case "lease" if outlet.transaction is not None:
            told(one, act.number, act.limit, "TxDefaultProfile", duration=1 + act.extra % 20)
        case "station":
            told(one, 0, act.limit, "ChargePointMaxProfile")
        case "leave":
            outlet.transaction = None
            outlet.release()
            one.profiles.end_transaction(act.number)
            one.reconsider()
        case "fault":
            one.fail(act.number, PilotFault.SHORT)
        case "mend":
            one.mend(act.number)
        case _:
            pass


def bound(one: Station, number: int) -> float:
    """The least of limit, cable, hardware and supply at one connector now, reckoned from what is installed."""
    outlet = one.outlets[number]
    if outlet.vehicle is None or outlet.transaction is None or outlet.fault is not None:
        return 0.0
    found = [outlet.spec.hardware_max_a, one.spec.supply_max_a]
    found += [float(outlet.cable)] if outlet.cable else []
    held = {p.purpose.value: p for p in one.profiles.profiles if p.connector in (0, number)}
    for purpose in ("ChargePointMaxProfile", "TxProfile"):
        if purpose in held:
            found.append(held[purpose].periods[0].limit)
    default = held.get("TxDefaultProfile")
    if default is not None and "TxProfile" not in held:
        began = max(default.installed_s, outlet.transaction.started_s)
        if default.duration_s is None or one.own_s < began + default.duration_s:
            found.append(default.periods[0].limit)
    return min(found) if min(found) >= 6.0 else 0.0


@settings(max_examples=80, deadline=None)
@given(arrivals, acts, st.sampled_from(list(Sharing)), st.booleans(), st.sampled_from([16.0, 32.0, 50.0]))
def test_nobody_draws_more_than_limit_cable_car_and_share_but_for_the_five_seconds_a_car_may_take_to_follow(
    coming: list[Act], happening: list[Act], sharing: Sharing, switches: bool, supply_a: float
) -> None:
    hardware = Hardware(sharing=sharing, switches_phases=switches, wakes_after_s=20.0)
    one = station(charger(connectors=3, supply_max_a=supply_a), hardware=hardware)
    offers: dict[int, list[tuple[float, float]]] = {number: [] for number in one.outlets}
    now, tick = 0.0, 0.5
    for act in [*coming, *happening]:
        until = now + act.pause_s
        while now < until:
            now = min(until, now + tick)
            one.advance(now)
            for phase in range(3):
                assert sum(o.offered_a for o in one.outlets.values() if phase < o.phases_on) <= supply_a + 1e-6
            for number, outlet in one.outlets.items():
                assert outlet.offered_a == 0.0 or 6.0 <= outlet.offered_a <= bound(one, number) + 1e-6
                offers[number].append((now, outlet.offered_a))
                latest = max(a for t, a in offers[number] if t >= now - FOLLOW_S - tick)
                assert outlet.current_a <= latest + 1e-6
                assert outlet.vehicle is None or outlet.current_a <= outlet.vehicle.battery.max_current_a
        happen(one, act, now)
        one.advance(now)


@settings(max_examples=60, deadline=None)
@given(arrivals, acts)
def test_the_register_is_the_integral_of_the_power_drawn(coming: list[Act], happening: list[Act]) -> None:
    one = station(charger(connectors=3, supply_max_a=50.0))
    watched = {number: Integral() for number in one.outlets}
    now = 0.0
    for act in [*coming, *happening]:
        until = now + act.pause_s
        while now < until:
            step_s = min(0.05, until - now)
            now += step_s
            one.advance(now)
            for number, outlet in one.outlets.items():
                watched[number].look(sum(outlet.grid_currents()) * NOMINAL_VOLTAGE_V, step_s)
        happen(one, act, now)
        for number, outlet in one.outlets.items():
            watched[number].jump(sum(outlet.grid_currents()) * NOMINAL_VOLTAGE_V)
    for number, integral in watched.items():
        assert one.outlets[number].register_kwh * 3.6e6 == pytest.approx(integral.joule, abs=integral.slack + 1e-6)


class Integral:
    """Trapezoids over looks at a power. Where its slope changes between two looks, nobody saw where: that is slack."""

    def __init__(self) -> None:
        self.joule = self.slack = self.watt = self.slope = 0.0

    def look(self, watt: float, step_s: float) -> None:
        slope = (watt - self.watt) / step_s
        self.joule += (self.watt + watt) / 2 * step_s
        self.slack += abs(slope - self.slope) * step_s**2
        self.watt, self.slope = watt, slope

    def jump(self, watt: float) -> None:
        self.watt = watt


@settings(max_examples=60, deadline=None)
@given(arrivals, acts, st.lists(st.floats(0.01, 3.0), min_size=1, max_size=20), st.booleans())
def test_looking_more_often_changes_nothing(
    coming: list[Act], happening: list[Act], looks: list[float], switches: bool
) -> None:
    hardware = Hardware(switches_phases=switches, wakes_after_s=20.0)
    watched, alone = (station(charger(connectors=3, supply_max_a=40.0), hardware=hardware) for _ in range(2))
    now = 0.0
    for k, act in enumerate([*coming, *happening]):
        glance = now + min(act.pause_s, looks[k % len(looks)])
        watched.advance(glance)
        now += act.pause_s
        for one in (watched, alone):
            one.advance(now)
            happen(one, act, now)
    assert watched.grid_currents() == pytest.approx(alone.grid_currents(), abs=0.05)
    for mine, other in zip(watched.outlets.values(), alone.outlets.values(), strict=True):
        assert mine.register_kwh == pytest.approx(other.register_kwh, abs=1e-4)
        assert mine.offered_a == other.offered_a
