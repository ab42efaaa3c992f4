"""From cycles to rows: states every so often, what happens at once, and nothing that nobody knows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest

from gateway.telemetry import Telemetry
from tests.fakes import instant
from tests.gateway.test_report import everybody_ready, measured, metered_twin
from tests.twin_core.facts import plan_of, plugged_in, unplugged
from tests.twin_core.test_cycle import Loop, tell
from twin_core.ports import Point


class Sink:
    """A sink that keeps every row."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def write(self, points: Sequence[Point]) -> None:
        self.points += points

    def kinds(self) -> Counter[str]:
        return Counter(point.measurement for point in self.points)


@pytest.fixture
def sink() -> Sink:
    return Sink()


def charging() -> Loop:
    loop = Loop(metered_twin(63.0))
    tell(loop.twin, *everybody_ready(), *plugged_in("A", energy_kwh=10.0), plan_of({"A": [6.9] * 24}))
    return loop


def test_states_are_written_every_so_often_however_often_the_cycle_runs(sink: Sink) -> None:
    told, telemetry = metered_twin(), Telemetry([sink], every_s=10.0)
    for second in range(0, 61, 2):
        telemetry.on_cycle(told.tick(instant(second)))
    assert sink.kinds()["price"] == 7


def test_verdicts_and_ended_sessions_are_written_at_once_and_once(sink: Sink) -> None:
    loop, telemetry = charging(), Telemetry([sink], every_s=1e9)
    telemetry.on_cycle(loop.twin.tick(instant(1)))
    sink.points.clear()
    for _ in range(20):
        telemetry.on_cycle(loop.run(2))
    assert sink.kinds() == {"setpoint": 1}
    assert sink.points[0].tags["verdict"] == "obeyed"
    tell(loop.twin, unplugged("A", loop.now))
    sink.points.clear()
    for _ in range(5):
        telemetry.on_cycle(loop.run(2))
    ended = [point for point in sink.points if point.measurement == "session"]
    assert len(ended) == 1
    assert ended[0].fields["requested_kwh"] == 10.0
    assert ended[0].fields["unserved_kwh"] == pytest.approx(10.0 - float(ended[0].fields["energy_kwh"]))


def test_every_sink_gets_every_row_and_the_count_is_of_rows(sink: Sink) -> None:
    other = Sink()
    telemetry = Telemetry([sink, other], every_s=5.0)
    loop = charging()
    for _ in range(10):
        telemetry.on_cycle(loop.run(2))
    assert sink.points == other.points
    assert telemetry.points == len(sink.points) > 0


def test_what_nobody_measured_is_left_out_and_no_number_is_infinite_or_not_one(sink: Sink) -> None:
    told, telemetry = metered_twin(), Telemetry([sink], every_s=1.0)
    telemetry.on_cycle(told.tick(instant(1)))
    grid = [point for point in sink.points if point.tags.get("node") == "grid" and point.measurement == "node"]
    assert "power_kw" not in grid[0].fields
    assert all("power_kw" not in point.fields for point in sink.points if point.measurement == "connector")
    tell(told, measured((5.0, 6.0, 7.0), 2.0))
    telemetry.on_cycle(told.tick(instant(3)))
    grid = [point for point in sink.points if point.tags.get("node") == "grid" and point.measurement == "node"]
    assert grid[-1].fields["power_kw"] == pytest.approx(18 * 0.23)
    numbers = [value for point in sink.points for value in point.fields.values() if isinstance(value, float)]
    assert all(math.isfinite(number) for number in numbers)


def test_a_field_keeps_its_type_whatever_its_value(sink: Sink) -> None:
    loop, telemetry = charging(), Telemetry([sink], every_s=1.0)
    for drawn_a in (None, 0.0, 3.0):
        for _ in range(10):
            telemetry.on_cycle(loop.run(2, current_a=drawn_a))
    types: dict[tuple[str, str], set[type]] = {}
    for point in sink.points:
        for name, value in point.fields.items():
            types.setdefault((point.measurement, name), set()).add(type(value))
    assert all(len(kinds) == 1 for kinds in types.values())
