"""`depot replay`: a journal run through the twin again."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from rich.console import Console

from gateway.replay import replay

SUMMARY = "run a journal through the twin again and compare its grants"
DESCRIPTION = """\
Feeds the facts of a journal into a fresh twin, tick by tick, and compares every grant with the
one that was made then: the same facts must give the same grants. Prints what the run came to.
The site file is looked for beside the journal. Exits 0 only when nothing differs.

example
  depot demo --headless --minutes 30 --data-dir build/demo && depot replay build/demo/journal.db
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("journal", metavar="JOURNAL", type=Path, help="a journal.db, or the folder it is in")
    parser.add_argument("--site", type=Path, help="the site file (default: site.json beside the journal)")
    parser.add_argument("--run", type=int, help="which life of the gateway (default: the last)")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when the replay gave the same grants, 1 otherwise."""
    console = Console(highlight=False)
    logging.getLogger("twin_core").setLevel(logging.ERROR)  # the run has warned already
    result = replay(options.journal, options.site, options.run)
    console.print(
        f"run {result.run} of {result.begun:%Y-%m-%d %H:%M} UTC: {result.events} events, {result.ticks} ticks"
    )
    if result.twin is not None and result.last is not None:
        tally = result.twin.snapshot(result.last.at).tally
        console.print(
            f"sessions {tally.sessions_completed}/{tally.sessions_started}, {tally.delivered_kwh:.2f} of "
            f"{tally.requested_kwh:.2f} kWh, {tally.cost_eur:.2f} €, {tally.refused} refusals"
        )
    for line in result.differing:
        console.print(f"[bold red]differs[/] {line}")
    verdict = "[green]the same[/]" if not result.differences else f"[bold red]{result.differences} differ[/]"
    console.print(f"{result.grants} grants made again: {verdict}")
    return 1 if result.differences else 0
