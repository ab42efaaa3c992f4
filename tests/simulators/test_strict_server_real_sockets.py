"""The virtual charge point against a central system built on a protocol library we did not write, in strict mode."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from simulators.requests import REQUESTS
from tests.services import require_program
from tests.simulators.charge_point_schemas import SAID_BY_CHARGE_POINTS
from tests.simulators.chargers import car, charger, switched_on
from twin_core.models.ids import IdTag

ROOT = Path(__file__).parents[2]
LIBRARY = "ocpp-rpc@2.2.1"


@pytest.fixture(scope="module")
def modules() -> Path:
    """Where the stranger's library lies; installed once into a folder of builds."""
    folder = ROOT / "build" / "peers"
    if (folder / "node_modules" / "ocpp-rpc").is_dir():
        return folder
    npm = require_program("npm")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), LIBRARY]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    if installed.returncode:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"npm could not install {LIBRARY}: {installed.stderr[-400:]}")
        pytest.skip(f"npm could not install {LIBRARY}")
    return folder


@asynccontextmanager
async def strict_server(modules: Path) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """Its port, and the lines it prints."""
    node = require_program("node")
    script = ROOT / "tests" / "peers" / "strict_server" / "server.mjs"
    process = await asyncio.create_subprocess_exec(
        node, str(script), "--modules", str(modules), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        first = await asyncio.wait_for(process.stdout.readline(), 20)
        yield json.loads(first)["port"], process.stdout
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)


@pytest.mark.services
async def test_a_strict_central_system_finds_no_fault_in_anything_the_charge_point_says(
    modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("firmware.DOWNLOAD_S", "firmware.INSTALL_S", "diagnostics.UPLOAD_S"):
        monkeypatch.setattr(f"simulators.{name}", 0.1)
    async with (
        strict_server(modules) as (port, lines),
        switched_on(charger(connectors=2, supply_max_a=40.0), url=f"ws://127.0.0.1:{port}/ocpp") as point,
    ):
        await point.plug(1, car(max_a=32.0), IdTag("TAG"))
        await point.controller.transfer("stranger", "Hello", "data")
        drawn: list[float] = []
        reading = asyncio.create_task(lines.readline())
        while not reading.done():
            await asyncio.wait([reading], timeout=0.25)
            drawn.append(point.grid_currents()[0])
        seen: dict[str, Any] = json.loads(reading.result())

    assert seen["strict_failures"] == []
    assert seen["bad_messages"] == []
    # The profile for the transaction was obeyed while it was there.
    assert 13.5 in drawn
    heard = seen["heard"]
    assert heard["MeterValues"] > 3
    assert heard["Heartbeat"] >= 1
    assert heard["BootNotification"] == 3
    assert set(heard) == SAID_BY_CHARGE_POINTS | {"DataTransfer"}
    assert heard["StartTransaction"] >= 1
    assert heard["StopTransaction"] >= 1
    assert {action for action, _ in seen["answers"]} - {"drawn"} == set(REQUESTS)
    answers = seen["answers"]
    said = {(action, str(answer.get("status")) if isinstance(answer, dict) else answer) for action, answer in answers}
    assert {
        ("ChangeConfiguration", "Accepted"),
        ("ChangeConfiguration", "Rejected"),
        ("TriggerMessage", "Accepted"),
        ("SetChargingProfile", "Accepted"),
        ("GetCompositeSchedule", "Accepted"),
        ("ClearChargingProfile", "Accepted"),
        ("ClearChargingProfile", "Unknown"),
        ("ReserveNow", "Occupied"),
        ("ReserveNow", "Accepted"),
        ("ReserveNow", "Rejected"),
        ("CancelReservation", "Rejected"),
        ("SendLocalList", "VersionMismatch"),
        ("SendLocalList", "Failed"),
        ("GetLog", "AcceptedCanceled"),
        ("GetInstalledCertificateIds", "NotFound"),
        ("GetInstalledCertificateIds", "Accepted"),
        ("InstallCertificate", "Accepted"),
        ("InstallCertificate", "Rejected"),
        ("DeleteCertificate", "NotFound"),
        ("CertificateSigned", "Rejected"),
        ("CertificateSigned", "Accepted"),
        ("ExtendedTriggerMessage", "Accepted"),
        ("SignedUpdateFirmware", "InvalidCertificate"),
        ("SignedUpdateFirmware", "AcceptedCanceled"),
        ("ChangeAvailability", "Scheduled"),
        ("RemoteStopTransaction", "Accepted"),
        ("UnlockConnector", "Unlocked"),
        ("Reset", "Accepted"),
    } <= said
    assert ("SetChargingProfile", "Rejected") not in said
    composite = next(answer for action, answer in answers if action == "GetCompositeSchedule")
    periods = composite["chargingSchedule"]["chargingSchedulePeriod"]
    assert [period["limit"] for period in periods] == [13.5, 6.0]
