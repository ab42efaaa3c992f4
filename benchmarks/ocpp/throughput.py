"""MeterValues per CPU-second: ours through socket, router and twin beside the stock library, and beside picows.

Servers take turns in one run, each in a process of its own that states its own CPU time; medians are compared.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from statistics import median

from benchmarks.ocpp.child import Answer, Child
from benchmarks.ocpp.row import Row, judged, skipped
from benchmarks.peers.environment import library_folder

CONNECTIONS = 100
TURNS = 3
WARM_UP_S = 1.0
MEASURE_S = 3.0
LEAST_PER_CPU_S = 10_000
LEAST_TIMES_STOCK = 9.0

_SERVERS = {
    "ours": ("gateway", "websockets", CONNECTIONS),
    "stock": ("stock",),
    "ours on picows": ("gateway", "picows", CONNECTIONS),
    "echo on websockets": ("echo", "websockets"),
    "echo on picows": ("echo", "picows"),
}


def rows() -> list[Row]:
    """Ours with its aims, and the rest for information."""
    loop = ""
    there = library_folder("wire") is not None
    servers = [name for name in _SERVERS if there or "picows" not in name]
    rates: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(TURNS):
        for name in servers:
            rate, loop = _measured(name)
            rates[name].append(rate)
    medians = {name: median(found) for name, found in rates.items()}
    ratio = median([a / b for a, b in zip(rates["ours"], rates["stock"], strict=True)])
    what = "MeterValues with 10 samples"
    stock = {"peer": f"ocpp {version('ocpp')}, same loop and sockets", "peer_value": round(medians["stock"])}
    found = [
        judged(
            f"{what} through socket, router and twin",
            medians["ours"],
            "messages per CPU-second",
            least=LEAST_PER_CPU_S,
            spread=_spread(rates["ours"]),
            loop=loop,
            **stock,
        ),
        judged(
            "the same over the stock library, median of turns", ratio, "times as many", least=LEAST_TIMES_STOCK, **stock
        ),
    ]
    for name in ("ours on picows", "echo on websockets", "echo on picows"):
        if name not in medians:
            found.append(skipped(f"{what}, {name}", "picows could not be installed"))
            continue
        spread = _spread(rates[name])
        found.append(judged(f"{what}, {name}", medians[name], "messages per CPU-second", spread=spread))
    return found


def _measured(name: str) -> tuple[float, str]:
    """Messages per CPU-second of one server under load, and its event loop."""
    with Child(*_SERVERS[name]) as server:
        greeting = server.line()
        with Child("load", greeting["port"], CONNECTIONS) as load:
            load.line()  # every charger charges
            time.sleep(WARM_UP_S)
            before = server.ask("mark")
            time.sleep(MEASURE_S)
            after = server.ask("mark")
    return (_messages(after) - _messages(before)) / (after["cpu_s"] - before["cpu_s"]), greeting["loop"]


def _messages(mark: Answer) -> int:
    """Of a gateway those count that reached its twin."""
    return int(mark["told"]["ConnectorMetered"] if "told" in mark else mark["messages"])


def _spread(rates: list[float]) -> str:
    return f"{min(rates):,.0f} to {max(rates):,.0f}"
