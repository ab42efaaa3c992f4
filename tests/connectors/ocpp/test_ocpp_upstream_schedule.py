"""The upstream's charging profiles as a limit: which prevails, from when to when, and never more than was meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ocpp.upstream.schedule import Profile, Scene, limit_at, next_change, read_profile
from connectors.ocpp.upstream.verdicts import joined
from tests.fakes import EPOCH
from twin_core.errors import ProtocolError
from twin_core.models.ids import TransactionId

NOW_S = EPOCH.timestamp()
TX = TransactionId(7)
RUNNING = Scene(1, transaction_id=TX, transaction_s=NOW_S - 100.0)
IDLE = Scene(1)


def profile(limit: float = 16.0, connector: int = 1, transaction: int | None = None, **changes: Any) -> Profile:
    """A profile as it comes over the wire; `schedule` and other keys replace what stands here."""
    schedule = {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        **changes.pop("schedule", {}),
    }
    found = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **changes,
    }
    return read_profile(connector, found, NOW_S, None if transaction is None else TransactionId(transaction))


def limit_a(profiles: list[Profile], scene: Scene = RUNNING, after_s: float = 0.0) -> float | None:
    found = limit_at(profiles, scene, NOW_S + after_s)
    return None if found is None else found.limit_a


def test_nothing_limits_where_there_is_no_profile() -> None:
    assert limit_a([]) is None
    assert next_change([], RUNNING, NOW_S) == float("inf")


def test_the_highest_stack_level_that_runs_prevails_and_then_the_next() -> None:
    low = profile(10.0, stackLevel=0)
    high = profile(20.0, stackLevel=2, schedule={"duration": 60})
    assert limit_a([low, high]) == 20.0
    assert next_change([low, high], RUNNING, NOW_S) == NOW_S + 60
    assert limit_a([low, high], after_s=60) == 10.0


def test_a_profile_of_the_connector_goes_before_one_of_the_whole_charge_point() -> None:
    assert limit_a([profile(10.0, connector=0), profile(12.0)]) == 12.0
    assert limit_a([profile(10.0, connector=0), profile(12.0, connector=2)]) == 10.0


def test_a_profile_of_the_transaction_overrules_the_default_and_ends_with_it() -> None:
    both = [profile(10.0), profile(14.0, transaction=7, chargingProfilePurpose="TxProfile")]
    assert limit_a(both) == 14.0
    assert limit_a(both, IDLE) == 10.0
    assert limit_a(both, Scene(1, transaction_id=TransactionId(8))) == 10.0


def test_the_maximum_of_the_charge_point_caps_all_and_is_shared() -> None:
    both = [profile(20.0), profile(24.0, connector=0, chargingProfilePurpose="ChargePointMaxProfile")]
    assert limit_a(both) == 20.0
    assert limit_a(both, Scene(1, sharing=2)) == 12.0


def test_watts_count_on_the_phases_that_are_named_or_else_on_all() -> None:
    watts = {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6900.0}]}
    assert limit_a([profile(schedule=watts)]) == 10.0
    assert limit_a([profile(schedule=watts)], Scene(1, n_phases=1)) == 30.0
    one = {**watts, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 2300.0, "numberPhases": 1}]}
    assert limit_a([profile(schedule=one)]) == 10.0


def test_a_daily_profile_comes_again_each_day() -> None:
    periods = [{"startPeriod": 0, "limit": 6.0}, {"startPeriod": 3600, "limit": 32.0}]
    daily = profile(
        chargingProfileKind="Recurring",
        recurrencyKind="Daily",
        schedule={"startSchedule": "2026-05-01T12:00:00Z", "chargingSchedulePeriod": periods},
    )
    assert [limit_a([daily], after_s=s) for s in (0, 3599, 3600, 86_399, 86_400)] == [6.0, 6.0, 32.0, 32.0, 6.0]
    assert next_change([daily], RUNNING, NOW_S + 4000) == NOW_S + 86_400


def test_a_relative_profile_begins_with_the_transaction() -> None:
    periods = [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 300, "limit": 8.0}]
    relative = profile(chargingProfileKind="Relative", schedule={"chargingSchedulePeriod": periods})
    assert limit_a([relative], IDLE) is None
    assert limit_a([relative]) == 16.0
    assert next_change([relative], RUNNING, NOW_S) == NOW_S + 200
    assert limit_a([relative], after_s=200) == 8.0


def test_a_profile_counts_only_while_it_is_valid() -> None:
    until = profile(8.0, validFrom="2026-06-01T13:00:00Z", validTo="2026-06-01T14:00:00Z")
    assert [limit_a([until], after_s=s) for s in (0, 3600, 7199, 7200)] == [None, 8.0, 8.0, None]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"stackLevel": -1}, "stack level"),
        ({"chargingProfileKind": "Recurring"}, "recurrencyKind"),
        ({"chargingProfilePurpose": "ChargePointMaxProfile"}, "connector 0"),
        ({"connector": 0, "chargingProfilePurpose": "TxProfile"}, "one connector"),
        ({"limit": -1.0}, "0 or more"),
        ({"limit": float("nan")}, "0 or more"),
        ({"validTo": "tomorrow"}, "no moment"),
        ({"schedule": {"chargingSchedulePeriod": [{"startPeriod": 5, "limit": 6.0}]}}, "begin at 0"),
        ({"schedule": {"chargingSchedulePeriod": []}}, "1 to 24"),
        ({"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0, "numberPhases": 0}]}}, "phases"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        profile(**changes)


PURPOSES = st.sampled_from(["TxDefaultProfile", "TxProfile", "ChargePointMaxProfile"])


@st.composite
def profiles(draw: st.DrawFn, purposes: st.SearchStrategy[str] = PURPOSES) -> Profile:
    purpose = draw(purposes)
    starts = [0, *sorted(draw(st.sets(st.integers(1, 7000), max_size=3)))]
    schedule: dict[str, Any] = {
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": draw(st.integers(0, 320)) / 10} for s in starts]
    }
    if draw(st.booleans()):
        schedule["duration"] = draw(st.integers(1, 8000))
    if draw(st.booleans()):
        schedule["startSchedule"] = f"2026-06-01T{draw(st.integers(10, 13))}:{draw(st.integers(0, 59)):02}:00Z"
    kinds = ["Absolute", "Relative"] + (["Recurring"] if "startSchedule" in schedule else [])
    kind = draw(st.sampled_from(kinds))
    return profile(
        connector=0 if purpose == "ChargePointMaxProfile" else 1,
        chargingProfilePurpose=purpose,
        chargingProfileKind=kind,
        stackLevel=draw(st.integers(0, 3)),
        schedule=schedule,
        **({"recurrencyKind": draw(st.sampled_from(["Daily", "Weekly"]))} if kind == "Recurring" else {}),
    )


@given(st.lists(profiles(), max_size=5), st.integers(0, 20_000))
def test_between_two_announced_changes_the_limit_stands_still(found: list[Profile], after_s: int) -> None:
    at_s = NOW_S + after_s
    change_s = next_change(found, RUNNING, at_s)
    assert change_s > at_s
    ends_s = min(change_s, at_s + 90_000)
    for part in (0.0, 0.3, 0.7, 0.999):
        assert limit_at(found, RUNNING, at_s + part * (ends_s - at_s)) == limit_at(found, RUNNING, at_s)


SESSIONS = st.sampled_from(["TxDefaultProfile", "TxProfile"])
STATION = st.just("ChargePointMaxProfile")


@given(st.lists(profiles(SESSIONS), max_size=5), profiles(STATION), st.integers(0, 8000))
def test_a_maximum_of_the_charge_point_never_raises_a_limit(found: list[Profile], more: Profile, after_s: int) -> None:
    before, after = limit_a(found, after_s=after_s), limit_a([*found, more], after_s=after_s)
    assert before is None or (after is not None and after <= before)


@given(
    st.sampled_from(["Accepted", "Blocked", "Invalid"]), st.sampled_from(["Accepted", "Blocked", "ConcurrentTx", "?"])
)
def test_two_words_make_a_consent_only_where_nobody_refuses(ours: str, theirs: str) -> None:
    both = joined({"status": ours}, {"status": theirs, "expiryDate": "2027-01-01T00:00:00Z", "parentIdTag": "G"})
    assert (both.info["status"] == "Accepted") == (ours == "Accepted" and theirs in ("Accepted", "?"))
    assert joined({"status": ours}, None).info == {"status": ours}
