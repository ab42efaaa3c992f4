"""Full garbage collections happen by hand only, and then find what is left."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway.collector import collect_fully, hold_full_collections


class Knot:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_old_garbage_waits_for_the_call_however_much_is_made_meanwhile() -> None:
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
    collect_fully()
    assert gone() is None
