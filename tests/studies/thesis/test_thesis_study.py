"""The thesis run again, small: what the study says must follow from what it ran."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.cli import main
from studies.prices import PriceHistory, read_prices
from studies.thesis import figures
from studies.thesis.cars import at_energy_of, pareto, study_day
from studies.thesis.cohort import study_day as study_cohort_day
from studies.thesis.scenario import CohortSetUp, EmissionSetUp, PowerAllocationSetUp, load_set_up, parse_set_up, shipped
from studies.thesis.study import run_study
from tests.studies.price_files import two_peaks
from twin_core.errors import ConfigurationError
from twin_core.planning.equal_share import EqualShare
from twin_core.planning.solvers.table import SolverBench

SMALL = {
    "a": """
name = "small-a"
title = "ten cars"
model = "power_allocation"
steps = 48
cap_kw = 220.0
max_kw = 22.0
shortfall_eur_per_kwh = 0.157
[[groups]]
cars = 10
arrival_beta = [5.52, 12.0]
stay_mean_h = 6.0
stay_sd_h = 1.0
demand_beta = [1.0, 1.0]
[published]
optimal_eur = 550.751
fifs_eur = 575.048
""",
    "b": """
name = "small-b"
title = "twelve cars and carbon"
model = "emission_co2"
steps = 48
cap_kw = 264.0
max_kw = 22.0
whole_steps = true
[[groups]]
cars = 12
arrival_beta = [5.53, 12.0]
stay_mean_h = 7.0
stay_sd_h = 4.0
demand_beta = [2.0, 2.0]
[carbon]
price_eur_per_t = 64.0
weight = 9.0
pareto = [9.0, 0.0]
hourly_g_per_kwh = [300, 290, 285, 285, 295, 320, 360, 400, 415, 395, 350, 305,
                    275, 265, 275, 310, 360, 410, 445, 455, 435, 395, 350, 320]
""",
    "c": """
name = "small-c"
title = "three classes"
model = "cohort"
steps = 48
cap_kw = 3300.0
max_kw = 22.0
classes = 3
waiting_eur = 1.3
[[peaks]]
hour = 6.0
cars_per_h = 60.0
width_h = 2.0
""",
}


OF_CARS = {"price", "price_covariance", "occupancy", "availability", "power", "cost_per_ev"}
OF_COHORTS = {
    "price",
    "price_covariance",
    "arrival_rate",
    "occupancy",
    "power",
    "charging_by_class",
    "states_by_class",
}
FIGURES = {"small-a": OF_CARS, "small-b": OF_CARS | {"pareto"}, "small-c": OF_COHORTS}
"""The thesis' figures: what of each set-up is drawn."""


def small(name: str, **changes: Any) -> Any:
    return parse_set_up(SMALL[name], name).model_copy(update=changes)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> PriceHistory:
    return read_prices(two_peaks(tmp_path_factory.mktemp("prices") / "prices.csv"))


@pytest.fixture(scope="module")
def study(prices: PriceHistory, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("study")
    return out, run_study([small(name) for name in SMALL], prices, n_seeds=2, out=out)


@pytest.mark.parametrize("name", ["a", "b"])
def test_under_a_slack_cap_optimum_and_fifs_deliver_the_same_energy(name: str, prices: PriceHistory) -> None:
    row = study_day(small(name), prices, 0, SolverBench())[0].row()
    assert row["optimal_kwh"] == pytest.approx(row["wanted_kwh"])
    assert row["fifs_kwh"] == pytest.approx(row["wanted_kwh"])
    assert row["ratio_published"] == pytest.approx(row["ratio_equal_energy"])


@pytest.mark.parametrize("cap_kw", [220.0, 40.0])
def test_at_equal_energy_no_rule_is_cheaper_than_the_optimum(cap_kw: float, prices: PriceHistory) -> None:
    row = study_day(small("a", cap_kw=cap_kw), prices, 1, SolverBench())[0].row()
    assert row["optimal_at_fifs_energy_kwh"] == pytest.approx(row["fifs_kwh"])
    # A cap that is full all day leaves no choice.
    assert row["ratio_equal_energy"] < (1 if cap_kw > 100 else 1 + 1e-9)
    assert row["equal_share_ratio_equal_energy"] < (1 if cap_kw > 100 else 1 + 1e-9)
    assert row["proved"] == 1


def test_under_a_tight_cap_every_car_gets_what_the_rule_gave_it(prices: PriceHistory) -> None:
    _, day = study_day(small("a", cap_kw=40.0), prices, 0, SolverBench())
    share = EqualShare().plan(day.problem)
    assert share.unserved_kwh.max() > 1
    same = at_energy_of(day.problem, share, SolverBench())
    assert np.allclose((same.power_kw - share.power_kw) @ day.problem.horizon.hours, 0.0, atol=1e-6)


def test_a_shortfall_price_below_every_price_charges_nothing_and_the_ratio_at_equal_energy_does_not_notice(
    prices: PriceHistory,
) -> None:
    as_printed = study_day(small("a"), prices, 0, SolverBench())[0].row()
    unwilling = study_day(small("a", shortfall_eur_per_kwh=0.01), prices, 0, SolverBench())[0].row()
    assert unwilling["optimal_kwh"] == pytest.approx(0.0, abs=1e-6)
    assert unwilling["optimal_unserved_kwh"] == pytest.approx(unwilling["wanted_kwh"])
    assert unwilling["ratio_equal_energy"] == pytest.approx(as_printed["ratio_equal_energy"])


def test_a_larger_weight_buys_less_carbon_at_the_same_energy(prices: PriceHistory) -> None:
    _, day = study_day(small("b"), prices, 0, SolverBench())
    light, heavy = pareto(day, SolverBench())
    assert (light["weight"], heavy["weight"]) == (0.0, 9.0)
    assert heavy["carbon_kg"] < light["carbon_kg"]
    assert heavy["cost_eur"] > light["cost_eur"]
    assert heavy["delivered_kwh"] == pytest.approx(light["delivered_kwh"])


@pytest.mark.parametrize("dynamics", ["literal", "charge_then_depart"])
def test_no_cohort_rule_is_cheaper_at_equal_energy(dynamics: str, prices: PriceHistory) -> None:
    row = study_cohort_day(small("c", dynamics=dynamics, cap_kw=220.0), prices, 0)[0].row()
    for name, prefix in (("fifs", ""), *((n, f"{n}_") for n in ("equal_share", "fifs_staying", "both_staying"))):
        assert row[f"{prefix}ratio_equal_energy"] <= 1 + 1e-6
        assert row[f"optimal_at_{name}_energy_kwh"] == pytest.approx(row[f"{name}_kwh"])
        assert row[f"{name}_peak_kw"] <= 220 + 1e-6
    assert row["ratio_equal_energy"] <= row["ratio_equal_energy_and_waiting"] + 1e-6
    assert row["proved"] == 1


def test_both_readings_of_whom_cohort_fifs_may_charge_are_there_and_differ(prices: PriceHistory) -> None:
    row = study_cohort_day(small("c"), prices, 0)[0].row()
    assert row["fifs_staying_kwh"] < 0.9 * row["fifs_kwh"]
    assert row["fifs_staying_ratio_published"] == pytest.approx(row["optimal_eur"] / row["fifs_staying_eur"])
    assert row["fifs_staying_ratio_published"] > row["ratio_published"]
    assert row["both_staying_ratio_published"] == pytest.approx(
        row["both_staying_optimal_eur"] / row["fifs_staying_eur"]
    )
    # Under the same rule FIFS delivers all there is to deliver, and no step is cheaper that delivers as much.
    assert row["fifs_staying_ratio_equal_energy"] < row["both_staying_ratio_equal_energy"]


def test_where_cars_charge_before_they_leave_both_readings_are_one(prices: PriceHistory) -> None:
    row = study_cohort_day(small("c", dynamics="charge_then_depart"), prices, 0)[0].row()
    for name in ("ratio_published", "ratio_equal_energy"):
        assert row[f"fifs_staying_{name}"] == pytest.approx(row[name])
        assert row[f"both_staying_{name}"] == pytest.approx(row[name])


def test_the_same_seed_gives_the_same_summary(
    study: tuple[Path, dict[str, Any]], prices: PriceHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, summary = study
    assert json.loads((out / "summary.json").read_text()) == summary
    monkeypatch.setattr("studies.thesis.study.draw_figures", lambda *_: [])  # pictures take most of the time
    again = run_study([small(name) for name in SMALL], prices, n_seeds=2, out=tmp_path)
    assert again == summary
    seeds = summary["set_ups"]["small-a"]["seeds"]
    assert seeds[0]["wanted_kwh"] != seeds[1]["wanted_kwh"]


def test_the_summary_holds_costs_energies_and_both_ratios_of_every_seed(study: tuple[Path, dict[str, Any]]) -> None:
    out, summary = study
    for name, found in summary["set_ups"].items():
        assert [row["seed"] for row in found["seeds"]] == [0, 1]
        for row in found["seeds"]:
            assert row["ratio_published"] == pytest.approx(row["optimal_eur"] / row["fifs_eur"])
            assert row["fifs_kwh"] + row["fifs_unserved_kwh"] == pytest.approx(row["wanted_kwh"])
            assert row["optimal_kwh"] + row["optimal_unserved_kwh"] == pytest.approx(row["wanted_kwh"])
        assert json.loads((out / "tables" / f"{name}_seeds.json").read_text()) == found["seeds"]
        with (out / "tables" / f"{name}_seeds.csv").open(encoding="utf-8") as file:
            table = [float(row["optimal_eur"]) for row in csv.DictReader(file)]
        assert table == [row["optimal_eur"] for row in found["seeds"]]
        assert found["median"]["optimal_eur"] == pytest.approx(np.median(table))


def test_figures_are_images_that_show_something(study: tuple[Path, dict[str, Any]]) -> None:
    from matplotlib.image import imread

    folder = study[0] / "figures"
    pictures = sorted(folder.glob("*.png"))
    assert {path.stem for path in pictures} == {f"{name}_{what}" for name, shown in FIGURES.items() for what in shown}
    for path in pictures:
        image = imread(path)
        assert image.shape[0] > 400
        assert image.shape[1] > 600
        assert image[..., :3].std() > 0.02, f"{path.name} is as good as blank"
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_the_page_takes_its_numbers_and_verdicts_from_the_run(study: tuple[Path, dict[str, Any]]) -> None:
    out, summary = study
    page = (out / "report.md").read_text(encoding="utf-8")
    found = summary["set_ups"]["small-a"]
    assert f"{found['median']['optimal_eur']:,.2f} € against {found['median']['fifs_eur']:,.2f} €" in page
    ratios = [row["ratio_published"] for row in found["seeds"]]
    inside = min(ratios) <= found["published"]["ratio"] <= max(ratios)
    assert f"**{'Holds' if inside else 'Does not hold'}.** The published ratio 0.9577" in page
    cohort = page[page.index("(small-c)") :]
    assert "**Does not hold.** Optimum and FIFS deliver the same energy" in cohort
    staying = summary["set_ups"]["small-c"]["median"]["fifs_staying_ratio_published"]
    assert f"{staying:.3f} where it charges only who stays" in cohort
    assert f"| small-c, FIFS charges only who stays | none | {staying:.4f} " in page


def test_shipped_set_ups_are_those_of_the_thesis() -> None:
    assert shipped() == ["a", "b", "c"]
    a, b, c = (load_set_up(name) for name in shipped())
    assert isinstance(a, PowerAllocationSetUp)
    assert (a.steps, a.cap_kw, a.shortfall_eur_per_kwh, sum(g.cars for g in a.groups)) == (288, 1130, 0.157, 100)
    assert isinstance(b, EmissionSetUp)
    assert (b.steps, b.cap_kw, b.carbon.weight, sum(g.cars for g in b.groups)) == (144, 300 * 22, 9, 300)
    assert b.groups[1].arrival_beta[0] == pytest.approx((1 + 17 / 24 * 10) / (1 - 17 / 24))
    assert isinstance(c, CohortSetUp)
    assert (c.steps, c.cap_kw, c.classes, c.waiting_eur) == (144, 3300, 10, 1.3)


def test_curves_of_the_same_thing_are_told_apart_and_axes_have_units(
    prices: PriceHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    drawn: dict[str, Figure] = {}
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: drawn.setdefault(path.stem, self))
    cohorts = study_cohort_day(small("c"), prices, 0)[1]
    figures.draw_figures(tmp_path, study_day(small("b"), prices, 0, SolverBench())[1], prices)
    figures.draw_figures(tmp_path, cohorts, prices)
    said = {
        name: [text.get_text() for legend in figure.legends for text in legend.texts] for name, figure in drawn.items()
    }
    assert said["small-b_power"][:2] == ["optimal", "FIFS"]
    assert said["small-b_price"] == ["electricity", "carbon, λ·C₀·e"]
    assert said["small-c_power"] == ["optimal", "FIFS, all the model's rows allow", "FIFS, only who stays"]
    assert said["small-c_states_by_class"] == ["class 1", "class 2", "class 3"]
    for name, figure in drawn.items():
        axes = figure.axes[0]
        assert axes.get_xlabel(), name
        assert axes.get_ylabel(), name
        assert not axes.get_legend(), f"{name}: a legend over the curves"


def test_a_file_of_ones_own_runs_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(SMALL["a"].replace("small-a", "mine"))
    csv_file = two_peaks(tmp_path / "prices.csv")
    out = tmp_path / "out"
    arguments = [
        "study",
        "thesis",
        "--seeds",
        "1",
        "--scenario",
        str(mine),
        "--prices",
        str(csv_file),
        "--out",
        str(out),
    ]
    assert main(arguments) == 0
    assert "(mine) optimum" in capsys.readouterr().out
    assert list(json.loads((out / "summary.json").read_text())["set_ups"]) == ["mine"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("cap_kw = 220.0", "cap_kw = -1.0"), "cap_kw: Input should be greater than 0"),
        (lambda text: text.replace("cars = 10", 'cars = "many"'), "groups.0.cars"),
        (lambda text: text.replace("cars = 10", "cars = 10\ncolour = 3"), "groups.0.colour: Extra inputs"),
        (lambda text: text.replace("power_allocation", "magic"), "model"),
        (lambda text: text.replace('model = "power_allocation"', ""), "model"),
        (lambda text: text.replace("0.157", "nan"), "shortfall_eur_per_kwh"),
        (lambda text: text + "[", "mine.toml"),
        (lambda text: SMALL["b"].replace("[300, 290,", "[300,"), "carbon.hourly_g_per_kwh"),
        (lambda text: SMALL["c"].replace("cap_kw = 3300.0", "cap_kw = 3.0"), "cap_kw 3.0 is below max_kw 22.0"),
        (lambda text: SMALL["c"].replace("hour = 6.0", "hour = 25"), "peaks.0.hour"),
        (lambda text: SMALL["c"] + 'dynamics = "magic"', "dynamics"),
    ],
)
def test_a_bad_field_is_named(
    change: Callable[[str], str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(change(SMALL["a"]))
    assert main(["study", "thesis", "--scenario", str(mine)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "mine.toml" in error


def test_two_set_ups_of_one_name_are_refused(prices: PriceHistory, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not all different"):
        run_study([small("a"), small("a")], prices, n_seeds=1, out=tmp_path)


def test_without_matplotlib_the_command_to_install_it_is_said_first(
    prices: PriceHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'depot-twin\[studies\]'"):
        run_study([small("a")], prices, n_seeds=1, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
