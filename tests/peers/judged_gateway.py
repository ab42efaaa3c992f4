"""Our gateway through every message in both directions, judged by a library we did not write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.ocpp import requests
from connectors.ocpp.operations import Answer, Operations
from connectors.ocpp.vendors import VendorAnswer
from tests.connectors.ocpp.peer import charger_spec, depot, until, wall_clock
from tests.connectors.ocpp.test_ocpp_messages import EXAMPLES
from tests.peers.strict_library import strict_library
from tests.services import require_program
from twin_core.models import events as e
from twin_core.models.authorisation import TagStanding, TagStatus
from twin_core.models.ids import ChargerId, IdTag

STRICT = ChargerId("STRICT")
PEER = Path(__file__).with_name("every_message.mjs")


@dataclass(frozen=True)
class Judgement:
    """What a strict charge point saw of our gateway, and our gateway of it.

    Attributes:
        summary: the peer's own: what it said and was asked, and what broke its schemas, of ours and of its own.
        answers: what it answered to our operations.
        flawed: its messages that broke our schemas.
    """

    summary: dict[str, Any]
    answers: Sequence[Answer]
    flawed: dict[str, int]


async def judged_gateway() -> Judgement:
    """Let a strict charge point say everything and be asked everything."""
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
    return Judgement(json.loads(out), answers, dict(d.system.counters[STRICT].flawed))
