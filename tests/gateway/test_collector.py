"""Full garbage collections happen every five minutes only, and then find what is left."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway.collector import collect_now_and_then, hold_full_collections


class Knot:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


async def test_old_garbage_waits_for_its_time_however_much_is_made_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold_full_collections()
    knot = Knot()
    gone = weakref.ref(knot)
    gc.collect()  # what survives a full collection is old
    del knot
    full = gc.get_stats()[2]["collections"]
    kept = [[number] for number in range(300_000)]
    assert gc.get_stats()[2]["collections"] == full
    assert gone() is not None
    assert len(kept) == 300_000
    monkeypatch.setattr("gateway.collector.COLLECT_EVERY_S", 0.01)
    collecting = asyncio.create_task(collect_now_and_then())
    await asyncio.sleep(0.2)
    assert gone() is None
    collecting.cancel()
