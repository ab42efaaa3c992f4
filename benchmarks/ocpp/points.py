"""What a virtual charge point costs: memory idle and charging, and how many one core carries in real time."""

from __future__ import annotations

import time

from benchmarks.ocpp.child import Answer, Child
from benchmarks.ocpp.row import Row, judged

POINTS = 1000
MOST_KIB = 50.0
LEAST_A_CORE = 5000
_SETTLE_S = 15.0
_MEASURE_S = 20.0
_PATIENCE_S = 120.0


def rows() -> list[Row]:
    """On real sockets, in a process of their own; each charges a car and reports every five seconds, or idles."""
    idle, _, online = _lived("idle")
    charging, share, drawing = _lived("charging")
    peers = {"peer": "best known simulators", "peer_value": "276 and 530 KiB"}
    whole = drawing == POINTS
    return [
        judged("a virtual charge point, idle: memory", idle, "KiB", most=MOST_KIB, holds=online == POINTS, **peers),
        judged("a virtual charge point, charging: memory", charging, "KiB", most=MOST_KIB, holds=whole, **peers),
        judged(
            "virtual charge points, all charging, that one core carries in real time",
            POINTS / share,
            "charge points",
            least=LEAST_A_CORE,
            holds=whole,
            measured=f"{POINTS:,} of them take {100 * share:.1f} % of a core",
            drawing=drawing,
        ),
    ]


def _lived(what: str) -> tuple[float, float, int]:
    """KiB for each, the share of a core that all take together, and how many do that."""
    do = "drawing" if what == "charging" else "online"
    with (
        Child("gateway", "websockets", POINTS) as gateway,
        Child("crowd", gateway.line()["port"], 0, POINTS, what) as crowd,
    ):
        before = crowd.line()
        crowd.line()
        _wait(crowd, do)
        time.sleep(_SETTLE_S)
        begun, begun_s = crowd.ask("mark"), time.monotonic()
        time.sleep(_MEASURE_S)
        ended, took_s = crowd.ask("mark"), time.monotonic() - begun_s
    kib = (ended["rss_mb"] - before["empty_mb"]) * 1e6 / 1024 / POINTS
    return kib, (ended["cpu_s"] - begun["cpu_s"]) / took_s, ended[do]


def _wait(crowd: Child, what: str) -> Answer:
    """Until all do that, or patience is over."""
    end_s = time.monotonic() + _PATIENCE_S
    while (mark := crowd.ask("mark"))[what] < POINTS and time.monotonic() < end_s:
        time.sleep(0.5)
    return mark
