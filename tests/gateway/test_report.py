"""The numbers a run is judged by."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.demo import _shortcomings
from gateway.loop_lag import LoopLag, percentile
from gateway.report import EnvelopeWatch, run_report
from tests.fakes import EPOCH, instant
from tests.sites import charger, site
from tests.twin_core.facts import draws, plan_of, plugged_in, ready, unplugged
from tests.twin_core.test_cycle import Loop, tell
from twin_core.cycle import Twin
from twin_core.models import events as ev
from twin_core.models.ids import NodeId
from twin_core.models.tariff import flat_tariff


def metered_twin(limit_a: float = 20.0) -> Twin:
    return Twin(
        site(charger("A"), charger("B"), charger("C"), limit_a=limit_a, metered=True),
        since=EPOCH,
        tariff=flat_tariff(0.25, EPOCH),
    )


def everybody_ready() -> list[ev.Event]:
    return [event for name in "ABC" for event in ready(name)]


def measured(current_a: tuple[float, float, float], at: float) -> ev.NodeMetered:
    return ev.NodeMetered(at=instant(at), node_id=NodeId("grid"), current_a=current_a, power_kw=sum(current_a) * 0.23)


def test_a_measured_current_above_its_limit_is_a_violation_on_any_phase_and_the_margin_is_the_least() -> None:
    told, watch = metered_twin(), EnvelopeWatch()
    for at, current_a, violations in ((1.0, (5.0, 5.0, 5.0), 0), (3.0, (5.0, 20.5, 5.0), 1), (5.0, (20.0, 0, 0), 1)):
        tell(told, measured(current_a, at))
        watch.on_cycle(told.tick(instant(at + 1)))
        assert watch.violations == violations
    assert watch.min_margin_kw == pytest.approx(-0.5 * 3 * 0.23)
    assert watch.ticks == 3


def test_without_a_meter_no_margin_is_made_up() -> None:
    told, watch = Twin(site(charger("A")), since=EPOCH, tariff=flat_tariff(0.0, EPOCH)), EnvelopeWatch()
    watch.on_cycle(told.tick(instant(1)))
    assert watch.min_margin_kw is None
    assert watch.violations == 0


class _Ran:
    """As much of a runtime as a report reads."""

    plans, fallbacks, plan_times_s = 3, 1, [0.010, 0.020, 0.200]

    def __init__(self, twin: Any) -> None:
        self.twin = twin


def test_the_report_adds_up_what_happened() -> None:
    loop = Loop(metered_twin(63.0))
    tell(loop.twin, *everybody_ready(), *plugged_in("A", energy_kwh=10.0), plan_of({"A": [6.9] * 24}))
    loop.run(60)
    loop.now += 2
    stop = unplugged("A", loop.now)
    tell(loop.twin, ev.TransactionStopped(**{**_fields(stop), "meter_stop_kwh": 4.0}))
    watch = EnvelopeWatch()
    report = loop.twin.tick(instant(loop.now + 1))
    watch.on_cycle(report)
    written = run_report(_Ran(loop.twin), report, LoopLag(), watch)  # type: ignore[arg-type]
    assert written["sessions"] == {"started": 1, "completed": 1}
    assert written["energy"] == {"requested_kwh": 10.0, "delivered_kwh": 4.0, "unserved_kwh": 6.0}
    assert written["cost_eur"] == pytest.approx(1.0)
    assert written["setpoints"]["sent"] == written["setpoints"]["accepted"] >= 1
    assert written["setpoints"]["obeyed"] >= 1
    assert (written["plans"]["count"], written["plans"]["fallbacks"]) == (3, 1)
    assert (written["plans"]["p50_ms"], written["plans"]["p99_ms"]) == (20.0, 200.0)
    assert written["loop_lag_ms"] == {"p99": 0.0, "max": 0.0}


def _fields(event: object) -> dict[str, object]:
    return {name: getattr(event, name) for name in type(event).__slots__}  # type: ignore[attr-defined]


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([], 0.99) == 0.0
    assert percentile([3.0], 0.5) == 3.0
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0
    assert percentile([1.0, 2.0, 3.0], 1.0) == 3.0


def done(**changes: object) -> dict[str, object]:
    """The report of a depot that did its job, with some numbers changed."""
    report: dict[str, object] = {
        "envelope": {"violations": 0},
        "truth": {"sessions": 3, "completed": 3, "unserved_kwh": 0.1, "requested_kwh": 30.0, "worst": None},
        "telemetry": {"points_lost": 0},
        "plans": {"count": 5},
    }
    for name, value in changes.items():
        table, _, key = name.partition("__")
        report[table] = {**report[table], key: value}  # type: ignore[dict-item]
    return report


def test_a_depot_that_did_its_job_has_no_shortcoming() -> None:
    assert _shortcomings(done(), telemetry_delivered=True) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"envelope__violations": 1}, "exceeded 1 times"),
        ({"truth__completed": 2}, "1 of 3 cars"),
        ({"truth__unserved_kwh": 1.0}, "1.0 of 30.0 kWh"),
        ({"telemetry__points_lost": 1}, "telemetry"),
        ({"plans__count": 0}, "no plan"),
    ],
)
def test_each_thing_left_undone_is_one_shortcoming(changes: dict[str, object], words: str) -> None:
    found = _shortcomings(done(**changes), telemetry_delivered=True)
    assert len(found) == 1
    assert words in found[0]


def test_telemetry_that_could_not_be_handed_over_in_time_is_a_shortcoming() -> None:
    assert len(_shortcomings(done(), telemetry_delivered=False)) == 1


def test_draws_of_a_car_say_nothing_of_a_charger_that_is_no_part_of_the_site() -> None:
    told = metered_twin()
    tell(told, draws("Z", 10.0, 1.0), *taken_by_nobody())
    report = told.tick(instant(2))
    assert report.snapshot.tally.refused >= 1


def taken_by_nobody() -> list[ev.Event]:
    return [event for event in plugged_in("Z", 1.0) if isinstance(event, ev.TransactionStarted)]
