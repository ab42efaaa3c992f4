"""Which phases a charge point loads, and how its connectors share one supply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulators.hardware import Hardware
from simulators.sharing import Sharing
from simulators.station import SWITCH_S
from simulators.vehicle import FOLLOW_S
from tests.simulators.chargers import charger
from tests.simulators.stations import begin, station, told, vehicle
from twin_core.models.quantities import Phase

L1, L2, L3 = Phase.L1, Phase.L2, Phase.L3


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
