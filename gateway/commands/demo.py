"""`depot demo`: a simulated depot, run live over real sockets."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from gateway.clock import new_loop
from gateway.demo import DemoOptions, DemoResult, run_demo
from gateway.scenario_file import shipped_scenarios
from gateway.single_gateway import only_gateway

SUMMARY = "a simulated depot, run live with its panel in the browser"
DESCRIPTION = """\
Starts a broker, a depot of virtual charge points with cars and meters, and the gateway that runs
them: OCPP 1.6J and MQTT over real sockets, a plan every minute, every setpoint verified. The
clock runs 60 times faster unless told otherwise, and the same seed gives the same cars.

Your own charge points may join at ws://HOST:PORT/ocpp/{id}; give them real time with --speed 1.

Exits 0 only when the depot did its job: every car served as far as its stay allowed, no limit
exceeded by the true draws, no telemetry lost.

examples
  depot demo
  depot demo --scenario real_day            (after: depot data acn)
  depot demo --headless --minutes 120 --seed 7 --report build/demo.json
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--scenario", default="afternoon", help=f"a file, or one of: {', '.join(shipped_scenarios())}")
    parser.add_argument("--headless", action="store_true", help="progress lines instead of a live table")
    parser.add_argument("--speed", type=_positive, default=60.0, help="times faster than the wall (default 60)")
    parser.add_argument("--minutes", type=_positive, help="simulated length (default: the scenario's own)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same cars (default 1)")
    parser.add_argument("--planner", help="a planner other than the scenario's")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--ocpp-port", type=_port, default=9000, help="0 takes any free port (default 9000)")
    parser.add_argument("--mqtt-port", type=_port, default=1883, help="0 takes any free port (default 1883)")
    parser.add_argument("--panel-port", type=_port, default=8080, help="0 takes any free port (default 8080)")
    parser.add_argument(
        "--influx-url", help="also write telemetry to this InfluxDB 2 endpoint (token from DEPOT_INFLUX_TOKEN)"
    )
    parser.add_argument("--report", type=Path, help="write the run's numbers to this JSON file")
    parser.add_argument("--data-dir", type=Path, help="keep journal and history here (default: thrown away)")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no TCP port")
    return value


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when the depot did its job, 1 when it did not, 143 when it was told to end before."""
    with tempfile.TemporaryDirectory(prefix="depot-demo-") as scratch:
        wanted = DemoOptions(
            scenario=options.scenario,
            headless=options.headless,
            speed=options.speed,
            minutes=options.minutes,
            seed=options.seed,
            planner=options.planner,
            host=options.host,
            ocpp_port=options.ocpp_port,
            mqtt_port=options.mqtt_port,
            panel_port=options.panel_port,
            influx_url=options.influx_url,
            data_dir=options.data_dir or Path(scratch),
        )
        with (
            only_gateway(wanted.data_dir),
            asyncio.Runner(loop_factory=lambda: new_loop(options.speed)) as runner,
        ):
            try:
                result = runner.run(_until_told(wanted))
            except asyncio.CancelledError:
                return 128 + signal.SIGTERM
    if options.report is not None:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(result.report, indent=2) + "\n", encoding="utf-8")
    _print(result)
    return 1 if result.shortcomings else 0


async def _until_told(wanted: DemoOptions) -> DemoResult:
    """The demo, ended in good order by SIGTERM."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run_demo(wanted)


def _print(result: DemoResult) -> None:
    console = Console(highlight=False)
    report = result.report
    energy, envelope, setpoints = report["energy"], report["envelope"], report["setpoints"]
    console.print(
        f"{report['sessions']['completed']}/{report['sessions']['started']} sessions, "
        f"{energy['delivered_kwh']:.1f} of {energy['requested_kwh']:.1f} kWh, {report['cost_eur']:.2f} €"
    )
    console.print(
        f"setpoints: {setpoints['sent']} sent, {setpoints['accepted']} accepted, {setpoints['obeyed']} obeyed, "
        f"{setpoints['limited_by_car']} limited by the car, {setpoints['not_obeyed']} not obeyed"
    )
    console.print(
        f"envelope: {envelope['violations']} violations, least margin {envelope['min_margin_kw']} kW; "
        f"plans: {report['plans']['count']}, {report['plans']['fallbacks']} by rule, p99 {report['plans']['p99_ms']} ms"
    )
    for shortcoming in result.shortcomings:
        console.print(f"[bold red]not done[/] {escape(shortcoming)}")
    if not result.shortcomings:
        console.print("[green]the depot did its job[/]")
