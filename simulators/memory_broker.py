"""A broker in memory, for runs in virtual time: it hands messages over at once, or spoils them the same way for a seed.

What anybody says below `depot/` counts as published with quality of service 1, everything else as a meter's reading
with 0: readings may be lost or overtake each other, wishes and limits may come late or twice but do come.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

Subscriber = Callable[[str, bytes], None]
_ASSURED = "depot/"
_KEPT = 1_000
"""Assured messages kept for a subscriber who is away; beyond, the oldest goes and is counted."""


@dataclass(frozen=True, slots=True)
class BrokerFaults:
    """What happens to messages; shares are probabilities per message.

    Attributes:
        loss: a reading vanishes.
        delay_max_s: every message is late by up to this, evenly spread, each for itself.
        duplicate: it comes once more, late by itself.
        silent_every_s: mean time between times in which no reading comes at all; None never.
        silent_for_s: shortest and longest such time.
    """

    loss: float = 0.0
    delay_max_s: float = 0.0
    duplicate: float = 0.0
    silent_every_s: float | None = None
    silent_for_s: tuple[float, float] = (10.0, 120.0)


@dataclass(slots=True)
class BrokerCounts:
    """What became of messages."""

    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    silences: int = 0
    unheard: int = 0
    dropped: int = 0


class MemoryBroker:
    """The broker; `publish` is what simulators publish with.

    Attributes:
        counts: what it did so far.
    """

    def __init__(self, seed: int, faults: BrokerFaults) -> None:
        self.counts = BrokerCounts()
        self._faults = faults
        self._rng = random.Random(f"broker:{seed}")
        self._subscriber: Subscriber | None = None
        self._kept: deque[tuple[str, bytes]] = deque(maxlen=_KEPT)
        self._silent_s = (0.0, 0.0)
        self._plan_silence(asyncio.get_running_loop().time())

    def subscribe(self, subscriber: Subscriber | None) -> None:
        """Hand messages to somebody, those kept while nobody was there first; None when nobody is there any more."""
        self._subscriber = subscriber
        while self._kept and self._subscriber is not None:
            self._deliver(*self._kept.popleft())

    async def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish a message; `retain` means nothing here."""
        assured, draw = topic.startswith(_ASSURED), self._rng.random
        # Every message uses the same number of draws, so that one setting does not shift the luck of the others.
        lost, twice, late, later = draw() < self._faults.loss, draw() < self._faults.duplicate, draw(), draw()
        if not assured and (lost or self._is_silent()):
            self.counts.lost += 1
            return
        self._deliver_later(late, topic, payload)
        if twice:
            self.counts.duplicated += 1
            self._deliver_later(later, topic, payload)

    def _deliver_later(self, share: float, topic: str, payload: bytes) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(share * self._faults.delay_max_s, self._deliver, topic, payload)

    def _deliver(self, topic: str, payload: bytes) -> None:
        if self._subscriber is not None:
            self.counts.delivered += 1
            self._subscriber(topic, payload)
        elif topic.startswith(_ASSURED):
            self.counts.dropped += len(self._kept) == _KEPT
            self._kept.append((topic, payload))
        else:
            self.counts.unheard += 1

    def _is_silent(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        begin_s, end_s = self._silent_s
        if now_s >= end_s:
            self.counts.silences += 1
            self._plan_silence(now_s)
            return False
        return now_s >= begin_s

    def _plan_silence(self, now_s: float) -> None:
        every_s = self._faults.silent_every_s
        if every_s is None:
            self._silent_s = (float("inf"), float("inf"))
            return
        begin_s = now_s + self._rng.expovariate(1 / every_s)
        self._silent_s = (begin_s, begin_s + self._rng.uniform(*self._faults.silent_for_s))
