"""`depot plan`: 0 for a plan that meets all, 1 for one that leaves something unmet, 2 for a problem without sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.problems.plan_answer import PlanAnswer
from gateway.cli import main
from twin_core.planning.table import PLANNERS

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "depot-problem.json"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def easy(path: Path, **changes: Any) -> str:
    given = {
        "horizon": {"start": "2026-11-20T18:00+01:00", "step_min": 60, "hours": 4},
        "price_eur_per_kwh": [0.4, 0.1, 0.2, 0.3],
        "nodes": [{"id": "grid", "limit_kw": 8}],
        "sessions": [{"id": "a", "energy_kwh": 10, "max_a": 16}],
        **changes,
    }
    (path / "problem.json").write_text(json.dumps(given))
    return str(path / "problem.json")


def test_the_example_shows_who_charges_when_and_why_and_what_was_not_met(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(EXAMPLE)]) == 1
    shown = capsys.readouterr().out
    for words in ("van-1", "02:00–", "instead of 0.340 €/kWh", "hall B L3", "not met (2)", "car-6", "13.8 kWh more"):
        assert words in shown


def test_a_plan_that_meets_all_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", easy(tmp_path)]) == 0
    assert "19:00–21:00" in capsys.readouterr().out


def test_printed_and_written_are_the_same_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "plan.json"
    assert main(["plan", easy(tmp_path), "--json", "--out", str(target)]) == 0
    text = capsys.readouterr().out
    assert text == target.read_text()
    answer = PlanAnswer.model_validate_json(text)
    assert answer.sessions[0].power_kw == pytest.approx([0, 8, 2, 0])
    assert answer.cost_eur == pytest.approx(1.2)
    assert answer.solve_s > 0


@pytest.mark.parametrize("name", ["edf", "fifs", "equal_share", "uncontrolled"])
def test_rules_give_their_reasons_too(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert name in PLANNERS
    assert main(["plan", easy(tmp_path), "--planner", name]) == 0
    assert "8.0 of 11.0 kW: grid kW is full" in capsys.readouterr().out


def test_the_solver_asked_for_is_the_one_that_solves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", easy(tmp_path), "--solver", "oracle", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["solver"] == "oracle"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--planner", "edf", "--solver", "oracle"], "uses no solver"),
        (["--planner", "best"], "'best'"),
        (["--solver", "magic"], "'magic'"),
        (["--out", "no/such/folder/plan.json"], "cannot be written"),
    ],
)
def test_an_option_that_cannot_work_is_named(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", easy(tmp_path), *words]) == 2
    assert told in capsys.readouterr().err


def test_a_bad_problem_is_refused_by_field_and_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cars = [{"id": "a", "energy_kwh": "much", "max_a": 16}]
    assert main(["plan", easy(tmp_path, sessions=cars)]) == 2
    told = capsys.readouterr().err
    assert "sessions.0.energy_kwh" in told
    assert '"much"' in told
    assert main(["plan", str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err


def test_nobody_there_is_a_plan_as_well(tmp_path: Path) -> None:
    assert main(["plan", easy(tmp_path, sessions=[])]) == 0
