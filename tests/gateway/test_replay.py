"""Replay: a recorded run gives its own grants again, and whoever tampered with it is found out."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import async_solipsism
import pytest

from connectors.store.database import Store
from gateway.cli import main
from gateway.clock import LoopClock
from gateway.depot import EFFECTIVE_SITE, Depot
from gateway.replay import replay
from gateway.site_file import SiteFile, fleet, parse_site, site_tree, tariff
from tests.fakes import EPOCH
from tests.gateway.site_texts import GOOD
from tests.twin_core.facts import draws, plugged_in, ready, unplugged
from tests.twin_core.test_runtime import World
from twin_core.cycle import Twin
from twin_core.errors import ConfigurationError, StorageError
from twin_core.models import events as ev
from twin_core.models.ids import NodeId
from twin_core.runtime import Runtime


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a depot that ran for ten minutes."""
    folder = tmp_path_factory.mktemp("recorded")
    site, _ = parse_site(GOOD, "x.toml")
    (folder / EFFECTIVE_SITE).write_text(site.model_dump_json())
    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        runner.run(_live(folder, site))
    return folder


async def _live(folder: Path, site: SiteFile) -> None:
    clock = LoopClock(EPOCH)
    async with Store(folder / "journal.db", clock=clock, threaded=False) as store:
        world = World(answers=True)
        since = clock.now().utc
        settings = Depot(site, clock=clock).settings
        twin = Twin(site_tree(site), since=since, tariff=tariff(site, since), fleet=fleet(site), settings=settings)
        world.runtime = Runtime(twin, clock=clock, journal=store, solver=world)
        task = asyncio.create_task(world.runtime.run(world))
        await asyncio.sleep(1)
        world.put(*ready("CP1"), *ready("CP2"))
        await asyncio.sleep(20)
        world.put(*plugged_in("CP1", energy_kwh=5.0))
        for second in range(0, 400, 5):
            world.put(draws("CP1", 10.0, second))
            if second == 100:
                world.wanted_a = 16.0
                world.put(*plugged_in("CP2", energy_kwh=3.0))
            if second == 200:
                until = clock.now().later(60).utc
                world.put(
                    ev.LimitChanged(at=clock.now(), node_id=NodeId("grid"), limit_a=14, limit_kw=None, until=until)
                )
            await asyncio.sleep(5)
        world.put(unplugged("CP1", 0.0))
        await asyncio.sleep(30)
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(recorded, tmp_path / "data"))


def spoil(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "journal.db")) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def test_a_run_gives_its_own_grants_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = replay(folder / "journal.db")
    assert result.grants > 10
    assert result.ticks > 200
    assert result.differing == []
    assert main(["replay", str(folder / "journal.db")]) == 0
    assert "the same" in capsys.readouterr().out


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE grants SET limit_a = limit_a + 1 WHERE id = (SELECT max(id) FROM grants)",
        "UPDATE grants SET seq = seq + 100 WHERE id = (SELECT max(id) / 2 FROM grants)",
        "DELETE FROM grants WHERE id = (SELECT max(id) FROM grants)",
        "DELETE FROM grants WHERE id = (SELECT min(id) FROM grants)",
        "INSERT INTO grants SELECT (SELECT max(id) + 1 FROM grants), {} FROM grants WHERE id = 3",
    ],
)
def test_a_journal_with_one_grant_changed_removed_or_added_differs(
    tampering: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(grants)") if row[1] != "id"]
    copied = ", ".join("seq + 1000" if name == "seq" else name for name in columns)
    spoil(folder, tampering.format(copied))
    assert replay(folder / "journal.db").differences >= 1
    assert main(["replay", str(folder / "journal.db")]) == 1
    assert "differ" in capsys.readouterr().out


def test_a_journal_without_one_of_its_facts_differs(folder: Path) -> None:
    spoil(folder, "DELETE FROM events WHERE body LIKE '%TransactionStopped%' OR kind = 'TransactionStopped'")
    assert replay(folder / "journal.db").differences >= 1


def test_a_damaged_fact_is_named_and_not_passed_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(folder, "UPDATE events SET body = x'7b' WHERE seq = 5")
    with pytest.raises(StorageError):
        replay(folder / "journal.db")
    assert main(["replay", str(folder / "journal.db")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_another_site_is_seen_in_the_grants(folder: Path) -> None:
    path = folder / EFFECTIVE_SITE
    site = json.loads(path.read_text())
    site["grid"]["limit_a"] = 8.0
    path.write_text(json.dumps(site))
    assert replay(folder / "journal.db").differences >= 1


def test_a_site_file_or_a_run_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no run 7"):
        replay(folder / "journal.db", run=7)
    (folder / EFFECTIVE_SITE).unlink()
    with pytest.raises(ConfigurationError, match="--site"):
        replay(folder / "journal.db")
    (folder / "site.toml").write_text(GOOD)
    assert replay(folder / "journal.db", folder / "site.toml").differing == []
