"""What a seed came to, as one flat row a table can hold, and the medians of many."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Result:
    """What one way to charge comes to over the day.

    Attributes:
        cost_eur: of the energy.
        delivered_kwh: at the meter.
        unserved_kwh: wanted and not delivered.
        peak_kw: highest power of all cars together.
        carbon_kg: of the energy; None where no carbon profile is part of the set-up.
    """

    cost_eur: float
    delivered_kwh: float
    unserved_kwh: float
    peak_kw: float
    carbon_kg: float | None = None

    def row(self, name: str) -> Row:
        """Its numbers with their names, all of which begin with `name`."""
        found = {
            f"{name}_eur": self.cost_eur,
            f"{name}_kwh": self.delivered_kwh,
            f"{name}_unserved_kwh": self.unserved_kwh,
            f"{name}_peak_kw": self.peak_kw,
        }
        if self.carbon_kg is not None:
            found[f"{name}_carbon_kg"] = self.carbon_kg
        return found


@dataclass(frozen=True, slots=True)
class Baseline:
    """A rule, and the optimum that delivers exactly what the rule delivers."""

    rule: Result
    optimal_at_its_energy: Result


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed of one set-up.

    Attributes:
        wanted_kwh: by all cars.
        optimal: at the published settings.
        fifs: first in, first served, in strict order.
        equal_share: the other reading of FIFS, by the formula of section 2.8.
        more: numbers that only this model has.
    """

    seed: int
    cars: float
    wanted_kwh: float
    optimal: Result
    fifs: Baseline
    equal_share: Baseline
    more: Row = field(default_factory=dict)

    def row(self) -> Row:
        """All of it with its names; ratios are cost of the optimum over cost of the rule."""
        return {
            "seed": self.seed,
            "cars": self.cars,
            "wanted_kwh": self.wanted_kwh,
            **self.optimal.row("optimal"),
            **self.fifs.rule.row("fifs"),
            **self.fifs.optimal_at_its_energy.row("optimal_at_fifs_energy"),
            **self.equal_share.rule.row("equal_share"),
            "ratio_published": _ratio(self.optimal, self.fifs.rule),
            "ratio_equal_energy": _ratio(self.fifs.optimal_at_its_energy, self.fifs.rule),
            "equal_share_ratio_published": _ratio(self.optimal, self.equal_share.rule),
            "equal_share_ratio_equal_energy": _ratio(self.equal_share.optimal_at_its_energy, self.equal_share.rule),
            **self.more,
        }


def _ratio(optimal: Result, rule: Result) -> float:
    """NaN where the rule paid nothing, or was paid: a ratio says nothing then."""
    return optimal.cost_eur / rule.cost_eur if rule.cost_eur > 0 else float("nan")


def medians(rows: list[Row]) -> Row:
    """Median of each column but the seed."""
    return {name: median(row[name] for row in rows) for name in rows[0] if name != "seed"}
