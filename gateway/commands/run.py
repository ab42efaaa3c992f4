"""`depot run`: live control of a real depot."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from gateway.clock import WallClock, new_loop
from gateway.collector import hold_full_collections
from gateway.depot import Depot
from gateway.live_table import live_table
from gateway.single_gateway import only_gateway
from gateway.site_file import SiteFile, read_site

SUMMARY = "run a depot live"
DESCRIPTION = """\
Runs the gateway of one depot: charge points connect over OCPP 1.6J, meters over MQTT, and
every setpoint passes the safety envelope. Refuses a site that `depot check` faults. Stops on
Ctrl-C or SIGTERM; charge points then keep what they were granted until their lease ends and
fall back by themselves.

example
  depot check my-depot.toml && depot run my-depot.toml
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("site", metavar="SITE.toml", type=Path, help="the site file")
    parser.add_argument("--headless", action="store_true", help="no live table, for a service")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 after an orderly stop."""
    site, _ = read_site(options.site)
    hold_full_collections()
    with only_gateway(site.data_dir), asyncio.Runner(loop_factory=lambda: new_loop(1.0)) as runner:
        runner.run(_run(site, headless=options.headless))
    return 0


async def _run(site: SiteFile, *, headless: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Depot(site, clock=WallClock()) as depot:
        with live_table(headless=headless) as table:
            depot.show_to(table.update)
            running = asyncio.create_task(depot.run(), name="depot")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not running.done():
                running.cancel()
        await asyncio.gather(running, return_exceptions=stop.is_set())
