"""What a second central system is still to hear survives, in order, and under its own numbers."""

from __future__ import annotations

from pathlib import Path

from connectors.store.database import Store
from connectors.store.upstream import UpstreamOutbox
from tests.fakes import instant
from twin_core.models.ids import ChargerId, TransactionId
from twin_core.models.quantities import Instant
from twin_core.ports import ForwardedMessage

CP1, CP2 = ChargerId("CP1"), ChargerId("CP2")


class Still:
    def now(self) -> Instant:
        return instant()


def said(action: str, transaction: int = 1, charger: ChargerId = CP1) -> ForwardedMessage:
    return ForwardedMessage(charger, action, b'{"a":1}', TransactionId(transaction))


def opened(path: Path) -> Store:
    return Store(path / "j", clock=Still(), threaded=False)


async def test_messages_come_back_in_the_order_they_were_said_each_chargers_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        outbox = UpstreamOutbox(store)
        await outbox.keep([said("StartTransaction"), said("StartTransaction", 2, CP2), said("MeterValues")])
        await outbox.keep([said("StopTransaction")])
    async with opened(tmp_path) as store:
        outbox = UpstreamOutbox(store)
        assert await outbox.backlog() == {CP1: 3, CP2: 1}
        first, *others = await outbox.waiting(CP1, 0, 10)
        assert [m.action for m in (first, *others)] == ["StartTransaction", "MeterValues", "StopTransaction"]
        assert await outbox.waiting(CP1, first.seq, 1) == (others[0],)
        await outbox.settle(first, 4711)
        assert await outbox.backlog() == {CP1: 2, CP2: 1}


async def test_a_start_and_a_stop_are_kept_once_and_samples_always(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        outbox = UpstreamOutbox(store)
        for action, kept in (("StartTransaction", 1), ("MeterValues", 2), ("StopTransaction", 1)):
            places = [*await outbox.keep([said(action)]), *await outbox.keep([said(action)])]
            assert len([seq for seq in places if seq is not None]) == kept
        for message in await outbox.waiting(CP1, 0, 10):
            await outbox.settle(message)
        assert await outbox.keep([said("StopTransaction"), said("StartTransaction")]) == (None, None)


async def test_numbers_of_one_charger_mean_nothing_for_another(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        outbox = UpstreamOutbox(store)
        await outbox.keep([said("StartTransaction"), said("StartTransaction", 2, CP2)])
        (start,) = await outbox.waiting(CP1, 0, 10)
        await outbox.settle(start, 4711)
    async with opened(tmp_path) as store:
        outbox = UpstreamOutbox(store)
        assert await outbox.theirs(CP1, TransactionId(1)) == 4711
        assert await outbox.ours(CP1, 4711) == 1
        assert await outbox.ours(CP2, 4711) is None
        assert await outbox.theirs(CP2, TransactionId(2)) is None
        assert await outbox.theirs(CP1, TransactionId(9)) is None


async def test_profiles_take_the_place_of_those_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        outbox = UpstreamOutbox(store)
        for body in (b"[1]", b"[2]"):
            await outbox.keep_profiles(CP1, body)
        assert await outbox.profiles() == {CP1: b"[2]"}
