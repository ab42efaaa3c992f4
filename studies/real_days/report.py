"""The page that says what holds: every number and verdict in it comes from the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from studies.real_days.case import DEPARTURES, SHARES
from studies.real_days.contenders import DEFAULT, HINDSIGHT
from studies.real_days.day import in_summer
from studies.real_days.results import CaseKey, Results, Spread
from studies.real_days.verdicts import Verdict

_FEW_DAYS = 10

_COLUMNS = (
    ("energy met", "energy_met", "%"),
    ("below optimum", "below_optimum", "points"),
    ("demands met", "demands_met", "%"),
    ("worst decile", "worst_decile", "%"),
    ("Jain", "jain", ""),
    ("saved at equal energy", "saving", "%"),
    ("days of equal energy", "same_energy", "%"),
    ("over the cheapest", "over_cheapest", "%"),
    ("tick, ms", "tick_ms", "ms"),
)


def page(results: Results, found: list[Verdict], summary: Mapping[str, Any]) -> str:
    """The page in Markdown.

    Args:
        results: all rows.
        found: verdicts on the aims.
        summary: what `summary.json` holds beside them.
    """
    lines = ["# Real days", "", *_what(summary), "", "## What was aimed at", "", *_verdicts(found)]
    for case in results.cases:
        lines += ["", f"## {_title(case)}", "", *_table(results, case), "", *_seasons(results, case)]
    lines += ["", "## How to read it", "", *(f"- {line}" for line in _reading(summary))]
    return "\n".join(lines) + "\n"


def _what(summary: Mapping[str, Any]) -> Iterator[str]:
    sites = "; ".join(
        f"{site}: {len(days)} days from {min(days)} to {max(days)}, "
        f"{summary['unclaimed'][site]:.1%} of {summary['stays'][site]:,} sessions without an announcement"
        for site, days in summary["days"].items()
    )
    yield f"ACN-Data, {sites}."
    refused = ", ".join(f"{planner} {count:,}" for planner, count in summary["refusals"].items()) or "none"
    yield (
        f"Every day is lived in steps of five minutes, planned anew in each. {summary['runs']:,} runs, "
        f"{summary['violations']:,.0f} step-limits broken, plans refused and made by the rule instead: "
        f"{refused}."
    )


def _verdicts(found: list[Verdict]) -> Iterator[str]:
    if not found:
        yield f"None: {DEFAULT} took no part."
        return
    few = min(verdict.found.days for verdict in found) < _FEW_DAYS
    doubt = f" Fewer than {_FEW_DAYS} days: the intervals say little." if few else ""
    yield f"About `{DEFAULT}`, mean over days with its 95 % interval. *Possible* is what hindsight reaches.{doubt}"
    yield ""
    yield "| case | aim | found | possible | verdict |"
    yield "|---|---|---|---|---|"
    for verdict in found:
        sign = "≤" if verdict.at_most else "≥"
        word = "holds" if verdict.holds else "**does not hold**"
        sure = "" if verdict.certain else ", not certain: the interval reaches beyond the aim"
        possible = "" if verdict.possible is None else f"{verdict.possible:.1%}"
        yield (
            f"| {_title(verdict.case)} | {verdict.claim} {sign} {verdict.aim:.1%} | {_spread(verdict.found)} | "
            f"{possible} | {word}{sure} |"
        )


def _spread(found: Spread) -> str:
    return f"{found.mean:.2%} ({found.low:.2%} to {found.high:.2%})"


def _title(case: CaseKey) -> str:
    limit, wiring, departures = case
    return f"{limit}, {wiring.replace('_', ' ')}, {departures} departures"


def _table(results: Results, case: CaseKey) -> Iterator[str]:
    yield "| planner | " + " | ".join(name for name, _, _ in _COLUMNS) + " | demands beside hindsight |"
    yield "|---" * (len(_COLUMNS) + 2) + "|"
    for planner in results.planners(case):
        cells = [_cell(results.spread(case, planner, metric).mean, unit) for _, metric, unit in _COLUMNS]
        beside = results.difference(case, planner, HINDSIGHT, "demands_met")
        cells.append(f"{100 * beside.mean:+.1f} ({100 * beside.low:+.1f} to {100 * beside.high:+.1f})")
        yield f"| {planner} | " + " | ".join(cells) + " |"


def _seasons(results: Results, case: CaseKey) -> Iterator[str]:
    """How much of what could be saved the default planner did, by tariff: where prices are flat there is little."""
    for planner in (DEFAULT, HINDSIGHT):
        if planner in results.planners(case):
            summer = np.array([in_summer(day) for day in results.days(case, planner)])
            saved = results.values(case, planner, "saving")
            parts = [
                f"{saved[which].mean():.2%} under the {season} tariff ({which.sum()} days)"
                for season, which in (("summer", summer), ("winter", ~summer))
                if which.any()
            ]
            yield f"`{planner}` saves {' and '.join(parts)} at equal energy."


def _cell(value: float, unit: str) -> str:
    if unit == "ms":
        return f"{value:.1f}"
    if unit == "points":
        return f"{100 * value:.2f}"
    return f"{value:.1%}" if unit == "%" else f"{value:.3f}"


def _reading(summary: Mapping[str, Any]) -> Iterator[str]:
    for limit in SHARES:
        yield f"*{limit}*: the site may draw {SHARES[limit]:.0%} of what it would, were everybody served at once."
    for name, meaning in DEPARTURES.items():
        yield f"*{name} departures*: {meaning}."
    yield (
        "*hindsight* knows the whole day from the start and plans it once; *below optimum* is beside the most energy "
        "any plan of the whole day delivers, in points of what was wanted."
    )
    yield (
        "*saved at equal energy* is the part of quick_charge's cost that is saved at quick_charge's energy, at least: "
        "a kWh delivered less is bought at the dearest price of the day, one more is sold at the cheapest. On *days of "
        "equal energy* the two differ by less than 0.1 % and this is their costs side by side."
    )
    yield (
        "*over the cheapest*: how much more was paid than the same energy to each of the same sessions could have "
        "cost, had the day been known. It says nothing of energy left out."
    )
    yield "*+forecast*: the planner is also told what the 60 days before teach of stays and arrivals."
    for name, why in summary["left_out"].items():
        yield f"`{name}` takes no part: {why}."
