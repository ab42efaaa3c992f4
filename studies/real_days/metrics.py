"""What a day was worth to its drivers and to who pays."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from studies.real_days.day import STEP_H, Day
from twin_core.models.problem import Array

_MET = 0.999
"""A demand counts as met from this part of its energy on."""


@dataclass(frozen=True, slots=True)
class Score:
    """One day under one planner.

    Attributes:
        energy_met: part of the wanted energy that was delivered.
        demands_met: part of the sessions that got all they wanted.
        worst_decile: mean part delivered to the tenth of sessions that got least of theirs.
        cost_per_kwh: $ for each kWh delivered.
        jain: fairness of the delivered parts, 1 where all got the same part.
    """

    energy_met: float
    demands_met: float
    worst_decile: float
    cost_per_kwh: float
    jain: float
    energy_kwh: float
    violations: int

    def row(self) -> dict[str, float]:
        """As a row of a table."""
        return asdict(self)


def score(day: Day, power_kw: Array, violations: int) -> Score:
    """What powers of shape (n_stays, STEPS) are worth on a day with at least one stay."""
    energy_kwh = power_kw.sum(axis=1) * STEP_H
    wanted_kwh = np.array([stay.energy_kwh for stay in day.stays])
    part = np.clip(energy_kwh / wanted_kwh, 0.0, 1.0)
    total_kwh = float(energy_kwh.sum())
    worst = np.sort(part)[: max(1, round(len(part) / 10))]
    cost = float(day.price_eur_per_kwh @ (power_kw.sum(axis=0) * STEP_H))
    squares = float(len(part) * (part**2).sum())
    return Score(
        energy_met=total_kwh / float(wanted_kwh.sum()),
        demands_met=float((part >= _MET).mean()),
        worst_decile=float(worst.mean()),
        cost_per_kwh=cost / total_kwh if total_kwh > 0 else 0.0,
        jain=float(part.sum()) ** 2 / squares if squares > 0 else 1.0,
        energy_kwh=total_kwh,
        violations=violations,
    )
