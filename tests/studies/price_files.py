"""Small price histories, made up."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import exp, sin
from pathlib import Path

MIDNIGHT = datetime.fromisoformat("2024-01-01T00:00:00")


def two_peaks(path: Path, n_days: int = 5) -> Path:
    """A CSV of hourly prices with a peak in the morning and a higher one in the evening, of 0.05 to 0.13 €/kWh."""
    lines = ["time,price_eur_per_kwh"]
    for day in range(n_days):
        for hour in range(24):
            peaks = 0.03 * exp(-(((hour - 8) / 2) ** 2)) + 0.05 * exp(-(((hour - 19) / 2.5) ** 2))
            price = 0.06 + peaks + 0.01 * sin(day + hour / 4)
            lines.append(f"{(MIDNIGHT + timedelta(days=day, hours=hour)).isoformat()},{price:.5f}")
    path.write_text("\n".join(lines) + "\n")
    return path
