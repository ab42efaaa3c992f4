"""Crowds at one gateway: ten thousand chargers that idle, and a thousand that come back at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from benchmarks.ocpp.child import Answer, Child
from benchmarks.ocpp.row import Row, judged

IDLE = 10_000
IDLE_MOST_GB = 0.4
RETURNING, OTHERS = 1000, 60
RETURN_MOST_S = 5.0
SETPOINT_MOST_MS = 100.0
_SETTLE_S = 10.0
_PATIENCE_S = 120.0


def idle_rows() -> list[Row]:
    """Memory of the gateway's process with every charger booted, commissioned and silent but for heartbeats."""
    with Child("gateway", "websockets", IDLE) as gateway:
        empty = gateway.line()
        with Child("crowd", empty["port"], 0, IDLE, "idle") as crowd:
            alone, online = crowd.line(), crowd.line()
            full = _all_commissioned(gateway, IDLE)
            time.sleep(_SETTLE_S)
            later = gateway.ask("mark")
    each_kib = (later["rss_mb"] - empty["rss_mb"]) * 1e6 / 1024 / IDLE
    return [
        judged(
            f"{IDLE:,} idle chargers, commissioned, at one gateway: memory of its process",
            later["rss_mb"] / 1000,
            "GB",
            most=IDLE_MOST_GB,
            holds=_commissioned(full) >= IDLE and later["connected"] >= IDLE,
            connected=later["connected"],
            each=f"{each_kib:.1f} KiB beside {empty['rss_mb'] / 1000:.2f} GB without any link",
            cpu=f"{100 * (later['cpu_s'] - full['cpu_s']) / _SETTLE_S:.0f} % of a core",
            charge_points=f"{(online['rss_mb'] - alone['rss_mb']) * 1e6 / 1024 / IDLE:.1f} KiB each for a link",
        )
    ]


def storm_rows() -> list[Row]:
    """How long all are back after their links broke at once, and how long setpoints of the others take meanwhile."""
    chargers = RETURNING + OTHERS
    with Child("gateway", "websockets", chargers) as gateway:
        port = gateway.line()["port"]
        with (
            Child("crowd", port, RETURNING, OTHERS, "charging") as others,
            Child("crowd", port, 0, RETURNING, "idle") as many,
        ):
            for crowd in (others, many):
                crowd.line()
                crowd.line()
            _all_commissioned(gateway, chargers)
            _wait(gateway, lambda mark: mark["full"] >= OTHERS)
            time.sleep(_SETTLE_S)
            quiet = gateway.ask("lower", RETURNING, 5.0)
            before = gateway.ask("mark")
            gateway.tell("storm", RETURNING, _PATIENCE_S)
            time.sleep(0.1)
            cut_s = time.monotonic()
            many.ask("cut")
            storm = gateway.line()
            cpu_s = gateway.ask("mark")["cpu_s"] - before["cpu_s"]
    booted, status, set_up = (math.inf if at_s is None else at_s - cut_s for at_s in storm["happened"].values())
    enough = storm["count"] >= 2 * OTHERS and not storm["unclear"]
    return [
        judged(
            f"{RETURNING:,} chargers whose links break at once: all booted again, statuses in",
            max(booted, status),
            "s",
            most=RETURN_MOST_S,
            set_up_anew=f"{set_up:.2f} s",
            of_which="0.5 to 1 s is the back-off of the charge points",
            cpu=f"{cpu_s:.2f} s of the gateway",
        ),
        judged(
            f"setpoints of {OTHERS} others until the last of them is set up, from decision to answer, p99",
            storm["p99_ms"],
            "ms",
            most=SETPOINT_MOST_MS,
            holds=enough,
            setpoints=storm["count"],
            not_accepted=storm["unclear"],
            without_a_storm=f"{quiet['p99_ms']:.1f} ms",
        ),
    ]


def _commissioned(mark: Answer) -> int:
    return int(mark["commissioned"])


def _all_commissioned(gateway: Child, chargers: int) -> Answer:
    """The gateway's mark once every charger is set up, or when patience is over."""
    return _wait(gateway, lambda mark: _commissioned(mark) >= chargers)


def _wait(gateway: Child, done: Callable[[Answer], bool]) -> Answer:
    end_s = time.monotonic() + _PATIENCE_S
    while not done(mark := gateway.ask("mark")) and time.monotonic() < end_s:
        time.sleep(0.5)
    return mark
