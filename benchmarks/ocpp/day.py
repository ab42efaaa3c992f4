"""A day of a hundred chargers in virtual time: every OCPP frame is written, sent, read and judged, nobody waits.

Gateway and charge points share one process and one loop whose clock waits for nobody; sockets lie in memory.

    python -m benchmarks.ocpp.day MINUTES
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

from benchmarks.ocpp.child import Child, state
from benchmarks.ocpp.row import Row, judged
from gateway.clock import LoopClock
from gateway.collector import hold_full_collections
from gateway.depot import Depot, DepotOptions
from gateway.scenario_file import find_site, read_scenario
from gateway.site_file import site_tree
from simulators.depot import DepotSimulation
from simulators.watch import LimitWatch
from tests.quick_loop import QuickVirtualLoop

CHARGERS = 100
MINUTES = 1440
MOST_S = 60.0
BUDGET_CPU_S = 300.0
"""A day that takes longer is given up, and its cost told from the part that was simulated."""

_LOOK_EVERY_S = 10.0
_SETTINGS = "tick 30 s, lease 300 s, sample 60 s, plan 15 min, heartbeat 900 s, ping 60 s (chargers 180 s), look 10 s"


def site_text() -> str:
    """A car at each charger from some time of the morning on, on a connection that feeds a third of them at once."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield f"""
name = "day"
[grid]
limit_a = {11 * CHARGERS}
[control]
tick_s = 30
lease_s = 300
plan_every_s = 900
step_min = 15
sample_interval_s = 60
[ocpp]
port = 9000
heartbeat_s = 900
ping_interval_s = 60
[scenario]
start = 2026-06-01T06:00:00
minutes = {MINUTES}
[[scenario.fleet]]
name = "CAR"
battery_kwh = 60
"""
    for number in range(CHARGERS):
        come = 30 + 37 * number % 300
        yield f'[[chargers]]\nid = "CP{number:03d}"'
        yield "[[scenario.sessions]]"
        yield f'connector = "CP{number:03d}/1"\nkind = "CAR"\nenergy_kwh = {12 + number % 20}'
        yield f"arrive_min = {come}\ndepart_min = {come + 480}"


async def simulate(minutes: float, folder: Path) -> dict[str, object]:
    """Run it; what it came to."""
    file = folder / "day.toml"
    file.write_text(site_text(), encoding="utf-8")
    site, table = find_site(str(file))
    scenario = read_scenario(str(file), table)
    clock = LoopClock(scenario.begins.astimezone(UTC))
    site = site.model_copy(update={"panel": None, "data_dir": folder / "data"})
    simulation = DepotSimulation(
        scenario,
        site_tree(site),
        clock=clock,
        minutes=minutes,
        seed=1,
        ocpp_url=f"ws://{site.ocpp.host}:{site.ocpp.port}/ocpp",
        publish=_nobody_listens,
    )
    watch = LimitWatch(simulation, clock)
    async with Depot(site, clock=clock, options=DepotOptions(virtual=True)) as depot:
        day, budget = asyncio.create_task(simulation.run()), asyncio.create_task(_spend_budget())
        tasks = [day, budget, asyncio.create_task(depot.run()), asyncio.create_task(_look(watch))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        simulated_min = simulation.elapsed_s / 60
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        frames = sum(counters.frames_in + counters.frames_out for counters in depot.central.counters.values())
    return {
        "simulated_min": simulated_min,
        "frames": frames,
        "served": sum(outcome.completed for outcome in simulation.outcomes),
        "violations": watch.violations,
        "looks": watch.samples,
    }


async def _spend_budget() -> None:
    while time.process_time() < BUDGET_CPU_S:  # noqa: ASYNC110 -- the process's time is no event
        await asyncio.sleep(60)


async def _look(watch: LimitWatch) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        watch.look()


async def _nobody_listens(topic: str, payload: bytes, retain: bool) -> None:
    """There is no meter and no driver's wish at this depot."""


def rows() -> list[Row]:
    """CPU time of the whole, which is its time on the wall where nothing else runs."""
    with Child("day", MINUTES) as child:
        found = child.line()
    whole = found["served"] == CHARGERS and not found["violations"]
    cpu_s, simulated_min = found.pop("cpu_s"), round(found.pop("simulated_min"))
    return [
        judged(
            f"a simulated day of {CHARGERS} chargers over the full protocol, CPU time of its one process",
            cpu_s * MINUTES / simulated_min,
            "s",
            most=MOST_S,
            holds=whole,
            settings=_SETTINGS,
            from_part=f"{simulated_min:,} of {MINUTES:,} minutes in {cpu_s:.0f} s",
            **found,
        )
    ]


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    hold_full_collections()
    begun_s, begun_cpu_s = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as scratch, asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
        came_to = runner.run(simulate(float(sys.argv[1]), Path(scratch)))
    took = {"cpu_s": time.process_time() - begun_cpu_s, "wall_s": round(time.monotonic() - begun_s, 1)}
    state(**came_to, **took)
