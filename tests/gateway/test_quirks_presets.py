"""Vendors' models, as their issues describe them: an hour with all of them in one depot, while limits come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.charge_point import ChargePoint
from simulators.quirks import CATALOGUE, PRESETS
from simulators.vehicle import Vehicle
from tests.gateway.quirk_runs import LIMIT_A, QuirkRun, minutes, running, survive
from tests.quick_loop import QuickVirtualLoop

DEPOT = {name.upper(): (name,) for name in PRESETS}


@dataclass(frozen=True)
class Hour:
    """What an hour with every vendor's model came to."""

    violations: int
    samples: int
    cars: Mapping[str, Vehicle]
    points: Mapping[str, ChargePoint]


async def an_hour(data_dir: Path) -> Hour:
    async with running(data_dir, limit_a=160.0, others=DEPOT, tick_s=10, sample_s=15) as run:
        await minutes(1)
        points = {str(name): point for name, point in run.simulation.charge_points.items()}
        cars = {name: await run.plug(point) for name, point in points.items()}
        for limit_a in (160.0, 110.0, 75.0, 160.0, 95.0, 130.0):
            run.impose(limit_a)
            await minutes(10)
        return hour_of(run, cars, points)


def hour_of(run: QuirkRun, cars: Mapping[str, Vehicle], points: Mapping[str, ChargePoint]) -> Hour:
    return Hour(run.watch.violations, run.watch.samples, cars, points)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Hour:
    with asyncio.Runner(loop_factory=QuickVirtualLoop) as runner:
        return runner.run(an_hour(tmp_path_factory.mktemp("presets")))


def test_an_hour_with_every_vendors_model_exceeds_no_limit(hour: Hour) -> None:
    assert hour.samples >= 3600
    assert hour.violations == 0


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_each_vendors_model_charges_its_car_and_is_refused_nothing(hour: Hour, preset: str) -> None:
    assert hour.cars[preset.upper()].delivered_kwh > 2.0
    assert hour.points[preset.upper()].wire.errors_received == 0


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_each_vendors_model_by_itself_costs_no_limit_while_limits_come_and_go(tmp_path: Path, preset: str) -> None:
    async def play(run: QuirkRun) -> None:
        await minutes(1)
        car, other = await run.plug(), await run.plug(run.mate)
        for limit_a in (None, 26.0, 13.0, None):
            run.impose(limit_a)
            await minutes(2.5)
            assert run.odd_a() + run.mate_a() <= (limit_a or LIMIT_A)
        assert car.delivered_kwh > 0.3
        assert other.delivered_kwh > 1.0
        assert run.trusted
        assert run.odd.wire.errors_received == 0

    survive(tmp_path, PRESETS[preset].name, play)


def test_a_preset_is_made_of_quirks_of_the_catalogue() -> None:
    known = set(CATALOGUE)
    assert all(set(preset.quirks) <= known and preset.source for preset in PRESETS.values())
