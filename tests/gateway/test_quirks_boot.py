"""B: every way of booting and being set up that the field notes know, against the whole gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.quirks import boot as b
from tests.gateway.quirk_runs import LIMIT_A, ODD, QuirkRun, minutes, survive
from twin_core.models import events as ev
from twin_core.models.charger import ConnectorStatus
from twin_core.models.ids import ConnectorId

EVEN_A = LIMIT_A / 2


async def both_charge(run: QuirkRun) -> None:
    await minutes(0.5)
    await run.plug()
    await run.plug(run.mate)
    await minutes(1.5)
    assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)
    assert run.mate_a() == pytest.approx(EVEN_A, abs=0.1)


def test_b1_nothing_is_asked_before_the_boot_is_answered(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert not run.did(b.LostByEarlyCall).lost

    survive(tmp_path, "lost-by-early-call", play)


def test_b2_a_charger_that_reconnects_without_a_boot_is_asked_for_it_once(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.cut()
        await minutes(2)
        assert run.odd.links == 2
        assert run.did(b.CountsTriggers).asked == 1
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, "no-boot-after-reconnect", play)


@pytest.mark.parametrize("quirk", ["factory-reset", "forgets-profiles-on-reboot"])
def test_b3_after_a_reboot_everything_is_set_up_again(tmp_path: Path, quirk: str) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(0.5)
        run.odd.controller.reset("Hard")
        await minutes(1)
        await both_charge(run)
        confirmed = [event for event in run.seen.of(ev.FallbackConfirmed) if event.connector_id.charger == ODD]
        assert len(confirmed) == 2
        assert run.odd.controller.configuration.number("MeterValueSampleInterval") == 5

    survive(tmp_path, quirk, play)


def test_b4_a_charger_that_reboots_on_many_measurands_is_not_asked_for_ever(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        await minutes(3)
        assert run.did(b.RebootsOnManyMeasurands).reboots <= 2

    survive(tmp_path, "reboots-on-many-measurands", play)


def test_b5_settings_are_read_whatever_their_types_and_spellings(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.memory.max_stack_level == 8
        assert run.memory.sample_interval_s == 5.0

    survive(tmp_path, "odd-configuration", play)


def test_b5_a_question_that_costs_the_link_twice_is_not_put_again(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.did(b.GoneAfterGetConfiguration).gone == 2

    survive(tmp_path, "gone-after-get-configuration", play)


def test_b6_triggers_never_come_close_together(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        run.cut()
        await minutes(2)
        assert not run.did(b.BlockedByTriggers).blocked
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, "blocked-by-triggers", play, odd="connectors = 2")


def test_b7_availability_is_never_changed_by_the_gateway_itself(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert not run.did(b.BrokenByChangeAvailability).broken

    survive(tmp_path, "broken-by-change-availability", play)


def test_b8_what_is_said_before_the_boot_is_answered_and_harms_nothing(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.odd.wire.errors_received == 0

    survive(tmp_path, "speaks-before-boot", play)


def test_b9_the_status_of_connector_0_overwrites_nobodys(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        state = run.depot.runtime.twin.state.connectors[ConnectorId(ODD, 1)]
        assert state.status is ConnectorStatus.CHARGING
        assert run.refused("unknown-connector") > 0

    survive(tmp_path, "odd-connector-zero", play)
