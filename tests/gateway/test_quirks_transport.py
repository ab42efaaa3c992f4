"""T: every way of opening, keeping and losing a link that the field notes know, against the whole gateway."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from simulators.quirks import transport as t
from tests.gateway.quirk_runs import HARDWARE_A, LIMIT_A, MATE, ODD, QuirkRun, minutes, survive
from twin_core.models import events as ev
from twin_core.models.ids import ChargerId

EVEN_A = LIMIT_A / 2
STORMING = 25


async def both_charge(run: QuirkRun, *, after_min: float = 1.5) -> None:
    await minutes(0.5)
    await run.plug()
    await run.plug(run.mate)
    await minutes(after_min)
    assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)
    assert run.mate_a() == pytest.approx(EVEN_A, abs=0.1)


@pytest.mark.parametrize("quirk", ["no-subprotocol", "subprotocol-capitals", "subprotocol-j", "subprotocol-list"])
def test_t1_t2_any_name_of_our_subprotocol_or_none_is_let_in(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.odd.links == 1

    survive(tmp_path, quirk, play)


@pytest.mark.parametrize("quirk", ["path-percent", "path-slashes", "path-trailing-slash", "path-query"])
def test_t3_the_identity_is_found_however_the_path_is_written(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.odd.links == 1

    survive(tmp_path, quirk, play)


def test_t4_a_request_without_upgrade_gets_426_and_the_next_one_is_served(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert "426" in run.did(t.NoUpgradeFirst).status

    survive(tmp_path, "no-upgrade", play)


def test_t5_a_new_link_takes_the_place_of_a_half_open_one(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        await minutes(1)
        assert run.did(t.HalfOpen).links == 2
        assert run.odd.online
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, "half-open", play)


def test_t6_any_frame_is_a_sign_of_life_and_an_idle_charger_without_pongs_is_cut_once_at_most(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(5)
        assert run.did(t.NoPong).links <= 2
        await both_charge(run)

    survive(tmp_path, "no-pong", play)


def test_t7_a_charger_that_answers_nothing_is_cut_so_that_it_redials(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run, after_min=3)
        assert run.odd.links == 2
        assert run.refused("silent") == 1

    survive(tmp_path, "deaf-until-reconnect", play)


def test_t7_one_that_stays_silent_counts_at_its_maximum_once_its_fallback_is_in_doubt(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await run.plug(run.mate)
        await minutes(5)
        assert run.counted_a() == HARDWARE_A
        assert run.mate_a() == pytest.approx(LIMIT_A - HARDWARE_A, abs=0.1)

    survive(tmp_path, "silent", play)


def test_t7_answers_that_take_eight_seconds_are_awaited(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(1.5)
        await both_charge(run, after_min=3)
        assert run.odd.links == 1

    survive(tmp_path, "answers-late", play)


def test_t8_a_flapping_charger_hurts_nobody_else_and_heartbeats_are_spread(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        await minutes(2)
        assert run.odd.links > 5
        assert run.mate.links == 1
        intervals = {p.controller.configuration.number("HeartbeatInterval") for p in (run.odd, run.mate)}
        assert len(intervals) == 2
        assert all(54 <= interval <= 66 for interval in intervals)

    survive(tmp_path, "flaps", play)


def test_t8_a_storm_of_reconnects_is_served_and_delays_no_setpoint_of_the_others(tmp_path: Path) -> None:
    crowd = {f"STORM{n:02}": ("flaps",) for n in range(STORMING)}

    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        storm_s = run.now_s
        for limit_a in (30.0, 20.0, None, 14.0):
            run.impose(limit_a)
            await minutes(0.25)
            assert run.mate_a() <= (limit_a or LIMIT_A)
        points = [run.simulation.charge_points[ChargerId(name)] for name in crowd]
        assert min(point.links for point in points) >= 8
        assert all(point.wire.errors_received == 0 for point in points)
        served = Counter(event.charger_id for event in run.seen.of(ev.ChargerCommissioned))
        assert min(served[ChargerId(name)] for name in crowd) >= 8
        assert run.mate.links == 1
        sent_s = {e.seq: e.at.monotonic_s for e in run.seen.of(ev.GrantSent) if e.connector_id.charger == MATE}
        answered = [e for e in run.seen.of(ev.GrantAnswered) if e.connector_id.charger == MATE]
        late_s = [e.at.monotonic_s - sent_s[e.seq] for e in answered if e.at.monotonic_s >= storm_s and e.seq in sent_s]
        assert len(late_s) >= 4
        assert max(late_s) < 0.5

    survive(tmp_path, (), play, others=crowd)


def test_t9_a_charger_that_is_away_holds_its_budget_until_its_lease_ends_and_no_longer(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        await minutes(0.2)
        assert not run.odd.online
        assert run.counted_a() == pytest.approx(EVEN_A, abs=0.1)
        await minutes(2)
        assert run.counted_a() == 0.0
        assert run.mate_a() == HARDWARE_A
        await minutes(10)
        assert run.odd.online
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, "stays-away", play)


def test_t10_compression_is_declined(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.odd.links == 1

    survive(tmp_path, "offers-compression", play)


def test_t11_an_answer_that_breaks_off_is_a_failed_call_at_once(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.refused("frame-not-json") == 1
        booted, commissioned = (
            next(event.at.monotonic_s for event in run.seen.of(kind) if event.charger_id == ODD)
            for kind in (ev.ChargerBooted, ev.ChargerCommissioned)
        )
        assert commissioned - booted < 1.0  # a wait for the answer would take ten seconds

    survive(tmp_path, "torn-answer", play)


@pytest.mark.parametrize("quirk", ["fragments", "huge-answer"])
def test_t11_fragments_are_joined_and_what_is_too_big_is_not_asked_for_a_third_time(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.odd.links == (1 if quirk == "fragments" else 3)

    survive(tmp_path, quirk, play)
