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
    """A rule, and the optimum that delivers exactly what the rule delivers.

    Attributes:
        optimal: at the published settings, where it is not the outcome's own that the rule is compared with.
    """

    rule: Result
    optimal_at_its_energy: Result
    optimal: Result | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed of one set-up.

    Attributes:
        wanted_kwh: by all cars.
        optimal: at the published settings.
        fifs: first in, first served, in strict order; in a cohort set-up, all that the model's rows allow.
        others: other readings of FIFS by name: `equal_share` by the formula of section 2.8; in a cohort set-up also
            `fifs_staying`, which charges only who stays, and `both_staying`, where the optimum does so too.
        more: numbers that only this model has.
    """

    seed: int
    cars: float
    wanted_kwh: float
    optimal: Result
    fifs: Baseline
    others: dict[str, Baseline] = field(default_factory=dict)
    more: Row = field(default_factory=dict)

    def row(self) -> Row:
        """All of it with its names; ratios are cost of the optimum over cost of the rule.

        The ratios of the other readings begin with their names.
        """
        found = {"seed": self.seed, "cars": self.cars, "wanted_kwh": self.wanted_kwh, **self.optimal.row("optimal")}
        found |= self._compared("fifs", self.fifs, "")
        for name, baseline in self.others.items():
            found |= self._compared(name, baseline, f"{name}_")
        return found | self.more

    def _compared(self, name: str, baseline: Baseline, prefix: str) -> Row:
        optimal = baseline.optimal or self.optimal
        return {
            **({} if baseline.optimal is None else baseline.optimal.row(f"{name}_optimal")),
            **baseline.rule.row(name),
            **baseline.optimal_at_its_energy.row(f"optimal_at_{name}_energy"),
            f"{prefix}ratio_published": _ratio(optimal, baseline.rule),
            f"{prefix}ratio_equal_energy": _ratio(baseline.optimal_at_its_energy, baseline.rule),
        }


def _ratio(optimal: Result, rule: Result) -> float:
    """NaN where the rule paid nothing, or was paid: a ratio says nothing then."""
    return optimal.cost_eur / rule.cost_eur if rule.cost_eur > 0 else float("nan")


def medians(rows: list[Row]) -> Row:
    """Median of each column but the seed."""
    return {name: median(row[name] for row in rows) for name in rows[0] if name != "seed"}
