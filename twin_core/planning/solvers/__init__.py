"""Solvers of one and the same problem: the cheapest powers, proved, each exact for what it says it covers."""
