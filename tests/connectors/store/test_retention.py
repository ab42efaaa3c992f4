"""What leaves the journal, and what never does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.store.database import Store
from connectors.store.journal_reader import read_events
from connectors.store.retention import Removed, RetentionPolicy, bytes_in_use
from tests.fakes import EPOCH, instant
from twin_core.models.events import InputRefused, Ticked
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag
from twin_core.models.quantities import Instant
from twin_core.ports import TransactionStart

A1 = ConnectorId(ChargerId("A"), 1)


class SetClock:
    def __init__(self, days: float) -> None:
        self.days = days

    def now(self) -> Instant:
        return Instant(self.days * 86400, EPOCH + timedelta(days=self.days))


async def test_old_events_go_with_counts_and_open_transactions_stay(tmp_path: Path) -> None:
    clock = SetClock(0)
    async with Store(tmp_path / "j", clock=clock, threaded=False, retention=RetentionPolicy(days=7)) as store:
        transaction, _ = await store.start(TransactionStart(A1, IdTag("T"), 0.0, EPOCH), clock.now())
        for day in range(12_000):
            store.record(Ticked(at=instant(day)))
        clock.days = 10
        store.record(Ticked(at=clock.now()))
        assert await store.retain() == Removed(events=12_000)
        assert await store.retain() == Removed()
        assert await store.open_transactions(A1.charger) == {A1: transaction}
    assert list(read_events(tmp_path / "j")) == [Ticked(at=clock.now())]


async def test_the_oldest_events_go_first_when_there_are_too_many(tmp_path: Path) -> None:
    limit = 5 * 1024**2
    policy = RetentionPolicy(days=7, max_bytes=limit)
    async with Store(tmp_path / "j", clock=SetClock(0), threaded=False, retention=policy) as store:
        for second in range(30_000):
            store.record(InputRefused(at=instant(second), source="s", cause="c", detail="x" * 200))
        removed = await store.retain()
        assert await store.transact(bytes_in_use) <= limit
    kept = [event.at.monotonic_s for event in read_events(tmp_path / "j")]
    assert len(kept) == 30_000 - removed.events
    assert 5_000 < len(kept) < 30_000
    assert kept == sorted(kept)
    assert kept[-1] == 29_999


@pytest.mark.parametrize(("lease_s", "left"), [(60.0, 1), (float("inf"), 2)])
async def test_a_grant_goes_only_once_it_has_surely_ended(tmp_path: Path, lease_s: float, left: int) -> None:
    clock = SetClock(0)
    async with Store(tmp_path / "j", clock=clock, threaded=False, retention=RetentionPolicy(days=7)) as store:
        await store.reserve([Grant(A1, 1, 16.0, clock.now(), lease_s)])
        clock.days = 10
        await store.reserve([Grant(A1, 2, 16.0, clock.now(), lease_s)])
        removed = await store.retain()
        assert removed.grants == 2 - left
