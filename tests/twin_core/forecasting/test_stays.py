"""What past stays and arrivals say about those to come."""

from __future__ import annotations

import pytest

from twin_core.forecasting.arrivals import ArrivalForecast, PastArrival
from twin_core.forecasting.stays import PastStay, StayForecast


def test_drivers_who_leave_two_hours_early_are_counted_on_for_two_hours_less() -> None:
    forecast = StayForecast([PastStay(8.0, 6.0)] * 50)
    assert forecast.left_h(8.0, 1.0) == pytest.approx(5.0)


def test_who_has_outstayed_the_announcement_is_compared_with_others_who_had() -> None:
    forecast = StayForecast([PastStay(4.0, 3.0)] * 50 + [PastStay(4.0, 7.0)] * 50, quantile=0.1)
    assert forecast.left_h(4.0, 0.0) == pytest.approx(3.0)
    assert forecast.left_h(4.0, 5.0) == pytest.approx(2.0)


def test_short_stays_say_nothing_about_long_ones() -> None:
    forecast = StayForecast([PastStay(1.0, 0.5)] * 100 + [PastStay(8.0, 8.0)] * 100, neighbours=50)
    assert forecast.left_h(8.0, 0.0) == pytest.approx(8.0)


def test_an_announcement_is_discounted_and_never_extended_until_it_has_passed() -> None:
    forecast = StayForecast([PastStay(4.0, 9.0)] * 50)
    assert forecast.left_h(4.0, 1.0) == pytest.approx(3.0)
    assert forecast.left_h(4.0, 5.0) == pytest.approx(4.0)


def test_with_little_to_go_by_the_announcement_stands() -> None:
    assert StayForecast([PastStay(8.0, 1.0)] * 3).left_h(5.0, 2.0) == pytest.approx(3.0)
    assert StayForecast([]).left_h(5.0, 6.0) == 0.0


@pytest.mark.parametrize("quantile", [0.0, 1.0, float("nan")])
def test_a_quantile_that_is_none_is_refused(quantile: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        StayForecast([], quantile=quantile)


def test_an_hour_brings_what_it_brought_on_average() -> None:
    days = [[PastArrival(9.2, 10.0, 4.0), PastArrival(9.8, 20.0, 6.0)], []]
    (coming,) = ArrivalForecast(days).rest_of_day(8.0)
    assert (coming.count, coming.energy_kwh) == (1.0, 15.0)
    assert coming.arrival_h == pytest.approx(1.5)
    assert coming.departure_h == pytest.approx(6.5)


def test_of_the_hour_that_runs_only_the_rest_is_expected() -> None:
    (coming,) = ArrivalForecast([[PastArrival(9.2, 12.0, 4.0)]]).rest_of_day(9.75)
    assert coming.energy_kwh == pytest.approx(3.0)
    assert coming.arrival_h == pytest.approx(0.125)
    assert ArrivalForecast([[PastArrival(9.2, 12.0, 4.0)]]).rest_of_day(10.0) == ()
