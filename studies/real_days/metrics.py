"""What a day was worth to its drivers and to who pays, and what of that compares like with like.

Two planners that deliver different energy cannot be compared by what they cost, and hardly by the price of their kWh:
who leaves out the dearest kWh looks cheaper for it. Two numbers here can be compared:

- `saving`: what is saved at least, beside another planner at *its* energy. Every kWh delivered less is bought at the
  dearest price of the day, every kWh delivered more is sold at the cheapest. So leaving energy out never saves.
- `over_cheapest`: how much more was paid than the same energy to each of the same sessions could have cost, had all
  been known from the start. It asks for no other planner, and says nothing of the energy left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studies.real_days.day import STEP_H, Day
from studies.real_days.network import Network
from studies.real_days.rolling import whole_day
from twin_core.models.problem import Array
from twin_core.planning.fairness import jain
from twin_core.planning.table import planner

MET = 0.999
"""A demand counts as met from this part of its energy on."""

SAME_ENERGY = 1e-3
"""Two planners whose energies differ by less than this part deliver the same energy."""


@dataclass(frozen=True, slots=True)
class Score:
    """One day under one planner.

    Attributes:
        energy_met: part of the wanted energy that was delivered.
        demands_met: part of the sessions that got all they wanted.
        worst_decile: mean part delivered to the tenth of sessions that got least of theirs.
        jain: fairness of the delivered parts, 1 where all got the same part.
        energy_kwh: delivered.
        cost_usd: of that energy.
        violations: step-limits exceeded.
    """

    energy_met: float
    demands_met: float
    worst_decile: float
    jain: float
    energy_kwh: float
    cost_usd: float
    violations: int

    @property
    def cost_per_kwh(self) -> float:
        """$ for each kWh delivered, whatever was left out; 0 where nothing was delivered."""
        return self.cost_usd / self.energy_kwh if self.energy_kwh > 0 else 0.0


def score(day: Day, power_kw: Array, violations: int) -> Score:
    """What powers of shape (n_stays, STEPS) are worth on a day with at least one stay."""
    energy_kwh = power_kw.sum(axis=1) * STEP_H
    wanted_kwh = np.array([stay.energy_kwh for stay in day.stays])
    part = np.clip(energy_kwh / wanted_kwh, 0.0, 1.0)
    total_kwh = float(energy_kwh.sum())
    worst = np.sort(part)[: max(1, round(len(part) / 10))]
    return Score(
        energy_met=total_kwh / float(wanted_kwh.sum()),
        demands_met=float((part >= MET).mean()),
        worst_decile=float(worst.mean()),
        jain=jain(part),
        energy_kwh=total_kwh,
        cost_usd=float(day.price_eur_per_kwh @ (power_kw.sum(axis=0) * STEP_H)),
        violations=violations,
    )


def saving(day: Day, mine: Score, other: Score) -> float:
    """The least part of the other's cost that is saved at the other's energy; negative where it is dearer.

    Exact where both deliver the same energy; otherwise a bound from below, see the module.
    """
    if not other.cost_usd > 0:
        return 0.0
    more_kwh = mine.energy_kwh - other.energy_kwh
    price = float(day.price_eur_per_kwh.min() if more_kwh > 0 else day.price_eur_per_kwh.max())
    return 1.0 - (mine.cost_usd - more_kwh * price) / other.cost_usd


def same_energy(mine: Score, other: Score) -> bool:
    """Whether two deliver the same energy but for `SAME_ENERGY`, so that their costs compare directly."""
    return abs(mine.energy_kwh - other.energy_kwh) <= SAME_ENERGY * max(other.energy_kwh, 1e-9)


def over_cheapest(day: Day, network: Network, power_kw: Array) -> float:
    """How much dearer than the cheapest way to deliver the same energy to each session, as a part of that; >= 0.

    Args:
        power_kw: shape (n_stays, STEPS), as charged within the limits.

    Raises:
        PlanningError: the cheapest way was not found.
    """
    energy_kwh = power_kw.sum(axis=1) * STEP_H
    stays = tuple(replace(stay, energy_kwh=float(kwh)) for stay, kwh in zip(day.stays, energy_kwh, strict=True))
    cheapest = planner("power_allocation").plan(whole_day(replace(day, stays=stays), network))
    if not cheapest.cost_eur > 0:
        return 0.0
    paid_usd = float(day.price_eur_per_kwh @ (power_kw.sum(axis=0) * STEP_H))
    return max(0.0, paid_usd / cheapest.cost_eur - 1.0)
