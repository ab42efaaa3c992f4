"""The study as a whole, on a record of its own making."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from studies.real_days.case import ANNOUNCED, RECORDED, TRUE, Case, Task, learned, rows_of
from studies.real_days.contenders import DEFAULT, LEFT_OUT, YARDSTICK, Contender, Rescued, contenders
from studies.real_days.day import STEPS, Day, Stay, step_prices
from studies.real_days.metrics import over_cheapest, same_energy, saving, score
from studies.real_days.network import Network, Wiring
from studies.real_days.processes import in_processes
from studies.real_days.record import Record, sample
from studies.real_days.results import Results, Spread
from studies.real_days.rolling import Foresight, live, problem_at
from studies.real_days.study import run_study
from studies.real_days.verdicts import Verdict, verdicts
from tests.studies.real_days.recorded_wheel import recorded_wheel
from twin_core.errors import ConfigurationError, PlanningError
from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem
from twin_core.planning.table import PLANNERS, planner

WHEN = date(2019, 7, 5)
TIGHT = Case("tight", Wiring.ONE_CAP, TRUE)
SUMMER = step_prices(WHEN)


def a_day(*stays: Stay) -> Day:
    return Day("caltech", WHEN, stays, SUMMER)


def one_car(*kw_from_to: tuple[float, int, int]) -> np.ndarray:
    power_kw = np.zeros((1, STEPS))
    for kw, first, last in kw_from_to:
        power_kw[0, first:last] = kw
    return power_kw


CAR = a_day(Stay("a", 100, 250, 250, 6.0, 0))
AT_NOON = one_car((6.0, 150, 162))
IN_THE_EVENING = one_car((6.0, 220, 232))


def test_at_equal_energy_the_saving_is_costs_side_by_side() -> None:
    noon, evening = score(CAR, AT_NOON, 0), score(CAR, IN_THE_EVENING, 0)
    assert same_energy(noon, evening)
    assert saving(CAR, evening, noon) == pytest.approx(1 - 0.0925 / 0.26668)


@pytest.mark.parametrize("left_out", [1, 6, 11])
def test_leaving_energy_out_never_saves_anything(left_out: int) -> None:
    whole, part = score(CAR, AT_NOON, 0), score(CAR, one_car((6.0, 150, 162 - left_out)), 0)
    assert part.cost_usd < whole.cost_usd
    assert saving(CAR, part, whole) == pytest.approx(0.0)
    cheap = score(CAR, one_car((6.0, 220, 232 - left_out)), 0)
    assert saving(CAR, cheap, score(CAR, IN_THE_EVENING, 0)) < 0


def test_energy_delivered_beyond_the_other_s_counts_for_little_and_not_against() -> None:
    less, more = score(CAR, one_car((6.0, 220, 226)), 0), score(CAR, IN_THE_EVENING, 0)
    assert 0 > saving(CAR, more, less) > -1.0


def test_over_the_cheapest_asks_what_the_same_energies_could_have_cost() -> None:
    network = Network(Wiring.ONE_CAP, 10.0)
    assert over_cheapest(CAR, network, AT_NOON) == pytest.approx(0.26668 / 0.0925 - 1)
    assert over_cheapest(CAR, network, IN_THE_EVENING) == pytest.approx(0.0, abs=1e-6)


def test_who_announced_nothing_is_taken_to_stay_as_long_as_earlier_drivers_did() -> None:
    silent = Stay("a", 100, 130, 130, 5.0, 0, claimed=False)
    told = Stay("b", 100, 130, 160, 5.0, 1)
    past = [a_day(Stay("c", 100, 100 + n, 290, 5.0, 0)) for n in (40, 50, 90)]
    known = a_day(silent, told).with_typical_stays(past)
    assert [stay.announced for stay in known.stays] == [150, 160]
    assert [stay.departure for stay in known.stays] == [130, 130]
    assert a_day(silent, told).unclaimed == 0.5


def test_a_record_that_gives_away_a_departure_flatters_and_the_study_does_not_use_it(tmp_path: Path) -> None:
    record = Record.read(recorded_wheel(tmp_path))
    tasks = {
        departures: Task("jpl", WHEN, replace(TIGHT, departures=departures), (Contender(YARDSTICK), Contender("edf")))
        for departures in (ANNOUNCED, RECORDED)
    }
    edf = {departures: rows_of(task, record)[-1] for departures, task in tasks.items()}
    assert edf[ANNOUNCED]["unclaimed"] == 0.25
    assert edf[ANNOUNCED]["worst_decile"] != edf[RECORDED]["worst_decile"]


def test_every_planner_of_the_table_takes_part_or_is_left_out_with_a_reason() -> None:
    assert set(PLANNERS) == {c.name for c in contenders() if not c.told_of_earlier_days} | set(LEFT_OUT)
    assert DEFAULT in {c.name for c in contenders()}


def test_one_that_is_left_out_or_unknown_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="give anything back"):
        contenders(("v2g",))
    with pytest.raises(ConfigurationError, match="nobody"):
        contenders(("nobody+forecast",))


def test_where_a_planner_refuses_the_live_depot_s_rule_steps_in_and_it_is_counted() -> None:
    class Refuses:
        name = "refuses"

        def plan(self, problem: PlanningProblem) -> Plan:
            raise PlanningError("no plan")

    asked = Rescued(Refuses())
    outcome = live(CAR, Network(Wiring.ONE_CAP, 10.0), asked, Foresight())
    assert outcome.energy_kwh.sum() == pytest.approx(6.0)
    assert set(asked.refusals) == {"no plan"}


def test_the_sample_is_the_same_every_time_and_spread_over_the_whole_time() -> None:
    days = [date.fromordinal(date(2019, 5, 1).toordinal() + n) for n in range(200)]
    chosen = sample(days, 10)
    assert chosen == sample(days, 10) != sample(days, 10, seed=1)
    assert [days.index(day) // 20 for day in chosen] == list(range(10))
    assert sample(days[:3], 10) == tuple(days[:3])


def test_only_working_days_with_enough_cars_are_studied_and_none_after_2020(tmp_path: Path) -> None:
    record = Record.read(recorded_wheel(tmp_path, days=10, cars=16))
    assert [day.day for day in record.working_days("jpl", date(2019, 7, 2), date(2019, 7, 9))] == [2, 3, 4, 5, 8, 9]
    few = Record.read(recorded_wheel(tmp_path, days=10, cars=14))
    assert few.working_days("jpl", date.min, date(2020, 1, 1)) == ()
    with pytest.raises(ConfigurationError, match="kept to check"):
        record.working_days("jpl", date(2019, 7, 2), date(2021, 6, 1))


def test_earlier_days_are_of_the_same_kind_and_never_the_day_itself(tmp_path: Path) -> None:
    record = Record.read(recorded_wheel(tmp_path, days=10))
    assert [day.date.day for day in record.before("jpl", date(2019, 7, 8))] == [1, 2, 3, 4, 5]


def test_a_study_writes_a_row_for_every_day_case_and_planner_and_a_verdict_on_every_aim(tmp_path: Path) -> None:
    wheel = recorded_wheel(tmp_path)
    cases = [TIGHT, Case("loose", Wiring.ONE_CAP, ANNOUNCED)]
    seen: list[tuple[int, int]] = []
    summary = run_study(
        {"caltech": [date(2019, 7, 4), WHEN]},
        Record.read(wheel),
        wheel,
        out=tmp_path / "out",
        taking_part=contenders(("fifs", DEFAULT)),
        cases=cases,
        on_progress=lambda what, done, of: seen.append((done, of)),
    )
    with (tmp_path / "out/days.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["planner"] for row in rows[:4]] == ["hindsight", YARDSTICK, "fifs", DEFAULT]
    assert len(rows) == 16
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert json.loads((tmp_path / "out/summary.json").read_text()) == summary
    assert summary["violations"] == 0
    assert summary["refusals"] == {}
    assert summary["unclaimed"] == {"caltech": 0.25}
    assert [verdict["case"] for verdict in summary["verdicts"]] == ["tight one_cap true"] * 2 + [
        "loose one_cap announced"
    ] * 2
    assert all(0 < float(row["energy_met"]) <= 1 + 1e-9 for row in rows)
    assert all(float(row["below_optimum"]) > -1e-6 for row in rows if row["departures"] == TRUE)
    assert (tmp_path / "out/figures/loose_saving.png").stat().st_size > 0
    page = (tmp_path / "out/report.md").read_text()
    assert "25.0% of 8 sessions without an announcement" in page
    assert all(name in page for name in LEFT_OUT)
    assert "under the summer tariff (2 days)" in page


def test_other_processes_find_the_same(tmp_path: Path) -> None:
    wheel = recorded_wheel(tmp_path)
    record = Record.read(wheel)
    tasks = [Task(site, WHEN, TIGHT, (Contender(YARDSTICK),)) for site in ("caltech", "jpl")]
    untimed = ("tick_ms", "tick_p95_ms")

    def found(jobs: int) -> dict[str, list[dict[str, str | float]]]:
        return {
            str(task): [{name: row[name] for name in row if name not in untimed} for row in rows]
            for task, rows in in_processes(tasks, record, wheel, jobs)
        }

    assert found(2) == found(1)


def test_an_interval_holds_the_mean_and_shrinks_to_it_where_all_days_are_alike() -> None:
    spread = Spread.of([0.1, 0.2, 0.6])
    assert spread.low < spread.mean < spread.high
    assert spread.mean == pytest.approx(0.3)
    assert Spread.of([0.25] * 4) == Spread(0.25, 0.25, 0.25, 4)


@pytest.mark.parametrize(
    ("found", "at_most", "holds", "certain"),
    [
        (Spread(0.9, 0.86, 0.94, 9), False, True, True),
        (Spread(0.9, 0.8, 0.95, 9), False, True, False),
        (Spread(0.8, 0.7, 0.9, 9), False, False, False),
        (Spread(0.8, 0.7, 0.84, 9), False, False, True),
        (Spread(0.8, 0.7, 0.84, 9), True, True, True),
        (Spread(float("nan"), 0.0, 1.0, 9), True, False, False),
    ],
)
def test_a_verdict_says_whether_the_aim_is_reached_and_whether_that_is_certain(
    found: Spread, at_most: bool, holds: bool, certain: bool
) -> None:
    verdict = Verdict("demands met", ("tight", "one_cap", TRUE), found, 0.85, at_most=at_most)
    assert (verdict.holds, verdict.certain) == (holds, certain)


def test_the_announced_aim_is_the_best_of_the_rules_that_took_part() -> None:
    def row(planner: str, energy_met: float) -> dict[str, str | float]:
        numbers = {"energy_met": energy_met, "demands_met": 0.9, "below_optimum": 0.0}
        return {
            "site": "jpl", "day": "2019-07-05", "limit": "tight", "wiring": "one_cap", "departures": ANNOUNCED,
            "planner": planner, **numbers,
        }  # fmt: skip

    rows = [row("hindsight", 0.9), row("edf", 0.7), row("fifs", 0.8), row("fair", 0.85), row(DEFAULT, 0.75)]
    first, second = verdicts(Results(rows))
    assert "fifs" in first.claim
    assert first.found.mean == pytest.approx(-0.05)
    assert not first.holds
    assert second.holds


def test_an_interrupted_study_goes_on_where_it_was_and_begins_anew_unless_told_so(tmp_path: Path) -> None:
    wheel = recorded_wheel(tmp_path)
    out, record = tmp_path / "out", Record.read(wheel)

    def lived(*, go_on: bool, stop_after: int = 99) -> list[str]:
        seen: list[str] = []

        def progress(what: str, done: int, of: int) -> None:
            seen.append(what)
            if len(seen) == stop_after:
                raise KeyboardInterrupt

        days = {"caltech": [date(2019, 7, 4), WHEN], "jpl": [WHEN]}
        run_study(
            days, record, wheel, out=out, taking_part=[Contender(YARDSTICK)], cases=[TIGHT], go_on=go_on,
            on_progress=progress,
        )  # fmt: skip
        return seen

    with pytest.raises(KeyboardInterrupt):
        lived(go_on=False, stop_after=2)
    with (out / "done.jsonl").open("a") as file:
        file.write('{"task": "half a li')
    assert lived(go_on=True) == ["jpl 2019-07-05 tight one_cap true"]
    with (out / "days.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6
    assert lived(go_on=True) == []
    assert len(lived(go_on=False)) == 3


def test_planners_that_are_left_out_would_do_what_power_allocation_does() -> None:
    crowd = a_day(*(Stay(name, 100 + n, 130 - n, 130 - n, 9.0, n % 3) for n, name in enumerate("abcd")))
    done = {
        name: live(crowd, Network(Wiring.THREE_LINES, 9.0), planner(name), Foresight()).power_kw
        for name in ("power_allocation", *LEFT_OUT)
    }
    for name in LEFT_OUT:
        np.testing.assert_allclose(done[name], done["power_allocation"], atol=1e-6)


def test_lived_step_by_step_round_robin_gives_turns_that_first_come_first_served_does_not() -> None:
    crowd = a_day(*(Stay(name, 100 + n, 112, 112, 9.0, 0) for n, name in enumerate("abc")))
    network = Network(Wiring.ONE_CAP, 6.656)
    turns = live(crowd, network, planner("round_robin"), Foresight()).energy_kwh
    first = live(crowd, network, planner("fifs"), Foresight()).energy_kwh
    assert turns.min() > 0.2 * turns.sum()
    assert first[2] == 0


def test_a_forecast_does_not_take_a_guess_for_an_announcement() -> None:
    keep = [Stay(f"k{n}", 100, 160, 160, 6.0, 0) for n in range(30)]
    leave = [Stay(f"l{n}", 100, 112, 112, 6.0, 0, claimed=False) for n in range(40)]
    knows = learned([a_day(*keep, *leave)], announced=True)
    told = a_day(Stay("told", 100, 160, 160, 6.0, 0), Stay("silent", 100, 160, 160, 6.0, 0, claimed=False))
    asked = problem_at(told, Network(Wiring.ONE_CAP, 7.0), knows, 100, [0, 1], np.array([6.0, 6.0]))
    assert asked.sessions[1].likely_departure_h == pytest.approx(1.0)
    assert asked.sessions[0].likely_departure_h == pytest.approx(5.0)
