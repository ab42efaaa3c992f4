"""`depot check`: 0 for what can be run, anything else for what cannot; and `depot run` refuses the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import main
from gateway.scenario_file import shipped_scenarios
from tests.gateway.site_texts import GOOD, changed, with_line
from tests.gateway.test_site_file import IMPOSSIBLE, IMPOSSIBLE_TREES, UNSAFE

ALL = {**IMPOSSIBLE, **IMPOSSIBLE_TREES, **UNSAFE}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")


def site(text: str) -> str:
    Path("site.toml").write_text(text)
    return "site.toml"


def test_a_good_site_passes_and_is_shown_with_every_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", site(GOOD)]) == 0
    shown = capsys.readouterr().out
    for words in ("no faults", "CP1/1", "63 A/phase", "metered", "lease_s", "120.0", "refused"):
        assert words in shown
    assert not Path("data").exists()


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_passes(name: str) -> None:
    assert main(["check", name]) == 0


@pytest.mark.parametrize("case", ALL)
def test_check_and_run_refuse_alike_and_say_why(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, field, remedy = ALL[case]
    path = site(text)
    assert main(["check", path]) != 0
    checked = capsys.readouterr()
    assert field in checked.out + checked.err
    assert remedy in checked.out + checked.err
    assert main(["run", "--headless", path]) == 2
    refused = capsys.readouterr().err
    assert field in refused
    assert remedy in refused


def test_every_fault_is_listed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = with_line('id = "CP1"', 'password_env = "NO_SUCH_VARIABLE"\nfallback_a = 3')
    assert main(["check", site(text.replace('"edf"', '"best"'))]) == 1
    faults = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fault")]
    assert len(faults) == 3


def test_a_password_that_is_set_is_no_fault_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CP1_PASSWORD", "open sesame")
    assert main(["check", site(with_line('id = "CP1"', 'password_env = "CP1_PASSWORD"'))]) == 0
    told = capsys.readouterr()
    assert "sesame" not in told.out + told.err


def test_a_scenario_that_cannot_happen_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", site(GOOD + "\n[scenario]\nno_such_field = 1\n")]) == 1
    assert "no_such_field" in capsys.readouterr().out


def test_a_name_that_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", site(changed('id = "feeder"', 'id = "[bold]x[/nope]"').replace('"feeder"', '"grid"'))]) == 0
    assert "[bold]x[/nope]" in capsys.readouterr().out


def test_a_data_folder_that_is_a_file_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    Path("data").write_text("")
    assert main(["check", site(GOOD)]) == 1
    assert "data_dir" in capsys.readouterr().out
    assert main(["run", "--headless", "site.toml"]) == 2
