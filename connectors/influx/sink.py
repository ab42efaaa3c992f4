"""The telemetry sink: points in without waiting, lines on disk, lines at the server."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Self

from connectors.influx.dead_letter import DeadLetterFile
from connectors.influx.disk import DiskThread
from connectors.influx.line_protocol import UnwritablePointError, encode, unwritable_fields
from connectors.influx.sender import Sender, Tally
from connectors.influx.settings import InfluxSettings
from connectors.influx.spool import Batch, Spool
from connectors.influx.transport import LineWriter, influx_writer
from twin_core.errors import StorageError
from twin_core.ports import Clock, Point, SinkCounters

logger = logging.getLogger(__name__)


class InfluxSink:
    """Telemetry to an InfluxDB write endpoint through a crash-safe spool; an async context manager, used once.

    Points are encoded when they are handed over, on disk within `flush_interval_s`, and then delivered in order,
    however long the server is away. A crash of this process costs what was not yet on disk; a crash of the server costs
    nothing it had acknowledged, if the server keeps its word. Points may reach it twice, which changes nothing there.

    Args:
        writer: the write endpoint; None for the server in the settings.
        rng: source of the jitter between tries.
    """

    def __init__(
        self,
        settings: InfluxSettings,
        *,
        clock: Clock,
        writer: LineWriter | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._writer = writer
        self._rng = rng or random.Random()
        self._disk = DiskThread("telemetry-disk", threaded=settings.threaded)
        self._dead_letters = DeadLetterFile(settings.spool_dir / "dead-letter.lp", settings.dead_letter_bytes)
        self._stack = AsyncExitStack()
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False

        self._buffer: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._waiting = asyncio.Event()  # points are in memory
        self._flush_now = asyncio.Event()  # somebody cannot wait for the interval
        self._readable = asyncio.Event()  # lines are on disk
        self._moved = asyncio.Event()  # something was delivered or given up

        self._delivered = Tally()
        self._accepted = 0
        self._unencodable = 0
        self._fields_left_out = 0
        self._durable = 0
        self._recovered = 0
        self._dropped_in_memory = 0
        self._dropped_on_disk = 0
        self._restarts = 0
        self._refused_measurements: set[str] = set()
        self._disk_trouble = False

    async def __aenter__(self) -> Self:
        """Open the spool and begin to deliver what the last run left.

        Raises:
            StorageError: the spool cannot be used, or another process uses it.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self._disk.close)
            spool = await self._disk.run(self._open_spool)
            stack.push_async_callback(self._disk.run, spool.close)
            self._recovered = await self._disk.run(lambda: spool.backlog)
            writer = self._writer
            if writer is None:
                writer = await stack.enter_async_context(influx_writer(self._settings, self._clock))
            sender = Sender(writer, self._put_away, self._settings, self._clock, self._rng)
            self._delivered = sender.tally
            self._flusher = self._start("telemetry-flush", lambda: self._flush_forever(spool))
            sending = self._start("telemetry-send", lambda: self._send_forever(spool, sender))
            stack.push_async_callback(_stop, sending)
            stack.push_async_callback(self._flush_for_the_last_time)
            self._stack = stack.pop_all()
        logger.info("telemetry_open", extra={"url": self._settings.url, "recovered": self._recovered})
        return self

    async def __aexit__(self, *_: object) -> None:
        """Put what is in memory on disk and stop; what the server does not have yet is sent by the next run."""
        await self._stack.aclose()
        logger.info("telemetry_closed", extra={"backlog": self.counters.backlog})

    def write(self, points: Sequence[Point]) -> None:
        """Hand over rows. Never blocks and never raises; what cannot be kept is counted."""
        for point in points:
            try:
                line = encode(point, self._settings.precision)
            except UnwritablePointError as exc:
                self._refuse(point, exc)
                continue
            self._fields_left_out += unwritable_fields(point)
            self._accepted += 1
            self._buffer.append(line)
            self._buffered_bytes += len(line)
        self._trim_buffer(0 if self._closed else self._settings.buffer_bytes)
        if self._buffer:
            self._waiting.set()
        if 2 * self._buffered_bytes > self._settings.buffer_bytes:
            self._flush_now.set()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until the server has everything; False when it has not within `timeout_s` on the loop's clock."""
        self._flush_now.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.counters.backlog > 0:
                    self._moved.clear()
                    await self._moved.wait()
        return self.counters.backlog == 0

    @property
    def counters(self) -> SinkCounters:
        """What became of the points, now.

        `accepted + recovered == written + dropped + dead_lettered + backlog`. `refused` holds the dead letters and the
        points that could not be encoded, which were never accepted. `durable` of the accepted ones reached the disk.
        """
        sent = self._delivered
        dropped = self._dropped_in_memory + self._dropped_on_disk
        return SinkCounters(
            accepted=self._accepted,
            dropped=dropped,
            refused=self._unencodable + sent.dead_lettered,
            written=sent.written,
            backlog=self._accepted + self._recovered - sent.written - dropped - sent.dead_lettered,
            extra={
                "recovered": self._recovered,
                "durable": self._durable,
                "dead_lettered": sent.dead_lettered,
                "fields_left_out": self._fields_left_out,
                "posts": sent.posts,
                "failures": sent.failures,
                "restarts": self._restarts,
            },
        )

    # From memory to disk

    async def _flush_forever(self, spool: Spool) -> None:
        settings = self._settings
        closing = False
        while not closing:
            await self._waiting.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.loop_s(settings.flush_interval_s)):
                    await self._flush_now.wait()
            closing = self._closed
            self._waiting.clear()
            self._flush_now.clear()
            try:
                await self._flush(spool)
            except StorageError as exc:
                self._disk_failed(exc)
                if not closing:
                    await asyncio.sleep(settings.loop_s(settings.flush_interval_s))
                    self._waiting.set()
            else:
                self._disk_trouble = False

    async def _flush(self, spool: Spool) -> None:
        """Put everything in memory on disk, in frames no larger than a request.

        Raises:
            StorageError: the disk refused; the lines are in memory again.
        """
        while self._buffer:
            chunk = self._take_chunk()
            try:
                self._dropped_on_disk = await self._disk.run(_append, spool, chunk)
            except StorageError:
                self._buffer.extendleft(reversed(chunk))
                self._buffered_bytes += sum(map(len, chunk))
                self._trim_buffer(self._settings.buffer_bytes)
                raise
            self._durable += len(chunk)
            self._readable.set()

    async def _flush_for_the_last_time(self) -> None:
        self._closed = True
        self._waiting.set()
        self._flush_now.set()
        if self._flusher is not None:
            await self._flusher
        self._trim_buffer(0)

    def _take_chunk(self) -> list[bytes]:
        chunk: list[bytes] = []
        size = 0
        while self._buffer and len(chunk) < self._settings.batch_points:
            size += len(self._buffer[0])
            if chunk and size > self._settings.batch_bytes:
                break
            chunk.append(self._buffer.popleft())
            self._buffered_bytes -= len(chunk[-1])
        return chunk

    def _trim_buffer(self, most_bytes: int) -> None:
        dropped = 0
        while self._buffered_bytes > most_bytes:
            self._buffered_bytes -= len(self._buffer.popleft())
            dropped += 1
        if dropped:
            self._dropped_in_memory += dropped
            self._moved.set()
            logger.warning("telemetry_dropped", extra={"points": dropped, "why": "memory is full or the sink closed"})

    # From disk to the server

    async def _send_forever(self, spool: Spool, sender: Sender) -> None:
        while True:
            self._readable.clear()
            try:
                batch = await self._disk.run(self._read, spool)
                if batch is None:
                    await self._readable.wait()
                    continue
                await sender.deliver(batch.lines)
                self._moved.set()
                await self._disk.run(spool.advance, batch.end)
            except StorageError as exc:
                self._disk_failed(exc)
                await asyncio.sleep(self._settings.loop_s(self._settings.retry_most_s))

    def _read(self, spool: Spool) -> Batch | None:
        batch = spool.read(self._settings.batch_points, self._settings.batch_bytes)
        self._dropped_on_disk = spool.dropped
        return batch

    async def _put_away(self, lines: Sequence[bytes], reason: str) -> None:
        utc = self._clock.now().utc
        try:
            kept = await self._disk.run(self._dead_letters.put, lines, reason, utc)
        except OSError as exc:
            logger.error("dead_letter_failed", extra={"lines": len(lines), "detail": str(exc)})
            return
        if not kept:
            logger.warning("dead_letter_full", extra={"lines": len(lines)})

    # Housekeeping

    def _open_spool(self) -> Spool:
        settings = self._settings
        return Spool(settings.spool_dir, segment_bytes=settings.spool_segment_bytes, quota_bytes=settings.quota_bytes)

    def _start(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        return asyncio.create_task(self._supervise(name, work), name=name)

    async def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Telemetry must never stop the depot, nor stop for good by a fault of its own."""
        while True:
            try:
                return await work()
            except Exception:
                self._restarts += 1
                logger.exception("telemetry_restarted", extra={"task": name})
                await asyncio.sleep(self._settings.loop_s(self._settings.retry_most_s))

    def _refuse(self, point: Point, error: UnwritablePointError) -> None:
        self._unencodable += 1
        if point.measurement not in self._refused_measurements and len(self._refused_measurements) < 64:
            self._refused_measurements.add(point.measurement)  # the log tells of each kind once
            logger.warning("telemetry_refused", extra={"measurement": point.measurement, "reason": str(error)})

    def _disk_failed(self, error: StorageError) -> None:
        if not self._disk_trouble:
            self._disk_trouble = True
            logger.error("telemetry_disk_refuses", extra={"detail": str(error)})


def _append(spool: Spool, lines: Sequence[bytes]) -> int:
    spool.append(lines)
    return spool.dropped


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
