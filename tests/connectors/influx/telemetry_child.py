"""A process that writes telemetry until it is killed: `telemetry_child.py URL SPOOL FIRST [LAST]`.

Each line it prints is the number of points that were on disk at that moment. With LAST it ends by itself, once the
server has everything.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from connectors.influx.settings import InfluxSettings
from connectors.influx.sink import InfluxSink
from tests.fakes import EPOCH, LoopClock
from twin_core.ports import Point


def numbered(first: int, last: int) -> list[Point]:
    return [
        Point("connector", {"connector": "CP1/1"}, {"power_kw": float(n)}, EPOCH + timedelta(seconds=n))
        for n in range(first, last)
    ]


async def main(url: str, spool: str, first: int, last: int | None) -> None:
    waits = {"flush_interval_s": 0.02, "retry_first_s": 0.05, "retry_most_s": 0.2}
    settings = InfluxSettings.model_validate({"url": url, "spool_dir": spool, **waits})
    async with InfluxSink(settings, clock=LoopClock()) as sink:
        n = first
        while last is None or n < last:
            sink.write(numbered(n, n + 10))
            n += 10
            await asyncio.sleep(0.005)
            print(sink.counters.extra["durable"], flush=True)
        if not await sink.drain(30):
            raise SystemExit("the server never took everything")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None))
