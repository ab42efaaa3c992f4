"""The page that says what holds: every sentence's numbers, and its verdict, come from the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SAME = 1e-6
"""Relative difference of two energies below which they count as equal."""


def page(summary: dict[str, Any]) -> str:
    """The page in Markdown.

    Args:
        summary: what `summary.json` holds.
    """
    prices = summary["prices"]
    lines = [
        "# The thesis run again",
        "",
        f"{summary['seeds']} seeds a set-up. Prices: {prices['source']}, {prices['days']} whole days from "
        f"{prices['first']} to {prices['last']} ({prices['days_left_out']} days left out). A ratio is the cost of the "
        "optimum over that of FIFS in strict order; *at equal energy* the optimum gives every car exactly what FIFS "
        "gave it (in a cohort set-up: all cars together).",
        "",
        "| set-up | published ratio | ours, published settings: median (range) | ours, equal energy: median (range) | "
        "optimum unserved, kWh | FIFS unserved, kWh |",
        "|---|---|---|---|---|---|",
        *(line for name, found in summary["set_ups"].items() for line in _lines(name, found)),
    ]
    for name, found in summary["set_ups"].items():
        lines += ["", f"## ({name}) {found['title']}", "", *_costs(found), "", *(f"- {s}" for s in _claims(found))]
        if found["settings"]["assumptions"]:
            lines += ["", "Taken where the thesis is silent or its data not to be had:", ""]
            lines += [f"- {assumption}" for assumption in found["settings"]["assumptions"]]
    return "\n".join(lines) + "\n"


def _lines(name: str, found: dict[str, Any]) -> Iterator[str]:
    published = f"{found['published']['ratio']:.4f}" if found["published"] else "none"
    yield _line(name, published, found, "", "optimal", "fifs")
    if "fifs_staying_ratio_published" in found["median"]:
        yield _line(
            f"{name}, FIFS charges only who stays", published, found, "fifs_staying_", "optimal", "fifs_staying"
        )
        staying = ("both_staying_", "both_staying_optimal", "both_staying")
        yield _line(f"{name}, both charge only who stays", published, found, *staying)


def _line(name: str, published: str, found: dict[str, Any], prefix: str, optimal: str, rule: str) -> str:
    median = found["median"]
    return (
        f"| {name} | {published} | {_spread(found, f'{prefix}ratio_published')} | "
        f"{_spread(found, f'{prefix}ratio_equal_energy')} | "
        f"{median[f'{optimal}_unserved_kwh']:,.1f} | {median[f'{rule}_unserved_kwh']:,.1f} |"
    )


def _spread(found: dict[str, Any], column: str) -> str:
    values = _column(found, column)
    if not values:
        return "none"
    return f"{found['median'][column] or values[0]:.4f} ({min(values):.4f} to {max(values):.4f})"


def _column(found: dict[str, Any], name: str) -> list[float]:
    return [row[name] for row in found["seeds"] if row[name] is not None]


def _costs(found: dict[str, Any]) -> Iterator[str]:
    median, published = found["median"], found["published"]
    printed = (
        f"Published: {published['optimal_eur']:,.2f} € against {published['fifs_eur']:,.2f} €. " if published else ""
    )
    yield (
        f"{printed}Here, median: {median['optimal_eur']:,.2f} € against {median['fifs_eur']:,.2f} €, for "
        f"{median['optimal_kwh']:,.0f} and {median['fifs_kwh']:,.0f} kWh of {median['wanted_kwh']:,.0f} kWh wanted."
    )


def _claims(found: dict[str, Any]) -> Iterator[str]:
    yield _verdict("The optimum costs less than FIFS at the published settings", _wins(found, "ratio_published"))
    yield _verdict("The optimum costs less than FIFS at equal energy", _wins(found, "ratio_equal_energy"))
    yield _same_energy(found)
    if found["published"]:
        yield _within(found)
    yield _readings(found)
    if "shortfall_eur_per_kwh" in found["settings"]:
        yield _gamma(found)
    if found["pareto"]:
        yield _trade_off(found["pareto"])
    if "ratio_equal_energy_and_waiting" in found["median"]:
        yield from _cohort(found)
    proved = sum(row["proved"] for row in found["seeds"])
    yield f"Every optimum proved by its solver and checked by us: {proved:.0f} of {len(found['seeds'])} seeds."


def _verdict(claim: str, seeds: tuple[int, int]) -> str:
    held, of = seeds
    verdict = "Holds" if held == of else "Does not hold" if held == 0 else "Holds in part"
    return f"**{verdict}.** {claim}: {held} of {of} seeds."


def _wins(found: dict[str, Any], column: str) -> tuple[int, int]:
    return sum(ratio < 1 - _SAME for ratio in _column(found, column)), len(found["seeds"])


def _same_energy(found: dict[str, Any]) -> str:
    rows = found["seeds"]
    same = sum(abs(row["optimal_kwh"] - row["fifs_kwh"]) <= _SAME * max(1.0, row["fifs_kwh"]) for row in rows)
    claim = "Optimum and FIFS deliver the same energy, so that the published costs could be compared"
    median = found["median"]
    less = 1 - median["optimal_kwh"] / median["fifs_kwh"] if median["fifs_kwh"] > 0 else 0.0
    if abs(less) <= _SAME:
        return _verdict(claim, (same, len(rows)))
    direction = "less" if less >= 0 else "more"
    return f"{_verdict(claim, (same, len(rows)))} The optimum delivers {abs(less):.2%} {direction} (median)."


def _within(found: dict[str, Any]) -> str:
    ratio, values = found["published"]["ratio"], _column(found, "ratio_published")
    inside = bool(values) and min(values) <= ratio <= max(values)
    save = 1 - (found["median"]["ratio_published"] or 1.0)
    return (
        f"**{'Holds' if inside else 'Does not hold'}.** The published ratio {ratio:.4f} (saving {1 - ratio:.1%}) lies "
        f"in the range of our seeds; ours saves {save:.1%} (median)."
    )


def _readings(found: dict[str, Any]) -> str:
    rows = found["seeds"]
    same = sum(abs(row["fifs_eur"] - row["equal_share_eur"]) <= _SAME * max(1.0, abs(row["fifs_eur"])) for row in rows)
    return (
        f"FIFS by its text (strict order) and by its formula (equal share) cost the same in {same} of {len(rows)} "
        f"seeds; ratio to equal share: {_spread(found, 'equal_share_ratio_published')}, at equal energy "
        f"{_spread(found, 'equal_share_ratio_equal_energy')}. FIFS peaks at {found['median']['fifs_peak_kw']:,.0f} kW "
        f"under a cap of {found['settings']['cap_kw']:,.0f} kW (median)."
    )


def _gamma(found: dict[str, Any]) -> str:
    gamma, highest = found["settings"]["shortfall_eur_per_kwh"], found["highest_price_eur_per_kwh"]
    if gamma > highest:
        return (
            f"γ = {gamma:g} €/kWh is above the highest price of the day, {highest:.4f}: nobody is left short for money."
        )
    return (
        f"γ = {gamma:g} €/kWh is not above the highest price of the day, {highest:.4f}: at such hours the model "
        "prefers not to charge, and its cost is not that of the same service."
    )


def _trade_off(front: list[dict[str, float]]) -> str:
    first, last = front[0], front[-1]
    less = 1 - last["carbon_kg"] / first["carbon_kg"] if first["carbon_kg"] > 0 else 0.0
    more = last["cost_eur"] / first["cost_eur"] - 1 if first["cost_eur"] > 0 else 0.0
    verdict = "Holds" if less > _SAME and more > _SAME else "Does not hold"
    return (
        f"**{verdict}.** A larger λ trades cost for carbon at fixed energy: from λ = {first['weight']:g} to "
        f"{last['weight']:g} carbon falls by {less:.2%} and cost rises by {more:.2%} (first seed)."
    )


def _cohort(found: dict[str, Any]) -> Iterator[str]:
    median = found["median"]
    published, equal = 1 - median["ratio_published"], 1 - median["ratio_equal_energy"]
    yield (
        f"At equal energy the saving is {equal:.1%} instead of {published:.1%}, and with no more waiting besides "
        f"{1 - median['ratio_equal_energy_and_waiting']:.1%} (medians): "
        "the published comparison also counts energy not delivered as money saved."
    )
    yield (
        f"{median['optimal_left_short_cars']:,.0f} of {median['cars']:,.0f} cars leave wanting more under the optimum, "
        f"{median['fifs_left_short_cars']:,.0f} under FIFS (medians): the model's α lets cars go by the step, "
        "charged or not, and its objective gains from every car that leaves."
    )
    for prefix, who in (
        ("fifs_staying_", "FIFS charges only who stays"),
        ("both_staying_", "neither charges who leaves"),
    ):
        yield _verdict(
            f"The optimum costs less where {who}, at the published settings", _wins(found, f"{prefix}ratio_published")
        )
        yield _verdict(
            f"The optimum costs less where {who}, at equal energy", _wins(found, f"{prefix}ratio_equal_energy")
        )
    yield (
        "Which cars FIFS may charge, the thesis does not say, and the ratio depends on it: at the "
        f"published settings it is {median['ratio_published']:.3f} where it charges all that the model's rows allow, "
        f"{median['fifs_staying_ratio_published']:.3f} where it charges only who stays, and "
        f"{median['both_staying_ratio_published']:.3f} where the optimum does so too; at equal energy "
        f"{median['ratio_equal_energy']:.3f}, {median['fifs_staying_ratio_equal_energy']:.3f} and "
        f"{median['both_staying_ratio_equal_energy']:.3f} (medians)."
    )
    yield f"The thesis' rounding by class loses {median['arrivals_lost_by_rounding']:,.0f} arrivals (median)."
