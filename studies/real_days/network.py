"""What limits a site: one cap on the sum of powers, or three lines that sessions load in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from studies.real_days.day import MAX_KW, STEPS, Day
from twin_core.models.problem import Array, Cap


class Wiring(StrEnum):
    """How the limit of a site is drawn."""

    ONE_CAP = "one_cap"
    THREE_LINES = "three_lines"


@dataclass(frozen=True, slots=True)
class Network:
    """A site's limits.

    Attributes:
        limit_kw: what the site could carry were its lines evenly loaded.
    """

    wiring: Wiring
    limit_kw: float

    def caps(self, pairs: Sequence[int], n_steps: int) -> tuple[Cap, ...]:
        """The limits on sessions between these pairs of lines.

        A session between two lines puts its current on both; magnitudes are added, which is never too little. Even
        loading of three lines at I ampere carries 1.5·I times the voltage between lines.
        """
        if self.wiring is Wiring.ONE_CAP:
            return (Cap("site", np.ones(len(pairs)), np.full(n_steps, self.limit_kw)),)
        ampere_per_kw = 1 / 0.208
        limit_a = self.limit_kw / 1.5 * ampere_per_kw
        return tuple(
            Cap(f"line {line + 1}", _on_line(pairs, line) * ampere_per_kw, np.full(n_steps, limit_a))
            for line in range(3)
        )


def _on_line(pairs: Sequence[int], line: int) -> Array:
    """1 for sessions whose pair has this line; pair p lies between lines p and p + 1."""
    return np.array([float(line in (pair, (pair + 1) % 3)) for pair in pairs])


def peak_kw(day: Day) -> float:
    """Highest power of the day were everybody served at once."""
    demand_kw = np.zeros(STEPS + 1)
    for stay in day.stays:
        full = int(stay.energy_kwh / (MAX_KW / 12))
        demand_kw[stay.arrival : min(stay.arrival + full, stay.departure)] += MAX_KW
    return float(demand_kw.max())
