"""Q1 to Q15: every way of taking charging profiles that the field notes know, against the whole gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.quirks import profiles as q
from tests.gateway.quirk_runs import (
    EVEN_A,
    HARDWARE_A,
    LIMIT_A,
    MATE,
    ODD,
    QuirkRun,
    about_fallback,
    both_charge,
    minutes,
    survive,
)
from twin_core.models import events as ev
from twin_core.models.charger import ProfilePurpose, RateUnit


@pytest.mark.parametrize("quirk", ["rejects-max-profile", "max-profile-only"])
def test_q1_the_purpose_that_works_is_found_and_remembered(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        expected = ProfilePurpose.TX_DEFAULT if quirk == "rejects-max-profile" else ProfilePurpose.CHARGE_POINT_MAX
        assert run.memory.fallback_purpose is expected

    survive(tmp_path, quirk, play)


def test_q2_a_tx_profile_is_sent_only_with_the_id_of_a_running_transaction(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.odd.unplug(1)
        await minutes(1)
        await run.plug()
        await minutes(1)
        assert run.did(q.BreaksOnEarlyTxProfile).broken == 0
        assert run.odd.links == 1

    survive(tmp_path, "breaks-on-early-tx-profile", play)


def test_q2_where_no_tx_profile_is_taken_grants_go_out_as_defaults(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.memory.purposes[0] is ProfilePurpose.TX_DEFAULT

    survive(tmp_path, "no-tx-profile", play)


def test_q3_a_running_transaction_is_steered_though_defaults_are_for_the_next(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(20.0)
        await minutes(1)
        assert run.odd_a() <= 20.0

    survive(tmp_path, "tx-default-for-the-next", play)


def test_q4_a_foreign_profile_that_outranks_ours_is_found_counted_and_cleared(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        first, *later = [type(event) for event in run.seen.events if about_fallback(event)]
        assert first is ev.FallbackRefused
        assert later[-1] is ev.FallbackConfirmed
        assert all(profile.id < 900 for profile in run.odd.controller.station.profiles.profiles)

    survive(tmp_path, "foreign-profile", play)


def test_q4_a_foreign_maximum_below_ours_is_reported_and_no_disobedience(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await run.plug(run.mate)
        await minutes(4)
        assert run.odd_a() == q.ForeignClip.limit_a
        assert run.mate_a() == pytest.approx(EVEN_A, abs=0.1)
        assert run.memory.proven
        assert run.refused("foreign-limit") >= 1
        assert run.refused("foreign-limit", MATE) == 0
        assert run.trusted

    survive(tmp_path, "foreign-max-profile", play)


def test_q4_a_foreign_limit_that_also_hides_our_lower_ones_is_reported_and_trusted_with_nothing(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await run.plug(run.mate)
        await minutes(4)
        assert run.refused("foreign-limit") >= 1
        assert not run.memory.proven
        assert run.mate_a() <= LIMIT_A - HARDWARE_A

    survive(tmp_path, "foreign-tx-profile", play)


@pytest.mark.parametrize("quirk", ["foreign-max-profile", "foreign-tx-profile"])
def test_q4_where_the_site_allows_it_a_foreign_limit_is_cleared(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run, after_min=4)
        assert run.refused("foreign-limit") == 1
        assert all(profile.id < 900 for profile in run.odd.controller.station.profiles.profiles)

    survive(tmp_path, quirk, play, ocpp="clear_foreign_limits = true")


def test_q4_a_vehicle_that_takes_less_is_under_no_foreign_limit(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(max_current_a=10.0)
        await minutes(3)
        assert run.refused("foreign-limit") == 0

    survive(tmp_path, (), play)


@pytest.mark.parametrize("quirk", ["stack-level-0", "stack-level-0-claims-999"])
def test_q5_a_charger_with_one_stack_level_keeps_its_fallback_and_its_level_is_remembered(
    tmp_path: Path, quirk: str
) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.memory.max_stack_level == 0
        defaults = [p for p in run.odd.controller.station.profiles.profiles if p.purpose is ProfilePurpose.TX_DEFAULT]
        assert [period.limit for default in defaults for period in default.periods] == [0.0]

    survive(tmp_path, quirk, play)


def test_q6_profiles_never_pile_up(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        for limit_a in (20.0, None, 30.0, None):
            run.impose(limit_a)
            await minutes(0.5)
        assert len(run.did(q.FewProfiles).ids) <= 3

    survive(tmp_path, "few-profiles", play)


@pytest.mark.parametrize("quirk", ["rate-unit-both", "rate-unit-nonsense", "rate-unit-missing"])
def test_q7_an_odd_statement_of_the_unit_means_amperes(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.memory.unit is RateUnit.AMPERE

    survive(tmp_path, quirk, play)


def test_q7_the_letter_w_means_watts(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await minutes(4)
        assert run.memory.unit is RateUnit.WATT
        assert 12.0 < run.odd_a() <= HARDWARE_A

    survive(tmp_path, "rate-unit-letter", play)


@pytest.mark.parametrize("n_phases", [1, 3])
def test_q8_watts_never_permit_more_than_was_granted_whatever_phases_the_car_has(tmp_path: Path, n_phases: int) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(n_phases=n_phases)
        await run.plug(run.mate)
        await minutes(4)
        assert 5.0 < run.odd_a() <= run.permitted_a()
        assert run.odd_a() + run.mate_a() <= LIMIT_A

    survive(tmp_path, "watts-only", play)


def test_q8_watts_written_for_the_lowest_voltage_do_not_pass_for_a_vehicle_that_takes_less(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await minutes(8)
        assert run.odd_a() >= 0.9 * HARDWARE_A - 0.5

    survive(tmp_path, "watts-only", play)


def test_q9_phases_are_never_switched(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(9.0)
        await minutes(1)
        assert run.did(q.PhaseSwitch).switched == 0

    survive(tmp_path, "phase-switch", play)


def test_q10_a_session_that_a_pause_ended_is_begun_again_and_never_paused_any_more(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(5.0)
        await minutes(1.5)
        run.impose(None)
        await minutes(2)
        assert run.did(q.ZeroEndsTransaction).ended == 1
        assert run.memory.lowest_a == 6.0
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)
        run.impose(9.0)
        await minutes(2)
        assert run.did(q.ZeroEndsTransaction).ended == 1
        assert 6.0 <= run.odd_a() <= 9.0

    # The car that keeps 6 A was the first to be paused: it is the last one to come.
    survive(tmp_path, "zero-ends-transaction", play)


def test_q10_a_charger_that_takes_zero_for_six_counts_at_its_maximum_while_it_draws(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await run.plug(run.mate)
        await minutes(0.5)
        await run.plug()
        await minutes(2)
        assert run.trusted
        run.impose(5.0)
        await minutes(1)
        assert run.odd_a() == pytest.approx(6.0, abs=0.1)
        assert run.permitted_a() == 0.0
        assert not run.trusted
        assert run.counted_a() == HARDWARE_A
        assert run.mate_a() == 0.0

    survive(tmp_path, "six-amp-floor", play)


@pytest.mark.parametrize(("quirk", "lowest_a"), [("rejects-zero", 6.0), ("rejects-zero-and-six", 8.0)])
def test_q11_where_no_pause_is_taken_the_lowest_limit_is_the_fallback_and_stands_in(
    tmp_path: Path, quirk: str, lowest_a: float
) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(9.0)
        await minutes(1.5)
        assert lowest_a <= run.odd_a() <= 9.0
        assert run.mate_a() == 0.0
        run.impose(None)
        await minutes(1.5)
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)
        confirmed = [event for event in run.seen.of(ev.FallbackConfirmed) if event.connector_id.charger == ODD]
        assert {event.fallback_a for event in confirmed} == {lowest_a}

    survive(tmp_path, quirk, play)


def test_q12_after_a_pause_the_limit_is_said_again_before_the_car_has_taken_more(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(5.0)
        await minutes(1)
        assert run.odd_a() == 0.0
        run.impose(30.0)
        await minutes(1)
        assert not run.did(q.ResumesUnlimited).unlimited
        assert 0.0 < run.odd_a() <= 30.0

    survive(tmp_path, "resumes-unlimited", play)


def test_q13_two_minutes_of_suspendedevse_are_no_fault(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug()
        await run.plug(run.mate)
        await minutes(1.5)
        assert run.odd_a() == 0.0
        await minutes(2)
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)
        assert run.trusted
        assert run.refused("silent") == 0

    survive(tmp_path, "slow-to-resume", play)


@pytest.mark.parametrize("quirk", ["integer-amps", "rejects-fractions"])
def test_q14_steps_are_rounded_down_never_up(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run, 21.0, 21.7, after_min=2)
        if quirk == "rejects-fractions":
            assert run.memory.step_a == 1.0

    survive(tmp_path, quirk, play, limit_a=43.4)


def test_q14_what_coarse_steps_leave_undrawn_is_no_disobedience(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run, 20.0, EVEN_A)
        assert run.trusted

    survive(tmp_path, "coarse-steps", play)


def test_q15_where_only_relative_schedules_are_taken_grants_count_until_replaced(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.memory.relative
        assert not run.memory.abilities().leases
        assert run.trusted

    survive(tmp_path, "relative-only", play)
