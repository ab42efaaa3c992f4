"""A simulated depot against a small central system, in virtual time."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import async_solipsism
import pytest

from connectors.mqtt.requests import decode_limit, decode_request
from simulators.depot import DepotSimulation
from simulators.scenario import Scenario
from simulators.watch import LimitWatch
from tests.fakes import LoopClock, instant
from tests.simulators.depots import Published, scenario, shipped, small_site
from tests.simulators.fake_central import URL, FakeCentral, Heard
from twin_core.errors import ConfigurationError
from twin_core.models.ids import NodeId
from twin_core.models.site import SiteTree

BASE = {"node": "grid", "kw": {"00:00": 8.0}, "noise": 0.05}
METER = {"node": "grid", "topic": "shelly/status/em:0"}


def depot(
    what: Scenario, site: SiteTree, *, minutes: float = 60, seed: int = 1, publish: Published | None = None
) -> DepotSimulation:
    return DepotSimulation(
        what, site, clock=LoopClock(), minutes=minutes, seed=seed, ocpp_url=URL, publish=publish or Published()
    )


async def a_day(what: Scenario, site: SiteTree, **options: Any) -> tuple[DepotSimulation, LimitWatch, list[Heard]]:
    """Run a whole day without anybody in control."""
    async with FakeCentral() as central:
        simulation = depot(what, site, **options)
        watch = LimitWatch(simulation, LoopClock())
        watching = asyncio.create_task(watch.run())
        await simulation.run()
        watching.cancel()
        return simulation, watch, central.heard


async def test_a_day_without_limits_to_speak_of_serves_everybody() -> None:
    simulation, watch, _ = await a_day(scenario(base_load=[BASE]), small_site(4, limit_a=200))
    assert len(simulation.outcomes) == len(simulation.planned) == 4
    for outcome in simulation.outcomes:
        assert outcome.completed
        assert outcome.delivered_kwh == pytest.approx(outcome.requested_kwh)
        assert outcome.delivered_kwh <= outcome.feasible_kwh
    assert watch.violations == 0
    assert watch.samples == pytest.approx(3600, abs=5)


async def test_it_is_ready_when_every_charge_point_has_booted() -> None:
    async with FakeCentral():
        simulation = depot(scenario(), small_site(5))
        running = asyncio.create_task(simulation.run())
        async with asyncio.timeout(10):
            await simulation.ready.wait()
        assert all(point.online for point in simulation.charge_points.values())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    def trace(seed: int) -> list[tuple[Any, ...]]:
        async def run() -> list[tuple[Any, ...]]:
            published = Published()
            what = scenario(base_load=[BASE], meters=[METER])
            _, watch, heard = await a_day(what, small_site(3), minutes=30, seed=seed, publish=published)
            return [(h.at_s, h.charger, h.action, str(h.payload)) for h in heard] + [
                tuple(published.messages),
                (watch.min_margin_kw,),
            ]

        with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
            return runner.run(run())

    assert trace(7) == trace(7)
    assert trace(7) != trace(8)


async def test_wishes_are_announced_before_the_plug_in_as_the_gateway_reads_them() -> None:
    published = Published()
    simulation, _, heard = await a_day(scenario(), small_site(2), publish=published)
    wishes = [decode_request(payload, instant()) for payload in published.on("depot/small/request")]
    assert [w.id_tag for w in wishes] == [s.id_tag for s in simulation.planned]
    assert [w.connector_id for w in wishes] == [s.connector_id for s in simulation.planned]
    assert [w.request.energy_kwh for w in wishes] == [s.energy_kwh for s in simulation.planned]
    starts = [h for h in heard if h.action == "StartTransaction"]
    assert [s.payload["idTag"] for s in starts] == [w.id_tag for w in wishes]
    assert len(published.at_s) == len(starts)
    assert all(told < start.at_s for told, start in zip(published.at_s, starts, strict=True))
    departures = [datetime.fromisoformat(json.loads(p)["departure"]) for p in published.on("depot/small/request")]
    assert all(d.utcoffset() is not None for d in departures)


async def test_a_limit_change_is_said_in_full_and_taken_back() -> None:
    published = Published()
    change = {"node": "grid", "at_min": 10, "until_min": 20, "limit_a": 60}
    await a_day(scenario(limit_changes=[change]), small_site(1), publish=published)
    limits = [decode_limit(payload, instant()) for payload in published.on("depot/small/limit")]
    assert [(one.node_id, one.limit_a, one.limit_kw) for one in limits] == [("grid", 60, None), ("grid", 100, None)]


async def test_meters_see_the_base_load_and_the_vehicles() -> None:
    published = Published()
    simulation, _, _ = await a_day(scenario(base_load=[BASE], meters=[METER]), small_site(2), publish=published)
    read = [json.loads(payload)["total_act_power"] for payload in published.on(METER["topic"])]
    assert len(read) == pytest.approx(1800, abs=2)
    assert max(read) > 8000 + 11_000
    assert min(read) == pytest.approx(8000, rel=0.15)
    assert simulation.outcomes


async def test_currents_of_a_node_are_the_sum_of_what_hangs_below_it() -> None:
    async with FakeCentral():
        simulation = depot(scenario(base_load=[BASE]), small_site(3, limit_a=200))
        running = asyncio.create_task(simulation.run())
        seen = 0.0
        for _ in range(60):
            await asyncio.sleep(60)
            currents = simulation.true_currents()
            leaves = [currents[NodeId(f"CP{n}")] for n in (1, 2, 3)]
            for phase in range(3):
                assert currents[NodeId("feeder")][phase] == pytest.approx(sum(leaf[phase] for leaf in leaves))
            base_a = currents[NodeId("grid")][0] - currents[NodeId("feeder")][0]
            assert base_a == pytest.approx(8000 / 690, rel=0.11)
            seen = max(seen, currents[NodeId("feeder")][0])
        assert seen >= 16
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_watch_sees_what_uncontrolled_charging_does_to_a_limit() -> None:
    simulation, watch, _ = await a_day(scenario(base_load=[BASE]), small_site(3, limit_a=30), minutes=120)
    assert watch.violations > 100
    assert watch.worst is not None
    assert watch.worst.node == "grid"
    assert watch.min_margin_kw == pytest.approx(-watch.worst.over_kw)
    assert simulation.outcomes


async def test_a_lower_limit_counts_after_its_grace_and_not_before() -> None:
    change = {"node": "grid", "at_min": 30, "until_min": 40, "limit_a": 1}
    simulation, watch, _ = await a_day(scenario(base_load=[BASE], limit_changes=[change]), small_site(1))
    # The base load alone is above 1 A, so every look between the grace and the end counts, and no other.
    assert watch.violations == pytest.approx(600 - watch.grace_s, abs=2)
    assert watch.worst is not None
    assert 30 * 60 + watch.grace_s <= watch.worst.elapsed_s < 40 * 60
    assert simulation.outcomes


async def test_the_margin_is_that_of_the_most_loaded_phase() -> None:
    load = {**BASE, "unbalance": [0.5, 1.5, 1.0], "noise": 0.0}
    _, watch, _ = await a_day(scenario(base_load=[load], arrivals={"count": 0}), small_site(1), minutes=5)
    heaviest_a = 1.5 * 8000 / 690
    assert watch.min_margin_kw == pytest.approx((100 - heaviest_a) * 0.69)
    assert watch.min_margin_node == "grid"


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"quirks": {"CP9": ["silent"]}}, "CP9"),
        ({"meters": [{"node": "roof", "topic": "m"}]}, "roof"),
        ({"base_load": [{"node": "grid", "kw": {"00:00": 50.0}}]}, "base_load_worst_a"),
        ({"limit_changes": [{"node": "tap", "at_min": 1, "limit_a": 5}]}, "tap"),
    ],
)
async def test_a_scenario_that_does_not_fit_its_site_is_refused(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        depot(scenario(**table), small_site())


async def test_the_shipped_afternoon_would_overload_its_site_if_nobody_were_in_control() -> None:
    site, what = shipped("afternoon")
    simulation, watch, _ = await a_day(what, site, minutes=60, seed=7)
    assert len(simulation.planned) >= 14
    assert watch.violations > 100
    assert all(outcome.completed for outcome in simulation.outcomes)


async def test_what_a_scenario_says_of_cables_cars_and_chargers_is_what_happens() -> None:
    fleet = [{"name": "TINY", "max_current_a": 32.0, "cable_a": 13}, {"name": "DEEP", "sleeps_after_min": 5.0}]
    sessions = [
        {"connector": f"CP{n}/1", "kind": kind, "arrive_min": 1, "depart_min": 50, "energy_kwh": 60}
        for n, kind in ((1, "TINY"), (2, "DEEP"))
    ]
    hardware = {"CP2": {"wakes_after_s": 30.0, "meter_error": 0.01, "sharing": "first-come"}}
    what = scenario(fleet=fleet, sessions=sessions, hardware=hardware)
    async with FakeCentral():
        simulation = depot(what, small_site(2, limit_a=200))
        running = asyncio.create_task(simulation.run())
        await asyncio.sleep(20 * 60)
        first, second = (point.controller.station for point in simulation.charge_points.values())
        assert first.grid_currents()[0] == 13.0
        assert second.hardware.wakes_after_s == 30.0
        vehicle = second.outlets[1].vehicle
        assert vehicle is not None
        assert vehicle.habits.sleeps_after_s == 300.0
        assert second.outlets[1].register_kwh == pytest.approx(vehicle.delivered_kwh * 1.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_hardware_of_a_charger_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"scenario\.hardware: there is no charger 'CP9'"):
        depot(scenario(hardware={"CP9": {}}), small_site(2))
