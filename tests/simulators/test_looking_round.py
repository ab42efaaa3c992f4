"""A charge point looks round when something can change, and misses nothing by it."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alarm import Alarm
from simulators.pilot import duty_of
from simulators.vehicle import DRAWING_A, Battery, Habits, Vehicle
from tests.simulators.chargers import car, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.charger import ConnectorStatus
from twin_core.models.ids import IdTag

TAG = IdTag("TAG")


async def sample_every(central: FakeCentral, seconds: int) -> None:
    request = {"key": "MeterValueSampleInterval", "value": str(seconds)}
    assert (await central.call("CP1", "ChangeConfiguration", request))["status"] == "Accepted"


@given(
    soc=st.floats(0.0, 1.0),
    wanted_kwh=st.floats(0.01, 2.0),
    sleeps_after_s=st.none() | st.floats(1.0, 300.0),
    offers=st.lists(st.sampled_from((0.0, 6.0, 11.3, 32.0)), min_size=1, max_size=4),
    seed=st.integers(0, 9),
)
def test_no_vehicle_begins_or_ceases_to_charge_before_it_said(
    soc: float, wanted_kwh: float, sleeps_after_s: float | None, offers: list[float], seed: int
) -> None:
    habits = Habits(sleeps_after_s=sleeps_after_s)
    rng = random.Random(seed)
    vehicle = Vehicle(Battery(10.0), soc=soc, wanted_kwh=wanted_kwh, at_s=0.0, rng=rng, habits=habits)
    now_s = 0.0
    for offered_a in offers:
        vehicle.offer(duty_of(offered_a), now_s)
        steady_s = vehicle.steady_until_s()
        before = (vehicle.current_a > DRAWING_A, vehicle.asks(offered_a))
        for _ in range(80):
            now_s += 0.5
            vehicle.advance(now_s)
            if now_s < steady_s:
                assert (vehicle.current_a > DRAWING_A, vehicle.asks(offered_a)) == before
            else:
                steady_s = vehicle.steady_until_s()
                before = (vehicle.current_a > DRAWING_A, vehicle.asks(offered_a))


async def test_a_charge_point_with_a_charging_car_looks_round_for_its_samples_and_hardly_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with FakeCentral() as central, switched_on() as point:
        await sample_every(central, 60)
        await point.plug(1, car(), TAG)
        await settle(30)
        looks, look = [0], point.controller.look

        def counted() -> None:
            looks[0] += 1
            look()

        monkeypatch.setattr(point.controller, "look", counted)
        sampled = len(central.of("MeterValues"))
        await settle(600)
        assert len(central.of("MeterValues")) - sampled == 10
        assert looks[0] <= 30


async def test_a_car_that_has_enough_is_told_of_within_two_seconds_though_nobody_asks() -> None:
    async with FakeCentral() as central, switched_on() as point:
        vehicle = car(wanted=1.0)
        await sample_every(central, 0)
        await point.plug(1, vehicle, TAG)
        while not vehicle.satisfied:
            await asyncio.sleep(0.5)
            point.grid_currents()
        await settle(2)
        assert central.of("StatusNotification")[-1]["status"] == ConnectorStatus.SUSPENDED_EV.value


async def test_an_alarm_wakes_at_its_time_or_at_an_earlier_one_that_was_set_meanwhile() -> None:
    alarm, loop = Alarm(), asyncio.get_running_loop()

    async def slept(*earlier: float) -> float:
        begun_s, sleeping = loop.time(), asyncio.create_task(alarm.sleep(100.0))
        await asyncio.sleep(0)
        for delay_s in earlier:
            alarm.within(delay_s)
        await sleeping
        return loop.time() - begun_s

    assert await slept() == pytest.approx(100.0)
    assert await slept(200.0, 30.0, 60.0) == pytest.approx(30.0)
    alarm.within(1.0)
    assert await slept() == pytest.approx(100.0)
    asyncio.get_running_loop().call_later(5.0, alarm.set)
    assert await slept(30.0) == pytest.approx(5.0)
