"""Where else a tag charges is known from the transactions on disk."""

from __future__ import annotations

from pathlib import Path

from connectors.store.database import Store
from tests.fakes import EPOCH, LoopClock, instant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.ports import TransactionStart, TransactionStop

A1, A2, B1 = ConnectorId(ChargerId("A"), 1), ConnectorId(ChargerId("A"), 2), ConnectorId(ChargerId("B"), 1)
TAG = IdTag("TAG")


def start_at(connector: ConnectorId, meter_start_kwh: float = 10.0) -> TransactionStart:
    return TransactionStart(connector, TAG, meter_start_kwh, EPOCH)


def stop_of(transaction: TransactionId, charger: str) -> TransactionStop:
    return TransactionStop(transaction, charger, 20.0, EPOCH, "Local")


async def test_where_else_a_tag_charges_is_counted_by_connector_and_only_before(tmp_path: Path) -> None:
    async with Store(tmp_path / "journal.db", clock=LoopClock(), threaded=False) as store:
        lost, _ = await store.start(start_at(A1), instant())
        newest, _ = await store.start(start_at(A1, 30.0), instant(60))
        last, _ = await store.start(start_at(B1), instant(120))
        tags = {TAG}
        assert await store.open_before(lost, tags) == 0
        assert await store.open_before(newest, tags) == 0, "what was lost on the same connector is over"
        assert await store.open_before(last, tags) == 1
        assert await store.open_before(last, {IdTag("ANOTHER")}) == 0
        further, _ = await store.start(start_at(A2), instant(180))
        assert await store.open_before(further, {*tags, IdTag("ANOTHER")}) == 2
        await store.stop(stop_of(newest, "A"), instant(240))
        await store.stop(stop_of(last, "B"), instant(240))
        assert await store.open_before(further, tags) == 0, "what was lost locks nobody out"
