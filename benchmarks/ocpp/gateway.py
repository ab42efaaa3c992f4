"""A gateway's process for these benchmarks: central system, inbox, twin and control, on real sockets.

Everything between socket and setpoint is the product's; only the disk is left out. `CHARGERS` chargers of one
connector hang on one grid connection that has room for all.

    python -m benchmarks.ocpp.gateway websockets 100
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Sequence

from benchmarks.ocpp.child import Answer, answer_questions, loop_name, run, state, usage
from connectors.ocpp.central_system import CentralSystem
from connectors.ocpp.settings import CentralSystemSettings
from gateway.clock import WallClock
from gateway.planner_process import InlineSolver
from tests.fakes import ListedChargers, MemoryLedger
from twin_core.cycle import Twin
from twin_core.models import events as ev
from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.runtime import Runtime


def charger_name(number: int) -> ChargerId:
    """What the benchmarks call a charger."""
    return ChargerId(f"CP{number:05d}")


class TakenIn:
    """A journal that writes nothing and counts, by kind, what the twin has taken in."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()

    def record(self, event: ev.Event) -> None:
        """See `Journal.record`."""
        self.events[type(event).__name__] += 1

    async def reserve(self, grants: Sequence[Grant]) -> None:
        """See `Journal.reserve`."""


class Gateway:
    """Everything of a gateway that a message passes."""

    def __init__(self, chargers: int, system: type[CentralSystem], settings: CentralSystemSettings) -> None:
        clock = WallClock()
        tree = site(chargers)
        self.taken_in = TakenIn()
        twin = Twin(tree, since=clock.now().utc)
        self.runtime = Runtime(twin, clock=clock, journal=self.taken_in, solver=InlineSolver("equal_share"))
        directory = ListedChargers({spec.id: spec for spec in tree.chargers})
        self.system = system(settings, clock=clock, sink=self.runtime, ledger=MemoryLedger(), directory=directory)

    async def serve(self) -> None:
        """Listen, control, and answer the parent until it is done."""
        async with self.system:
            control = asyncio.create_task(self.runtime.run(self.system), name="control")
            state(port=self.system.port, loop=loop_name(), **usage())
            await answer_questions(mark=self.mark)
            control.cancel()

    async def mark(self) -> Answer:
        """How far it is."""
        told = self.taken_in.events
        return {**usage(), "connected": len(self.system.connected), "told": dict(told)}


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
    # No charger of flesh and blood sends a thousand messages a second: the flood guard is out of the way here.
    settings = CentralSystemSettings(port=0, messages_per_s=1e6, message_burst=1_000_000)
    system = CentralSystem
    if transport == "picows":
        from benchmarks.ocpp.picows_listener import PicowsCentralSystem  # noqa: PLC0415 -- not always installed

        system = PicowsCentralSystem
    await Gateway(chargers, system, settings).serve()


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2])))
