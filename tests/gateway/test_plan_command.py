"""`depot plan`: 0 for a plan that meets all, 1 for one that leaves something unmet, 2 for a problem without sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.problems.plan_answer import PlanAnswer
from connectors.problems.problem_file import OutlookPart, ProblemFile
from gateway.cli import main
from gateway.commands.plan import VARIANTS
from twin_core.planning.table import PLANNERS
from twin_core.planning.uncertainty.table import VARIANTS as TABLE_OF_VARIANTS

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "depot-problem.json"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


UNCERTAIN = EXAMPLE.with_name("uncertain-problem.json")


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
        (["--planner", "mean_cvar"], 'give prices_eur_per_kwh in "outlook" of the problem, or a --history'),
        (["--planner", "mean_cvar", "--solver", "highs"], "leave --solver out"),
        (["--planner", "edf", "--history", "prices.csv"], "asks for no scenarios"),
        (["--planner", "mean_cvar", "--history", "none.csv"], "none.csv cannot be read"),
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


def test_the_names_offered_are_those_of_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(TABLE_OF_VARIANTS) == VARIANTS
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    shown = capsys.readouterr().out
    for name in (*PLANNERS, *TABLE_OF_VARIANTS):
        assert name in shown


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("saa_price", "the lowest expected cost is the lowest cost at the mean price"),
        ("box_robust", "Only the differences between the deviations"),
        ("budget_robust", ""),
        ("ellipsoid_robust", ""),
        ("mean_cvar", "Hedged: mean of the worst 5% of bills"),
        ("chance_caps", "Limits are lowered by 1.64 standard deviations"),
        ("departure_risk", "expected objective"),
        ("two_stage", "Hedged: expected objective over 4 futures"),
    ],
)
def test_a_variant_plans_against_the_scenarios_of_the_problem_and_says_what_they_changed(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(UNCERTAIN), "--planner", name, "--json"]) == 0
    answer = PlanAnswer.model_validate_json(capsys.readouterr().out)
    assert answer.planner == name
    assert said in " ".join(answer.notes)
    assert sum(session.delivered_kwh for session in answer.sessions) == pytest.approx(115, abs=1e-2)
    assert all(session.why for session in answer.sessions)


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_variant_asks_for_is_a_field_that_an_outlook_has(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", easy(tmp_path), "--planner", name]) == 2
    asked = capsys.readouterr().err.partition("give ")[2].split()[0].rstrip(",")
    assert asked in OutlookPart.model_fields
    told = json.loads(UNCERTAIN.read_text())
    told["outlook"] = {asked: told["outlook"][asked]}
    (tmp_path / "told.json").write_text(json.dumps(told))
    assert main(["plan", str(tmp_path / "told.json"), "--planner", name]) == 0


def test_what_a_car_gets_in_print_is_what_is_left_after_it_gave_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    battery = {"capacity_kwh": 40, "stored_kwh": 20, "discharge_max_kw": 5}
    cars = [{"id": "gives", "energy_kwh": 10, "max_a": 16, "battery": battery}]
    problem = easy(tmp_path, sessions=cars, nodes=[{"id": "grid", "limit_kw": 20}])
    assert main(["plan", problem, "--planner", "v2g"]) == 0
    shown = capsys.readouterr().out
    assert "10.0 kWh delivered, 0.0 kWh not" in shown
    assert "gives    10.0  of 10.0" in shown


def test_where_scenarios_cannot_change_the_schedule_the_printed_plan_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alike = [[0.75, 0.25, 0.5, 1.0], [0.25, -0.25, 0.0, 0.5]]
    assert main(["plan", easy(tmp_path, outlook={"prices_eur_per_kwh": alike}), "--planner", "box_robust"]) == 0
    assert "the schedule is that of the nominal prices" in capsys.readouterr().out


def history(path: Path, text: str) -> str:
    (path / "history.csv").write_text(text)
    return str(path / "history.csv")


def past_prices(hours: int = 24) -> str:
    lines = [
        f"2026-11-{day:02}T{hour:02}:00,{0.1 + 0.01 * ((7 * day + hour) % 24)}"
        for day in (1, 2, 3)
        for hour in range(hours)
    ]
    return "\n".join(["time,price_eur_per_kwh", *lines])


def test_scenarios_drawn_from_past_prices_are_those_of_the_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", easy(tmp_path), "--planner", "saa_price", "--json"]
    costs = []
    for seed in ("3", "3", "4"):
        main([*words, "--history", history(tmp_path, past_prices()), "--scenarios", "2", "--seed", seed])
        costs.append(json.loads(capsys.readouterr().out)["cost_eur"])
    assert costs[0] == costs[1] != costs[2]


def test_past_stays_become_departures_and_arrivals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"2026-11-{day:02}T17:30,2026-11-{day:02}T20:30,6" for day in range(2, 12)]
    stays = history(
        tmp_path, "\n".join(["arrival,departure,energy_kwh", *lines, "2026-11-05T18:30,2026-11-05T21:00,5"])
    )
    cars = [{"id": "a", "energy_kwh": 10, "max_a": 16, "arrival": -0.5}]
    words = ["plan", easy(tmp_path, sessions=cars), "--planner", "two_stage", "--history", stays, "--json"]
    assert main([*words, "--scenarios", "20"]) == 0
    assert "over 20 futures" in json.loads(capsys.readouterr().out)["notes"][0]


def test_past_base_load_lowers_the_limits_it_is_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"2026-11-{day:02}T{hour:02}:00,{4 + day % 2}" for day in (1, 2, 3, 4) for hour in range(24)]
    loads = history(tmp_path, "\n".join(["time,base_kw", *lines]))
    assert main(["plan", easy(tmp_path), "--planner", "chance_caps", "--history", loads, "--json"]) == 0
    answer = PlanAnswer.model_validate_json(capsys.readouterr().out)
    # Half a kilowatt either way on four days: a deviation of sqrt(1/3), of which 1.645 are kept free.
    assert max(answer.sessions[0].power_kw) == pytest.approx(8 - 1.645 * (1 / 3) ** 0.5, abs=2e-3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("when,price\n1,2", "needs `time` with"),
        ("time,price_eur_per_kwh\nnoon,0.1", "line 2: time is 'noon'"),
        ("time,price_eur_per_kwh\n2026-11-01T00:00,nan", "line 2: price_eur_per_kwh is nan"),
        ("time,price_eur_per_kwh\n2026-11-01T00:00,0.1", "0 days have a value for each of their 24 hours"),
        ("arrival,departure,energy_kwh\n2026-11-01T10:00,2026-11-01T09:00,4", "line 2: departure must be after"),
        ("time,base_kw,node\n2026-11-01T10:00,x,grid", "line 2: base_kw is 'x'"),
    ],
)
def test_a_history_that_makes_no_sense_is_refused_by_line_and_value(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--planner", "mean_cvar", "--history", history(tmp_path, text)]
    assert main(["plan", easy(tmp_path), *words]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outlook", "told"),
    [
        ({"prices_eur_per_kwh": [[0.1, 0.2]]}, "outlook: prices_eur_per_kwh.0: 2 values for 4 steps"),
        ({"futures": [{"departures": {"zed": 2}}]}, "departures: 'zed' is none of the sessions"),
        ({"base_load_sigma_kw": {"attic": 2}}, "base load of node 'attic'"),
        ({"base_load_sigma_kw": {"grid": -2}}, "outlook.base_load_sigma_kw.grid: -2 is below 0"),
    ],
)
def test_a_scenario_that_does_not_fit_the_problem_is_refused_by_field(
    outlook: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", easy(tmp_path, outlook=outlook), "--planner", "mean_cvar"]) == 2
    assert told in capsys.readouterr().err


def test_a_plan_in_a_spreadsheet_has_a_row_for_every_step(tmp_path: Path) -> None:
    target = tmp_path / "plan.csv"
    assert main(["plan", easy(tmp_path), "--out", str(target)]) == 0
    head, *rows = target.read_text().splitlines()
    assert head == "start,hours,price_eur_per_kwh,a,sessions together"
    assert rows[1] == "2026-11-20T19:00:00+01:00,1,0.1,8.0,8.0"
    assert len(rows) == 4


@pytest.mark.parametrize("what", ["problem", "plan"])
def test_the_schema_that_is_printed_is_that_of_what_is_read_and_written(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--schema", what]) == 0
    schema = json.loads(capsys.readouterr().out)
    model = ProblemFile if what == "problem" else PlanAnswer
    assert set(schema["properties"]) == set(model.model_fields)
    assert schema["additionalProperties"] is False


def test_a_base_load_above_its_limit_is_told_with_its_excess_by_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [{"id": "grid", "limit_kw": 8, "base_kw": [0, 11, 0, 0]}]
    battery = {"capacity_kwh": 4, "stored_kwh": 0, "charge_max_kw": 4, "discharge_max_kw": 1}
    assert main(["plan", easy(tmp_path, nodes=nodes, site_battery=battery), "--json"]) == 1
    answer = PlanAnswer.model_validate_json(capsys.readouterr().out)
    assert answer.overloads[0].over == pytest.approx([0, 2, 0, 0], abs=1e-3)
    assert answer.unmet == ("grid kW: 2 kW over its limit 19:00–20:00, 3 kW without what the plan does about it",)


def test_what_a_limit_costs_is_told_by_planning_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", easy(tmp_path), "--json"])
    answer = PlanAnswer.model_validate_json(capsys.readouterr().out)
    assert answer.without[0].names == ("grid kW",)
    assert answer.without[0].saves_eur == pytest.approx(1.2 - 1.0)
    assert answer.limits[0].cost_at_most_eur >= answer.without[0].saves_eur


def test_without_a_problem_one_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan"]) == 2
    assert "which problem?" in capsys.readouterr().err
