"""Worked examples of the Open Charge Point Protocol 1.6 edition 2, each with the place it stands in the standard.

They go in as JSON and come out as schedules, the way a central system sees them.
"""

from __future__ import annotations

from typing import Any

import pytest

from simulators.composite import DAY_S, Scene, composite, limit_at
from simulators.profile_store import ProfileStore, parse_profile, seconds_of
from simulators.quirks import quirks
from twin_core.models.quantities import NOMINAL_VOLTAGE_V

THREE_PHASE_W = 3 * NOMINAL_VOLTAGE_V
MIDNIGHT = seconds_of("2026-06-01T00:00:00Z")
CHARGING = Scene(1, n_phases=3, transaction_start_s=MIDNIGHT, transaction_id=7)


def at(clock: str, day: int = 1) -> float:
    return seconds_of(f"2026-06-{day:02d}T{clock}:00Z")


def amperes(
    number: int, purpose: str, level: int, limit: float, *, valid: tuple[str, str] | None = None, **schedule: Any
) -> dict[str, Any]:
    """csChargingProfiles with one period in A."""
    validity = {} if valid is None else {"validFrom": valid[0], "validTo": valid[1]}
    return {
        "chargingProfileId": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        **validity,
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "startSchedule": "2026-06-01T00:00:00Z",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            **schedule,
        },
    }


def holding(
    *profiles: tuple[int, dict[str, Any]], scene: Scene = CHARGING, names: tuple[str, ...] = ()
) -> ProfileStore:
    store = ProfileStore(quirks(names))
    for connector, raw in profiles:
        assert store.install(parse_profile(connector, raw, MIDNIGHT - 60), scene) == "Accepted"
    return store


DAILY_DEFAULT = {
    "chargingProfileId": 100,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "chargingSchedule": {
        "duration": 86400,
        "startSchedule": "2013-01-01T00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 11000, "numberPhases": 3},
            {"startPeriod": 28800, "limit": 6000, "numberPhases": 3},
            {"startPeriod": 72000, "limit": 11000, "numberPhases": 3},
        ],
    },
}
"""§3.13.7: "a daily default profile that limits the power to 6 kW between 08:00h and 20:00h"."""


@pytest.mark.parametrize("day", [1, 2, 30])
def test_3_13_7_the_daily_default_limits_to_6_kw_between_8_and_20_thirteen_years_later(day: int) -> None:
    store = holding((0, DAILY_DEFAULT), names=("watts-only",))
    clock = ["00:00", "07:59", "08:00", "19:59", "20:00", "23:59"]
    watts = [(limit_at(store.profiles, at(t, day), CHARGING) or 0) * THREE_PHASE_W for t in clock]
    assert watts == pytest.approx([11000, 11000, 6000, 6000, 11000, 11000])


def test_3_13_7_the_last_hours_of_one_day_and_the_first_of_the_next_are_one_step() -> None:
    store = holding((0, DAILY_DEFAULT), names=("watts-only",))
    steps = composite(store.profiles, MIDNIGHT, MIDNIGHT + 2 * DAY_S, CHARGING)
    assert [(s.start_s - MIDNIGHT) / 3600 for s in steps] == [0, 8, 20, 32, 44]


def test_3_13_1_a_default_for_connector_0_holds_for_every_connector() -> None:
    store = holding((0, amperes(1, "TxDefaultProfile", 0, 10)))
    assert [limit_at(store.profiles, MIDNIGHT, Scene(n, 3, MIDNIGHT)) for n in (1, 2, 3)] == [10, 10, 10]


def test_3_13_1_a_new_default_for_one_connector_replaces_it_there_only() -> None:
    store = holding((0, amperes(1, "TxDefaultProfile", 0, 10)), (2, amperes(2, "TxDefaultProfile", 0, 20)))
    assert [limit_at(store.profiles, MIDNIGHT, Scene(n, 3, MIDNIGHT)) for n in (1, 2, 3)] == [10, 20, 10]


def test_3_13_1_a_transaction_profile_overrules_the_default_for_its_transaction_only() -> None:
    store = holding((1, amperes(1, "TxDefaultProfile", 5, 10)), (1, amperes(2, "TxProfile", 0, 20)))
    assert limit_at(store.profiles, MIDNIGHT, CHARGING) == 20
    store.end_transaction(1)
    assert limit_at(store.profiles, MIDNIGHT, Scene(1, 3, MIDNIGHT + 1, 8)) == 10
    assert [p.id for p in store.profiles] == [1]


def test_3_13_1_a_maximum_for_the_charge_point_is_set_at_connector_0_only() -> None:
    station = amperes(1, "ChargePointMaxProfile", 0, 30)
    store = ProfileStore()
    assert store.install(parse_profile(1, station, MIDNIGHT), CHARGING) == "Rejected"
    assert store.install(parse_profile(0, station, MIDNIGHT), CHARGING) == "Accepted"


def test_3_13_1_a_transaction_profile_needs_a_transaction() -> None:
    parsed = parse_profile(1, amperes(1, "TxProfile", 0, 10), MIDNIGHT)
    assert ProfileStore().install(parsed, Scene(1)) == "Rejected"


def test_3_13_2_the_highest_level_valid_at_a_moment_prevails() -> None:
    """Stacked calendars: a default for always, summer evenings above it, one special evening above both."""
    always = amperes(1, "TxDefaultProfile", 0, 16)
    june = amperes(2, "TxDefaultProfile", 1, 10, valid=("2026-06-02T00:00:00Z", "2026-07-01T00:00:00Z"))
    event = amperes(3, "TxDefaultProfile", 2, 32, valid=("2026-06-03T18:00:00Z", "2026-06-03T22:00:00Z"))
    store = holding((0, always), (0, june), (0, event))
    moments = [at("12:00", 1), at("12:00", 2), at("17:59", 3), at("18:00", 3), at("22:00", 3)]
    assert [limit_at(store.profiles, t, CHARGING) for t in moments] == [16, 10, 10, 32, 10]
    assert limit_at(store.profiles, seconds_of("2026-07-01T00:00:00Z"), CHARGING) == 16


def test_3_13_2_a_profile_of_the_same_level_and_purpose_is_replaced_and_a_gap_remains_until_the_new_one_is_valid() -> (
    None
):
    new = amperes(2, "TxDefaultProfile", 0, 20, valid=("2026-06-01T06:00:00Z", "2026-06-02T00:00:00Z"))
    store = holding((0, amperes(1, "TxDefaultProfile", 0, 10)), (0, new))
    assert [limit_at(store.profiles, at(t), CHARGING) for t in ("05:59", "06:00")] == [None, 20]


def test_3_13_2_a_level_without_duration_never_falls_back_and_one_with_duration_does() -> None:
    low, high = amperes(1, "TxDefaultProfile", 0, 10), amperes(2, "TxDefaultProfile", 1, 20)
    ending = amperes(2, "TxDefaultProfile", 1, 20, duration=3600)
    for above, afterwards in ((high, 20), (ending, 10)):
        store = holding((0, low), (0, above))
        assert limit_at(store.profiles, at("00:59"), CHARGING) == 20
        assert limit_at(store.profiles, at("01:00"), CHARGING) == afterwards


def test_3_13_3_in_every_interval_the_lowest_of_the_leading_profiles_counts() -> None:
    session = amperes(1, "TxDefaultProfile", 0, 0)
    session["chargingSchedule"]["chargingSchedulePeriod"] = [
        {"startPeriod": 0, "limit": 10},
        {"startPeriod": 3600, "limit": 25},
    ]
    station = amperes(2, "ChargePointMaxProfile", 0, 0)
    station["chargingSchedule"]["chargingSchedulePeriod"] = [
        {"startPeriod": 0, "limit": 32},
        {"startPeriod": 1800, "limit": 6},
        {"startPeriod": 5400, "limit": 20},
    ]
    store = holding((0, session), (0, station))
    steps = composite(store.profiles, MIDNIGHT, MIDNIGHT + 7200, CHARGING)
    assert [(s.start_s - MIDNIGHT, s.limit_a) for s in steps] == [(0, 10), (1800, 6), (5400, 20)]


def test_3_13_6_without_any_profile_a_transaction_is_executed_as_if_no_constraints_apply() -> None:
    assert limit_at(ProfileStore().profiles, MIDNIGHT, CHARGING) is None


def test_7_12_three_phases_are_assumed_where_a_limit_in_watts_names_none() -> None:
    raw = amperes(1, "TxDefaultProfile", 0, 6900)
    raw["chargingSchedule"]["chargingRateUnit"] = "W"
    store = holding((0, raw), names=("watts-only",))
    assert limit_at(store.profiles, MIDNIGHT, CHARGING) == pytest.approx(10)


def test_7_13_a_schedule_without_a_start_is_relative_to_the_start_of_charging() -> None:
    raw = amperes(1, "TxDefaultProfile", 0, 10, duration=60)
    del raw["chargingSchedule"]["startSchedule"]
    store = holding((0, raw))
    found = [limit_at(store.profiles, MIDNIGHT + 600 + t, Scene(1, 3, MIDNIGHT + 600)) for t in (0, 59, 60)]
    assert found == [10, 10, None]
