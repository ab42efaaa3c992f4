"""How late the event loop is: the gateway's own pulse."""

from __future__ import annotations

import asyncio
import logging
from array import array

logger = logging.getLogger(__name__)

PERIOD_WALL_S = 0.02
STALL_WALL_S = 2.0
KEPT = 500_000


class LoopLag:
    """Sleeps over and over and notes how much too late it wakes, in milliseconds of the wall.

    Args:
        speed: how much faster than the wall the loop's clock runs.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._lags_ms = array("f")

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        period = PERIOD_WALL_S * self._speed
        while True:
            asleep = loop.time()
            await asyncio.sleep(period)
            lag_s = max(0.0, loop.time() - asleep - period) / self._speed
            if lag_s > STALL_WALL_S:
                logger.error("event loop stalled", extra={"lag_s": round(lag_s, 3)})
            self._lags_ms.append(lag_s * 1000.0)
            if len(self._lags_ms) > KEPT:
                del self._lags_ms[: KEPT // 2]

    def percentile(self, part: float) -> float:
        """The lag in milliseconds that this part of all pulses stayed below; 0 before the first pulse."""
        return percentile(list(self._lags_ms), part)

    def maximum(self) -> float:
        """The longest lag in milliseconds."""
        return max(self._lags_ms, default=0.0)


def percentile(values: list[float], part: float) -> float:
    """Nearest-rank percentile; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
