"""What a vehicle does at a control pilot, whatever the pilot does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.pilot import duty_of
from simulators.vehicle import FOLLOW_S, Battery, Habits, Vehicle

CAR = Battery(60.0, n_phases=3, max_current_a=16.0, taper_soc=0.8, efficiency=0.9)


def plugged(battery: Battery = CAR, *, soc: float = 0.3, wanted: float = 30.0, seed: int = 1) -> Vehicle:
    return Vehicle(battery, soc=soc, wanted_kwh=wanted, at_s=0.0, rng=random.Random(seed))


@pytest.mark.parametrize("seed", range(20))
def test_it_follows_an_offer_within_five_seconds(seed: int) -> None:
    vehicle = plugged(seed=seed)
    vehicle.offer(duty_of(13.0), 0.0)
    vehicle.advance(FOLLOW_S)
    assert vehicle.current_a == pytest.approx(13.0)


def test_it_takes_its_time_to_follow() -> None:
    vehicle = plugged()
    vehicle.offer(duty_of(13.0), 0.0)
    vehicle.advance(0.25)
    assert vehicle.current_a == 0.0


def test_below_six_amperes_it_takes_nothing() -> None:
    vehicle = plugged()
    vehicle.offer(duty_of(5.9), 0.0)
    vehicle.advance(60.0)
    assert vehicle.current_a == 0.0


def test_it_takes_no_more_than_its_charger_on_board() -> None:
    vehicle = plugged()
    vehicle.offer(duty_of(32.0), 0.0)
    vehicle.advance(60.0)
    assert vehicle.current_a == 16.0


def test_it_stops_by_itself_with_exactly_what_it_wanted() -> None:
    vehicle = plugged(wanted=2.0)
    vehicle.offer(duty_of(16.0), 0.0)
    vehicle.advance(3600.0)
    assert vehicle.delivered_kwh == pytest.approx(2.0)
    assert vehicle.current_a == 0.0
    assert vehicle.satisfied


def test_above_the_taper_it_takes_less_and_less_but_fills_up() -> None:
    vehicle = plugged(soc=0.75, wanted=100.0)
    vehicle.offer(duty_of(16.0), 0.0)
    seen = []
    for minute in range(1, 240):
        vehicle.advance(minute * 60.0)
        seen.append((vehicle.soc, vehicle.current_a))
    tapering = [current for soc, current in seen if 0.81 < soc < 0.999]
    assert tapering == sorted(tapering, reverse=True)
    assert tapering[0] > 13
    assert tapering[-1] < 3
    assert vehicle.soc == pytest.approx(1.0)


def test_losses_heat_the_car_and_not_the_battery() -> None:
    vehicle = plugged(soc=0.2, wanted=6.0)
    vehicle.offer(duty_of(16.0), 0.0)
    vehicle.advance(3600.0)
    assert vehicle.soc == pytest.approx(0.2 + 6.0 * 0.9 / 60.0)


def sleeper() -> Vehicle:
    habits = Habits(sleeps_after_s=300.0)
    return Vehicle(CAR, soc=0.3, wanted_kwh=30.0, at_s=0.0, rng=random.Random(1), habits=habits)


def test_only_an_interrupted_pilot_wakes_a_sleeper_not_another_pause() -> None:
    vehicle = sleeper()
    vehicle.advance(400.0)
    for moment, offered in ((400.0, 16.0), (420.0, 0.0), (440.0, 16.0)):
        vehicle.advance(moment)
        vehicle.offer(duty_of(offered), moment)
    vehicle.advance(500.0)
    assert (vehicle.asleep, vehicle.current_a) == (True, 0.0)
    vehicle.wake()
    vehicle.advance(500.0 + FOLLOW_S)
    assert (vehicle.asleep, vehicle.current_a) == (False, 16.0)


def test_pauses_are_not_added_up() -> None:
    vehicle = sleeper()
    for k in range(4):
        vehicle.advance(k * 200.0)
        vehicle.offer(duty_of(16.0 if k % 2 else 0.0), k * 200.0)
    vehicle.advance(1000.0)
    assert (vehicle.asleep, vehicle.current_a) == (False, 16.0)


def test_a_contactor_that_opens_leaves_no_current_and_no_promise() -> None:
    vehicle = plugged()
    vehicle.offer(duty_of(16.0), 0.0)
    vehicle.advance(10.0)
    vehicle.offer(duty_of(12.0), 10.0)
    vehicle.cut()
    vehicle.advance(60.0)
    assert vehicle.current_a == 0.0
    vehicle.offer(duty_of(12.0), 60.0)
    vehicle.advance(60.0 + FOLLOW_S)
    assert vehicle.current_a == 12.0


offers = st.lists(
    st.tuples(st.floats(0.1, 9.0), st.sampled_from([0.0, 5.0, 6.0, 8.3, 10.0, 13.0, 16.0, 32.0])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(offers, st.integers(0, 10_000), st.floats(0.05, 0.99))
def test_it_never_draws_more_than_was_offered_in_the_last_five_seconds(
    changes: list[tuple[float, float]], seed: int, soc: float
) -> None:
    vehicle = plugged(soc=soc, seed=seed, wanted=50.0)
    history = [(0.0, 0.0)]
    now = 0.0
    for pause, offered in changes:
        for part in (0.33, 0.66, 1.0):
            moment = now + pause * part
            vehicle.advance(moment)
            inside = [a for t, a in history if t >= moment - FOLLOW_S]
            before = [a for t, a in history if t < moment - FOLLOW_S][-1:]
            assert vehicle.current_a <= max(inside + before) + 1e-6
        now += pause
        vehicle.offer(duty_of(offered), now)
        history.append((now, offered))


@settings(max_examples=100, deadline=None)
@given(offers, st.integers(0, 10_000), st.lists(st.floats(0.01, 5.0), min_size=1, max_size=30))
def test_looking_more_often_changes_nothing(changes: list[tuple[float, float]], seed: int, looks: list[float]) -> None:
    watched, alone = plugged(seed=seed, soc=0.5), plugged(seed=seed, soc=0.5)
    now = 0.0
    for k, (pause, offered) in enumerate(changes):
        watched.advance(now + min(pause, looks[k % len(looks)]))
        now += pause
        for vehicle in (watched, alone):
            vehicle.advance(now)
            vehicle.offer(duty_of(offered), now)
    assert watched.delivered_kwh == pytest.approx(alone.delivered_kwh, rel=1e-9)
    assert watched.current_a == pytest.approx(alone.current_a)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.05, 0.98),
    st.floats(0.4, 0.95),
    st.sampled_from([6.0, 10.0, 16.0, 32.0]),
    st.sampled_from([16.0, 32.0]),
    st.floats(600, 20_000),
)
def test_the_forecast_of_what_a_stay_allows_is_what_the_vehicle_then_takes(
    soc: float, taper: float, offered: float, most: float, seconds: float
) -> None:
    battery = Battery(30.0, n_phases=3, max_current_a=most, taper_soc=taper)
    vehicle = plugged(battery, soc=soc, wanted=1000.0)
    vehicle.offer(duty_of(offered), 0.0)
    vehicle.advance(seconds)
    promised = battery.deliverable_kwh(soc, offered, 3, seconds)
    # The vehicle loses up to five seconds at the start, and sees its taper in steps of ten.
    assert vehicle.delivered_kwh <= promised + 0.1
    assert vehicle.delivered_kwh >= promised - 0.1
