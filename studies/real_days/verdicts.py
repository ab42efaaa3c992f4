"""What was aimed at, and whether the run reached it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from studies.real_days.case import ANNOUNCED, RECORDED, TRUE
from studies.real_days.contenders import DEFAULT, HINDSIGHT, RULES
from studies.real_days.results import CaseKey, Results, Spread

BELOW_OPTIMUM: Final = 0.005
DEMANDS_MET: Final = 0.85
SAVING: Final = 0.03
ENERGY_MET: Final = 0.99


@dataclass(frozen=True, slots=True)
class Verdict:
    """An aim in one case.

    Attributes:
        found: over the days.
        aim: the number to reach.
        at_most: whether it must not be exceeded; else it must be reached.
        possible: what hindsight reaches, who knows the day from the start; None where that says nothing.
    """

    claim: str
    case: CaseKey
    found: Spread
    aim: float
    at_most: bool = False
    possible: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the mean over days reaches the aim."""
        return self.found.mean <= self.aim if self.at_most else self.found.mean >= self.aim

    @property
    def certain(self) -> bool:
        """Whether the whole interval is on that side."""
        ends = (self.found.low, self.found.high)
        return len({end <= self.aim if self.at_most else end >= self.aim for end in ends}) == 1

    def as_dict(self) -> dict[str, object]:
        """As part of a summary."""
        return {
            "claim": self.claim,
            "case": " ".join(self.case),
            "holds": self.holds,
            "certain": self.certain,
            "aim": self.aim,
            "possible": self.possible,
            **self.found.as_dict(),
        }


def verdicts(results: Results) -> list[Verdict]:
    """Every aim in every case that was run; none where the default planner took no part."""
    return [
        verdict
        for case in results.cases
        if DEFAULT in results.planners(case)
        for verdict in (_tight(results, case) if case[0] == "tight" else _loose(results, case))
    ]


def _tight(results: Results, case: CaseKey) -> Iterator[Verdict]:
    departures = case[2]
    if departures == TRUE:
        found = results.spread(case, DEFAULT, "below_optimum")
        yield Verdict("energy below the offline optimum, of what was wanted", case, found, BELOW_OPTIMUM, at_most=True)
    if departures in (ANNOUNCED, RECORDED):
        rules = [name for name in RULES if name in results.planners(case)]
        best = max(rules, key=lambda name: results.spread(case, name, "energy_met").mean)
        found = results.difference(case, DEFAULT, best, "energy_met")
        yield Verdict(f"energy above that of the best of {len(rules)} rules, here {best}", case, found, 0.0)
    yield _reached(results, case, "demands_met", "demands met", DEMANDS_MET)


def _loose(results: Results, case: CaseKey) -> Iterator[Verdict]:
    yield _reached(results, case, "saving", "saved beside quick_charge at equal energy", SAVING)
    yield _reached(results, case, "energy_met", "energy met", ENERGY_MET)


def _reached(results: Results, case: CaseKey, metric: str, claim: str, aim: float) -> Verdict:
    possible = results.spread(case, HINDSIGHT, metric).mean
    return Verdict(claim, case, results.spread(case, DEFAULT, metric), aim, possible=possible)
