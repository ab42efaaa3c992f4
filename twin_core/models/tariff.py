"""What energy costs and when, and what else counts at a site's meter."""

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


@dataclass(frozen=True, slots=True)
class Series:
    """A value as a step function of time.

    Attributes:
        starts: when each value begins, rising; the last one holds on, the first one holds before it too.
        values: one for each start.
    """

    starts: tuple[datetime, ...]
    values: tuple[float, ...]

    def at(self, when: datetime) -> float:
        """Value in force at a moment."""
        return self.values[max(0, bisect_right(self.starts, when) - 1)]


@dataclass(frozen=True, slots=True)
class SiteTerms:
    """What counts at a site's meter beside the price of imported energy.

    Attributes:
        export_eur_per_kwh: paid for energy fed back; None where nothing is.
        demand_charge_eur_per_kw: price of the highest import of a month.
        pv_kw: what the sun is expected to give; None where there is no sun.
        carbon_kg_per_kwh: in imported energy; None where nobody knows.
        carbon_eur_per_kg: what a kg counts in plans beside its money.
    """

    export_eur_per_kwh: Series | None = None
    demand_charge_eur_per_kw: float = 0.0
    pv_kw: Series | None = None
    carbon_kg_per_kwh: Series | None = None
    carbon_eur_per_kg: float = 0.0

    @property
    def meter_counts(self) -> bool:
        """Whether what the sessions cost depends on what else flows through the site's meter."""
        return self.export_eur_per_kwh is not None or self.pv_kw is not None or self.demand_charge_eur_per_kw > 0
