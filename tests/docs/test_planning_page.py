"""The page on planning shows the example that is shipped, what really comes of it, and every field and reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.problems.problem_file import FuturePart, NodePart, OutlookPart, ProblemFile, SessionPart
from gateway.cli import main
from gateway.commands.plan import VARIANTS
from twin_core.models.plan import PlanStatus, ReasonCode
from twin_core.planning.solvers.table import SOLVERS
from twin_core.planning.table import PLANNERS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "planning.md").read_text(encoding="utf-8")
EXAMPLE = DOCS / "examples" / "depot-problem.json"


def test_the_example_is_the_file_that_is_shipped() -> None:
    assert f"```json\n{EXAMPLE.read_text(encoding='utf-8').rstrip()}\n```" in PAGE


@pytest.mark.parametrize("words", [["depot-problem.json"], ["uncertain-problem.json", "--planner", "saa_price"]])
def test_the_output_shown_is_what_the_command_prints(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    main(["plan", str(EXAMPLE.parent / words[0]), *words[1:]])
    # How long it took and which solver was the fastest are facts of the machine and the day.
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if " ms: " not in line]
    for line in lines:
        assert line in PAGE


@pytest.mark.parametrize("model", [ProblemFile, NodePart, SessionPart, OutlookPart, FuturePart])
def test_every_field_is_explained(model: type[ProblemFile]) -> None:
    spans = set(re.findall(r"`([^`\n]+)`", PAGE))
    assert set(model.model_fields) - {"name"} <= spans


def test_every_status_and_reason_is_explained() -> None:
    for word in (*PlanStatus, *ReasonCode):
        assert f"| `{word.value}` |" in PAGE


def test_every_planner_and_solver_has_its_line() -> None:
    for name in (*PLANNERS, *VARIANTS, *SOLVERS):
        assert f"| `{name}` |" in PAGE
