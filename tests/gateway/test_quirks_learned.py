"""What the gateway learns of a charger's ways: kept across restarts, shown, and forgotten when asked or replaced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.report import learned_of
from simulators.quirks import boot as b
from simulators.quirks import profiles as q
from tests.gateway.quirk_runs import HARDWARE_A, LIMIT_A, ODD, QuirkRun, minutes, running, survive
from tests.quick_loop import QuickVirtualLoop
from twin_core.models.charger import Aspect, ProfilePurpose
from twin_core.models.ids import ChargerId

EVEN_A = LIMIT_A / 2


async def both_charge(run: QuirkRun) -> None:
    await minutes(0.5)
    await run.plug()
    await run.plug(run.mate)
    await minutes(1.5)


def two_lives(data_dir: Path, quirk: str, *plays: Callable[[QuirkRun], Awaitable[None]]) -> None:
    """One gateway after another on the same disk; the charger is switched off between them."""

    async def one(play: Callable[[QuirkRun], Awaitable[None]]) -> None:
        async with running(data_dir, (quirk,)) as run:
            await play(run)
            assert run.watch.violations == 0

    for play in plays:
        with asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
            runner.run(one(play))


def test_what_was_learned_outlives_the_gateway(tmp_path: Path) -> None:
    async def learns(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.did(b.GoneAfterGetConfiguration).gone == 2
        await minutes(0.2)

    async def knows(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.did(b.GoneAfterGetConfiguration).gone == 0
        assert run.odd.links == 1

    two_lives(tmp_path, "gone-after-get-configuration", learns, knows)


def test_the_next_charger_of_a_model_begins_with_what_the_first_one_cost(tmp_path: Path) -> None:
    quirk, next_one = "gone-after-get-configuration", ChargerId("NEXT")

    async def learns(run: QuirkRun) -> None:
        await minutes(1.5)
        assert run.did(b.GoneAfterGetConfiguration).gone == 2

    async def begins(run: QuirkRun) -> None:
        await minutes(1.5)
        assert run.simulation.charge_points[next_one].links == 1
        assert run.depot.central.memory(next_one).evidence[Aspect.SKIPPED].by == ODD

    two_lives(tmp_path, quirk, learns)
    survive(tmp_path, quirk, begins, others={next_one: (quirk,)})


def test_a_charger_that_cannot_be_paused_is_known_after_a_restart(tmp_path: Path) -> None:
    async def learns(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(5.0)
        await minutes(1.5)
        assert run.did(q.ZeroEndsTransaction).ended == 1

    async def knows(run: QuirkRun) -> None:
        await both_charge(run)
        run.impose(9.0)
        await minutes(1.5)
        assert run.did(q.ZeroEndsTransaction).ended == 0
        assert 6.0 <= run.odd_a() <= 9.0

    two_lives(tmp_path, "zero-ends-transaction", learns, knows)


def test_q19_a_late_charger_costs_no_limit_neither_before_its_delay_is_known_nor_after(tmp_path: Path) -> None:
    async def learns(run: QuirkRun) -> None:
        await minutes(0.5)
        await run.plug(run.mate)
        await minutes(2)
        assert run.mate_a() == HARDWARE_A
        await run.plug()
        await minutes(4)
        assert run.memory.delay_s == pytest.approx(35.0, abs=8.0)
        assert run.memory.proven
        for limit_a in (30.0, None, 20.0):
            run.impose(limit_a)
            await minutes(1.5)
        assert run.trusted

    # Beside the other at its hardware maximum there is no room for the 3 A that are let go late in the first minutes.
    survive(tmp_path, "slow-to-apply", learns, limit_a=40.0, planner="fifs")


def test_what_was_learned_is_shown(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        shown = json.loads(json.dumps(learned_of(run.depot.runtime)))[ODD]
        assert shown["lowest_a"] == 8.0
        assert shown["model"] == "depot-twin virtual-1 1.0"
        assert shown["fallback_purpose"] == ProfilePurpose.TX_DEFAULT.value

    survive(tmp_path, "rejects-zero-and-six", play)


def test_what_was_learned_can_be_forgotten_and_is_found_out_again(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await both_charge(run)
        assert run.memory.relative
        run.depot.central.forget(ODD)
        assert not run.memory.relative
        await minutes(1)
        assert run.memory.relative
        assert run.odd_a() == pytest.approx(EVEN_A, abs=0.1)

    survive(tmp_path, "relative-only", play)


def test_of_another_firmware_nothing_is_known(tmp_path: Path) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(1)
        assert run.memory.fallback_purpose is ProfilePurpose.TX_DEFAULT
        run.memory.lowest_a = 10.0
        run.memory.model = "depot-twin virtual-1 0.9"
        run.odd.controller.boot()
        await minutes(0.5)
        assert run.memory.lowest_a == 0.0
        assert run.memory.model == "depot-twin virtual-1 1.0"

    survive(tmp_path, (), play)
