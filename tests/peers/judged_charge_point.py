"""Our virtual charge point through every message in both directions, judged by a library we did not write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.peers.strict_library import strict_library
from tests.services import require_program
from tests.simulators.chargers import car, charger, switched_on
from twin_core.models.ids import IdTag

SERVER = Path(__file__).parent / "strict_server" / "server.mjs"


@asynccontextmanager
async def strict_server(modules: Path) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """Its port, and the lines it prints."""
    node = require_program("node")
    process = await asyncio.create_subprocess_exec(
        node, str(SERVER), "--modules", str(modules), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        first = await asyncio.wait_for(process.stdout.readline(), 20)
        yield json.loads(first)["port"], process.stdout
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)


async def judged_charge_point() -> tuple[dict[str, Any], list[float]]:
    """Have a strict central system drive it.

    Returns:
        What the central system saw, and the currents that were drawn meanwhile.
    """
    hurried = ("firmware.DOWNLOAD_S", "firmware.INSTALL_S", "diagnostics.UPLOAD_S")
    with ExitStack() as patches:
        for name in hurried:
            patches.enter_context(patch(f"simulators.{name}", 0.1))
        return await _driven()


async def _driven() -> tuple[dict[str, Any], list[float]]:
    async with (
        strict_server(strict_library()) as (port, lines),
        switched_on(charger(connectors=2, supply_max_a=40.0), url=f"ws://127.0.0.1:{port}/ocpp") as point,
    ):
        await point.plug(1, car(max_a=32.0), IdTag("TAG"))
        await point.controller.transfer("stranger", "Hello", "data")
        drawn: list[float] = []
        reading = asyncio.create_task(lines.readline())
        while not reading.done():
            await asyncio.wait([reading], timeout=0.25)
            drawn.append(point.grid_currents()[0])
        return json.loads(reading.result()), drawn
