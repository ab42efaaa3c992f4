"""What a charge point does with its profiles while it has no link, OCPP 1.6 §3.13.6, on its own sockets."""

from __future__ import annotations

import asyncio

import pytest

from simulators.charge_point import ChargePoint
from tests.simulators.chargers import car, charger, profile, switched_on
from tests.simulators.fake_central import FakeCentral
from twin_core.models.ids import IdTag

TAG = IdTag("TAG-1")


async def told(central: FakeCentral, number: int, raw: dict[str, object]) -> None:
    payload = {"connectorId": number, "csChargingProfiles": raw}
    assert await central.call("CP1", "SetChargingProfile", payload) == {"status": "Accepted"}


def drawn(point: ChargePoint) -> float:
    return point.grid_currents()[0]


async def test_a_transaction_profile_is_used_for_the_rest_of_its_transaction_and_not_in_the_next() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await told(central, 1, profile(8.0, purpose="TxDefaultProfile", number=9))
        await point.plug(1, car(wanted=50.0), TAG)
        await asyncio.sleep(10)
        await told(central, 1, profile(12.0))
        await central.stop()
        for _ in range(10):
            await asyncio.sleep(360)
            assert drawn(point) == pytest.approx(12.0)
        point.unplug(1)
        await point.plug(1, car(seed=2), TAG)
        await asyncio.sleep(10)
        assert drawn(point) == pytest.approx(8.0)


async def test_a_transaction_that_begins_offline_uses_the_default_and_the_maximum_there_are() -> None:
    async with FakeCentral() as central, switched_on(charger(connectors=2, supply_max_a=32.0)) as point:
        await told(central, 0, profile(14.0, purpose="TxDefaultProfile", number=9))
        await told(central, 0, profile(20.0, purpose="ChargePointMaxProfile", number=10))
        await central.stop()
        await asyncio.sleep(5)
        await point.plug(1, car(), TAG)
        await asyncio.sleep(10)
        assert drawn(point) == pytest.approx(14.0)
        await point.plug(2, car(seed=2), TAG)
        await asyncio.sleep(10)
        assert drawn(point) == pytest.approx(20.0)


async def test_without_any_profile_nothing_constrains_a_transaction() -> None:
    async with FakeCentral() as central, switched_on() as point:
        await central.stop()
        await asyncio.sleep(5)
        await point.plug(1, car(), TAG)
        await asyncio.sleep(10)
        assert drawn(point) == pytest.approx(32.0)
