import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from panel.delta import Delta, apply_delta
from panel.feed import PanelFeed
from panel.shapes import PanelView
from panel.view import view
from tests.panel.depot import AFTERNOON, NOON, report
from twin_core.models.quantities import Instant


def second(number: int) -> PanelView:
    return view(report(AFTERNOON[:3], now=Instant(0.0, NOON).later(number)))


@dataclass
class Client:
    """A watcher that follows the protocol, and may be made slow."""

    feed: PanelFeed
    pause_s: float = 0.0
    messages: list[dict[str, Any]] = field(default_factory=list)
    view: PanelView | None = None

    async def send(self, text: str) -> None:
        await asyncio.sleep(self.pause_s)
        message = json.loads(text)
        self.messages.append(message)
        if message["type"] == "snapshot":
            self.view = PanelView.model_validate(message["view"])
        else:
            assert message["seq"] == self.messages[-2]["seq"] + 1
            assert self.view is not None
            self.view = apply_delta(self.view, Delta(**{k: v for k, v in message.items() if k not in ("type", "seq")}))

    def start(self) -> asyncio.Task[None]:
        watcher = self.feed.watch()
        assert watcher is not None
        self.watcher = watcher
        return asyncio.create_task(self.feed.serve(watcher, self.send))

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]


async def test_a_watcher_gets_a_snapshot_and_then_only_deltas_that_keep_it_exact() -> None:
    feed = PanelFeed()
    feed.publish(second(0))
    client = Client(feed)
    task = client.start()
    for number in range(1, 6):
        await asyncio.sleep(1)
        feed.publish(second(number))
    await asyncio.sleep(1)
    task.cancel()
    assert client.kinds() == ["snapshot"] + ["delta"] * 5
    assert client.view == second(5)


async def test_a_watcher_that_came_before_the_first_cycle_waits_for_it() -> None:
    feed = PanelFeed()
    client = Client(feed)
    task = client.start()
    feed.resync(client.watcher)
    await asyncio.sleep(10)
    assert client.messages == []
    feed.publish(second(1))
    await asyncio.sleep(0.1)
    task.cancel()
    assert client.kinds() == ["snapshot"]


async def test_a_slow_watcher_loses_deltas_gets_a_fresh_snapshot_and_holds_nobody_up() -> None:
    feed = PanelFeed(send_timeout_s=10.0)
    feed.publish(second(0))
    slow, quick = Client(feed, pause_s=2.5), Client(feed)
    tasks = [slow.start(), quick.start()]
    began = asyncio.get_running_loop().time()
    for number in range(1, 21):
        await asyncio.sleep(1)
        feed.publish(second(number))
    assert asyncio.get_running_loop().time() - began == pytest.approx(20)
    await asyncio.sleep(10)
    for task in tasks:
        task.cancel()
    assert quick.kinds() == ["snapshot"] + ["delta"] * 20
    assert slow.view == quick.view == second(20)
    assert len(slow.messages) < 12
    assert feed.counters.skipped > 0


async def test_a_watcher_that_takes_no_message_for_a_second_is_dropped_and_counted() -> None:
    feed = PanelFeed()
    feed.publish(second(0))
    stuck = Client(feed, pause_s=1e9)
    task = stuck.start()
    await asyncio.wait_for(task, 1.5)
    assert feed.counters.dropped == 1
    assert feed.watchers == 0


async def test_a_gap_is_answered_with_a_snapshot_of_now() -> None:
    feed = PanelFeed()
    feed.publish(second(0))
    client = Client(feed)
    task = client.start()
    await asyncio.sleep(0.1)
    feed.publish(second(1))
    await asyncio.sleep(0.1)
    feed.resync(client.watcher)
    await asyncio.sleep(0.1)
    feed.publish(second(2))
    await asyncio.sleep(0.1)
    task.cancel()
    assert client.kinds() == ["snapshot", "delta", "snapshot", "delta"]
    assert client.view == second(2)
    assert feed.counters.resyncs == 1


async def test_more_watchers_than_allowed_are_turned_away_and_leaving_makes_room() -> None:
    feed = PanelFeed(max_watchers=1)
    task = Client(feed).start()
    await asyncio.sleep(0)
    assert feed.watch() is None
    assert feed.counters.refused == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert feed.watch() is not None


async def test_publishing_to_a_hundred_stuck_watchers_costs_one_encoding_and_never_waits() -> None:
    feed = PanelFeed()
    feed.publish(second(0))
    tasks = [Client(feed, pause_s=0.5).start() for _ in range(100)]
    await asyncio.sleep(0)
    views = [second(number) for number in range(1, 6)]
    began = time.perf_counter()
    for shown in views:
        feed.publish(shown)
    spent = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    assert spent < 0.2
