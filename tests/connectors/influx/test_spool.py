"""The queue of lines on disk."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connectors.influx.spool import Batch, Spool
from twin_core.errors import StorageError

line = st.binary(min_size=1, max_size=20).map(lambda b: b.replace(b"\n", b" "))
lines = st.lists(line, min_size=1, max_size=5)


def open_spool(directory: Path, *, segment_bytes: int = 4096, quota_bytes: int = 2**20) -> Spool:
    return Spool(directory, segment_bytes=segment_bytes, quota_bytes=quota_bytes)


def rest(spool: Spool) -> list[bytes]:
    """Everything that waits, taken."""
    taken: list[bytes] = []
    while (batch := spool.read(1000, 2**20)) is not None:
        taken += batch.lines
        spool.advance(batch.end)
    return taken


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("segment-*.spool"))


class SpoolBesideAModel(RuleBasedStateMachine):
    """Appends, reads, deliveries, closings and sudden deaths, beside a plain queue."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="spool-test-"))
        self.model: deque[bytes] = deque()
        self.batch: Batch | None = None

    @initialize()
    def begin(self) -> None:
        self.spool = open_spool(self.directory, segment_bytes=100)

    @rule(more=lines)
    def append(self, more: list[bytes]) -> None:
        self.spool.append(more)
        self.model += more

    @rule(most=st.integers(1, 12))
    def read(self, most: int) -> None:
        self.batch = self.spool.read(most, 2**20)
        if self.batch is None:
            assert not self.model
        else:
            assert list(self.batch.lines) == list(self.model)[: len(self.batch.lines)]

    @precondition(lambda self: self.batch is not None)
    @rule()
    def deliver(self) -> None:
        assert self.batch is not None
        self.spool.advance(self.batch.end)
        for _ in self.batch.lines:
            self.model.popleft()
        self.batch = None

    @rule()
    def restart(self) -> None:
        self.spool.close()
        self.begin()
        self.batch = None

    @rule(torn=st.binary(min_size=1, max_size=30))
    def die_while_writing(self, torn: bytes) -> None:
        self.spool.close()
        if files := segments(self.directory):
            with files[-1].open("ab") as file:
                file.write(torn)
        self.begin()
        self.batch = None

    @invariant()
    def it_counts_what_waits(self) -> None:
        assert self.spool.backlog == len(self.model)
        assert self.spool.dropped == 0

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.directory)


TestSpoolBesideAModel = SpoolBesideAModel.TestCase
TestSpoolBesideAModel.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_lines_come_out_in_the_order_they_went_in_and_survive_a_restart(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.append([b"1", b"2"])
        spool.append([b"3"])
    with open_spool(tmp_path) as spool:
        spool.append([b"4"])
        assert rest(spool) == [b"1", b"2", b"3", b"4"]
        assert spool.backlog == 0
    with open_spool(tmp_path) as spool:
        assert rest(spool) == []


def test_lines_that_were_read_and_not_delivered_are_read_again(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.append([b"1"])
        assert spool.read(10, 2**20) == spool.read(10, 2**20)
    with open_spool(tmp_path) as spool:
        assert rest(spool) == [b"1"]


def test_a_place_already_passed_moves_nothing_back(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.append([b"1"])
        first = spool.read(1, 2**20)
        assert first is not None
        spool.append([b"2"])
        assert rest(spool) == [b"1", b"2"]
        spool.advance(first.end)
        assert spool.backlog == 0
    with open_spool(tmp_path) as spool:
        assert rest(spool) == []


def test_delivered_files_leave_the_disk(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        for _ in range(40):
            spool.append([b"x" * 1000])
        assert len(segments(tmp_path)) > 5
        rest(spool)
        assert len(segments(tmp_path)) <= 1


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(lines, min_size=1, max_size=6), data=st.data())
def test_a_file_cut_anywhere_gives_back_every_whole_frame_and_nothing_else(
    frames: list[list[bytes]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        ends = []
        with open_spool(path) as spool:
            for frame in frames:
                spool.append(frame)
                ends.append(spool.size_bytes)
        (file,) = segments(path)
        cut = data.draw(st.integers(0, ends[-1]), label="cut")
        os.truncate(file, cut)
        with open_spool(path) as spool:
            whole = [line for frame, end in zip(frames, ends, strict=True) if end <= cut for line in frame]
            assert rest(spool) == whole


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(lines, min_size=1, max_size=6), data=st.data())
def test_a_flipped_bit_never_brings_out_a_line_that_never_went_in(
    frames: list[list[bytes]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        with open_spool(path) as spool:
            for frame in frames:
                spool.append(frame)
            (file,) = segments(path)
            content = bytearray(file.read_bytes())
            content[data.draw(st.integers(0, len(content) - 1), label="byte")] ^= 1 << data.draw(st.integers(0, 7))
            file.write_bytes(content)
            written = [line for frame in frames for line in frame]
            alive = rest(spool)  # the running process finds the damage when it reads
            assert alive == written[: len(alive)]
            assert spool.dropped == len(written) - len(alive)
            spool.append([b"later"])
            assert rest(spool) == [b"later"]


def test_a_damaged_file_does_not_keep_back_the_files_behind_it(tmp_path: Path) -> None:
    with open_spool(tmp_path, segment_bytes=20) as spool:
        for n in range(4):
            spool.append([b"line %d" % n])
    files = segments(tmp_path)
    files[1].write_bytes(b"rubbish")
    with open_spool(tmp_path) as spool:
        assert rest(spool) == [b"line 0", b"line 2", b"line 3"]


def test_a_full_spool_drops_the_oldest_file_and_counts_its_lines(tmp_path: Path) -> None:
    with open_spool(tmp_path, segment_bytes=4096, quota_bytes=16384) as spool:
        for n in range(300):
            spool.append([b"%04d" % n + b"x" * 96])
        assert spool.size_bytes <= 16384
        waiting = rest(spool)
        assert spool.dropped > 0
        assert len(waiting) + spool.dropped == 300
        assert waiting[-1].startswith(b"0299")
        assert waiting == sorted(waiting)


def test_lines_in_the_senders_hands_are_not_counted_as_dropped(tmp_path: Path) -> None:
    with open_spool(tmp_path, segment_bytes=4096, quota_bytes=8192) as spool:
        for n in range(10):
            spool.append([b"%04d" % n + b"x" * 96])
        batch = spool.read(4, 2**20)
        assert batch is not None
        for n in range(10, 200):
            spool.append([b"%04d" % n + b"x" * 96])
        spool.advance(batch.end)  # its file is gone already
        assert len(batch.lines) + spool.dropped + len(rest(spool)) == 200


@pytest.mark.parametrize("content", [b"", b"1 ", b"7 8 9\n", b"\xff\xfe"])
def test_a_lost_or_torn_cursor_means_reading_again_from_the_oldest(tmp_path: Path, content: bytes) -> None:
    with open_spool(tmp_path) as spool:
        spool.append([b"1"])
        spool.append([b"2"])
        batch = spool.read(1, 2**20)
        assert batch is not None
        spool.advance(batch.end)
    (tmp_path / "cursor").write_bytes(content)
    with open_spool(tmp_path) as spool:
        assert rest(spool) == [b"1", b"2"]


def test_a_second_process_is_told_that_the_spool_is_taken(tmp_path: Path) -> None:
    with open_spool(tmp_path), pytest.raises(StorageError, match="in use by another process"):
        open_spool(tmp_path)
    open_spool(tmp_path).close()


def test_a_full_disk_keeps_nothing_by_halves_and_collects_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_spool(tmp_path) as spool:
        spool.append([b"before"])
        with monkeypatch.context() as full:
            full.setattr(os, "fdatasync", no_space)
            for _ in range(5):
                with pytest.raises(StorageError, match="No space left"):
                    spool.append([b"offered"])
        assert len(segments(tmp_path)) == 1
        spool.append([b"offered"])
        assert rest(spool) == [b"before", b"offered"]


def test_a_disk_that_cannot_be_read_just_now_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_spool(tmp_path) as spool:
        spool.append([b"1"])
        with monkeypatch.context() as broken:
            broken.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(OSError(errno.EMFILE, "Too many open files")))
            with pytest.raises(StorageError, match="Too many open files"):
                spool.read(10, 2**20)
        assert rest(spool) == [b"1"]


def test_a_directory_that_cannot_be_used_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        open_spool(tmp_path / "file")
