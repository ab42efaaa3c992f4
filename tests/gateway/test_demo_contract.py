"""`depot demo` as others call it: a process of its own, real sockets, a report on disk and an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.connectors.ocpp.peer import Peer, peer
from tests.peers.strict_library import STRANGER, strict_library
from tests.services import free_port, require_program

ROOT = Path(__file__).parents[2]

KEYS = {
    "sessions": {"started", "completed"},
    "energy": {"requested_kwh", "delivered_kwh", "unserved_kwh"},
    "envelope": {"violations", "min_margin_kw"},
    "setpoints": {"sent", "accepted", "obeyed", "not_obeyed"},
    "plans": {"count", "fallbacks", "p50_ms", "p99_ms"},
    "loop_lag_ms": {"p99", "max"},
    "telemetry": {"points_written", "points_lost"},
}


@contextlib.asynccontextmanager
async def demo(report: Path, **options: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """A demo in a process of its own; killed where the test ends before it."""
    asked = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.cli", "--log-format", "json", "demo", "--headless"),
        *("--report", str(report), *asked),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_open(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


async def test_a_short_run_ends_by_itself_with_every_promised_number(tmp_path: Path) -> None:
    ports = {name: free_port() for name in ("ocpp_port", "mqtt_port", "panel_port")}
    report = tmp_path / "deep" / "report.json"
    async with demo(report, speed=60, minutes=6, seed=7, **ports) as process:
        await until_open(ports["panel_port"])
        async with httpx.AsyncClient(trust_env=False) as browser:
            health = await browser.get(f"http://127.0.0.1:{ports['panel_port']}/healthz")
        assert health.status_code == 200
        out, errors = await asyncio.wait_for(process.communicate(), 60)

    written: dict[str, Any] = json.loads(report.read_text())
    assert {name: keys - written[name].keys() for name, keys in KEYS.items()} == {name: set() for name in KEYS}
    assert isinstance(written["cost_eur"], float)
    told = b"the depot did its job" in out
    assert (process.returncode, told, b"not done" in out) in {(0, True, False), (1, False, True)}
    assert written["envelope"]["violations"] == 0
    assert written["telemetry"]["points_lost"] == 0
    assert written["telemetry"]["points_written"] > 0
    assert written["sessions"]["started"] == written["truth"]["sessions"] > 0
    assert written["setpoints"]["obeyed"] > 0
    assert written["setpoints"]["not_obeyed"] == 0
    assert written["plans"]["count"] > 0
    assert written["adopted"] == []
    assert b"panel" not in errors.lower() or b"traceback" not in errors.lower()
    for line in errors.splitlines():
        json.loads(line)


async def test_wrong_options_are_refused_in_one_line(tmp_path: Path) -> None:
    for options, words in (
        ({"minutes": -1}, b"not above 0"),
        ({"planner": "best"}, b"not known"),
    ):
        async with demo(tmp_path / "r.json", **{"ocpp_port": 0, "mqtt_port": 0, "panel_port": 0, **options}) as process:
            _, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 2
        assert words in errors
        assert b"Traceback" not in errors


def _composite(payload: dict[str, Any]) -> dict[str, Any]:
    """The fallback, as a charger with nothing else in force reads it back."""
    schedule = {
        "duration": payload["duration"],
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0.0}],
    }
    now = datetime.now(UTC).isoformat()
    return {"status": "Accepted", "connectorId": 1, "scheduleStart": now, "chargingSchedule": schedule}


async def ignore_every_limit(port: int, seconds: float) -> Peer:
    """A charge point that accepts every limit, and draws 40 A."""
    async with peer(port, "DEAF", answers={"GetCompositeSchedule": _composite}) as charger:
        await charger.boot()
        await charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"})
        transaction = await charger.start(at=datetime.now(UTC).isoformat())
        until_s = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until_s:
            samples = [
                {"value": "40.0", "measurand": "Current.Import", "unit": "A", "phase": phase}
                for phase in ("L1", "L2", "L3")
            ]
            value = {"timestamp": datetime.now(UTC).isoformat(), "sampledValue": samples}
            meter = {"connectorId": 1, "transactionId": transaction, "meterValue": [value]}
            await charger.call("MeterValues", meter)
            await asyncio.sleep(2)
    return charger


async def speak_nonsense(port: int) -> None:
    """A charge point whose frames are no frames; it is still answered after them."""
    async with peer(port, "NOISE") as charger:
        for frame in ("", "{", "[]", "[2]", '[2,"a"]', '[9,"a","b",{}]', "[" * 2000, "null", '[3,"x",{}]', b"\xff\x00"):
            await charger.raw(frame)
        await charger.raw([2, "m", "MeterValues", {"connectorId": "one", "meterValue": [{"timestamp": "never"}]}])
        await charger.raw([2, "n", "NoSuchAction", {}])
        assert (await charger.boot())["status"] == "Accepted"
        for value in ("NaN", "1e999", "-5"):
            sample = {"value": value, "measurand": "Current.Import", "unit": "A"}
            reading = {"timestamp": datetime.now(UTC).isoformat(), "sampledValue": [sample]}
            await charger.call("MeterValues", {"connectorId": 1, "meterValue": [reading]})


@pytest.mark.services
async def test_strangers_join_a_real_time_demo_and_none_of_them_stops_it(tmp_path: Path) -> None:
    node, modules = require_program("node"), strict_library()
    port, report = free_port(), tmp_path / "report.json"
    options = {"ocpp_port": port, "mqtt_port": 0, "panel_port": 0, "planner": "edf"}
    # Long enough for the simulated chargers to have their fallbacks read back: until then they count in full.
    async with demo(report, speed=1, minutes=0.15, **options) as process:
        await until_open(port)
        arguments = [
            "--url",
            f"ws://127.0.0.1:{port}/ocpp",
            "--id",
            "STRICT",
            "--seconds",
            "24",
            "--interval",
            "2",
            "--car-amps",
            "32",
        ]
        strict = await asyncio.create_subprocess_exec(
            node, str(STRANGER), *arguments, "--modules", str(modules), stdout=asyncio.subprocess.PIPE
        )
        await speak_nonsense(port)
        with pytest.raises(Exception, match="404"):
            await connect(f"ws://127.0.0.1:{port}/ocpp/grid", subprotocols=["ocpp1.6"], proxy=None)  # type: ignore[list-item]
        deaf = await ignore_every_limit(port, 22)
        told, _ = await asyncio.wait_for(strict.communicate(), 30)
        out, errors = await asyncio.wait_for(process.communicate(), 60)

    stranger, written = json.loads(told), json.loads(report.read_text())
    assert stranger["strict_failures"] == []
    assert stranger["ok"], stranger
    assert stranger["transaction_id"]
    assert stranger["profiles"]["TxProfile"] >= 1
    assert stranger["peak_a"] >= 6
    assert deaf.profiles()
    assert written["adopted"] == ["DEAF", "NOISE", "STRICT"], errors[-2000:]
    assert written["setpoints"]["accepted"] >= stranger["profiles"]["TxProfile"]
    assert written["setpoints"]["obeyed"] >= 1
    assert written["setpoints"]["not_obeyed"] >= 1
    assert written["refused"] >= 10
    assert written["envelope"]["violations"] == 0
    assert process.returncode == 0, out
