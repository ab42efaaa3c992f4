"""A day of a small depot in virtual time: the gateway as it runs live, on lines that lose, delay, repeat and cut."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gateway.virtual import DayResult, VirtualRun, Weather, run_virtual
from simulators.chaos import ChaosFaults, DirectionFaults
from simulators.memory_broker import BrokerFaults
from tests.quick_loop import QuickVirtualLoop

SITE = str(Path(__file__).with_name("virtual_day.toml"))
BAD = DirectionFaults(loss=0.01, delay_mean_s=0.3, delay_max_s=12.0, duplicate=0.02, reorder=0.02)
STORM = Weather(
    ChaosFaults(BAD, BAD, cut_every_s=5400.0, refuse_for_s=(0.0, 120.0)),
    BrokerFaults(loss=0.02, delay_max_s=1.0, duplicate=0.02, silent_every_s=7200.0),
)


def a_day(data_dir: Path, **what: Any) -> DayResult:
    with asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
        return runner.run(run_virtual(VirtualRun(SITE, data_dir, **what)))


def test_a_whole_day_on_bad_lines_exceeds_no_limit_and_serves_nearly_everybody(tmp_path: Path) -> None:
    day = a_day(tmp_path, weather=STORM)
    assert day.watch.samples >= 86_400
    assert day.watch.violations == 0
