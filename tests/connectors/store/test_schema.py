"""A file is lifted step by step to the newest version, and never half."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connectors.store.schema import connect, from_microseconds, microseconds
from tests.fakes import EPOCH
from twin_core.errors import StorageError

OLD = (("CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)"),)
NEW = (*OLD, ("ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7", "CREATE TABLE b (x INTEGER)"))
ID = 99


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_an_old_file_is_lifted_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "db"
    connect(path, OLD, ID, synchronous="FULL").close()
    assert version(path) == 1
    for _ in range(2):
        with closing(connect(path, NEW, ID, synchronous="FULL")) as connection:
            assert connection.execute("SELECT * FROM a").fetchall() == [(1, 7)]
    assert version(path) == 2


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "db"
    connect(path, OLD, ID, synchronous="FULL").close()
    broken = (*OLD, ("CREATE TABLE b (x INTEGER)", "CREATE TABLE a (x INTEGER)"))
    with pytest.raises(StorageError, match="already exists"):
        connect(path, broken, ID, synchronous="FULL")
    assert version(path) == 1
    with closing(connect(path, OLD, ID, synchronous="FULL")) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]


def test_a_file_of_another_kind_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "db"
    connect(path, OLD, ID, synchronous="FULL").close()
    with pytest.raises(StorageError, match="another program"):
        connect(path, NEW, ID + 1, synchronous="FULL")
    assert version(path) == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        connect(tmp_path / "nowhere" / "db", OLD, ID, synchronous="FULL")


def test_moments_are_kept_to_the_microsecond() -> None:
    moment = EPOCH.replace(microsecond=123457, year=2199)
    assert from_microseconds(microseconds(moment)) == moment
