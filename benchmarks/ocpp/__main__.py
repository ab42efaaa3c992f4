"""Some parts of the benchmark, printed only: `python -m benchmarks.ocpp throughput`."""

from __future__ import annotations

import sys

from benchmarks.ocpp.parts import PARTS, run

if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(PARTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    run(tuple(sys.argv[1:]) or tuple(PARTS))
