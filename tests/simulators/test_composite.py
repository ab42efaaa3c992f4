"""Which limit is in force: worked examples of OCPP 1.6 §3.13, and every second against a slow reading of it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.composite import (
    DAY_S,
    Period,
    Profile,
    ProfileKind,
    Recurrency,
    Scene,
    Step,
    composite,
    limit_at,
)
from twin_core.models.charger import ProfilePurpose, RateUnit

NOON = 1_780_315_200.0
IDLE = Scene(connector=1)
RUNNING = Scene(connector=1, transaction_start_s=NOON, transaction_id=7)


def profile(
    limit: float = 16.0,
    *,
    number: int = 1,
    purpose: ProfilePurpose = ProfilePurpose.TX_DEFAULT,
    connector: int = 1,
    level: int = 0,
    kind: ProfileKind = ProfileKind.ABSOLUTE,
    periods: tuple[tuple[float, float], ...] | None = None,
    start: float | None = NOON,
    duration: float | None = None,
    valid: tuple[float | None, float | None] = (None, None),
    recurrency: Recurrency | None = None,
    unit: RateUnit = RateUnit.AMPERE,
    transaction: int | None = None,
    n_phases: int | None = None,
) -> Profile:
    return Profile(
        id=number,
        connector=connector,
        stack_level=level,
        purpose=purpose,
        kind=kind,
        periods=tuple(Period(s, lim, n_phases) for s, lim in (periods or ((0, limit),))),
        installed_s=NOON - 60,
        unit=unit,
        start_s=start,
        duration_s=duration,
        valid_from_s=valid[0],
        valid_to_s=valid[1],
        recurrency=recurrency,
        transaction_id=transaction,
    )


def test_without_profiles_nothing_limits() -> None:
    assert composite([], NOON, NOON + 60, RUNNING) == (Step(NOON, None),)


def test_of_two_defaults_the_higher_stack_level_prevails_even_when_it_allows_more() -> None:
    low, high = profile(6, number=1, level=0), profile(20, number=2, level=3)
    assert limit_at([low, high], NOON, RUNNING) == 20


def test_when_the_higher_level_ends_the_lower_one_is_in_force_again() -> None:
    low, high = profile(6, number=1, level=0), profile(20, number=2, level=3, duration=90)
    assert composite([low, high], NOON, NOON + 300, RUNNING) == (Step(NOON, 20), Step(NOON + 90, 6))


def test_a_transaction_profile_overrules_the_default_and_returns_to_it_when_its_lease_ends() -> None:
    default = profile(6, number=1, level=8)
    lease = profile(25, number=2, purpose=ProfilePurpose.TX, duration=120, transaction=7)
    assert composite([default, lease], NOON, NOON + 600, RUNNING) == (Step(NOON, 25), Step(NOON + 120, 6))


def test_a_transaction_profile_says_nothing_without_its_transaction() -> None:
    lease = profile(25, purpose=ProfilePurpose.TX, transaction=8)
    assert limit_at([lease], NOON, RUNNING) is None
    assert limit_at([profile(25, purpose=ProfilePurpose.TX)], NOON, IDLE) is None


def test_the_charge_point_maximum_caps_whatever_the_session_is_allowed() -> None:
    lease = profile(25, number=2, purpose=ProfilePurpose.TX)
    station = profile(10, number=3, purpose=ProfilePurpose.CHARGE_POINT_MAX, connector=0)
    assert limit_at([lease, station], NOON, RUNNING) == 10
    assert limit_at([station], NOON, Scene(0)) == 10


def test_a_default_for_the_connector_goes_before_one_for_the_whole_station() -> None:
    everywhere, here = profile(10, number=1, connector=0), profile(20, number=2, connector=1)
    assert limit_at([everywhere, here], NOON, RUNNING) == 20
    assert limit_at([everywhere, here], NOON, Scene(2, transaction_start_s=NOON)) == 10


def test_validity_begins_at_its_first_and_ends_before_its_last_moment() -> None:
    one = profile(16, valid=(NOON + 10, NOON + 20))
    found = [limit_at([one], NOON + t, RUNNING) for t in (9, 10, 19, 20)]
    assert found == [None, 16, 16, None]


def test_a_daily_schedule_begins_anew_every_day_at_the_same_time() -> None:
    night = profile(periods=((0, 10), (3600, 32)), kind=ProfileKind.RECURRING, recurrency=Recurrency.DAILY)
    steps = composite([night], NOON, NOON + DAY_S + 7200, RUNNING)
    assert steps == (
        Step(NOON, 10),
        Step(NOON + 3600, 32),
        Step(NOON + DAY_S, 10),
        Step(NOON + DAY_S + 3600, 32),
    )


def test_a_weekly_schedule_is_silent_between_its_runs() -> None:
    weekly = profile(10, kind=ProfileKind.RECURRING, recurrency=Recurrency.WEEKLY, duration=3600)
    assert limit_at([weekly], NOON + 3 * DAY_S, RUNNING) is None
    assert limit_at([weekly], NOON + 7 * DAY_S + 60, RUNNING) == 10


def test_a_recurring_schedule_does_not_run_before_its_first_start() -> None:
    later = profile(10, kind=ProfileKind.RECURRING, recurrency=Recurrency.DAILY, start=NOON + 600)
    assert limit_at([later], NOON, RUNNING) is None


def test_a_relative_schedule_begins_with_the_transaction() -> None:
    relative = profile(periods=((0, 8), (100, 16)), kind=ProfileKind.RELATIVE, start=None)
    late = Scene(1, transaction_start_s=NOON + 50)
    assert limit_at([relative], NOON, IDLE) is None
    assert [limit_at([relative], NOON + t, late) for t in (49, 50, 149, 150)] == [None, 8, 8, 16]


def test_an_absolute_schedule_that_names_no_start_begins_when_it_is_taken() -> None:
    one = profile(16, start=None, duration=60)
    assert limit_at([one], NOON - 1, RUNNING) == 16
    assert limit_at([one], NOON, RUNNING) is None


@pytest.mark.parametrize(("n_phases", "amps"), [(None, 10.0), (1, 30.0), (3, 10.0)])
def test_watts_are_spread_over_the_phases_the_period_names_or_the_connector_has(
    n_phases: int | None, amps: float
) -> None:
    watts = profile(6900, unit=RateUnit.WATT, n_phases=n_phases)
    assert limit_at([watts], NOON, RUNNING) == pytest.approx(amps)


@pytest.mark.parametrize("n_phases", [1, 2, 3])
def test_watts_without_phases_are_those_of_the_connector(n_phases: int) -> None:
    watts = profile(230 * 16, unit=RateUnit.WATT)
    assert limit_at([watts], NOON, Scene(1, n_phases=n_phases)) == pytest.approx(16 / n_phases)


# Every second, against a reading that looks at nothing but that second.

seconds = st.integers(-200, 400)


@st.composite
def some_profile(draw: st.DrawFn) -> Profile:
    purpose = draw(st.sampled_from(list(ProfilePurpose)))
    kind = draw(st.sampled_from(list(ProfileKind)))
    starts = sorted({0, *draw(st.lists(st.integers(1, 200), max_size=3))})
    recurrency = draw(st.sampled_from(list(Recurrency))) if kind is ProfileKind.RECURRING else None
    days_back = draw(st.integers(0, 2)) * 7 * DAY_S if recurrency else 0.0
    start = draw(st.none() | seconds) if kind is ProfileKind.ABSOLUTE else draw(seconds)
    return profile(
        number=draw(st.integers(1, 999)),
        purpose=purpose,
        connector=0 if purpose is ProfilePurpose.CHARGE_POINT_MAX else draw(st.sampled_from([0, 1, 2])),
        level=draw(st.integers(0, 3)),
        kind=kind,
        periods=tuple((float(s), float(draw(st.integers(0, 32)))) for s in starts),
        start=None if start is None else NOON + start - days_back,
        duration=draw(st.none() | st.integers(1, 300).map(float)),
        valid=(
            draw(st.none() | seconds.map(lambda s: NOON + s)),
            draw(st.none() | seconds.map(lambda s: NOON + s)),
        ),
        recurrency=recurrency,
        transaction=draw(st.sampled_from([None, 7, 8])) if purpose is ProfilePurpose.TX else None,
    )


def slowly(profiles: list[Profile], at: float, scene: Scene) -> float | None:
    """The limit at one second, by walking through what the standard says."""
    winners: dict[ProfilePurpose, Profile] = {}
    limits: dict[ProfilePurpose, float] = {}
    for one in profiles:
        tx = scene.transaction_start_s
        if one.purpose is ProfilePurpose.TX and (
            tx is None or one.connector != scene.connector or one.transaction_id not in (None, scene.transaction_id)
        ):
            continue
        if one.purpose is ProfilePurpose.TX_DEFAULT and one.connector not in (0, scene.connector):
            continue
        if (one.valid_from_s or 0) > at or (one.valid_to_s is not None and one.valid_to_s <= at):
            continue
        start = tx if one.kind is ProfileKind.RELATIVE else one.start_s if one.start_s is not None else one.installed_s
        if start is None:
            continue
        while one.recurrency is not None and start + one.recurrency.seconds <= at:
            start += one.recurrency.seconds
        since = at - start
        if since < 0 or (one.duration_s is not None and since >= one.duration_s):
            continue
        limit = next(p.limit for p in reversed(one.periods) if p.start_s <= since)
        best = winners.get(one.purpose)
        if best is None or (one.stack_level, one.connector > 0) > (best.stack_level, best.connector > 0):
            winners[one.purpose], limits[one.purpose] = one, limit
    session = limits.get(ProfilePurpose.TX, limits.get(ProfilePurpose.TX_DEFAULT))
    both = [x for x in (session, limits.get(ProfilePurpose.CHARGE_POINT_MAX)) if x is not None]
    return min(both) if both else None


@settings(max_examples=150, deadline=None)
@given(st.lists(some_profile(), max_size=6), st.sampled_from([IDLE, RUNNING, Scene(1, 3, NOON + 100, None)]))
def test_the_composite_schedule_is_right_in_every_second(profiles: list[Profile], scene: Scene) -> None:
    begin, end = NOON - 100, NOON + 300
    steps = composite(profiles, begin, end, scene)
    assert [step.start_s for step in steps] == sorted({step.start_s for step in steps})
    assert all(one.limit_a != other.limit_a for one, other in itertools.pairwise(steps))
    for second in range(400):
        at = begin + second
        stated = [step.limit_a for step in steps if step.start_s <= at][-1]
        assert stated == slowly(profiles, at, scene)
