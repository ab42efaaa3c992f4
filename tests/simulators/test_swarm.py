"""Virtual charge points with cars of their own."""

from __future__ import annotations

from simulators.swarm import SwarmStatus, run_swarm
from tests.fakes import LoopClock
from tests.simulators.fake_central import URL, FakeCentral


async def test_every_charge_point_of_a_swarm_boots_and_its_cars_come_and_go() -> None:
    seen: list[SwarmStatus] = []
    async with FakeCentral() as central:
        status = await run_swarm(URL, 5, clock=LoopClock(), seed=3, minutes=120, on_status=seen.append, every_s=60.0)
    assert status.accepted == status.count == status.online == 5
    assert {h.charger for h in central.heard} == {f"VCP-{k:04d}" for k in range(1, 6)}
    assert status.sessions == len(central.of("StartTransaction")) > 5
    assert len(central.of("StopTransaction")) >= status.sessions - 5
    assert status.energy_kwh > 10
    assert len(seen) == 120
    assert max(s.power_kw for s in seen) > 10


async def test_a_swarm_that_nobody_accepts_says_so() -> None:
    async with FakeCentral() as central:
        central.answers["BootNotification"] = lambda _c, _p: {
            "status": "Rejected",
            "interval": 10,
            "currentTime": "2026-06-01T12:00:00Z",
        }
        status = await run_swarm(URL, 3, clock=LoopClock(), minutes=5)
    assert status.accepted == 0
    assert status.sessions == 0
    assert central.of("StartTransaction") == []


async def test_a_refused_tag_is_a_refused_visit() -> None:
    async with FakeCentral() as central:
        central.answers["Authorize"] = lambda _c, _p: {"idTagInfo": {"status": "Blocked"}}
        status = await run_swarm(URL, 2, clock=LoopClock(), minutes=30)
    assert status.sessions == status.refused_visits > 0
