"""What each plain quirk changes in a conversation with a charge point."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simulators.quirks import quirks
from tests.simulators.chargers import car, profile, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

TAG = IdTag("TAG")


async def limited(point: Any, central: FakeCentral, limit: float = 10.5, **extra: Any) -> Any:
    await point.plug(1, car(), TAG)
    await settle(2)
    return await central.call(
        "CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(limit, **extra)}
    )


async def test_a_charger_of_whole_amperes_rounds_down() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["integer-amps"])) as point:
        await limited(point, central, 10.9)
        await settle(10)
        assert point.grid_currents()[0] == 10.0


async def test_a_charger_in_watts_rejects_amperes_and_obeys_watts() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["watts-only"])) as point:
        assert await limited(point, central) == {"status": "Rejected"}
        answer = await central.call(
            "CP1", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(6900.0, unit="W")}
        )
        assert answer == {"status": "Accepted"}
        await settle(10)
        assert point.grid_currents()[0] == pytest.approx(10.0)


async def test_a_disobedient_charger_accepts_a_limit_and_draws_its_maximum() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["ignores-limits"])) as point:
        assert await limited(point, central) == {"status": "Accepted"}
        await settle(10)
        assert point.grid_currents()[0] == 32.0


async def test_disobedience_can_begin_later() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["ignores-limits-after-10-min"])) as point:
        await limited(point, central, 10.0)
        await settle(300)
        assert point.grid_currents()[0] == pytest.approx(10.0)
        await settle(320)
        assert point.grid_currents()[0] == 32.0


async def test_a_silent_charger_lives_on_and_answers_nothing() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["silent"])):
        await settle(60)
        with pytest.raises(TimeoutError):
            await central.call("CP1", "ClearCache", {})
        await settle(300)
        assert central.of("Heartbeat")


async def test_a_late_charger_answers_late() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["answers-late"])):
        begin = asyncio.get_running_loop().time()
        await central.call("CP1", "ClearCache", {})
        assert asyncio.get_running_loop().time() - begin == pytest.approx(8.0, abs=0.1)


async def test_a_charger_with_a_skewed_clock_ends_a_lease_early() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["clock-two-seconds-fast"])) as point:
        await limited(point, central, 10.0, startSchedule="2026-06-01T12:00:00Z", duration=60)
        await settle(50)
        assert point.controller.station.outlets[1].offered_a == 10.0
        now = asyncio.get_running_loop().time()
        await settle(60 - now - 1.5)
        point.grid_currents()
        assert point.controller.station.outlets[1].offered_a == 32.0


async def test_a_charger_may_come_back_without_a_boot() -> None:
    async with FakeCentral() as central, switched_on(quirks=quirks(["no-boot-after-reconnect"])) as point:
        central.drop("CP1")
        await settle(60)
        assert point.links == 2
        assert len(central.of("BootNotification")) == 1
        assert len(central.of("StatusNotification")) == 4
