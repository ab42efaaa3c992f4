"""kill -9 at any moment: nothing that was answered is lost."""

from __future__ import annotations

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from connectors.store.journal_reader import read_events

ROOT = Path(__file__).parents[3]

GATEWAY = """
import asyncio, sys
from connectors.store.database import Store
from tests.fakes import LoopClock, EPOCH, instant
from twin_core.models.events import Ticked
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag
from twin_core.ports import TransactionStart, TransactionStop

async def charger(store, run, number):
    connector = ConnectorId(ChargerId(f"CP-{number}"), 1)
    for turn in range(100_000):
        started = TransactionStart(connector, IdTag(f"run-{run}"), float(turn), EPOCH)
        transaction, _ = await store.start(started, instant())
        print("start", transaction, flush=True)
        await store.reserve([Grant(connector, turn, 16.0, instant(), 60.0)])
        print("grant", run, number, turn, flush=True)
        store.record(Ticked(at=instant(turn)))
        await store.stop(TransactionStop(transaction, connector.charger, 1.0, EPOCH, "Local"), instant())
        print("stop", transaction, flush=True)

async def main(path, run):
    async with Store(path, clock=LoopClock()) as store, asyncio.TaskGroup() as chargers:
        for number in range(20):
            chargers.create_task(charger(store, run, number))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def run_until_killed(path: Path, run: int, after_s: float) -> list[tuple[str, ...]]:
    """Everything a gateway said was durable before it was killed in the midst of its work."""
    with subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(path), str(run)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        said = b""
        deadline = time.monotonic() + 30
        kill_at = deadline
        while time.monotonic() < kill_at:
            readable, _, _ = select.select([process.stdout], [], [], 0.01)
            if readable:
                said += os.read(process.stdout.fileno(), 65536)
                kill_at = min(kill_at, time.monotonic() + after_s) if kill_at == deadline else kill_at
        process.send_signal(signal.SIGKILL)
        said += process.stdout.read()
    whole = said[: said.rfind(b"\n") + 1].decode()
    return [tuple(line.split()) for line in whole.splitlines()]


@pytest.mark.parametrize("seed", [1])
def test_nothing_answered_is_lost_when_the_gateway_is_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "journal.db"
    acknowledged: list[tuple[str, ...]] = []
    for run in range(4):
        said = run_until_killed(path, run, after_s=rng.uniform(0.02, 0.4))
        assert said, "the gateway did some work before it was killed"
        acknowledged += said
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        started = {str(i) for (i,) in connection.execute("SELECT id FROM transactions")}
        stopped = {str(i) for (i,) in connection.execute("SELECT id FROM transactions WHERE stopped_us IS NOT NULL")}
        grants = {
            (str(run - 1), charger.removeprefix("CP-"), str(seq))
            for run, charger, seq in connection.execute("SELECT run, charger, seq FROM grants")
        }
    by_kind = {kind: {line[1:] for line in acknowledged if line[0] == kind} for kind in ("start", "grant", "stop")}
    assert {t for (t,) in by_kind["start"]} <= started
    assert {t for (t,) in by_kind["stop"]} <= stopped
    assert by_kind["grant"] <= grants
    assert len(by_kind["start"]) == sum(line[0] == "start" for line in acknowledged), "no id is used twice"
    assert len(list(read_events(path))) > 0
