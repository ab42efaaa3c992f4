"""Which profiles a charge point takes, and which ones go when."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.composite import Scene
from simulators.profile_store import MAX_PROFILES, ProfileStore, parse_profile
from simulators.quirks import quirks
from simulators.wire import CallError
from twin_core.models.charger import ProfilePurpose

NOW = 1_780_315_200.0
IDLE, RUNNING = Scene(1), Scene(1, transaction_start_s=NOW, transaction_id=7)


def raw(**changes: Any) -> dict[str, Any]:
    schedule = {
        "chargingRateUnit": changes.pop("unit", "A"),
        "chargingSchedulePeriod": changes.pop("periods", [{"startPeriod": 0, "limit": 10.0}]),
        **changes.pop("schedule", {}),
    }
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **changes,
    }


def phases(number: object) -> dict[str, Any]:
    return {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6, "numberPhases": number}]}


def starting_at(second: object) -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": 6}, {"startPeriod": second, "limit": 32}]
    return {"chargingRateUnit": "A", "chargingSchedulePeriod": periods}


def taken(store: ProfileStore, scene: Scene = RUNNING, connector: int = 1, **changes: Any) -> str:
    return store.install(parse_profile(connector, raw(**changes), NOW), scene)


def test_a_profile_with_the_same_id_takes_the_place_of_the_old_one() -> None:
    store = ProfileStore()
    taken(store)
    assert taken(store, stackLevel=3) == "Accepted"
    assert [p.stack_level for p in store.profiles] == [3]


def test_a_profile_of_the_same_purpose_level_and_connector_takes_the_place_of_the_old_one() -> None:
    store = ProfileStore()
    taken(store)
    taken(store, chargingProfileId=2)
    taken(store, chargingProfileId=3, connector=0)
    assert sorted(p.id for p in store.profiles) == [2, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "W"},
        {"stackLevel": 9},
        {"stackLevel": -1},
        {"periods": []},
        {"periods": [{"startPeriod": 5, "limit": 10}]},
        {"periods": [{"startPeriod": 0, "limit": 10}, {"startPeriod": 0, "limit": 6}]},
        {"periods": [{"startPeriod": 0, "limit": -1}]},
        {"periods": [{"startPeriod": 0, "limit": float("nan")}]},
        {"periods": [{"startPeriod": k, "limit": 10} for k in range(30)]},
        {"periods": [{"startPeriod": 0, "limit": 10, "numberPhases": 0}]},
        {"periods": [{"startPeriod": 0, "limit": 10, "numberPhases": 4}]},
        {"schedule": {"minChargingRate": -1}},
        {"schedule": {"duration": -1}},
        {"chargingProfileKind": "Recurring"},
        {"chargingProfilePurpose": "ChargePointMaxProfile"},
        {"chargingProfilePurpose": "TxProfile", "connector": 0},
        {"chargingProfilePurpose": "TxProfile", "scene": IDLE},
        {"chargingProfilePurpose": "TxProfile", "transactionId": 8},
    ],
)
def test_what_it_cannot_keep_it_rejects(changes: dict[str, Any]) -> None:
    store = ProfileStore()
    assert taken(store, **changes) == "Rejected"
    assert store.profiles == ()


def test_it_holds_no_more_profiles_than_it_says() -> None:
    store = ProfileStore()
    kept = [
        taken(store, chargingProfileId=k, stackLevel=k % 9, connector=k // 9, scene=Scene(k // 9))
        for k in range(MAX_PROFILES + 1)
    ]
    assert kept == ["Accepted"] * MAX_PROFILES + ["Rejected"]


def test_a_transaction_profile_goes_with_its_transaction_and_a_default_stays() -> None:
    store = ProfileStore()
    taken(store)
    taken(store, chargingProfileId=2, chargingProfilePurpose="TxProfile")
    store.end_transaction(1)
    assert [p.purpose for p in store.profiles] == [ProfilePurpose.TX_DEFAULT]


def test_clearing_by_id_ignores_the_other_criteria_and_clearing_without_any_takes_all() -> None:
    store = ProfileStore()
    taken(store)
    taken(store, chargingProfileId=2, stackLevel=1)
    assert store.clear(id=2, stack_level=0) == 1
    assert [p.id for p in store.profiles] == [1]
    assert store.clear(stack_level=5) == 0
    assert store.clear() == 1


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"chargingSchedule": {}}, "OccurenceConstraintViolation"),
        ({"chargingProfilePurpose": "Nonsense"}, "PropertyConstraintViolation"),
        ({"chargingSchedule": None}, "TypeConstraintViolation"),
        ({"validTo": "yesterday"}, "PropertyConstraintViolation"),
        ({"chargingSchedule": phases("3")}, "TypeConstraintViolation"),
        ({"chargingSchedule": phases(True)}, "TypeConstraintViolation"),
        ({"stackLevel": "3"}, "TypeConstraintViolation"),
        ({"stackLevel": 1.9}, "TypeConstraintViolation"),
        ({"chargingProfileId": True}, "TypeConstraintViolation"),
        ({"chargingSchedule": starting_at(float("nan"))}, "TypeConstraintViolation"),
    ],
)
def test_a_malformed_profile_is_answered_with_the_right_error(broken: dict[str, Any], code: str) -> None:
    with pytest.raises(CallError) as refusal:
        parse_profile(1, {**raw(), **broken}, NOW)
    assert refusal.value.code == code


def test_a_charger_without_leases_keeps_a_profile_beyond_its_end() -> None:
    store = ProfileStore(quirks(["no-lease"]))
    taken(store, schedule={"duration": 60}, validTo="2026-06-01T12:00:00Z")
    (kept,) = store.profiles
    assert kept.duration_s is None
    assert kept.valid_to_s is None


def test_a_charger_that_rejects_transaction_profiles_still_takes_defaults() -> None:
    store = ProfileStore(quirks(["no-tx-profile"]))
    assert taken(store, chargingProfilePurpose="TxProfile") == "Rejected"
    assert taken(store) == "Accepted"
