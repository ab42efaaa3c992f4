"""Stand-ins for the ports of the core, as plain as they can be."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

from twin_core.models.authorisation import ConcurrencyLimit, TagStanding, TagStatus
from twin_core.models.charger import ChargerSpec
from twin_core.models.events import Event
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import Instant
from twin_core.ports import TransactionStart, TransactionStop

E = TypeVar("E")

EPOCH = datetime(2026, 6, 1, 12, tzinfo=UTC)


def instant(seconds: float = 0.0) -> Instant:
    """A moment `seconds` after the tests' epoch, the same on both clocks."""
    return Instant(seconds, EPOCH + timedelta(seconds=seconds))


class LoopClock:
    """The running loop's time on both clocks."""

    def __init__(self, epoch: datetime = EPOCH) -> None:
        self._epoch = epoch

    def now(self) -> Instant:
        seconds = asyncio.get_running_loop().time()
        return Instant(seconds, self._epoch + timedelta(seconds=seconds))


@dataclass
class EventList:
    """An event sink that keeps everything."""

    events: list[Event] = field(default_factory=list)

    def put(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """Events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class MemoryLedger:
    """A transaction ledger without a disk."""

    starts: dict[TransactionStart, TransactionId] = field(default_factory=dict)
    open: dict[TransactionId, ConnectorId] = field(default_factory=dict)
    ids: count[int] = field(default_factory=lambda: count(1001))

    async def start(self, start: TransactionStart, now: Instant) -> tuple[TransactionId, bool]:
        if start in self.starts:
            return self.starts[start], False
        transaction = TransactionId(next(self.ids))
        self.starts[start] = transaction
        self.open[transaction] = start.connector_id
        return transaction, True

    async def stop(self, stop: TransactionStop, now: Instant) -> ConnectorId | None:
        connector = self.open.get(stop.transaction_id)
        if connector is None or connector.charger != stop.charger:
            return None
        return self.open.pop(stop.transaction_id)

    async def adopt(self, transaction: TransactionId, start: TransactionStart, now: Instant) -> bool:
        return self.open.setdefault(transaction, start.connector_id) == start.connector_id

    async def open_transactions(self, charger: ChargerId) -> dict[ConnectorId, TransactionId]:
        return {connector: t for t, connector in self.open.items() if connector.charger == charger}

    async def open_before(self, transaction: TransactionId, tags: Collection[IdTag]) -> int:
        before = {
            number: start for start, number in self.starts.items() if number < transaction and number in self.open
        }
        return sum(start.id_tag in tags for start in before.values())


@dataclass
class ListedChargers:
    """A directory of the chargers given to it; everybody's tag may charge, as often as `concurrent` says."""

    chargers: dict[ChargerId, ChargerSpec] = field(default_factory=dict)
    passwords: dict[ChargerId, str] = field(default_factory=dict)
    concurrent: tuple[ConcurrencyLimit, ...] = ()

    def find(self, charger: ChargerId) -> ChargerSpec | None:
        return self.chargers.get(charger)

    def password(self, charger: ChargerId) -> str | None:
        return self.passwords.get(charger)

    def authorise(self, id_tag: IdTag, at: datetime) -> TagStanding:
        return TagStanding(TagStatus.ACCEPTED)

    def concurrency(self, id_tag: IdTag) -> tuple[ConcurrencyLimit, ...]:
        return self.concurrent
