"""What earlier sessions teach, and when they teach nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from twin_core.forecasting.foresight import LEAST_DAYS, LEAST_STAYS, Foresight, PastSession, learned
from twin_core.models.ids import IdTag

MONDAY = datetime(2026, 11, 2, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def came(
    at: datetime, *, stayed_h: float = 4.0, announced_h: float | None = 8.0, firm: bool = False, kwh: float = 10.0
) -> PastSession:
    announced = None if announced_h is None else at + announced_h * HOUR
    return PastSession(IdTag("TAG"), at, at + stayed_h * HOUR, kwh, announced, firm)


def weeks(count: int, **said: object) -> list[PastSession]:
    """Somebody at seven on every working day."""
    days = [MONDAY + timedelta(days=n) for n in range(7 * count) if n % 7 < 5]
    return [came(day, **said) for day in days]  # type: ignore[arg-type]


def after(weeks_on: int) -> datetime:
    return MONDAY + timedelta(weeks=weeks_on)


def counted_on_h(foresight: Foresight, announced_h: float | None, elapsed_h: float) -> float | None:
    """Hours for which one who came at seven and wants what the others wanted is counted on."""
    announced = None if announced_h is None else MONDAY + announced_h * HOUR
    left = foresight.time_left(MONDAY, MONDAY + elapsed_h * HOUR, 10.0, announced)
    return None if left is None else left.counted_on_h


def test_drivers_who_leave_early_are_counted_on_to_leave_early() -> None:
    assert counted_on_h(learned(weeks(5), after(5), UTC), 8.0, 0.0) == pytest.approx(4.0)


def test_a_stay_is_counted_on_for_less_than_is_likely() -> None:
    past = [came(day.arrived, stayed_h=2.0 + n % 5) for n, day in enumerate(weeks(5))]
    left = learned(past, after(5), UTC).time_left(MONDAY, MONDAY, 10.0, MONDAY + 8 * HOUR)
    assert left is not None
    assert left.counted_on_h < left.likely_h == pytest.approx(4.0)


def test_an_announcement_stands_until_enough_drivers_were_seen() -> None:
    few = [came(MONDAY + timedelta(hours=n)) for n in range(LEAST_STAYS - 1)]
    assert counted_on_h(learned(few, after(1), UTC), 8.0, 0.0) is None
    enough = [*few, came(MONDAY)]
    assert counted_on_h(learned(enough, after(1), UTC), 8.0, 0.0) == pytest.approx(4.0)


def test_a_timetable_says_nothing_about_drivers() -> None:
    foresight = learned(weeks(5, firm=True), after(5), UTC)
    assert counted_on_h(foresight, 8.0, 0.0) is None
    assert counted_on_h(foresight, None, 0.0) is None


def test_who_announces_nothing_is_compared_with_everybody() -> None:
    foresight = learned(weeks(5, announced_h=None, stayed_h=3.0), after(5), UTC)
    assert counted_on_h(foresight, None, 1.0) == pytest.approx(2.0)
    assert counted_on_h(foresight, 8.0, 1.0) is None


def test_who_stays_longer_than_anybody_did_may_leave_at_any_time() -> None:
    left_h = counted_on_h(learned(weeks(5, announced_h=None), after(5), UTC), None, 24.0)
    assert left_h is not None
    assert 0 < left_h < 1


def test_working_days_expect_who_came_on_working_days_and_weekends_nobody() -> None:
    foresight = learned(weeks(3), after(3), UTC)
    monday = foresight.still_to_come(after(3).replace(hour=5))
    assert [round(hour.count, 6) for hour in monday] == [1.0]
    assert monday[0].energy_kwh == pytest.approx(10.0)
    saturday = after(3).replace(hour=5) + timedelta(days=5)
    assert foresight.still_to_come(saturday) == ()


def test_nobody_is_expected_before_enough_days_were_seen() -> None:
    days = [came(MONDAY + timedelta(days=n)) for n in range(5)]
    # The first day is left out: nobody knows when it began.
    assert learned(days, MONDAY + timedelta(days=LEAST_DAYS), UTC).working_days is None
    on = MONDAY + timedelta(days=7 + 1)
    assert learned(days, on, UTC).working_days is not None


def test_days_on_which_nobody_came_count() -> None:
    once = [came(MONDAY), came(MONDAY + timedelta(days=1))]
    coming = learned(once, after(2).replace(hour=5), UTC).still_to_come(after(2).replace(hour=5))
    assert coming[0].count == pytest.approx(1 / 9)


def test_hours_are_those_of_the_depots_own_clock() -> None:
    foresight = learned(weeks(3), after(3), ZoneInfo("Asia/Tokyo"))
    assert foresight.working_days is not None
    assert foresight.still_to_come(after(3).replace(hour=1))[0].arrival_h == pytest.approx(6.5)


def test_who_has_learned_nothing_foresees_nothing() -> None:
    assert counted_on_h(Foresight(), 8.0, 0.0) is None
    assert Foresight().still_to_come(MONDAY) == ()
