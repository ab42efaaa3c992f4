"""What a building draws besides its chargers: a shape over the day, unbalance and slow noise.

Pure: the same seed and moment give the same currents, in whatever order moments are asked for.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from datetime import datetime
from functools import lru_cache

from simulators.scenario import BaseLoad
from twin_core.models.quantities import PhaseCurrents, current_a

_DAY_MIN = 1440.0
_NOISE_SLOT_S = 20.0
"""Noise is drawn this often and joined by straight lines: appliances switch, they do not flicker."""


def shape_kw(load: BaseLoad, local: datetime) -> float:
    """Power of the shape at a local time of day."""
    points = sorted((_minute(hour), kw) for hour, kw in load.kw.items())
    minute = local.hour * 60 + local.minute + local.second / 60 + local.microsecond / 6e7
    after = bisect_right(points, minute, key=lambda point: point[0])
    (t0, kw0), (t1, kw1) = points[after - 1], points[after % len(points)]
    span = (t1 - t0) % _DAY_MIN or _DAY_MIN
    return kw0 + (kw1 - kw0) * ((minute - t0) % _DAY_MIN) / span


def _minute(hour: str) -> float:
    return int(hour[:2]) * 60.0 + int(hour[3:])


@lru_cache(maxsize=4096)
def _noise_at(seed: str, slot: int) -> float:
    return max(-2.0, min(2.0, random.Random(f"{seed}:{slot}").gauss(0.0, 1.0)))


def base_currents(load: BaseLoad, seed: int, elapsed_s: float, local: datetime) -> PhaseCurrents:
    """Current on each grid phase.

    Args:
        load: whose currents.
        seed: same seed, same noise.
        elapsed_s: seconds since the start of the run; places the noise.
        local: local time of day; places the shape.
    """
    mean_a = current_a(shape_kw(load, local), 3)
    slot, part = divmod(max(0.0, elapsed_s) / _NOISE_SLOT_S, 1.0)
    name = f"{seed}:{load.node}"
    wave = _noise_at(name, int(slot)) * (1 - part) + _noise_at(name, int(slot) + 1) * part
    factor = max(0.0, 1 + load.noise * wave)
    l1, l2, l3 = load.unbalance
    return (mean_a * factor * l1, mean_a * factor * l2, mean_a * factor * l3)


def worst_base_a(load: BaseLoad) -> float:
    """Highest current on any phase that `base_currents` can give."""
    return current_a(max(load.kw.values()), 3) * max(load.unbalance) * (1 + 2 * load.noise)
