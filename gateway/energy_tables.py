"""What the site file says of energy: its prices, the sun, and the carbon in it; laid out in time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Discriminator, Tag, field_validator, model_validator

from gateway.site_fields import Finite, NotNegative, Table
from twin_core.models.tariff import Series

Daily = Annotated[
    Annotated[dict[str, Finite], Tag("by time")] | Annotated[Finite, Tag("one value")],
    Discriminator(lambda given: "by time" if isinstance(given, dict) else "one value"),
]
"""One value, or values by local time of day, each valid from its time until the next."""


def _time_of_day(text: str) -> time:
    """Local time at which a value begins.

    Raises:
        ValueError: it is none.
    """
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise ValueError(f'{text!r} is no local time of day: write one from "00:00" to "23:59"')
    return found


def _sound(given: dict[str, float] | float) -> None:
    """Raises ValueError where values by time have none, or a time that is none."""
    if isinstance(given, dict):
        if not given:
            raise ValueError("give at least one value")
        for text in given:
            _time_of_day(text)


class TariffTable(Table):
    """`[tariff]`: prices by local time of day."""

    kind: Literal["steps", "flat"] = "flat"
    price_eur_per_kwh: Daily = 0.25
    export_eur_per_kwh: Daily | None = None
    demand_charge_eur_per_kw: NotNegative = 0.0

    @model_validator(mode="after")
    def _fits_its_kind(self) -> TariffTable:
        if (self.kind == "flat") != isinstance(self.price_eur_per_kwh, float):
            raise ValueError(
                'kind "flat" takes one price, kind "steps" a table such as {"00:00" = 0.18, "16:00" = 0.34}'
            )
        _sound(self.price_eur_per_kwh)
        if self.export_eur_per_kwh is not None:
            _sound(self.export_eur_per_kwh)
        return self


class PvTable(Table):
    """`[pv]`: what the sun is expected to give behind the site's meter."""

    forecast_kw: Daily

    @field_validator("forecast_kw")
    @classmethod
    def _is_power(cls, value: dict[str, float] | float) -> dict[str, float] | float:
        _sound(value)
        if not all(kw >= 0 for kw in (value.values() if isinstance(value, dict) else (value,))):
            raise ValueError("what the sun gives is not negative: write kilowatts of 0 or more")
        return value


class CarbonTable(Table):
    """`[carbon]`: carbon in imported energy."""

    kg_per_kwh: Daily
    eur_per_kg: NotNegative = 0.0

    @field_validator("kg_per_kwh")
    @classmethod
    def _is_sound(cls, value: dict[str, float] | float) -> dict[str, float] | float:
        _sound(value)
        return value


def laid_out(given: dict[str, float] | float, zone: ZoneInfo, since: datetime, days: int) -> Series:
    """Values from the day before `since` on, in local time across daylight saving."""
    if isinstance(given, float):
        return Series((since,), (given,))
    steps = sorted((_time_of_day(text), value) for text, value in given.items())
    first = since.astimezone(zone).date() - timedelta(days=1)
    begins: list[tuple[datetime, float]] = []
    for day in range(days + 1):
        for at, value in steps:
            start = _in_utc(first + timedelta(days=day), at, zone)
            # An hour that the clocks skip in spring does not exist: what would begin in it gives way to what follows.
            while begins and begins[-1][0] >= start:
                begins.pop()
            begins.append((start, value))
    return Series(tuple(start for start, _ in begins), tuple(value for _, value in begins))


def _in_utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
