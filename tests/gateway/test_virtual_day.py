"""A day of a small depot in virtual time: the gateway as it runs live, on lines that lose, delay, repeat and cut."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.store.journal_reader import read_events, read_grants
from gateway.virtual import DayResult, Kill, VirtualRun, Weather, run_virtual
from simulators.chaos import ChaosFaults, DirectionFaults
from simulators.memory_broker import BrokerFaults
from tests.quick_loop import QuickVirtualLoop
from tests.twin_core.safety.mutants import MUTANTS
from twin_core.models.events import GatewayRestarted
from twin_core.models.ids import ConnectorId
from twin_core.models.problem import PlanningProblem
from twin_core.problem import planning_problem
from twin_core.safety.parameters import EnvelopeParameters

pytestmark = pytest.mark.timeout(400)  # a true day takes most of a minute of the wall, more on a busy machine

SITE = str(Path(__file__).with_name("virtual_day.toml"))
BAD = DirectionFaults(loss=0.02, delay_mean_s=0.3, delay_max_s=12.0, duplicate=0.02, reorder=0.02)
STORM = Weather(
    ChaosFaults(BAD, BAD, cut_every_s=5400.0, refuse_for_s=(0.0, 120.0)),
    BrokerFaults(loss=0.02, delay_max_s=1.0, duplicate=0.02, silent_every_s=7200.0),
)
MORNING_MIN = 165
"""By then the cars of the morning have left."""
RUSH_MIN = 60
"""Until then every car of the morning has come and wants more than there is."""
KILLS = (Kill(600.0, 5.0), Kill(1000.0, 15.0), Kill(1500.0, 5.0), Kill(2000.0, 60.0), Kill(2600.0, 10.0))


def a_day(data_dir: Path, **what: Any) -> DayResult:
    with asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
        return runner.run(run_virtual(VirtualRun(SITE, data_dir, **what)))


@pytest.fixture(scope="module")
def stormy_day(tmp_path_factory: pytest.TempPathFactory) -> DayResult:
    return a_day(tmp_path_factory.mktemp("storm"), weather=STORM)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> DayResult:
    return a_day(tmp_path_factory.mktemp("killed"), weather=STORM, minutes=RUSH_MIN, kills=KILLS)


def test_on_quiet_lines_everybody_is_served_and_no_limit_exceeded(tmp_path: Path) -> None:
    day = a_day(tmp_path, minutes=MORNING_MIN)
    assert day.watch.violations == 0
    assert all(outcome.completed for outcome in day.outcomes)
    assert day.delivered_kwh >= 0.99 * day.requested_kwh
    assert_every_transaction_is_in_the_ledger_once(day)


def test_a_whole_day_on_bad_lines_exceeds_no_limit_at_any_node_in_any_second(stormy_day: DayResult) -> None:
    assert stormy_day.watch.samples >= 86_400
    assert stormy_day.watch.violations == 0
    # Not for want of charging: at some moment a limit was all but reached.
    assert stormy_day.watch.min_margin_kw < 1.0


def test_the_lines_were_truly_bad(stormy_day: DayResult) -> None:
    links, messages = stormy_day.links, stormy_day.messages
    assert min(links.lost, links.duplicated) > 200
    assert min(links.reordered, links.cut) > 20
    assert links.delayed > 10_000
    assert min(messages.lost, messages.duplicated) > 100
    assert messages.silences > 3


def test_on_bad_lines_nearly_everything_is_served_all_the_same(stormy_day: DayResult) -> None:
    assert all(outcome.started for outcome in stormy_day.outcomes)
    assert stormy_day.delivered_kwh >= 0.9 * stormy_day.requested_kwh


def test_every_transaction_is_in_the_ledger_once_however_often_it_was_told(stormy_day: DayResult) -> None:
    repeated = sum(point.controller.outbox.counts.repeated for point in stormy_day.simulation.charge_points.values())
    assert repeated > 0
    assert_every_transaction_is_in_the_ledger_once(stormy_day)


def test_a_gateway_killed_in_the_rush_comes_back_and_no_limit_is_exceeded(killed: DayResult) -> None:
    assert killed.watch.violations == 0
    assert killed.watch.samples >= RUSH_MIN * 60
    assert killed.links.unreachable > 0
    assert_every_transaction_is_in_the_ledger_once(killed)


def test_after_each_kill_sessions_go_on_where_they_were(killed: DayResult) -> None:
    assert killed.report["sessions"]["started"] == len(killed.outcomes)
    # Nobody plugged in again: each vehicle has the one transaction it began with, and charged on under it.
    assert all(len(transactions_of(killed, outcome.connector_id)) == 1 for outcome in killed.outcomes)
    # There is not room for all of them at once: each had its turn in one of the later lives.
    later = [grant for run in range(4, len(KILLS) + 2) for grant in read_grants(killed.journal, run=run)]
    charged = {grant.connector_id for grant in later if grant.limit_a >= 6.0}
    assert charged == {outcome.connector_id for outcome in killed.outcomes}


def test_after_each_kill_nothing_rises_before_what_was_falling_has_arrived(killed: DayResult) -> None:
    hold_s = EnvelopeParameters().release_s
    for run in range(2, len(KILLS) + 2):
        (restarted,) = (event for event in read_events(killed.journal, run=run) if isinstance(event, GatewayRestarted))
        assert restarted.grants
        # The newest of a connector's grants stands last.
        standing_a = {grant.connector_id: grant.limit_a for grant in restarted.grants}
        for grant in read_grants(killed.journal, run=run):
            if grant.issued.monotonic_s < restarted.at.monotonic_s + hold_s:
                assert grant.limit_a <= standing_a.get(grant.connector_id, 0.0)


def test_the_same_seed_gives_the_same_trace_and_another_seed_another(tmp_path: Path, killed: DayResult) -> None:
    again = a_day(tmp_path / "again", weather=STORM, minutes=RUSH_MIN, kills=KILLS)
    assert again.trace == killed.trace
    assert (again.outcomes, again.links, again.messages) == (killed.outcomes, killed.links, killed.messages)
    assert again.watch.min_margin_kw == killed.watch.min_margin_kw
    other = a_day(tmp_path / "other", weather=STORM, minutes=12, seed=2)
    first = a_day(tmp_path / "first", weather=STORM, minutes=12, seed=1)
    assert other.trace != first.trace


@pytest.fixture
def heedless_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans that know no limits: what they keep by themselves would hide what the envelope lets through."""

    def without_limits(*asked: Any) -> PlanningProblem:
        return replace(planning_problem(*asked), caps=())

    monkeypatch.setattr("twin_core.cycle.planning_problem", without_limits)


@pytest.mark.usefixtures("heedless_plans")
def test_the_envelope_alone_keeps_every_limit_of_plans_that_know_none(tmp_path: Path) -> None:
    day = a_day(tmp_path, weather=STORM, minutes=90)
    assert day.watch.violations == 0
    # Somebody did want more than there is.
    assert day.watch.min_margin_kw < 0.1


@pytest.mark.usefixtures("heedless_plans")
@pytest.mark.parametrize("rule", ["increases do not wait", "feeders ignored"])
def test_with_one_rule_of_the_envelope_broken_the_oracle_sees_it(tmp_path: Path, rule: str) -> None:
    with MUTANTS[rule]():
        day = a_day(tmp_path, weather=STORM, minutes=90, stop_at_breach=True)
    assert day.watch.violations > 0
    assert day.watch.worst is not None
    if rule == "feeders ignored":
        assert day.watch.worst.node == "feeder"


def transactions_of(day: DayResult, connector_id: ConnectorId) -> list[Any]:
    remembered = day.simulation.charge_points[connector_id.charger].controller.transactions
    return [transaction for number, transaction in remembered if number == connector_id.number]


def assert_every_transaction_is_in_the_ledger_once(day: DayResult) -> None:
    with closing(sqlite3.connect(day.journal)) as connection:
        rows = connection.execute(
            "SELECT charger, connector, id_tag, meter_start_kwh, id, meter_stop_kwh FROM transactions"
        ).fetchall()
    told = []
    for connector_id in day.simulation.site.connector_by_id:
        for transaction in transactions_of(day, connector_id):
            assert transaction.id is not None, f"{connector_id}: a start was never answered"
            stop_kwh = transaction.meter_stop_wh / 1000 if transaction.stop_answered else None
            start = (connector_id.charger, connector_id.number, transaction.id_tag, transaction.meter_start_wh / 1000)
            told.append((*start, transaction.id, stop_kwh))
    assert sorted(rows, key=str) == sorted(told, key=str)
    assert len(told) == len(day.outcomes)
