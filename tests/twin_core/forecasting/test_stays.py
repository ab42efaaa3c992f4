"""What past stays and arrivals say about those to come."""

from __future__ import annotations

import math

import pytest

from twin_core.forecasting.arrivals import ArrivalForecast
from twin_core.forecasting.stays import PastStay, StayForecast


def past(announced_h: float, stay_h: float, *, arrival_h: float = 9.0, energy_kwh: float = 10.0) -> PastStay:
    return PastStay(arrival_h, stay_h, energy_kwh, announced_h)


def left_h(
    stays: list[PastStay],
    elapsed_h: float = 0.0,
    *,
    announced_h: float = 8.0,
    arrival_h: float = 9.0,
    energy_kwh: float = 10.0,
    part: float = 0.5,
) -> float:
    return StayForecast(stays).outlook(announced_h, arrival_h, energy_kwh).left_h(elapsed_h, part)


def test_drivers_who_leave_two_hours_early_are_counted_on_for_two_hours_less() -> None:
    assert left_h([past(8.0, 6.0)] * 50, 1.0) == pytest.approx(5.0)


def test_drivers_who_stay_longer_than_they_say_are_expected_to() -> None:
    assert left_h([past(4.0, 9.0)] * 50, 1.0, announced_h=4.0) == pytest.approx(8.0)


def test_a_stay_is_as_long_as_its_likes_were_or_as_far_off_what_was_announced() -> None:
    likes = [past(5.0, 4.0)] * 50
    assert left_h(likes, announced_h=5.5, part=0.4) == pytest.approx(4.0)
    assert left_h(likes, announced_h=5.5, part=0.6) == pytest.approx(4.5)


def test_who_has_outstayed_the_announcement_is_compared_with_others_who_had() -> None:
    stays = [past(4.0, 3.0)] * 50 + [past(4.0, 7.0)] * 50
    assert left_h(stays, 0.0, announced_h=4.0, part=0.1) == pytest.approx(3.0)
    assert left_h(stays, 5.0, announced_h=4.0, part=0.1) == pytest.approx(2.0)


def test_half_an_hour_before_midnight_is_like_half_an_hour_after() -> None:
    stays = [past(8.0, 6.0, arrival_h=0.5)] * 50 + [past(8.0, 2.0, arrival_h=20.0)] * 50
    assert left_h(stays, arrival_h=23.5) == pytest.approx(6.0)


def test_of_very_many_stays_old_and_new_ones_are_taken_alike() -> None:
    stays = [past(8.0, 4.0)] * 5000 + [past(8.0, 6.0)] * 5000
    outlook = StayForecast(stays, most=100).outlook(8.0, 9.0, 10.0)
    assert outlook.stay_h.size <= 200
    assert outlook.left_h(0.0, 0.45) == pytest.approx(4.0)
    assert outlook.left_h(0.0, 0.55) == pytest.approx(6.0)


def test_who_stays_longer_than_anybody_before_is_about_to_leave() -> None:
    assert left_h([past(4.0, 3.0)] * 50, 9.0) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("unlike", "asked"),
    [
        (past(1.0, 0.5), {"announced_h": 8.0}),
        (past(8.0, 0.5, arrival_h=17.0), {"arrival_h": 9.0}),
        (past(8.0, 0.5, energy_kwh=1.0), {"energy_kwh": 10.0}),
    ],
)
def test_stays_that_began_otherwise_say_little(unlike: PastStay, asked: dict[str, float]) -> None:
    assert left_h([unlike] * 100 + [past(8.0, 8.0)] * 30, **asked) == pytest.approx(8.0)


def test_where_nobody_said_when_to_leave_time_of_day_and_energy_still_tell() -> None:
    silent = [past(math.inf, 2.0, arrival_h=18.0)] * 50 + [past(math.inf, 9.0)] * 50
    assert left_h(silent, announced_h=math.inf) == pytest.approx(9.0)
    assert left_h(silent, announced_h=math.inf, arrival_h=18.0) == pytest.approx(2.0)


def test_with_little_to_go_by_the_announcement_stands() -> None:
    assert left_h([past(8.0, 1.0)] * 3, 2.0, announced_h=5.0) == pytest.approx(3.0)
    assert left_h([], 6.0, announced_h=5.0) == 0.0


@pytest.mark.parametrize("part", [0.0, 1.0, float("nan")])
def test_a_part_that_is_none_is_refused(part: float) -> None:
    with pytest.raises(ValueError, match="part"):
        left_h([past(8.0, 6.0)] * 50, part=part)


def test_an_hour_brings_what_it_brought_on_average() -> None:
    days = [[PastStay(9.2, 4.0, 10.0), PastStay(9.8, 6.0, 20.0)], []]
    (coming,) = ArrivalForecast(days).rest_of_day(8.0)
    assert (coming.count, coming.energy_kwh) == (1.0, 15.0)
    assert coming.arrival_h == pytest.approx(1.5)
    assert coming.departure_h == pytest.approx(6.5)


def test_of_the_hour_that_runs_only_the_rest_is_expected() -> None:
    days = [[PastStay(9.2, 4.0, 12.0)]]
    (coming,) = ArrivalForecast(days).rest_of_day(9.75)
    assert coming.energy_kwh == pytest.approx(3.0)
    assert coming.arrival_h == pytest.approx(0.125)
    assert ArrivalForecast(days).rest_of_day(10.0) == ()
