"""MeterValues per CPU-second of the server: ours beside the stock `ocpp` library, in one run.

Each server runs in a process of its own and states its own CPU time; the load comes from another process, so that
only the server's work is counted. Servers take turns, and medians of the turns are compared. A message is a MeterValues
with ten samples over a real socket on loopback; ours is decoded, routed, translated, checked, turned into an event,
stored as the newest reading of its connector, and answered; the stock library decodes, validates, routes to a handler
that stores the samples, and answers.

    python -m benchmarks.ocpp_throughput
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from connectors.ocpp.central_system import CentralSystem, CentralSystemSettings
from tests.fakes import ListedChargers, LoopClock, MemoryLedger
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.ids import ChargerId, ConnectorId

CONNECTIONS = 40
WARM_UP_S = 1.0
MEASURE_S = 3.0
REPEATS = 3
SERVERS = ("ours", "stock")
AIM = 8.0

_PHASED = [("Current.Import", "A", "10.1"), ("Voltage", "V", "231.2"), ("Power.Active.Import", "W", "2335.0")]


def meter_values() -> dict[str, Any]:
    """A MeterValues payload with ten samples."""
    samples = [
        {"value": value, "context": "Sample.Periodic", "measurand": measurand, "phase": phase, "unit": unit}
        for measurand, unit, value in _PHASED
        for phase in ("L1", "L2", "L3")
    ]
    samples.append({"value": "123456", "context": "Sample.Periodic", "unit": "Wh"})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"connectorId": 1, "meterValue": [{"timestamp": now, "sampledValue": samples}]}


def run() -> list[dict[str, Any]]:
    """Measure, print a table, and return one row per server and one for their ratio."""
    rates: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(REPEATS):
        for name in SERVERS:
            rates[name].append(_measure(name))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    rows: list[dict[str, Any]] = [
        {
            "benchmark": "ocpp_throughput",
            "server": name,
            "messages_per_cpu_s": round(medians[name]),
            "min": round(min(rates[name])),
            "max": round(max(rates[name])),
        }
        for name in SERVERS
    ]
    ratio = medians["ours"] / medians["stock"]
    rows.append({"benchmark": "ocpp_throughput", "server": "ratio", "ratio": round(ratio, 1), "aim": AIM})
    print(f"MeterValues with 10 samples, {CONNECTIONS} connections, per CPU-second of the server")
    for name in SERVERS:
        print(f"  {name:6} {medians[name]:>9,.0f}   ({min(rates[name]):,.0f} to {max(rates[name]):,.0f})")
    print(f"  ratio  {ratio:>9.1f}   (aim {AIM:g})")
    return rows


def _measure(name: str) -> float:
    """Messages per CPU-second of one server under load."""
    server = _spawn("serve", name)
    port = json.loads(_line(server))["port"]
    load = _spawn("load", str(port))
    try:
        _line(load)  # every connection is open
        time.sleep(WARM_UP_S)
        before = _mark(server)
        time.sleep(MEASURE_S)
        after = _mark(server)
    finally:
        for process in (load, server):
            process.kill()
            process.wait()
    return float((after["messages"] - before["messages"]) / (after["cpu_s"] - before["cpu_s"]))


def _spawn(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.ocpp_throughput", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} ended early")
    return line


def _mark(server: subprocess.Popen[str]) -> dict[str, float]:
    assert server.stdin is not None
    server.stdin.write("mark\n")
    server.stdin.flush()
    found: dict[str, float] = json.loads(_line(server))
    return found


class _Newest:
    """Stands in for the twin: the newest reading of each connector."""

    def __init__(self) -> None:
        self.readings: dict[Any, Any] = {}
        self.messages = 0

    def put(self, event: Any) -> None:
        connector = getattr(event, "connector_id", None)
        if connector is not None and hasattr(event, "reading"):
            self.readings[connector] = event.reading
            self.messages += 1


def _answer_marks(newest: _Newest) -> None:
    """State CPU time and messages whenever asked on standard input; in a thread, so that the server is not slowed."""
    for _ in sys.stdin:
        print(json.dumps({"cpu_s": time.process_time(), "messages": newest.messages}), flush=True)


async def _serve_ours() -> None:
    names = [ChargerId(f"CP{number}") for number in range(CONNECTIONS)]
    specs = {name: ChargerSpec(name, (ConnectorSpec(ConnectorId(name, 1)),)) for name in names}
    newest = _Newest()
    # No charger of flesh and blood sends a thousand messages a second: the flood guard is out of the way here.
    settings = CentralSystemSettings(port=0, messages_per_s=1e6, message_burst=1_000_000, boot_grace_s=3600)
    system = CentralSystem(
        settings, clock=LoopClock(), sink=newest, ledger=MemoryLedger(), directory=ListedChargers(specs)
    )
    async with system:
        await _state_port(system.port, newest)


async def _serve_stock() -> None:
    newest = _Newest()

    class Stock(ChargePoint):  # type: ignore[misc]
        @on("MeterValues")
        def on_meter_values(self, connector_id: int, meter_value: list[Any], **_: Any) -> Any:
            newest.readings[(self.id, connector_id)] = meter_value[0]
            newest.messages += 1
            return call_result.MeterValues()

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        await Stock(connection.request.path.rsplit("/", 1)[-1], connection).start()

    async with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None) as server:
        await _state_port(next(iter(server.sockets)).getsockname()[1], newest)


async def _state_port(port: int, newest: _Newest) -> None:
    print(json.dumps({"port": port}), flush=True)
    threading.Thread(target=_answer_marks, args=(newest,), daemon=True).start()
    await asyncio.Event().wait()


async def _load(port: int) -> None:
    """Keep every connection busy: the next message leaves when the last was answered."""
    payload = json.dumps(meter_values())
    opened = asyncio.Barrier(CONNECTIONS + 1)

    async def drive(number: int) -> None:
        url = f"ws://127.0.0.1:{port}/ocpp/CP{number}"
        subprotocols = [Subprotocol("ocpp1.6")]
        async with connect(url, subprotocols=subprotocols, compression=None, proxy=None, ping_interval=None) as link:
            await opened.wait()
            sent = 0
            while True:
                sent += 1
                await link.send(f'[2,"{sent}","MeterValues",{payload}]')
                answer = await link.recv()
                if not str(answer).startswith("[3"):
                    raise RuntimeError(f"not answered with a result: {answer!r}")

    drivers = [asyncio.create_task(drive(number)) for number in range(CONNECTIONS)]
    await opened.wait()
    print("open", flush=True)
    await asyncio.gather(*drivers)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", "ours"]:
            asyncio.run(_serve_ours())
        case ["serve", "stock"]:
            asyncio.run(_serve_stock())
        case ["load", port_text]:
            asyncio.run(_load(int(port_text)))
        case _:
            run()
