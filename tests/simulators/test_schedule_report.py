"""GetCompositeSchedule: what is told is what is done, in the unit asked for, and nothing is made up."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.composite import Period
from simulators.pilot import Cable
from simulators.profile_store import MAX_PERIODS, parse_profile
from simulators.quirks import quirks
from simulators.schedule_report import MAX_DURATION_S, schedule_report
from simulators.station import Station
from tests.simulators.chargers import charger
from tests.simulators.stations import begin, station, told, vehicle
from twin_core.models.charger import RateUnit
from twin_core.models.quantities import Phase


def reported(one: Station, number: int = 1, duration: float = 600, unit: RateUnit = RateUnit.AMPERE) -> dict[str, Any]:
    report = schedule_report(one, number, duration, unit)
    assert report is not None
    schedule: dict[str, Any] = report["chargingSchedule"]
    return schedule


def limits(schedule: dict[str, Any]) -> list[tuple[int, float, int]]:
    return [(p["startPeriod"], p["limit"], p["numberPhases"]) for p in schedule["chargingSchedulePeriod"]]


def test_a_lease_ends_in_it_where_it_will_end() -> None:
    one = station()
    begin(one, 1, vehicle())
    told(one, 1, 14.0, duration=100)
    one.advance(40.0)
    assert limits(reported(one)) == [(0, 14.0, 3), (60, 32.0, 3)]


def test_watts_are_amperes_times_the_phases_that_may_be_used() -> None:
    one = station()
    begin(one, 1, vehicle())
    told(one, 1, 10.0, n_phases=1, duration=100)
    assert limits(reported(one, unit=RateUnit.WATT)) == [(0, 2300.0, 1), (100, 22080.0, 3)]


def test_a_one_phase_connector_tells_of_one_phase() -> None:
    one = station(charger(phases=(Phase.L2,)))
    assert limits(reported(one, unit=RateUnit.WATT)) == [(0, 7360.0, 1)]
    assert limits(reported(one, 0)) == [(0, 32.0, 1)]


def test_it_never_tells_more_than_hardware_and_cable_allow() -> None:
    one = station()
    begin(one, 1, vehicle(cable=Cable.A20))
    told(one, 1, 48.0, duration=100)
    assert limits(reported(one)) == [(0, 20.0, 3)]


def test_the_whole_charge_point_tells_its_supply_and_its_maximum() -> None:
    one = station(charger(connectors=2, supply_max_a=40.0))
    told(one, 0, 25.0, "ChargePointMaxProfile", duration=100)
    assert limits(reported(one, 0)) == [(0, 25.0, 3), (100, 40.0, 3)]


def test_a_limit_taken_in_watts_is_told_in_amperes_rounded_down() -> None:
    one = station(quirks=quirks(["watts-only"]))
    begin(one, 1, vehicle())
    assert told(one, 1, 7145.0, unit="W") == "Accepted"
    assert limits(reported(one)) == [(0, 10.3, 3)]
    assert limits(reported(one, unit=RateUnit.WATT)) == [(0, 7145.0, 3)]


def test_it_knows_nothing_of_a_connector_there_is_not() -> None:
    assert schedule_report(station(), 2, 60, RateUnit.AMPERE) is None


@pytest.mark.parametrize(("asked", "told_s"), [(0, 0), (-5, 0), (60, 60), (10**9, MAX_DURATION_S)])
def test_a_duration_is_kept_within_what_makes_sense(asked: int, told_s: int) -> None:
    schedule = reported(station(), duration=asked)
    assert schedule["duration"] == told_s
    assert len(schedule["chargingSchedulePeriod"]) == 1


def test_of_a_schedule_with_too_many_periods_only_the_time_of_those_told_is_claimed() -> None:
    one = station()
    begin(one, 1, vehicle())
    raw = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Recurring",
        "recurrencyKind": "Daily",
        "chargingSchedule": {
            "startSchedule": "2026-06-01T12:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 3600 * k, "limit": 8 + k % 2} for k in range(20)],
        },
    }
    one.profiles.install(parse_profile(1, raw, one.own_s), one.scene(1))
    schedule = reported(one, duration=MAX_DURATION_S)
    told_periods = limits(schedule)
    assert len(told_periods) == MAX_PERIODS
    assert schedule["duration"] == 86_400 + 4 * 3600
    assert all(one_p[0] < other[0] for one_p, other in itertools.pairwise(told_periods))


def test_changes_within_one_second_are_told_as_one() -> None:
    one = station()
    begin(one, 1, vehicle())
    one.advance(0.5)
    parsed = parse_profile(
        1,
        {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9}]},
        },
        one.own_s,
    )
    quick = replace(parsed, periods=(Period(0.0, 9.0), Period(5.2, 11.0), Period(5.7, 12.0)))
    one.profiles.install(quick, one.scene(1))
    assert limits(reported(one)) == [(0, 9.0, 3), (5, 12.0, 3)]


leases = st.lists(
    st.tuples(
        st.sampled_from(["TxProfile", "TxDefaultProfile", "ChargePointMaxProfile"]),
        st.sampled_from([0, 4, 6, 9.5, 16, 25, 40]),
        st.none() | st.integers(1, 110),
    ),
    max_size=5,
)


@settings(max_examples=80, deadline=None)
@given(leases)
def test_what_is_told_is_what_is_then_offered(told_profiles: list[tuple[str, float, int | None]]) -> None:
    one = station()
    begin(one, 1, vehicle())
    for purpose, limit, duration in told_profiles:
        number = 0 if purpose == "ChargePointMaxProfile" else 1
        more = {} if duration is None else {"duration": duration}
        assert told(one, number, limit, purpose, **more) == "Accepted"
    promised = limits(reported(one, duration=120))
    for second in range(120):
        one.advance(second + 0.5)
        limit_a = [told_a for start, told_a, _ in promised if start <= second][-1]
        assert one.outlets[1].offered_a == (limit_a if limit_a >= 6 else 0.0)
