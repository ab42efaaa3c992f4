"""One view in, many watchers out: first a snapshot, then deltas with sequence numbers.

The control loop only calls `publish`, which never waits. Each watcher has a mailbox of one: a watcher that has not
taken its last message when the next comes loses both and gets a fresh snapshot instead. One that does not take a
message within the send deadline is dropped. Both are counted.

Messages (JSON): `{"type": "snapshot", "seq": n, "view": …}`, `{"type": "delta", "seq": n, …}` with the parts of
`panel.delta.Delta`; a delta follows the message numbered one less, anything else is a gap. A watcher that sees a gap
asks with `{"type": "resync"}`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from panel.delta import diff
from panel.history import RecentHistory
from panel.shapes import PanelView

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class FeedCounters:
    """What became of what was published.

    Attributes:
        published: views handed in.
        sent: messages that a watcher took.
        skipped: deltas that a slow watcher lost; a snapshot followed each.
        resyncs: snapshots asked for by a watcher.
        dropped: watchers that took too long over one message.
        refused: watchers turned away because there were too many.
    """

    published: int = 0
    sent: int = 0
    skipped: int = 0
    resyncs: int = 0
    dropped: int = 0
    refused: int = 0


class Watcher:
    """One client's mailbox: at most one message waits in it."""

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._delta: str | None = None
        self._wants_snapshot = True

    def offer(self, delta: str | None) -> bool:
        """Leave a delta; False when an older message was still there, so that a snapshot has to replace both."""
        lost = self._ready.is_set() and not self._wants_snapshot
        if lost or delta is None:
            self.resync()
        elif not self._wants_snapshot:
            self._delta = delta
        self._ready.set()
        return not lost

    def resync(self) -> None:
        """Let the next message be a snapshot."""
        self._delta, self._wants_snapshot = None, True
        self._ready.set()

    async def take(self) -> str | None:
        """Wait for the next message: a delta, or None for "send a snapshot of what is now"."""
        await self._ready.wait()
        self._ready.clear()
        delta, self._delta, self._wants_snapshot = self._delta, None, False
        return delta


class PanelFeed:
    """The current view and everybody who watches it.

    Args:
        send_timeout_s: how long a watcher may take over one message, in seconds of the loop's clock. On a loop whose
            clock runs faster than the world, multiply by that factor.
        max_watchers: more than these are turned away.
    """

    def __init__(
        self, *, send_timeout_s: float = 1.0, max_watchers: int = 100, recent: RecentHistory | None = None
    ) -> None:
        self.counters = FeedCounters()
        self.recent = recent or RecentHistory()
        self._send_timeout_s = send_timeout_s
        self._max_watchers = max_watchers
        self._watchers: set[Watcher] = set()
        self._view: PanelView | None = None
        self._seq = 0
        self._snapshot: tuple[int, str] | None = None

    @property
    def view(self) -> PanelView | None:
        """The view published last."""
        return self._view

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    def publish(self, view: PanelView) -> None:
        """Make a view the current one and tell everybody. Never waits."""
        before, self._view = self._view, view
        self._seq += 1
        self.counters.published += 1
        self.recent.record(view.site)
        if not self._watchers:
            return
        delta = None if before is None else self._encoded_delta(before, view)
        for watcher in self._watchers:
            self.counters.skipped += not watcher.offer(delta)

    def _encoded_delta(self, before: PanelView, view: PanelView) -> str:
        parts = diff(before, view).model_dump(exclude_defaults=True)
        return _encoded({"type": "delta", "seq": self._seq, **parts})

    def _encoded_snapshot(self) -> str:
        """The current view as a message, encoded once however many ask."""
        assert self._view is not None
        if self._snapshot is None or self._snapshot[0] != self._seq:
            view = self._view.model_dump_json()
            self._snapshot = (self._seq, f'{{"type":"snapshot","seq":{self._seq},"view":{view}}}')
        return self._snapshot[1]

    def watch(self) -> Watcher | None:
        """A mailbox for one more client, to be given to `serve`; None when there are too many already."""
        if len(self._watchers) >= self._max_watchers:
            self.counters.refused += 1
            logger.warning("watcher_refused", extra={"watchers": len(self._watchers)})
            return None
        watcher = Watcher()
        self._watchers.add(watcher)
        if self._view is not None:
            watcher.resync()
        return watcher

    async def serve(self, watcher: Watcher, send: Callable[[str], Awaitable[None]]) -> None:
        """Send to one client until it is cancelled, its link breaks, or it takes too long; then forget it."""
        try:
            while True:
                message = await watcher.take() or self._encoded_snapshot()
                async with asyncio.timeout(self._send_timeout_s):
                    await send(message)
                self.counters.sent += 1
        except TimeoutError:
            self.counters.dropped += 1
            logger.warning("watcher_dropped", extra={"cause": "too slow", "limit_s": self._send_timeout_s})
        finally:
            self._watchers.discard(watcher)

    def resync(self, watcher: Watcher) -> None:
        """A client saw a gap: its next message is a snapshot."""
        self.counters.resyncs += 1
        if self._view is not None:
            watcher.resync()


def _encoded(message: dict[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
