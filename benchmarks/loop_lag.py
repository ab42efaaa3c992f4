"""How late the gateway's event loop is while it runs 200 charge points in real time and plans are solved.

The gateway runs in this process as `depot run` would: OCPP over real sockets, journal on disk, planner in its own
process, panel on. The charge points, each with a car that charges and a report every five seconds, run in another
process, so that only the gateway's lag is measured. The peer in the same run is an event loop that does nothing else:
what the machine itself is late by.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gateway.clock import LoopClock, WallClock
from gateway.depot import Depot
from gateway.loop_lag import LoopLag
from gateway.report import run_report
from gateway.site_file import parse_site
from simulators.quirks import quirks

CHARGERS = 200
RUN_S = 60.0
WARM_UP_S = 15.0
BASELINE_S = 10.0


def site_text(data_dir: Path) -> str:
    """A site of 200 charge points on a connection that feeds half of them."""
    chargers = "\n".join(
        f'[[chargers]]\nid = "VCP-{number:04d}"\nparent = "feeder-{number % 4}"' for number in range(1, CHARGERS + 1)
    )
    feeders = "\n".join(f'[[nodes]]\nid = "feeder-{n}"\nlimit_a = 800' for n in range(4))
    return f"""
name = "bench"
data_dir = "{data_dir}"
[grid]
limit_a = 2400
[ocpp]
port = 0
[panel]
port = 0
[control]
plan_every_s = 10
{feeders}
{chargers}
"""


def run() -> list[dict[str, object]]:
    """Measure and print; one row for the idle loop and one for the gateway."""
    logging.disable(logging.WARNING)
    try:
        rows = asyncio.run(_measure())
    finally:
        logging.disable(logging.NOTSET)
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    return rows


async def _measure() -> list[dict[str, object]]:
    idle = LoopLag()
    with suppress(TimeoutError):
        await asyncio.wait_for(idle.run(), BASELINE_S)
    rows: list[dict[str, object]] = [
        {"what": "idle loop", "p99_ms": round(idle.percentile(0.99), 2), "max_ms": round(idle.maximum(), 2)}
    ]
    with tempfile.TemporaryDirectory() as scratch:
        site, _ = parse_site(site_text(Path(scratch)), "benchmark")
        async with Depot(site, clock=WallClock()) as depot:
            running = asyncio.create_task(depot.run())
            swarm = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.loop_lag", str(depot.central.port)
            )
            try:
                await asyncio.sleep(WARM_UP_S)
                warm_up_lag = depot.lag
                depot.lag = LoopLag()
                pulse = asyncio.create_task(depot.lag.run())
                await asyncio.sleep(RUN_S)
                pulse.cancel()
                report = run_report(depot.runtime, await depot.runtime.tick(), depot.lag, depot.watch)
            finally:
                swarm.kill()
                await swarm.wait()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
    rows.append(
        {
            "what": f"gateway, {CHARGERS} charge points",
            "p99_ms": report["loop_lag_ms"]["p99"],
            "max_ms": report["loop_lag_ms"]["max"],
            "warm_up_max_ms": round(warm_up_lag.maximum(), 2),
            "sessions": report["sessions"]["started"],
            "setpoints": report["setpoints"]["sent"],
            "obeyed": report["setpoints"]["obeyed"],
            "plans": report["plans"]["count"],
            "plans_by_rule": report["plans"]["fallbacks"],
            "plan_p50_ms": report["plans"]["p50_ms"],
        }
    )
    return rows


async def _swarm(port: int) -> None:
    """Every charge point with a car from the start."""
    import random  # noqa: PLC0415 -- only in the child

    from simulators.charge_point import ChargePoint  # noqa: PLC0415
    from simulators.vehicle import Battery, Vehicle  # noqa: PLC0415
    from twin_core.models.charger import ChargerSpec, ConnectorSpec  # noqa: PLC0415
    from twin_core.models.ids import ChargerId, ConnectorId, IdTag  # noqa: PLC0415

    clock = LoopClock(datetime.now(UTC))

    async def live(number: int) -> None:
        identity = ChargerId(f"VCP-{number:04d}")
        spec = ChargerSpec(identity, (ConnectorSpec(ConnectorId(identity, 1)),))
        rng = random.Random(number)
        url = f"ws://127.0.0.1:{port}/ocpp"
        charge_point = ChargePoint(spec, url, clock=clock, rng=rng, quirks=quirks(()))
        await asyncio.sleep(number * 0.02)
        running = asyncio.create_task(charge_point.run())
        await charge_point.booted.wait()
        battery = Battery(80.0, n_phases=rng.choice([1, 3]), max_current_a=rng.choice([16.0, 32.0]))
        await asyncio.sleep(rng.uniform(0, 8))
        vehicle = Vehicle(battery, soc=rng.uniform(0.1, 0.5), wanted_kwh=40.0, at_s=clock.now().monotonic_s, rng=rng)
        await charge_point.plug(1, vehicle, IdTag(f"CAR-{number:04d}"))
        await running

    await asyncio.gather(*(live(number) for number in range(1, CHARGERS + 1)))


if __name__ == "__main__":
    asyncio.run(_swarm(int(sys.argv[1])))
