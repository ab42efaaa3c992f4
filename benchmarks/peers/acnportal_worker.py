"""ACN-Sim under its least-laxity-first algorithm on a problem from standard input; runs in an environment of its own.

In:  what `environment.question` makes, and "repeats"
Out: {"ms": [...], "version": "...", "kwh": ...}
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from acnportal import acnsim, algorithms

VOLTAGE_V = 690.0
"""Three phases at 230 V as one, so that a rate in A is a power."""


def main() -> None:
    """Simulate the day several times, and say how long each took."""
    asked = json.load(sys.stdin)
    times_ms = []
    for _ in range(asked["repeats"]):
        simulator = _simulator(asked)
        begun_s = time.perf_counter()
        simulator.run()
        times_ms.append((time.perf_counter() - begun_s) * 1e3)
    delivered_kwh = float(sum(ev.energy_delivered for ev in simulator.ev_history.values()))
    print("\n" + json.dumps({"ms": times_ms, "version": version("acnportal"), "kwh": delivered_kwh}))


def _simulator(asked: dict[str, Any]) -> acnsim.Simulator:
    network, events = acnsim.ChargingNetwork(), acnsim.EventQueue()
    for number, car in enumerate(asked["cars"]):
        station = f"station {number}"
        network.register_evse(acnsim.EVSE(station, max_rate=car["max_kw"] * 1e3 / VOLTAGE_V), VOLTAGE_V, 0)
        battery = acnsim.Battery(car["energy_kwh"], 0, car["max_kw"])
        vehicle = acnsim.EV(car["first"], car["last"], car["energy_kwh"], station, f"car {number}", battery)
        events.add_event(acnsim.PluginEvent(car["first"], vehicle))
    stations = [f"station {number}" for number in range(len(asked["cars"]))]
    network.add_constraint(acnsim.Current(stations), asked["limit_kw"][0] * 1e3 / VOLTAGE_V, name="site")
    algorithm = algorithms.SortedSchedulingAlgo(algorithms.least_laxity_first)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    return acnsim.Simulator(network, algorithm, events, start, period=asked["step_h"] * 60, verbose=False)


if __name__ == "__main__":
    main()
