"""A bounded queue between the socket and us that keeps the newest reading of each topic and every request."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiomqtt import Message

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class QueueCounters:
    """What the queue did not pass on.

    Attributes:
        coalesced: readings replaced by a newer one of the same topic before anybody read them.
        dropped: readings thrown out, oldest first, to make room.
        lost: requests that found no room.
    """

    coalesced: int = 0
    dropped: int = 0
    lost: int = 0


class LatestQueue(asyncio.Queue[Message]):
    """Messages in order of arrival; a reading takes the place of an unread one of its topic.

    Args:
        maxsize: messages that may wait.
        is_reading: whether only the latest message of a topic matters.
    """

    def __init__(self, maxsize: int, *, is_reading: Callable[[str], bool], counters: QueueCounters) -> None:
        self._is_reading = is_reading
        self._counters = counters
        self._waiting: OrderedDict[str | int, Message] = OrderedDict()
        self._arrived = 0
        self._overflowing = False
        super().__init__(maxsize)

    def qsize(self) -> int:
        """Messages waiting."""
        return len(self._waiting)

    def empty(self) -> bool:
        """True when nothing waits."""
        return not self._waiting

    def put_nowait(self, item: Message) -> None:
        """Queue a message. Never raises QueueFull: what finds no room is counted."""
        topic = str(item.topic)
        if self._is_reading(topic) and topic in self._waiting:
            self._waiting[topic] = item
            self._counters.coalesced += 1
            return
        if self.full() and not self._make_room():
            self._counters.lost += 1
            logger.error("mqtt_request_lost", extra={"topic": topic[:200]})
            return
        super().put_nowait(item)

    def _make_room(self) -> bool:
        oldest = next((key for key in self._waiting if isinstance(key, str)), None)
        if oldest is None:
            return False
        del self._waiting[oldest]
        self._counters.dropped += 1
        if not self._overflowing:
            self._overflowing = True
            logger.warning("mqtt_queue_full", extra={"waiting": len(self._waiting)})
        return True

    def _put(self, item: Message) -> None:
        topic = str(item.topic)
        self._arrived += 1
        self._waiting[topic if self._is_reading(topic) else self._arrived] = item

    def _get(self) -> Message:
        if len(self._waiting) == 1:
            self._overflowing = False
        return self._waiting.popitem(last=False)[1]
