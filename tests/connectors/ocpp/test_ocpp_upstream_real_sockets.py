"""An upstream built on a protocol library we did not write, in strict mode, behind the controller on real sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.ocpp.billing import billing, forwarding
from tests.connectors.ocpp.peer import peer, until, wall_clock
from tests.peers.strict_library import ROOT, strict_library
from tests.services import require_program
from tests.simulators.chargers import car, charger, switched_on
from twin_core.models import events as e
from twin_core.models.ids import ChargerId, IdTag

SERVER = ROOT / "tests" / "peers" / "strict_server" / "server.mjs"


@pytest.mark.services
async def test_a_strict_upstream_finds_no_fault_in_anything_it_is_told_or_answered(tmp_path: Path) -> None:
    node, modules = require_program("node"), strict_library()
    process = await asyncio.create_subprocess_exec(
        node, str(SERVER), "--modules", str(modules), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))["port"]
        spec = charger(connectors=2, supply_max_a=40.0)
        clock = wall_clock()
        async with (
            forwarding(tmp_path, port, spec, threaded=True, clock=clock, request_burst=100) as f,
            switched_on(spec, url=f"ws://127.0.0.1:{f.system.port}/ocpp") as point,
        ):
            await until(lambda: f.upstream.snapshot().chargers[spec.id].accepted, 20)
            await point.plug(1, car(max_a=32.0), IdTag("TAG"))
            seen: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
            status = f.upstream.snapshot().chargers[spec.id]
            limited = f.sink.of(e.ConnectorLimited)
            refused = f.system.counters[spec.id].refused
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)

    assert seen["strict_failures"] == []
    assert seen["bad_messages"] == []
    heard, answers = seen["heard"], seen["answers"]
    assert set(heard) >= {
        "BootNotification",
        "StatusNotification",
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
    }
    said = {(action, str(answer.get("status")) if isinstance(answer, dict) else answer) for action, answer in answers}
    assert {
        ("ChangeConfiguration", "Rejected"),
        ("TriggerMessage", "Accepted"),
        ("SetChargingProfile", "Accepted"),
        ("GetCompositeSchedule", "Accepted"),
        ("ClearChargingProfile", "Accepted"),
        ("ClearChargingProfile", "Unknown"),
        ("GetDiagnostics", "NotSupported"),
        ("RemoteStopTransaction", "Accepted"),
        ("UnlockConnector", "Unlocked"),
        ("Reset", "Accepted"),
    } <= said
    assert {event.limit_a for event in limited if event.connector_id.number == 1} >= {13.5, 10.0}
    assert status.refused == {}
    assert refused["unsolicited-answer"] == 0


async def test_a_charger_and_its_upstream_meet_over_real_sockets(tmp_path: Path) -> None:
    async with (
        billing() as b,
        forwarding(tmp_path, b.port, threaded=True, clock=wall_clock()) as f,
        peer(f.system.port) as point,
    ):
        await point.boot()
        ours = await point.start()
        await until(lambda: b.said("StartTransaction"), 10)
        await b.shut()
        await point.call(
            "StopTransaction", {"transactionId": ours, "meterStop": 2000, "timestamp": "2026-06-01T13:00:00Z"}
        )
        await until(lambda: not f.upstream.snapshot().chargers[ChargerId("CP1")].linked, 10)
        b.back()
        await until(lambda: b.said("StopTransaction"), 20)
        assert b.said("StopTransaction")[0]["transactionId"] == 700001
        assert b.said("StopTransaction")[0]["timestamp"] == "2026-06-01T13:00:00Z"
