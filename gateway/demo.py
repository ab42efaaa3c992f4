"""The demo: a broker, a simulated depot and its gateway in one process, on one clock."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from connectors.mqtt.broker import EmbeddedBroker
from connectors.mqtt.client import MqttLink, MqttSettings
from gateway.clock import LoopClock
from gateway.depot import Depot, DepotOptions
from gateway.live_table import live_table
from gateway.report import run_report
from gateway.scenario_file import find_site, read_scenario
from gateway.site_file import InfluxTable, MqttTable, PanelTable, SiteFile
from simulators.depot import DepotSimulation, SessionOutcome
from simulators.scenario import Scenario
from simulators.watch import LimitWatch

logger = logging.getLogger(__name__)

UNSERVED_TOLERANCE = 0.02
"""Part of the requested energy that may be missing at the end: the last samples and the wake-up of cars."""

SHORT_KWH = 0.15
"""A car that left with so little less than it asked for was served: a kilometre's worth."""

STALL_WALL_S = 0.25
"""Time on the wall by which one process, busy with both sides of the wire, may be late."""

LONGEST_RAMP_S = 25.0
"""What that may add up to: a site file states no longer ramp either."""

SETTLE_S = 30.0
"""After the last car left, for the last messages to arrive and for strangers to finish."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asked for; see `depot demo --help`."""

    scenario: str
    data_dir: Path
    headless: bool = True
    speed: float = 60.0
    minutes: float | None = None
    seed: int = 1
    planner: str | None = None
    host: str = "127.0.0.1"
    ocpp_port: int = 0
    mqtt_port: int = 0
    panel_port: int = 0
    influx_url: str | None = None


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the run came to, and what was not done; nothing when the depot did its job."""

    report: dict[str, Any]
    shortcomings: list[str]


async def run_demo(options: DemoOptions) -> DemoResult:
    """Run the demo to its end.

    Raises:
        ConfigurationError: the scenario cannot be run.
    """
    site, table = find_site(options.scenario)
    scenario = read_scenario(options.scenario, table)
    # At the wall's own tempo strangers may join, and they live in real time; a faster clock starts where the
    # scenario does.
    begins = datetime.now(UTC) if options.speed == 1.0 else scenario.begins.astimezone(UTC)
    clock = LoopClock(begins)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(
            EmbeddedBroker(options.mqtt_port or _free_port(options.host), host=options.host)
        )
        site = _as_asked(site, options, broker.port)
        depot = await stack.enter_async_context(Depot(site, clock=clock, options=DepotOptions(speed=options.speed)))
        publisher = MqttLink(
            MqttSettings(host=options.host, port=broker.port, client_id="simulators", timeout_s=10.0 * options.speed),
            clock=clock,
            sink=depot.runtime,
            bindings=[],
        )
        simulation = DepotSimulation(
            scenario,
            depot.tree,
            clock=clock,
            minutes=options.minutes or scenario.minutes,
            seed=options.seed,
            ocpp_url=f"ws://{options.host}:{depot.central.port}/ocpp",
            publish=partial(_publish, publisher),
        )
        watch = LimitWatch(simulation, clock)
        if not options.headless and depot.panel is not None:
            print(f"panel: {depot.panel.url}")  # noqa: T201 -- the first thing a user wants to know
        with live_table(headless=options.headless, speed=options.speed) as shown:
            depot.show_to(shown.update)
            await _run_together(depot, publisher, simulation, watch)
        return await _result(depot, simulation, watch, scenario, options)


def _as_asked(site: SiteFile, options: DemoOptions, mqtt_port: int) -> SiteFile:
    """The scenario's site with the command line's ports, adopting every charge point that knocks."""
    # Computing does not scale with the clock: at 60 times the tempo a tenth of a second on the wall looks like six.
    stall_s = STALL_WALL_S * options.speed if options.speed > 1.0 else 0.0
    ramp_s = min(site.control.ramp_s + stall_s, LONGEST_RAMP_S)
    control = site.control.model_copy(update={"planner": options.planner or site.control.planner, "ramp_s": ramp_s})
    return site.model_copy(
        update={
            "adopt_unknown": True,
            "data_dir": options.data_dir,
            "control": control,
            "ocpp": site.ocpp.model_copy(update={"host": options.host, "port": options.ocpp_port, "tls": None}),
            "mqtt": MqttTable(host=options.host, port=mqtt_port),
            "panel": PanelTable(host=options.host, port=options.panel_port),
            "influx": InfluxTable(url=options.influx_url) if options.influx_url else None,
        }
    )


async def _run_together(depot: Depot, publisher: MqttLink, simulation: DepotSimulation, watch: LimitWatch) -> None:
    """Everything at once, until the simulated day is over."""
    background = [
        asyncio.create_task(depot.run(), name="depot"),
        asyncio.create_task(publisher.run(), name="simulated publisher"),
        asyncio.create_task(watch.run(), name="limit watch"),
    ]
    day = asyncio.create_task(_whole_day(simulation), name="simulation")
    try:
        done, _ = await asyncio.wait({day, *background}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (day, *background):
            task.cancel()
        await asyncio.gather(day, *background, return_exceptions=True)


def _free_port(host: str) -> int:
    """A port nobody listened on a moment ago; the embedded broker cannot say which one it took."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


async def _publish(link: MqttLink, topic: str, payload: bytes, retain: bool) -> None:
    if not await link.publish(topic, payload, retain):
        raise OSError(f"the broker did not take {topic} in time")


async def _whole_day(simulation: DepotSimulation) -> None:
    await simulation.run()
    await asyncio.sleep(SETTLE_S)


async def _result(
    depot: Depot, simulation: DepotSimulation, watch: LimitWatch, scenario: Scenario, options: DemoOptions
) -> DemoResult:
    final = await depot.runtime.tick()
    delivered = depot.influx is None or await depot.influx.drain(10.0 * options.speed)
    report = run_report(depot.runtime, final, depot.lag, depot.watch)
    outcomes = simulation.outcomes
    report["envelope"]["measured_violations"] = depot.watch.violations
    report["envelope"]["violations"] = depot.watch.violations + watch.violations
    report["envelope"]["min_margin_kw"] = round(watch.min_margin_kw, 3)
    report["truth"] = {
        "sessions": len(outcomes),
        "completed": sum(outcome.completed or _missing_kwh(outcome) <= SHORT_KWH for outcome in outcomes),
        "requested_kwh": round(sum(outcome.requested_kwh for outcome in outcomes), 3),
        "delivered_kwh": round(sum(outcome.delivered_kwh for outcome in outcomes), 3),
        "unserved_kwh": round(sum(_missing_kwh(outcome) for outcome in outcomes), 3),
        "violations": watch.violations,
        "worst": None if watch.worst is None else str(watch.worst),
    }
    report["telemetry"] = _telemetry(depot)
    report["adopted"] = sorted(charger.id for charger in final.snapshot.chargers if charger.adopted)
    report["run"] = {
        "scenario": options.scenario,
        "seed": options.seed,
        "speed": options.speed,
        "minutes": options.minutes or scenario.minutes,
        "planner": depot.site.control.planner,
        "chargers": len(depot.tree.chargers),
        "connectors": len(depot.tree.connector_by_id),
    }
    return DemoResult(report, _shortcomings(report, delivered))


def _missing_kwh(outcome: SessionOutcome) -> float:
    """What a car asked for and its stay allowed, and it did not get."""
    return max(0.0, min(outcome.requested_kwh, outcome.feasible_kwh) - outcome.delivered_kwh)


def _telemetry(depot: Depot) -> dict[str, int]:
    """What became of the rows: at the server where there is one, else in the local history."""
    counters = depot.history.counters if depot.influx is None else depot.influx.counters
    lost = counters.dropped + counters.refused
    return {
        "points_written": depot.telemetry.points - lost if depot.influx is None else counters.written,
        "points_lost": lost,
        "backlog": counters.backlog,
    }


def _shortcomings(report: dict[str, Any], telemetry_delivered: bool) -> list[str]:
    """Why the depot did not do its job; empty when it did."""
    truth, found = report["truth"], []
    if report["envelope"]["violations"]:
        found.append(f"limits were exceeded {report['envelope']['violations']} times, worst {truth['worst']}")
    if truth["completed"] < truth["sessions"]:
        short = truth["sessions"] - truth["completed"]
        found.append(f"{short} of {truth['sessions']} cars left with less than they asked for and their stay allowed")
    if truth["unserved_kwh"] > UNSERVED_TOLERANCE * max(truth["requested_kwh"], 1.0):
        found.append(f"{truth['unserved_kwh']} of {truth['requested_kwh']} kWh were not delivered")
    if report["telemetry"]["points_lost"] or not telemetry_delivered:
        found.append(f"telemetry: {report['telemetry']}")
    if not truth["sessions"] and not report["sessions"]["started"]:
        found.append("no car came: give it more --minutes")
    if truth["sessions"] and not report["plans"]["count"]:
        found.append("no plan was made")
    return found
