"""Which limit is in force: the rules of OCPP 1.6 §3.13, one by one."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import pytest

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


def test_the_stack_level_counts_before_the_connector() -> None:
    everywhere, here = profile(10, number=1, connector=0, level=1), profile(20, number=2, connector=1)
    assert limit_at([everywhere, here], NOON, RUNNING) == 10


def test_where_the_default_of_a_connector_has_ended_the_one_for_the_whole_station_holds_again() -> None:
    everywhere, here = profile(10, number=1, connector=0), profile(20, number=2, connector=1, duration=60)
    assert composite([everywhere, here], NOON, NOON + 300, RUNNING) == (Step(NOON, 20), Step(NOON + 60, 10))


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


def test_an_absolute_schedule_that_names_no_start_begins_with_the_transaction() -> None:
    one = profile(16, start=None, duration=60)
    later = Scene(1, transaction_start_s=NOON + 100)
    assert [limit_at([one], NOON + t, later) for t in (99, 100, 159, 160)] == [None, 16, 16, None]


def test_an_absolute_schedule_that_names_no_start_begins_when_it_is_taken_into_a_running_transaction() -> None:
    one = profile(16, start=None, duration=60)
    earlier = Scene(1, transaction_start_s=NOON - 1000)
    assert [limit_at([one], NOON + t, earlier) for t in (-61, -60, -1, 0)] == [None, 16, 16, None]


def test_a_maximum_of_the_station_that_names_no_start_begins_when_it_is_taken() -> None:
    station = profile(16, purpose=ProfilePurpose.CHARGE_POINT_MAX, connector=0, start=None, duration=60)
    assert [limit_at([station], NOON + t, RUNNING) for t in (-60, -1, 0)] == [16, 16, None]


def test_recurrency_says_nothing_in_a_schedule_that_is_absolute() -> None:
    once = profile(10, recurrency=Recurrency.DAILY, duration=60)
    assert limit_at([once], NOON + DAY_S + 1, RUNNING) is None


def test_a_run_of_a_recurring_schedule_ends_where_the_next_begins() -> None:
    long = profile(
        periods=((0, 10), (DAY_S + 60, 32)),
        kind=ProfileKind.RECURRING,
        recurrency=Recurrency.DAILY,
        duration=3 * DAY_S,
    )
    assert composite([long], NOON, NOON + 3 * DAY_S, RUNNING) == (Step(NOON, 10),)


def test_the_fewest_phases_that_a_profile_in_force_names_are_used() -> None:
    lease = profile(16, number=1, purpose=ProfilePurpose.TX, n_phases=1, duration=60)
    station = profile(32, number=2, purpose=ProfilePurpose.CHARGE_POINT_MAX, connector=0, n_phases=3)
    assert composite([lease, station], NOON, NOON + 100, RUNNING) == (
        Step(NOON, 16, n_phases=1),
        Step(NOON + 60, 32, n_phases=3),
    )


def test_watts_are_never_spread_over_more_phases_than_the_connector_has() -> None:
    watts = profile(230 * 16, unit=RateUnit.WATT, n_phases=3)
    assert limit_at([watts], NOON, Scene(1, n_phases=1)) == pytest.approx(16)


def test_the_least_rate_that_pays_comes_along_in_amperes() -> None:
    watts = replace(profile(6900, unit=RateUnit.WATT), least_rate=4140.0)
    (step,) = composite([watts], NOON, NOON + 60, RUNNING)
    assert step.least_a == pytest.approx(6.0)


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


def test_a_day_of_a_charge_point_full_of_profiles_takes_less_than_a_millisecond() -> None:
    """The median of many: the machine may be busy with other things."""
    full = [
        profile(
            number=k,
            level=k % 9,
            connector=k // 9,
            kind=ProfileKind.RECURRING,
            recurrency=Recurrency.DAILY,
            periods=tuple((i * 1800.0, 6.0 + (i * k) % 26) for i in range(24)),
            duration=80_000.0 - k * 4000,
        )
        for k in range(1, 18)
    ]
    spent = []
    for _ in range(60):
        begun = time.process_time()
        steps = composite(full, NOON + 100, NOON + 100 + DAY_S, RUNNING)
        spent.append(time.process_time() - begun)
    assert len(steps) > 24
    assert statistics.median(spent) < 1e-3
