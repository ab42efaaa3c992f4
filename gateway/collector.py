"""Python's collector of cyclic garbage, kept from stopping control.

A full collection looks at everything the process holds: at a thousand chargers the event loop stands still for 0.15 s,
time and again while they reconnect. Young garbage is collected as ever; the old, mostly of links that ended, is looked
through every five minutes.
"""

from __future__ import annotations

import asyncio
import gc

COLLECT_EVERY_S = 300.0
_YOUNG, _MIDDLE, _NEVER = 700, 10, 1_000_000


def hold_full_collections() -> None:
    """From now on, this process looks through old objects only where `collect_now_and_then` runs."""
    gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)


async def collect_now_and_then() -> None:
    """Look through everything every five minutes, for ever."""
    while True:
        await asyncio.sleep(COLLECT_EVERY_S)
        gc.collect()
