"""A gateway's process for these benchmarks: central system, inbox, twin and control, on real sockets.

Everything between socket and setpoint is the product's; only the disk is left out. `CHARGERS` chargers of one
connector hang on one grid connection that has room for all.

    python -m benchmarks.ocpp.gateway websockets 100
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks.ocpp.child import Answer, answer_questions, loop_name, run, state, usage
from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.settings import CentralSystemSettings
from gateway.clock import WallClock
from gateway.collector import collect_now_and_then, hold_full_collections
from gateway.planner_process import InlineSolver
from tests.fakes import ListedChargers, MemoryLedger
from twin_core.cycle import Twin
from twin_core.models import events as ev
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.runtime import Runtime, RuntimeSettings

_RETURN = ("ChargerBooted", "ConnectorStatusReported", "ChargerCommissioned")
"""What the twin hears of each charger that is back."""

FULL_A = 32.0
"""What a charger is granted that has shown that it keeps its limits."""


def charger_name(number: int) -> ChargerId:
    """What the benchmarks call a charger."""
    return ChargerId(f"CP{number:05d}")


class TakenIn:
    """A journal that writes nothing: it counts, by kind, what the twin has taken in, and times setpoints.

    Attributes:
        back: of each kind in `_RETURN`, which chargers it was of.
        first: chargers before this one have their setpoints neither timed nor judged.
        setpoint_s: of each setpoint, from the decision to its charger's answer in the twin.
        unclear: setpoints that no charger accepted.
        granted_a: what each connector was granted last.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.back: dict[str, set[ChargerId]] = {kind: set() for kind in _RETURN}
        self.first = charger_name(0)
        self.setpoint_s: list[float] = []
        self.unclear = 0
        self.granted_a: dict[ConnectorId, float] = {}
        self._decided_s: dict[tuple[ConnectorId, int], float] = {}

    def record(self, event: ev.Event) -> None:
        """See `Journal.record`."""
        self.events[type(event).__name__] += 1
        match event:
            case ev.ChargerBooted() | ev.ChargerCommissioned():
                self.back[type(event).__name__].add(event.charger_id)
            case ev.ConnectorStatusReported():
                self.back[type(event).__name__].add(event.connector_id.charger)
            case _:
                pass
        if isinstance(event, ev.GrantAnswered) and event.connector_id.charger >= self.first:
            decided_s = self._decided_s.pop((event.connector_id, event.seq), None)
            if event.outcome is not GrantOutcome.ACCEPTED:
                self.unclear += 1
            elif decided_s is not None:
                self.setpoint_s.append(time.monotonic() - decided_s)

    def begin(self, first: int) -> None:
        """Time setpoints anew, of the chargers from `first` on, and see anew who comes back."""
        self.first = charger_name(first)
        self.setpoint_s.clear()
        self.unclear = 0
        for seen in self.back.values():
            seen.clear()

    def returned(self, kind: str) -> int:
        """How many of the chargers before `first` were heard of by that kind."""
        return sum(charger < self.first for charger in self.back[kind])

    async def reserve(self, grants: Sequence[Grant]) -> None:
        """See `Journal.reserve`."""
        for grant in grants:
            self._decided_s[grant.connector_id, grant.seq] = time.monotonic()
            self.granted_a[grant.connector_id] = grant.limit_a


class Gateway:
    """Everything of a gateway that a message passes."""

    def __init__(self, chargers: int, system: type[CentralSystem], settings: CentralSystemSettings) -> None:
        clock = self._clock = WallClock()
        self._limit_a = FULL_A
        tree = site(chargers)
        self.taken_in = TakenIn()
        twin = Twin(tree, since=clock.now().utc)
        solver = InlineSolver("equal_share")
        self.runtime = Runtime(twin, clock=clock, journal=self.taken_in, solver=solver, settings=rhythm(chargers))
        directory = ListedChargers({spec.id: spec for spec in tree.chargers})
        self.system = system(settings, clock=clock, sink=self.runtime, ledger=MemoryLedger(), directory=directory)

    async def serve(self) -> None:
        """Listen, control, and answer the parent until it is done."""
        async with self.system:
            control = asyncio.create_task(self.runtime.run(self.system), name="control")
            garbage = asyncio.create_task(collect_now_and_then(), name="garbage")
            state(port=self.system.port, loop=loop_name(), **usage())
            await answer_questions(mark=self.mark, lower=self.lower, storm=self.storm)
            for task in (control, garbage):
                task.cancel()

    async def mark(self) -> Answer:
        """How far it is."""
        told, commissioned = self.taken_in.events, len(self.taken_in.back["ChargerCommissioned"])
        full = sum(limit_a >= FULL_A for limit_a in self.taken_in.granted_a.values())
        counted = {"connected": len(self.system.connected), "commissioned": commissioned, "full": full}
        return {**usage(), **counted, "told": dict(told)}

    async def lower(self, first: str, seconds: str) -> Answer:
        """Lower the limits of the chargers from `first` on for a while, and tell how long setpoints took."""
        self.taken_in.begin(int(first))
        try:
            async with asyncio.timeout(float(seconds)):
                await self._keep_lowering(int(first))
        except TimeoutError:
            pass
        return self._setpoints()

    async def storm(self, others: str, patience_s: str) -> Answer:
        """The same from now until the chargers before `others` have booted, said how they are, and are set up anew.

        Returns:
            Moments on the machine's monotonic clock; None for what did not happen in time.
        """
        self.taken_in.begin(int(others))
        lowering = asyncio.create_task(self._keep_lowering(int(others)))
        happened: dict[str, float | None] = dict.fromkeys(_RETURN)
        end_s = time.monotonic() + float(patience_s)
        while None in happened.values() and time.monotonic() < end_s:
            await asyncio.sleep(0.01)
            for what, since_s in happened.items():
                if since_s is None and self.taken_in.returned(what) >= int(others):
                    happened[what] = time.monotonic()
        lowering.cancel()
        return {**self._setpoints(), "happened": happened}

    def _setpoints(self) -> Answer:
        taken_s = sorted(self.taken_in.setpoint_s)
        worst_s = taken_s[min(len(taken_s) - 1, int(0.99 * len(taken_s)))] if taken_s else math.nan
        return {"count": len(taken_s), "unclear": self.taken_in.unclear, "p99_ms": 1e3 * worst_s}

    async def _keep_lowering(self, first: int) -> None:
        """Half an ampere less for one after the other, all of them twice a second, each time worth a setpoint."""
        connectors = [each for each in self.runtime.twin.state.connectors if each.charger >= charger_name(first)]
        while True:
            self._limit_a -= 0.5
            for connector in connectors:
                now = self._clock.now()
                limited = ev.ConnectorLimited(at=now, connector_id=connector, limit_a=self._limit_a, source="benchmark")
                self.runtime.put(limited)
                await asyncio.sleep(0.5 / len(connectors))


def rhythm(chargers: int) -> RuntimeSettings:
    """By default, and slower with thousands of chargers: a tick takes 10 ms for each thousand."""
    return RuntimeSettings() if chargers <= 2000 else RuntimeSettings(tick_s=20.0, plan_spacing_s=20.0)


def site(chargers: int) -> SiteTree:
    """Chargers straight below a grid connection with room for all."""
    specs = [
        ChargerSpec(charger_name(number), (ConnectorSpec(ConnectorId(charger_name(number), 1)),))
        for number in range(chargers)
    ]
    grid = Node(NodeId("grid"), NodeKind.GRID, None, limit_a=40.0 * chargers)
    nodes = [Node(NodeId(spec.id), NodeKind.CHARGER, grid.id, limit_a=spec.supply_max_a) for spec in specs]
    return SiteTree("bench", (grid, *nodes), tuple(specs))


async def main(transport: str, chargers: int) -> None:
    """Serve over one transport."""
    logging.disable(logging.WARNING)
    hold_full_collections()
    # No charger of flesh and blood sends a thousand messages a second: the flood guard is out of the way here.
    settings = CentralSystemSettings(port=0, messages_per_s=1e6, message_burst=1_000_000)
    system = CentralSystem
    if transport == "picows":
        from benchmarks.ocpp.picows_listener import PicowsCentralSystem  # noqa: PLC0415 -- not always installed

        system = PicowsCentralSystem
    await Gateway(chargers, system, settings).serve()


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2])))
