"""The queue before us keeps the newest reading and every request, within bounds."""

from __future__ import annotations

import asyncio

from aiomqtt import Message

from connectors.mqtt.latest import LatestQueue, QueueCounters


def message(topic: str, payload: str) -> Message:
    return Message(topic, payload.encode(), 0, False, 0, None)


def queue(size: int = 100) -> tuple[LatestQueue, QueueCounters]:
    counters = QueueCounters()
    return LatestQueue(size, is_reading=lambda topic: not topic.startswith("request"), counters=counters), counters


def drain(inbox: LatestQueue) -> list[str]:
    return [bytes(inbox.get_nowait().payload).decode() for _ in range(inbox.qsize())]


async def test_a_newer_reading_takes_the_place_of_an_unread_one() -> None:
    inbox, counters = queue()
    for topic, payload in (("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")):
        inbox.put_nowait(message(topic, payload))
    assert drain(inbox) == ["a3", "b1"]
    assert counters.coalesced == 2


async def test_requests_on_one_topic_are_all_kept_in_order() -> None:
    inbox, counters = queue()
    for n in range(5):
        inbox.put_nowait(message("request", str(n)))
    assert drain(inbox) == list("01234")
    assert counters.coalesced == 0


async def test_a_full_queue_drops_the_oldest_reading_before_any_request() -> None:
    inbox, counters = queue(3)
    for topic, payload in (("a", "a"), ("request", "r1"), ("b", "b"), ("c", "c"), ("request", "r2"), ("request", "r3")):
        inbox.put_nowait(message(topic, payload))
    assert drain(inbox) == ["r1", "r2", "r3"]
    assert (counters.dropped, counters.lost) == (3, 0)


async def test_only_when_nothing_but_requests_waits_a_request_is_lost_and_counted() -> None:
    inbox, counters = queue(2)
    for n in range(4):
        inbox.put_nowait(message("request", str(n)))
    assert drain(inbox) == ["0", "1"]
    assert counters.lost == 2


async def test_whoever_waits_is_woken() -> None:
    inbox, _ = queue()
    waiting = asyncio.ensure_future(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait(message("a", "1"))
    assert (await waiting).payload == b"1"
    assert inbox.empty()
