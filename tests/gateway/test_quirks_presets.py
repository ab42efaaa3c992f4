"""Vendors' models, as their issues describe them: an hour each, with limits that come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.quirks import PRESETS
from tests.gateway.quirk_runs import LIMIT_A, QuirkRun, minutes, survive


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_an_hour_with_a_vendors_model_exceeds_no_limit_and_charges_its_car(tmp_path: Path, preset: str) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(1)
        car = await run.plug()
        mate = await run.plug(run.mate)
        for limit_a in (LIMIT_A, 30.0, 18.0, 9.0, LIMIT_A, 25.0):
            run.impose(limit_a)
            await minutes(10)
        assert car.delivered_kwh > 2.0
        assert mate.delivered_kwh > 2.0
        assert run.odd.wire.errors_received == 0

    survive(tmp_path, preset, play, tick_s=10, sample_s=15)
