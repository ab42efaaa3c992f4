"""Many virtual charge points in one process, idle or with a car each.

python -m benchmarks.ocpp.crowd PORT FIRST COUNT idle|charging
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import sys

from benchmarks.ocpp.child import Answer, answer_questions, run, state, usage
from benchmarks.ocpp.gateway import charger_name
from gateway.clock import WallClock
from simulators.charge_point import ChargePoint
from simulators.vehicle import Battery, Vehicle
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.ids import ConnectorId, IdTag

_AT_ONCE = 50
"""Charge points that are on their way to their first boot at one time: building the crowd is no storm."""
_CAR = Battery(100.0, n_phases=3, max_current_a=32.0)


class Crowd:
    """Virtual charge points of one connector each."""

    def __init__(self, port: int, first: int, count: int, *, charging: bool) -> None:
        self._clock = WallClock()
        self._charging = charging
        names = [charger_name(number) for number in range(first, first + count)]
        self.points = [
            ChargePoint(
                ChargerSpec(name, (ConnectorSpec(ConnectorId(name, 1)),)),
                f"ws://127.0.0.1:{port}/ocpp",
                clock=self._clock,
                rng=random.Random(name),
            )
            for name in names
        ]

    async def switch_on(self, tasks: asyncio.TaskGroup) -> None:
        """Boot all, and plug the cars in."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def live(point: ChargePoint) -> None:
            async with gate:
                tasks.create_task(point.run())
                await point.booted.wait()
            if self._charging:
                car = Vehicle(
                    _CAR, soc=0.1, wanted_kwh=80.0, at_s=self._clock.now().monotonic_s, rng=random.Random(point.spec.id)
                )
                await point.plug(1, car, IdTag(f"CAR-{point.spec.id}"))

        await asyncio.gather(*(live(point) for point in self.points))

    async def mark(self) -> Answer:
        """How far it is."""
        outlets = [point.controller.station.outlets[1] for point in self.points]
        return {
            **usage(),
            "online": sum(point.online for point in self.points),
            "drawing": sum(outlet.current_a > 0 for outlet in outlets),
            "calls_sent": sum(point.wire.calls_sent for point in self.points),
        }

    async def cut(self) -> Answer:
        """Every link breaks without a word; each charge point redials after its back-off of half a second to one."""
        for point in self.points:
            if point._link is not None:
                point._link.abort()
        return {}


async def main(port: int, first: int, count: int, what: str) -> None:
    """Live until the parent is done."""
    logging.disable(logging.WARNING)
    gc.collect()
    empty = usage()
    crowd = Crowd(port, first, count, charging=what == "charging")
    state(empty_mb=empty["rss_mb"], **usage())
    async with asyncio.TaskGroup() as tasks:
        await crowd.switch_on(tasks)
        state(**await crowd.mark())
        await answer_questions(mark=crowd.mark, cut=crowd.cut)


if __name__ == "__main__":
    port_text, first_text, count_text, kind = sys.argv[1:]
    run(main(int(port_text), int(first_text), int(count_text), kind))
