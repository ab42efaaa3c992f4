"""`depot study real_days` from the command line: what it takes, what it refuses, what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.cli import main
from tests.studies.real_days.recorded_wheel import recorded_wheel

ROOT = Path(__file__).parents[2]
SMALL = ["--planner", "edf", "--limit", "loose", "--wiring", "one_cap", "--jobs", "1"]


def test_days_of_both_sites_are_sampled_lived_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = recorded_wheel(tmp_path, days=12, cars=16)
    asked = ["--days", "3", "--data", str(wheel), "--out", str(tmp_path / "out"), *SMALL]
    assert main(["study", "real_days", *asked]) == 0
    days = json.loads((tmp_path / "out/summary.json").read_text())["days"]
    assert {site: len(of_site) for site, of_site in days.items()} == {"caltech": 2, "jpl": 1}
    assert "report.md" in capsys.readouterr().out.replace("\n", "")


def test_days_that_are_asked_for_are_all_taken(tmp_path: Path) -> None:
    wheel = recorded_wheel(tmp_path, days=12, cars=16)
    span = ["--from", "2019-07-04", "--to", "2019-07-08", "--site", "jpl", "--departures", "true"]
    assert main(["study", "real_days", *span, "--data", str(wheel), "--out", str(tmp_path / "out"), *SMALL]) == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["days"] == {"jpl": ["2019-07-04", "2019-07-05", "2019-07-08"]}
    assert {mean["departures"] for mean in summary["means"]} == {"true"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2021-06-01", "--to", "2021-06-03"], "kept to check"),
        (["--to", "2021-01-01"], "kept to check"),
        (["--from", "2020-01-01", "--to", "2020-01-31"], "no working day"),
        (["--planner", "v2g"], "give anything back"),
        (["--planner", "nobody"], "'nobody'"),
        (["--data", "nowhere.whl"], "nowhere.whl"),
    ],
)
def test_what_cannot_be_studied_is_refused_in_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = recorded_wheel(tmp_path, cars=16)
    assert main(["study", "real_days", "--data", str(wheel), "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("depot study: ")
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--days", "0"], ["--jobs", "0"], ["--from", "yesterday"], ["--site", "mit"]])
def test_what_makes_no_sense_is_refused_as_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["study", "real_days", *arguments])
    assert left.value.code == 2


def test_the_study_runs_without_the_rest_of_the_program_and_its_options_load_no_solver() -> None:
    heavy = ("cvxpy", "ocpp", "websockets", "fastapi", "scipy", "numba", "matplotlib", "gateway", "connectors")
    seen = f"import sys, studies.real_days.command; print([m for m in {heavy} if m in sys.modules])"
    assert _python("-c", seen).stdout == "[]\n"
    never = ("cvxpy", "ocpp", "websockets", "fastapi", "paho", "aiomqtt", "gateway", "connectors", "panel")
    run = f"import sys, studies.real_days.study; print([m for m in {never} if m in sys.modules])"
    assert _python("-c", run).stdout == "[]\n"


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


def test_interrupted_it_ends_at_once_without_a_traceback_and_leaves_no_process(tmp_path: Path) -> None:
    wheel = recorded_wheel(tmp_path, days=12, cars=40)
    asked = ["--data", str(wheel), "--out", str(tmp_path / "out"), "--days", "8", "--jobs", "2", "--planner", "fair"]
    study = subprocess.Popen(
        [sys.executable, "-m", "studies.real_days", *asked],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers: list[int] = []
    deadline = time.monotonic() + 60
    while len(workers) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
        workers = _children(study.pid)
    os.killpg(study.pid, signal.SIGINT)  # as a terminal does
    _, errors = study.communicate(timeout=30)
    assert study.returncode == 130
    assert "Traceback" not in errors
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
