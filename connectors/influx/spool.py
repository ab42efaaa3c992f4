"""Lines that wait for the server, on disk, in order, through crashes.

A spool is a directory of numbered segment files. A segment is a magic word and frames; a frame is
`length, lines, crc32` and that many bytes of lines joined by line ends. Frames are only ever appended, and each append
ends with `fdatasync`, so a crash can tear nothing but the last frame, which the checksum then refuses. The reading
position is kept in `cursor`, replaced by an atomic rename; when it is lost, lines are read again from the oldest file,
which does no harm because writing a point twice changes nothing.

Nothing here knows of asyncio, time or the network. A spool is used from one thread at a time.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from twin_core.errors import StorageError

logger = logging.getLogger(__name__)

_MAGIC = b"DSPOOL1\n"
_FRAME = struct.Struct("<III")
_LONGEST_FRAME = 2**28
_SEGMENT_NAME = re.compile(r"segment-(\d{16})\.spool")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the spool: the first byte of a frame, or the end of a segment."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines read from the spool, and the place behind them to go on from once they are delivered."""

    lines: tuple[bytes, ...]
    end: Position


@dataclass(slots=True)
class _Segment:
    """What is known of one file.

    Attributes:
        frames: number of lines of each whole frame, by the place where the frame begins.
        size: bytes up to the end of the last whole frame.
    """

    number: int
    path: Path
    frames: dict[int, int] = field(default_factory=dict)
    size: int = len(_MAGIC)

    def lines_from(self, offset: int) -> int:
        return sum(lines for place, lines in self.frames.items() if place >= offset)


class Spool:
    """An append-only queue of lines on disk with a bounded size.

    Opening it continues where the last process, orderly or not, left off. It belongs to one process at a time.

    Args:
        segment_bytes: a new file is begun when the current one would grow beyond this.
        quota_bytes: when the files together grow beyond this, the oldest is dropped and its lines are counted.

    Raises:
        StorageError: the directory cannot be used, or another process uses it.
    """

    def __init__(self, directory: Path, *, segment_bytes: int, quota_bytes: int) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._quota_bytes = quota_bytes
        self._segments: dict[int, _Segment] = {}
        self._writer: BinaryIO | None = None
        self.dropped = 0
        """Lines dropped since opening: by the quota, or because their file could not be read back."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = (directory / "lock").open("ab")
            self._take_lock()
            for path in sorted(directory.iterdir()):
                if match := _SEGMENT_NAME.fullmatch(path.name):
                    number = int(match.group(1))
                    self._segments[number] = _scan(number, path)
            self._cursor = self._load_cursor()
        except OSError as exc:
            raise StorageError(f"spool {directory} cannot be opened: {exc}") from exc
        self._next_number = max([self._cursor.segment, *self._segments]) + 1
        self._lent = self._cursor
        self._forget_before(self._cursor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the files and the directory back. Nothing is lost: every append is already on disk."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._lock.close()

    @property
    def backlog(self) -> int:
        """Lines on disk behind the cursor."""
        return sum(
            segment.lines_from(self._cursor.offset if segment.number == self._cursor.segment else 0)
            for segment in self._segments.values()
        )

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self._segments.values())

    def append(self, lines: Sequence[bytes]) -> None:
        """Put lines at the end; they are on disk when this returns.

        Raises:
            StorageError: the disk refused. Nothing of these lines was kept; they may be offered again.
        """
        if not lines:
            return
        payload = b"\n".join(lines)
        header = _FRAME.pack(len(payload), len(lines), zlib.crc32(payload))
        frame_bytes = len(header) + len(payload)
        segment = None
        try:
            segment = self._segment_for(frame_bytes)
            assert self._writer is not None
            self._writer.write(header + payload)
            self._writer.flush()
            os.fdatasync(self._writer.fileno())
        except OSError as exc:
            # What part of the frame reached the file is behind the segment's end as we know it: nobody reads it in this
            # life, and in the next one the checksum decides. The next append begins a new file.
            self._abandon_segment(segment)
            raise StorageError(f"spool {self._directory} refused {frame_bytes} bytes: {exc}") from exc
        segment.frames[segment.size] = len(lines)
        segment.size += frame_bytes
        self._keep_quota()

    def read(self, max_lines: int, max_bytes: int) -> Batch | None:
        """The oldest lines not yet delivered, whole frames, at least one; None when there are none.

        Reading again without `advance` gives the same lines. Frames that do not check are skipped and counted.

        Raises:
            StorageError: the disk cannot be read just now; nothing is lost by it.
        """
        while (position := self._first_unread()) is not None:
            batch = self._read_from(position, max_lines, max_bytes)
            if batch is not None:
                self._lent = batch.end
                return batch
        return None

    def advance(self, end: Position) -> None:
        """Lines before `end` are delivered: remember it on disk and delete the files that are done.

        Raises:
            StorageError: the place could not be written; it is remembered in memory, and after a crash lines may be
                delivered again.
        """
        if end <= self._cursor:
            return  # never backwards, or delivered files would have to come back
        self._cursor = end
        try:
            self._store_cursor()
            self._forget_before(end)
        except OSError as exc:
            raise StorageError(f"spool {self._directory}: the cursor could not be written: {exc}") from exc

    # Reading

    def _first_unread(self) -> Position | None:
        for number in sorted(self._segments):
            segment = self._segments[number]
            offset = self._cursor.offset if number == self._cursor.segment else len(_MAGIC)
            if number >= self._cursor.segment and offset < segment.size:
                return Position(number, offset)
        return None

    def _read_from(self, position: Position, max_lines: int, max_bytes: int) -> Batch | None:
        """Frames from one segment; None when the first of them is damaged, and then the segment is given up."""
        segment = self._segments[position.segment]
        lines: list[bytes] = []
        end = position.offset
        taken_bytes = 0
        try:
            with segment.path.open("rb") as file:
                file.seek(position.offset)
                for payload, n_lines in _frames(file):
                    if lines and (len(lines) + n_lines > max_lines or taken_bytes + len(payload) > max_bytes):
                        break
                    lines += payload.split(b"\n")
                    taken_bytes += len(payload)
                    end += _FRAME.size + len(payload)
                    if end >= segment.size:
                        break
        except OSError as exc:
            raise StorageError(f"spool {self._directory}: {segment.path.name} cannot be read: {exc}") from exc
        if not lines:
            self._skip_damaged(segment, position.offset)
            return None
        return Batch(tuple(lines), Position(segment.number, end))

    def _skip_damaged(self, segment: _Segment, offset: int) -> None:
        lost = segment.lines_from(offset)
        self.dropped += lost
        logger.error("spool_damaged", extra={"file": segment.path.name, "offset": offset, "lines_lost": lost})
        if self._writer is not None and segment.number == self._next_number - 1:
            self._abandon_writer()
        del self._segments[segment.number]
        segment.path.unlink(missing_ok=True)

    # Writing

    def _segment_for(self, frame_bytes: int) -> _Segment:
        """The segment that takes the next frame; begins a new file when the current one is full."""
        if self._writer is not None:
            segment = self._segments[self._next_number - 1]
            if segment.size + frame_bytes <= self._segment_bytes:
                return segment
            self._abandon_writer()
        number = self._next_number
        self._next_number += 1
        path = self._directory / f"segment-{number:016d}.spool"
        self._writer = path.open("xb")
        self._writer.write(_MAGIC)
        segment = self._segments[number] = _Segment(number, path)
        _sync_directory(self._directory)
        return segment

    def _abandon_writer(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            writer.close()
        except OSError as exc:  # its buffer could not be flushed: that frame was never reported as kept
            logger.debug("spool_close_failed", extra={"detail": str(exc)})

    def _abandon_segment(self, segment: _Segment | None) -> None:
        """Never write to the current file again; a full disk must not collect empty ones."""
        self._abandon_writer()
        if segment is not None and not segment.frames:
            del self._segments[segment.number]
            segment.path.unlink(missing_ok=True)

    def _keep_quota(self) -> None:
        while self.size_bytes > self._quota_bytes and len(self._segments) > 1:
            oldest = self._segments.pop(min(self._segments))
            # Lines that were lent are in the sender's hands and still reach the server.
            unlent = self._lent.offset if oldest.number == self._lent.segment else 0
            lost = oldest.lines_from(unlent) if oldest.number >= self._lent.segment else 0
            self.dropped += lost
            logger.warning("spool_quota", extra={"lines_dropped": lost, "quota_bytes": self._quota_bytes})
            oldest.path.unlink(missing_ok=True)

    # The cursor and the lock

    def _forget_before(self, position: Position) -> None:
        for number in [n for n in self._segments if n <= position.segment]:
            segment = self._segments[number]
            writing = self._writer is not None and number == self._next_number - 1
            if not writing and (number < position.segment or position.offset >= segment.size):
                del self._segments[number]
                segment.path.unlink(missing_ok=True)

    def _load_cursor(self) -> Position:
        try:
            segment, offset, check = (self._directory / "cursor").read_text("ascii").split()
            position = Position(int(segment), int(offset))
            if int(check) == _check(position):
                return position
        except FileNotFoundError:
            return Position(0, 0)
        except ValueError:  # also UnicodeDecodeError
            pass
        logger.warning("spool_cursor_lost", extra={"directory": str(self._directory), "remedy": "read from the oldest"})
        return Position(0, 0)

    def _store_cursor(self) -> None:
        fresh = self._directory / "cursor.new"
        with fresh.open("w", encoding="ascii") as file:
            file.write(f"{self._cursor.segment} {self._cursor.offset} {_check(self._cursor)}\n")
            file.flush()
            os.fdatasync(file.fileno())
        fresh.replace(self._directory / "cursor")

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            self._lock.close()
            raise StorageError(
                f"spool {self._directory} is in use by another process: give each gateway its own directory"
            ) from exc


def _check(position: Position) -> int:
    return zlib.crc32(f"{position.segment} {position.offset}".encode())


def _scan(number: int, path: Path) -> _Segment:
    """Find the whole frames of a file; what follows them was torn by a crash."""
    segment = _Segment(number, path)
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return segment
        for payload, n_lines in _frames(file):
            segment.frames[segment.size] = n_lines
            segment.size += _FRAME.size + len(payload)
    if (torn := path.stat().st_size - segment.size) > 0:
        logger.warning("spool_torn", extra={"file": path.name, "bytes_left_out": torn})
    return segment


def _frames(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Payload and number of lines of each frame from here on, up to the first that is not whole."""
    while len(header := file.read(_FRAME.size)) == _FRAME.size:
        length, n_lines, crc = _FRAME.unpack(header)
        payload = file.read(length) if length <= _LONGEST_FRAME else b""
        if len(payload) != length or zlib.crc32(payload) != crc or payload.count(b"\n") + 1 != n_lines:
            return
        yield payload, n_lines


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
