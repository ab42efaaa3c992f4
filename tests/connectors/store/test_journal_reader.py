"""A journal is read back in order, and a file that is none says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from connectors.store.database import Store
from connectors.store.journal_reader import list_runs, read_events
from connectors.store.schema import JOURNAL_MIGRATIONS
from tests.fakes import EPOCH, LoopClock, instant
from twin_core.errors import StorageError
from twin_core.models.events import PlanAdopted, Ticked
from twin_core.models.ids import SessionId
from twin_core.models.plan import Plan, PlanStatus
from twin_core.models.problem import Horizon


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    path = tmp_path / "a journal?.db"
    for run in range(2):
        async with Store(path, clock=LoopClock(), threaded=False) as store:
            for second in range(3):
                store.record(Ticked(at=instant(10 * run + second)))
    return path


def alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


async def test_runs_are_told_apart(journal: Path) -> None:
    assert [(run.number, run.events) for run in list_runs(journal)] == [(1, 3), (2, 3)]
    assert [event.at.monotonic_s for event in read_events(journal)] == [0, 1, 2, 10, 11, 12]
    assert [event.at.monotonic_s for event in read_events(journal, run=2)] == [10, 11, 12]


async def test_a_journal_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    async with Store(tmp_path / "j", clock=LoopClock(), threaded=False) as store:
        store.record(Ticked(at=instant()))
        await store.transact(lambda _: None)
        assert len(list(read_events(tmp_path / "j"))) == 1


def test_reading_changes_nothing(journal: Path) -> None:
    before = journal.read_bytes()
    list(read_events(journal))
    assert journal.read_bytes() == before


async def test_a_large_plan_is_packed_and_comes_back(tmp_path: Path) -> None:
    names = tuple(SessionId(f"s{n}") for n in range(50))
    power = np.random.default_rng(1).uniform(0, 11, (50, 96)).round(2)
    plan = Plan("pa", PlanStatus.PROVED, Horizon(EPOCH, 0.25, 96), names, power, np.zeros(50), 1.0)
    async with Store(tmp_path / "j", clock=LoopClock(), threaded=False) as store:
        store.record(PlanAdopted(at=instant(), plan=plan))
    (event,) = read_events(tmp_path / "j")
    assert isinstance(event, PlanAdopted)
    assert np.array_equal(event.plan.power_kw, power)


def test_a_missing_file_is_named_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not there"):
        list(read_events(tmp_path / "nothing.db"))
    assert not (tmp_path / "nothing.db").exists()


def test_a_text_file_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary, " * 100)
    with pytest.raises(StorageError, match="no journal"):
        list(read_events(tmp_path / "notes.txt"))


def test_another_programs_database_is_no_journal(tmp_path: Path) -> None:
    alter(tmp_path / "other.db", "CREATE TABLE songs (title TEXT)")
    with pytest.raises(StorageError, match="another program"):
        list(read_events(tmp_path / "other.db"))


def test_an_empty_file_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(StorageError, match="another program"):
        list(read_events(tmp_path / "empty.db"))


async def test_a_newer_journal_says_which_version_it_needs(journal: Path) -> None:
    alter(journal, f"PRAGMA user_version = {len(JOURNAL_MIGRATIONS) + 1}")
    with pytest.raises(StorageError, match="newer version"):
        list(read_events(journal))
    with pytest.raises(StorageError, match="newer version"):
        async with Store(journal, clock=LoopClock(), threaded=False):
            pass


async def test_a_damaged_row_is_named(journal: Path) -> None:
    alter(journal, "UPDATE events SET body = x'00' WHERE seq = 4")
    reading = read_events(journal)
    assert [next(reading).at.monotonic_s for _ in range(3)] == [0, 1, 2]
    with pytest.raises(StorageError, match="row 4"):
        next(reading)


def test_a_file_cut_short_says_it_is_damaged(journal: Path) -> None:
    journal.write_bytes(journal.read_bytes()[:6000])
    with pytest.raises(StorageError, match=r"damaged|no journal"):
        list(read_events(journal))
