"""How fast, how many and how correct, over OCPP: `make bench-ocpp`.

Every gateway, peer and crowd of charge points runs in a process of its own, on real sockets on loopback, and states its
own CPU time and memory. A row has its aim beside it and says whether it was reached; what cannot be measured here is
skipped by name. `python -m benchmarks.ocpp throughput` makes the rows of one part alone, without writing them.
"""
