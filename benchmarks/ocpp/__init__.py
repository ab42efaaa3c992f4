"""How fast, how many and how correct, over OCPP: `make bench-ocpp`.

Every gateway, peer and crowd of charge points runs in a process of its own, on real sockets on loopback, and states its
own CPU time and memory. A row has its aim beside it and says whether it was reached; what cannot be measured here is
skipped by name. `python -m benchmarks.ocpp throughput` makes the rows of one part alone, without writing them.
"""

from __future__ import annotations

from benchmarks.ocpp.parts import PARTS
from benchmarks.ocpp.row import Row, shown


def run(names: tuple[str, ...] = tuple(PARTS)) -> list[Row]:
    """Make and print the rows of some parts, all of them by default."""
    rows: list[Row] = []
    for name in names:
        for row in PARTS[name]():
            print(shown(row), flush=True)
            rows.append(row)
    return rows
