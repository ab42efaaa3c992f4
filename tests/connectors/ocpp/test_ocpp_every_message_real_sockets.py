"""Every message in both directions, judged by a library we did not write and its own copy of the schemas."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.ocpp import requests
from connectors.ocpp.operations import Operations, Outcome
from connectors.ocpp.routing import INCOMING, OUTGOING
from connectors.ocpp.vendors import VendorAnswer
from tests.connectors.ocpp.peer import charger_spec, depot, until, wall_clock
from tests.connectors.ocpp.test_ocpp_messages import EXAMPLES
from tests.peers.strict_library import strict_library
from tests.services import require_program
from twin_core.models import events as e
from twin_core.models.authorisation import TagStanding, TagStatus
from twin_core.models.ids import ChargerId, IdTag

STRICT = ChargerId("STRICT")
PEER = Path(__file__).parents[2] / "peers" / "every_message.mjs"


@pytest.mark.services
async def test_a_strict_stranger_finds_no_fault_in_any_message() -> None:
    node, modules = require_program("node"), strict_library()
    clock = wall_clock()
    vendors = {"org.example": lambda *_: VendorAnswer("Accepted", "pong")}
    async with depot(charger_spec(STRICT), clock=clock, vendors=vendors) as d:
        until_then = clock.now().utc + timedelta(days=1)
        full = TagStanding(TagStatus.BLOCKED, until_then, IdTag("TEAM"))
        d.directory.authorise = lambda tag, _: full if tag == "EV-2" else TagStanding(TagStatus.ACCEPTED)  # type: ignore[method-assign]
        url = f"ws://127.0.0.1:{d.system.port}/ocpp"
        arguments = [str(PEER), "--url", url, "--id", STRICT, "--modules", str(modules)]
        process = await asyncio.create_subprocess_exec(node, *arguments, stdout=asyncio.subprocess.PIPE)
        await until(lambda: d.sink.of(e.ChargerCommissioned), 20)
        operations = Operations(d.system, lambda: 1)
        answers = [await operations.ask(STRICT, request) for request in EXAMPLES]
        await operations.ask(STRICT, requests.data_transfer("end"))
        out, _ = await asyncio.wait_for(process.communicate(), 20)
    summary = json.loads(out)
    assert summary["failures"] == []
    assert summary["own_failures"] == []
    assert set(summary["said"]) == set(INCOMING)
    assert set(summary["asked"]) == set(OUTGOING)
    assert {answer.outcome for answer in answers} == {Outcome.DONE, Outcome.REFUSED}
    assert d.system.counters[STRICT].flawed == {}
