"""Whatever happens at a charge point: limits hold, registers add up, and looking changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.hardware import Hardware, Rotation
from simulators.pilot import Cable, PilotFault
from simulators.sharing import Sharing
from simulators.station import Station
from simulators.vehicle import FOLLOW_S, Habits
from tests.simulators.chargers import charger
from tests.simulators.stations import begin, station, told, vehicle
from twin_core.models.quantities import ALL_PHASES, NOMINAL_VOLTAGE_V


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
builds = st.builds(
    Hardware,
    sharing=st.sampled_from(list(Sharing)),
    switches_phases=st.booleans(),
    digital=st.booleans(),
    rotation=st.lists(st.sampled_from(list(Rotation)), max_size=3).map(tuple),
    wakes_after_s=st.just(20.0),
)


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
                habits=Habits(sleeps_after_s=60.0 if act.extra % 7 == 0 else None, digital=act.extra % 2 == 0),
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
@given(arrivals, acts, builds, st.sampled_from([16.0, 32.0, 50.0]))
def test_nobody_draws_more_than_limit_cable_car_and_share_but_for_the_five_seconds_a_car_may_take_to_follow(
    coming: list[Act], happening: list[Act], hardware: Hardware, supply_a: float
) -> None:
    one = station(charger(connectors=3, supply_max_a=supply_a), hardware=hardware)
    offers: dict[int, list[tuple[float, float]]] = {number: [] for number in one.outlets}
    now, tick = 0.0, 0.5
    for act in [*coming, *happening]:
        until = now + act.pause_s
        while now < until:
            now = min(until, now + tick)
            one.advance(now)
            for phase in ALL_PHASES:
                loading = [o.offered_a for o in one.outlets.values() if phase in o.wiring(o.phases_on)]
                assert sum(loading) <= supply_a + 1e-6
            for number, outlet in one.outlets.items():
                assert outlet.offered_a == 0.0 or 6.0 <= outlet.offered_a <= bound(one, number) + 1e-6
                offers[number].append((now, outlet.offered_a))
                latest = max(a for t, a in offers[number] if t >= now - FOLLOW_S - tick)
                assert outlet.current_a <= latest + 1e-6
                assert outlet.vehicle is None or outlet.current_a <= outlet.vehicle.battery.max_current_a
        happen(one, act, now)
        one.advance(now)


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
