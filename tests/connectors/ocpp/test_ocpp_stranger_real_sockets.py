"""A charge point built on a protocol library we did not write, in strict mode, on a real socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.connectors.ocpp.peer import charger_spec, depot, grant, until, wall_clock
from tests.peers.strict_library import STRANGER, strict_library
from tests.services import require_program
from twin_core.models import events as e
from twin_core.models.grant import GrantOutcome


@pytest.mark.services
async def test_a_strict_stranger_finds_no_fault_and_follows_its_grants() -> None:
    node, modules = require_program("node"), strict_library()
    clock = wall_clock()
    async with depot(charger_spec("STRANGER", fallback_a=6.0), clock=clock) as d:
        url = f"ws://127.0.0.1:{d.system.port}/ocpp"
        arguments = ["--url", url, "--id", "STRANGER", "--seconds", "5", "--interval", "0.5", "--modules", str(modules)]
        process = await asyncio.create_subprocess_exec(node, str(STRANGER), *arguments, stdout=asyncio.subprocess.PIPE)
        await until(lambda: d.sink.of(e.TransactionStarted) and d.sink.of(e.ChargerCommissioned), 20)
        for seq, limit_a in enumerate((13.7, 9.1, 0.0), start=1):
            d.system.offer(grant(limit_a, seq=seq, name="STRANGER", clock=clock))
            await asyncio.sleep(1.3)
        out, _ = await asyncio.wait_for(process.communicate(), 20)
        summary: dict[str, Any] = json.loads(out)

    assert summary["strict_failures"] == []
    assert summary["ok"], summary
    assert [a.outcome for a in d.sink.of(e.GrantAnswered)] == [GrantOutcome.ACCEPTED] * 3
    assert summary["profiles"]["TxProfile"] == 3
    seen = [m.reading.peak_current_a for m in d.sink.of(e.ConnectorMetered)]
    for drawn_a in (13.7, 9.1, 0.0):
        assert drawn_a in seen
    assert len(d.sink.of(e.FallbackConfirmed)) == 1
    assert len(d.sink.of(e.TransactionStopped)) == 1
    assert d.system.counters["STRANGER"].refused == {}
