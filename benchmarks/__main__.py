"""`make bench`: run every benchmark, print its rows, write them to `build/bench/NAME.json`."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import envelope_speed, loop_lag, planning
from benchmarks.ocpp import parts as ocpp

BENCHMARKS: dict[str, Callable[[], list[dict[str, object]]]] = {
    "ocpp": ocpp.run,
    "loop_lag": loop_lag.run,
    "planning": planning.run,
    "envelope_speed": envelope_speed.run,
}
OUT = Path("build/bench")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    OUT.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    for name in names or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        load_before = os.getloadavg()[0]
        rows = BENCHMARKS[name]()
        result = {"machine": {**machine, "load_before": round(load_before, 2)}, "rows": rows}
        (OUT / f"{name}.json").write_text(json.dumps(result, indent=2, default=str) + "\n", encoding="utf-8")
    print(f"\nwritten to {OUT}/")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
