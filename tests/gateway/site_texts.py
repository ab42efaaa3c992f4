"""A small depot as text, and the same with one thing made wrong."""

from __future__ import annotations

GOOD = """
name = "small"
timezone = "Europe/Amsterdam"

[grid]
id = "grid"
limit_a = 63.0
metered = true

[[nodes]]
id = "feeder"
limit_a = 40.0

[[chargers]]
id = "CP1"
parent = "feeder"

[[chargers]]
id = "CP2"

[[meters]]
node = "grid"
topic = "main/status/em:0"

[mqtt]
host = "127.0.0.1"

[panel]
port = 0

[ocpp]
port = 0

[control]
planner = "edf"
"""


def with_line(table: str, line: str) -> str:
    """The good site with one line more in a table; "" is the top of the file."""
    if not table:
        return f"{line}\n{GOOD}"
    assert table in GOOD
    return GOOD.replace(table, f"{table}\n{line}", 1)


def changed(old: str, new: str) -> str:
    """The good site with a piece of text exchanged."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)
