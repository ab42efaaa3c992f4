"""What energy costs and when."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tariff:
    """Import price as a step function of time.

    Attributes:
        starts: when each price begins, rising; the last one holds on, the first one holds before it too.
        price_eur_per_kwh: one price for each start.
    """

    starts: tuple[datetime, ...]
    price_eur_per_kwh: tuple[float, ...]

    def price_at(self, when: datetime) -> float:
        """Price in force at a moment, in €/kWh."""
        return self.price_eur_per_kwh[max(0, bisect_right(self.starts, when) - 1)]


def flat_tariff(price_eur_per_kwh: float, since: datetime) -> Tariff:
    """One price for all time."""
    return Tariff((since,), (price_eur_per_kwh,))
