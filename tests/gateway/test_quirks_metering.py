"""X: every way of telling transactions and meters that the field notes know, against the whole gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulators.quirks import metering as x
from tests.gateway.quirk_runs import HARDWARE_A, LIMIT_A, ODD, QuirkRun, minutes, survive
from twin_core.models import events as ev
from twin_core.models.charger import ConnectorStatus
from twin_core.models.ids import ConnectorId
from twin_core.models.session import Session

EVEN_A = LIMIT_A / 2
HERE = ConnectorId(ODD, 1)


async def both_charge(run: QuirkRun, *, after_min: float = 1.5) -> None:
    await minutes(0.5)
    await run.plug()
    await run.plug(run.mate)
    await minutes(after_min)
    assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)
    assert run.mate_a() == pytest.approx(EVEN_A, abs=0.1)


def session(run: QuirkRun) -> Session | None:
    return run.depot.runtime.twin.state.connectors[HERE].session


def starts(run: QuirkRun) -> list[ev.TransactionStarted]:
    return [event for event in run.seen.of(ev.TransactionStarted) if event.connector_id.charger == ODD]


def assert_energy_is_right(run: QuirkRun) -> None:
    here = session(run)
    car = run.odd.controller.station.outlets[1].vehicle
    assert here is not None
    assert car is not None
    assert here.energy_kwh == pytest.approx(car.delivered_kwh, abs=0.15)
    assert here.energy_kwh > 0.3


def test_x1_a_start_said_twice_is_one_transaction(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.did(x.LosesFirstStartAnswer).lost == 1
        assert len(starts(run)) == 1
        running = run.odd.controller.station.outlets[1].transaction
        assert running is not None
        assert running.id == starts(run)[0].transaction_id

    survive(tmp_path, "loses-first-start-answer", play)


def test_x2_transactions_that_never_were_are_answered_and_end_nobodys(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.odd.wire.errors_received == 0
        assert run.refused("foreign-transaction") >= 3
        assert session(run) is not None

    survive(tmp_path, "stops-unknown-transactions", play)


def test_x3_two_starts_in_one_second_are_two_transactions(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await asyncio.gather(run.plug(number=1), run.plug(number=2))
        await minutes(1)
        first, second = starts(run)
        assert first.started_at.replace(microsecond=0) == second.started_at.replace(microsecond=0)
        assert first.transaction_id != second.transaction_id

    survive(tmp_path, "starts-together", play, odd="connectors = 2")


def test_x4_a_transaction_nobody_saw_start_is_taken_over_from_its_meter_values(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        (adopted,) = starts(run)
        assert adopted.transaction_id == x.OthersTransaction.number
        run.odd.unplug(1)
        await minutes(0.2)
        assert session(run) is None

    survive(tmp_path, "others-transaction", play)


def test_x5_reports_of_long_ago_do_not_pass_for_those_of_now(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.depot.runtime.twin.state.connectors[HERE].status is ConnectorStatus.CHARGING
        assert run.trusted
        assert min(run.refused("stale-status"), run.refused("stale-sample")) > 5

    survive(tmp_path, "stale-reports", play)


def test_x5_a_session_that_began_and_ended_offline_is_told_in_order_afterwards(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(3)
        assert not run.odd.online
        await run.plug()
        await minutes(2)
        run.odd.unplug(1)
        await minutes(9)
        assert run.odd.online
        (start,) = starts(run)
        (stop,) = (event for event in run.seen.of(ev.TransactionStopped) if event.connector_id.charger == ODD)
        assert stop.transaction_id == start.transaction_id
        assert (stop.stopped_at - start.started_at).total_seconds() == pytest.approx(120, abs=5)
        assert session(run) is None

    survive(tmp_path, "stays-away", play)


def test_x6_a_transaction_whose_connector_is_free_for_a_minute_is_closed(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.odd.unplug(1)
        await minutes(0.5)
        assert session(run) is not None
        await minutes(1)
        assert session(run) is None
        assert run.refused("never-stopped") == 1
        await run.plug()
        await minutes(1)
        assert run.odd_a() > 6.0

    survive(tmp_path, "never-stops", play)


def test_x7_nothing_is_begun_or_ended_for_a_status_alone(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.odd.controller.stop(1, "Local")
        await minutes(2)
        assert len(starts(run)) == 1
        run.odd.unplug(1)
        await run.plug()
        await minutes(1)
        assert len(starts(run)) == 2
        assert run.odd_a() > 6.0

    survive(tmp_path, "available-though-plugged", play)


def test_x8_a_vehicle_that_sleeps_on_after_a_pause_is_woken_and_a_full_one_let_alone(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(5.0)
        await minutes(1)
        run.impose(None)
        await minutes(2)
        assert run.odd_a() == 0.0
        await minutes(4)
        assert run.odd_a() > 6.0
        assert run.memory.sleepers == 1

    survive(tmp_path, "falls-asleep", play)


@pytest.mark.parametrize("quirk", ["energy-only", "phases-only"])
def test_x9_power_is_found_in_whatever_is_reported(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        reading = run.depot.runtime.twin.state.connectors[HERE].reading
        assert reading is not None
        assert reading.power_kw == pytest.approx(EVEN_A * 3 * 0.23, rel=0.1)
        assert run.trusted

    survive(tmp_path, quirk, play)


@pytest.mark.parametrize("quirk", ["kwh-as-wh", "session-register", "register-drops-to-zero", "mixed-contexts"])
def test_x10_the_energy_of_a_session_is_right_though_its_register_is_odd(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run, after_min=3)
        assert_energy_is_right(run)

    survive(tmp_path, quirk, play)


@pytest.mark.parametrize("quirk", ["clock-no-zone", "clock-local-time", "clock-years-off", "clock-an-hour-slow"])
def test_x11_a_clock_that_is_off_never_steers_and_no_schedule_ends_by_it(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(20.0)
        await minutes(1)
        assert run.odd_a() <= 20.0
        assert run.memory.clock_off == (quirk != "clock-no-zone")
        assert run.memory.abilities().leases == (quirk == "clock-no-zone")
        assert run.trusted

    survive(tmp_path, quirk, play)


def test_x11_a_clock_that_is_right_again_has_leases_again(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await run.plug(run.mate)
        await minutes(0.5)
        assert not run.memory.abilities().leases
        run.odd.controller.station.set_clock(run.depot._clock.now().utc.timestamp())
        await minutes(0.9)
        assert run.memory.abilities().leases
        assert run.counted_a() > 0.0
        await minutes(2)
        assert not run.odd.online
        assert (run.odd_a(), run.counted_a()) == (0.0, 0.0)

    survive(tmp_path, ("clock-an-hour-slow", "stays-away"), play)


def test_x11_a_clock_a_minute_behind_ends_its_leases_in_time_all_the_same(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.6)
        await run.plug()
        await minutes(1.2)
        assert run.memory.behind_s == pytest.approx(60.0, abs=2.0)
        assert run.memory.abilities().leases
        assert run.odd_a() == HARDWARE_A
        await minutes(0.5)
        assert not run.odd.online
        await run.plug(run.mate)
        await minutes(3)
        assert run.odd_a() == 0.0
        assert run.mate_a() == HARDWARE_A

    survive(tmp_path, ("clock-a-minute-slow", "stays-away"), play)


@pytest.mark.parametrize("quirk", ["clock-two-seconds-fast", "clock-two-seconds-slow"])
def test_x11_two_seconds_of_skew_are_counted_in(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert not run.memory.clock_off
        assert run.memory.behind_s == 0.0

    survive(tmp_path, quirk, play)


def test_x12_words_the_standard_does_not_know_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.refused("meter-unknown-measurand") > 0
        assert run.odd.wire.errors_received == 0
        run.odd.unplug(1)
        await minutes(0.5)
        assert session(run) is None

    survive(tmp_path, "illegal-words", play)


def test_x13_blanks_are_trimmed_and_what_is_no_number_is_dropped(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        reading = run.depot.runtime.twin.state.connectors[HERE].reading
        assert reading is not None
        assert reading.peak_current_a == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, "sloppy-values", play)


def test_x14_a_one_phase_car_counts_on_the_phase_its_connector_is_wired_to(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(n_phases=1)
        await minutes(1.5)
        reading = run.depot.runtime.twin.state.connectors[HERE].reading
        assert reading is not None
        assert reading.current_a is not None
        assert [round(a) > 0 for a in reading.current_a] == [False, True, False]

    survive(tmp_path, "own-phase-order", play, odd='phases = ["L2", "L3", "L1"]')


def test_x15_a_stop_that_comes_before_the_answer_to_a_remote_stop_is_understood(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        running = run.odd.controller.station.outlets[1].transaction
        assert running is not None
        await run.depot.central.call(ODD, "RemoteStopTransaction", {"transactionId": running.id})
        await minutes(0.2)
        assert session(run) is None

    survive(tmp_path, "stops-before-answering", play)


def test_x16_sloppy_frames_are_read_where_only_one_reading_is_possible(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.odd.links == 1
        assert run.refused("frame-not-json") > 0

    survive(tmp_path, "sloppy-frames", play)
