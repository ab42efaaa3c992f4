"""`depot study`: published results run again, with figures and a page that says what holds."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.commands.arguments import count
from studies.real_days import command as real_days

SUMMARY = "run a published study again, or every planner on recorded days"
DESCRIPTION = """\
thesis     three published set-ups of charging against prices, for many seeds
real_days  every planner on recorded days of two sites

Both write a page that says what holds, summary.json, tables and figures; they need matplotlib (pip
install 'depot-twin[studies]') and data that a command fetches.

examples
  depot data prices && depot study thesis --seeds 10
  depot data acn && depot study real_days --days 4
"""
_THESIS = """\
Three set-ups of charging against prices (Power Allocation, Emission CO2, Cohort), for many seeds,
against first in, first served: at the published settings, and at equal delivered energy. Writes
summary.json, tables/, figures/ and report.md. Needs matplotlib (pip install 'depot-twin[studies]')
and prices (depot data prices).

examples
  depot data prices && depot study thesis --seeds 10
  depot study thesis --scenario my-set-up.toml --prices my-prices.csv --out build/mine
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    studies = parser.add_subparsers(dest="what", required=True, metavar="STUDY")
    raw = argparse.RawDescriptionHelpFormatter
    thesis = studies.add_parser(
        "thesis", help="three published set-ups, many seeds", description=_THESIS, formatter_class=raw
    )
    _thesis_options(thesis)
    thesis.set_defaults(study=_thesis)
    recorded = studies.add_parser(
        "real_days", help=real_days.SUMMARY, description=real_days.DESCRIPTION, formatter_class=raw
    )
    real_days.options(recorded)
    recorded.set_defaults(study=real_days.run)


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when the study is written."""
    status: int = options.study(options)
    return status


def _thesis_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=count, default=10, metavar="K", help="days drawn per set-up (default 10)")
    parser.add_argument(
        "--out", type=Path, default=Path("build/study/thesis"), metavar="DIR", help="default build/study/thesis"
    )
    parser.add_argument(
        "--prices", type=Path, metavar="FILE", help="hourly CSV, or the ev2gym wheel (default: the one in build/data)"
    )
    parser.add_argument(
        "--scenario",
        action="append",
        metavar="FILE",
        help="a set-up's file or name, may be given again (default: all of the thesis)",
    )


def _thesis(options: argparse.Namespace) -> int:
    from studies.prices import read_prices, wheel_in_data  # noqa: PLC0415 -- only needed here
    from studies.thesis.scenario import load_set_up, shipped  # noqa: PLC0415
    from studies.thesis.study import run_study  # noqa: PLC0415

    console = Console()
    set_ups = [load_set_up(name) for name in options.scenario or shipped()]
    prices = read_prices(options.prices or wheel_in_data(Path("build/data")))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("starting", total=None)
        summary = run_study(
            set_ups,
            prices,
            n_seeds=options.seeds,
            out=options.out,
            on_progress=lambda what, done, of: bar.update(task, description=escape(what), completed=done, total=of),
        )
    for name, found in summary["set_ups"].items():
        median = found["median"]
        console.print(
            f"({escape(name)}) optimum {median['optimal_eur']:,.2f} € against FIFS {median['fifs_eur']:,.2f} €: "
            f"ratio {_ratio(median['ratio_published'])}, at equal energy {_ratio(median['ratio_equal_energy'])}"
        )
    console.print(f"These are medians. What holds and what does not: {escape(str(options.out / 'report.md'))}")
    return 0


def _ratio(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
