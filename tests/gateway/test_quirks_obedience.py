"""Q16 to Q24: every way of keeping limits, late, nearly or not at all, against the whole gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.quirks import profiles as q
from tests.gateway.quirk_runs import (
    EVEN_A,
    HARDWARE_A,
    LIMIT_A,
    ODD,
    QuirkRun,
    about_fallback,
    both_charge,
    minutes,
    survive,
)
from twin_core.models import events as ev
from twin_core.models.charger import ProfilePurpose
from twin_core.models.grant import GrantOutcome

SEEN_WITHIN_S = 15
"""By then a charger that suddenly draws more than it may is counted at its maximum, and the others are down."""


def test_q16_a_charger_that_accepts_and_ignores_never_costs_a_limit(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await run.plug(run.mate)
        await minutes(1.5)
        assert run.odd_a() == HARDWARE_A
        assert not run.trusted
        assert not run.memory.proven
        assert run.counted_a() == HARDWARE_A
        assert run.mate_a() == pytest.approx(LIMIT_A - HARDWARE_A, abs=0.1)

    survive(tmp_path, "ignores-limits", play)


def test_q16_room_is_made_for_a_charger_that_was_never_seen_to_obey_before_its_car_may_charge(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(run.mate)
        await minutes(3)
        assert run.mate_a() == HARDWARE_A
        await run.plug()
        await minutes(1)
        assert run.odd_a() == HARDWARE_A
        assert run.mate_a() == pytest.approx(LIMIT_A - HARDWARE_A, abs=0.1)

    # A tick is long enough for a vehicle to begin before the other was even told to come down.
    survive(tmp_path, "ignores-limits", play, tick_s=10)


def test_q16_room_is_made_for_a_driver_who_shows_a_tag_before_plugging_in(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(run.mate)
        await minutes(3)
        assert run.mate_a() == HARDWARE_A
        begun_s = run.now_s
        answer = await run.odd.controller.machine.ask("Authorize", {"idTag": "TAG-ODD"})
        assert answer["idTagInfo"]["status"] == "Accepted"
        assert run.now_s < begun_s + 12.0
        assert run.mate_a() == pytest.approx(LIMIT_A - HARDWARE_A, abs=0.1)
        assert run.refused("newcomer-without-room") == 0
        # Nobody comes after all: the room is kept for two minutes.
        await minutes(3)
        assert run.mate_a() == HARDWARE_A

    survive(tmp_path, "ignores-limits", play)


def test_q16_one_that_stops_obeying_is_seen_within_seconds_and_harms_no_second_time(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.memory.proven
        await minutes(11)
        assert run.odd_a() == HARDWARE_A
        assert not run.trusted
        assert not run.memory.proven
        assert run.mate_a() == pytest.approx(LIMIT_A - HARDWARE_A, abs=0.1)
        before = run.watch.violations
        run.odd.unplug(1)
        await minutes(2)
        await run.plug()
        await minutes(1)
        assert run.odd_a() == HARDWARE_A
        assert run.watch.violations == before

    # Nobody can foresee that what obeyed for ten minutes will not any more: it takes a sample above its limit, five
    # seconds without one that refutes it, a tick, and a vehicle that follows within five more.
    survive(tmp_path, "ignores-limits-after-10-min", play, breaches_s=SEEN_WITHIN_S)


def test_q17_flash_is_spared_defaults_are_written_at_commissioning_alone(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        before = dict(run.did(q.ShortMemory).writes)
        await minutes(10)
        after = run.did(q.ShortMemory).writes
        assert after["TxDefaultProfile"] == before["TxDefaultProfile"]
        assert after["TxProfile"] - before["TxProfile"] <= 10 * 60 / 20 + 1

    survive(tmp_path, "flash-wears", play)


def test_q18_nothing_is_cleared_to_make_way(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(20.0)
        await minutes(1)
        assert run.did(q.ClearSpikes).cleared == 0

    survive(tmp_path, "clear-spikes", play)


TWO_CONNECTORS = "connectors = 2\nsupply_max_a = 32"


def test_q20_a_maximum_for_the_whole_charger_is_never_used_for_two_connectors(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(number=1)
        await run.plug(number=2)
        await run.plug(run.mate)
        await minutes(3)
        assert run.did(q.MaxForEach).asked == 0
        purposes = {profile.purpose for profile in run.odd.controller.station.profiles.profiles}
        assert purposes == {ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT}
        assert min(run.odd_a(1), run.odd_a(2), run.mate_a()) >= LIMIT_A / 3 - 0.1
        assert run.trusted

    survive(tmp_path, "max-profile-for-each", play, odd=TWO_CONNECTORS)


def test_q20_not_even_where_no_other_purpose_is_taken(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(number=1)
        await run.plug(number=2)
        await run.plug(run.mate)
        await minutes(3)
        assert run.did(q.MaxForEach).asked == 0
        assert (run.counted_a(1), run.counted_a(2)) == (HARDWARE_A, HARDWARE_A)
        assert run.mate_a() <= LIMIT_A - HARDWARE_A

    # Both quirks at once: the one that rejects stands first, and what it lets through is taken for each connector.
    survive(tmp_path, ("max-profile-only", "max-profile-for-each"), play, odd=TWO_CONNECTORS)


def test_q21_a_charger_out_of_reach_ends_its_lease_by_itself_and_falls_back(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        await minutes(2)
        assert not run.odd.online
        assert run.odd_a() == 0.0
        assert run.mate_a() == HARDWARE_A

    survive(tmp_path, "stays-away", play)


def test_q21_a_charger_that_keeps_a_limit_beyond_its_end_counts_at_it_though_it_is_out_of_reach(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert not run.memory.abilities().leases
        await minutes(4)
        assert not run.odd.online
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)
        assert run.counted_a() == pytest.approx(EVEN_A, abs=0.1)
        assert run.mate_a() == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, ("no-lease", "stays-away"), play)


def test_q22_a_car_that_takes_less_is_not_disobedient_and_the_rest_goes_to_the_other(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(max_current_a=10.0)
        await run.plug(run.mate)
        await minutes(3)
        assert run.odd_a() == pytest.approx(10.0, abs=0.1)
        assert run.trusted

    survive(tmp_path, (), play)


def test_q22_a_charger_that_overshoots_a_little_is_told_a_little_less(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(run.mate)
        await minutes(2)
        assert run.mate_a() == HARDWARE_A
        await run.plug()
        await minutes(3)
        assert run.memory.gain == pytest.approx(1.03, abs=0.005)
        assert run.memory.proven
        assert run.trusted
        assert 7.6 < run.odd_a() <= 8.0

    # Beside the other at its hardware maximum not even the overshoot of the first 11 A would fit.
    survive(tmp_path, "overshoots", play, limit_a=40.0, planner="fifs")


@pytest.mark.parametrize("quirk", ["composite-rejected", "composite-empty", "composite-nonsense"])
def test_q23_a_composite_schedule_without_sense_says_nothing(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert [type(event) for event in run.seen.events if about_fallback(event)] == [ev.FallbackConfirmed]

    survive(tmp_path, quirk, play)


def test_q24_what_is_not_answered_counts_as_old_and_new_together(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        outcomes = {e.outcome for e in run.seen.of(ev.GrantAnswered) if e.connector_id.charger == ODD}
        assert GrantOutcome.TIMED_OUT in outcomes
        assert GrantOutcome.ACCEPTED not in outcomes
        run.impose(20.0)
        # Long after the wait for each answer was over, and the new limit as unanswered as the old.
        for _ in range(6):
            await minutes(0.1)
            assert run.counted_a() == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, "takes-without-answer", play)
