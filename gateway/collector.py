"""Python's collector of cyclic garbage, kept from stopping control.

A full collection looks at everything the process holds: at a thousand chargers the event loop stands still for 0.15 s,
time and again while they reconnect. Young garbage is collected as ever; the old is looked through when nothing is
lost by it.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _NEVER = 700, 10, 1_000_000


def hold_full_collections() -> None:
    """From now on, this process looks through old objects only when `collect_fully` is called."""
    gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)


def collect_fully() -> None:
    """Look through everything; to be called now and then, such as every hour."""
    gc.collect()
