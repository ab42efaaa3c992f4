"""How long the envelope takes to decide on a large site, in pure Python on one core."""

from __future__ import annotations

import random
import statistics
import time
from datetime import UTC, datetime

from twin_core.models.charger import ChargerSpec, ConnectorSpec
from twin_core.models.events import Event, FallbackConfirmed, GrantAnswered, GrantSent
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.quantities import Instant, Phase, PhaseCurrents
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.safety.envelope import Decision, Envelope, EnvelopeParameters, Wish

N_CHARGERS = 1_000
N_FEEDERS = 50
TICK_S = 10.0
TICKS = 60
CHANGING_PER_TICK = 100
EPOCH = datetime(2026, 6, 1, tzinfo=UTC)


def site(limit_a: float) -> SiteTree:
    """A grid connection, a transformer, 50 feeders of 20 chargers each: 52 nodes above 1,000 chargers."""
    grid = Node(NodeId("grid"), NodeKind.GRID, limit_a=limit_a, limit_kw=limit_a * 0.69)
    transformer = Node(NodeId("transformer"), NodeKind.TRANSFORMER, grid.id, limit_a=limit_a)
    feeders = [Node(NodeId(f"feeder-{i}"), NodeKind.FEEDER, transformer.id, limit_a=320.0) for i in range(N_FEEDERS)]
    tree = SiteTree("depot", (grid, transformer, *feeders))
    nodes, chargers = list(tree.nodes), []
    for number in range(N_CHARGERS):
        charger = ChargerId(f"cp-{number:04d}")
        first = number % 3
        phases = tuple(Phase((first + k) % 3) for k in range(3)) if number % 4 else (Phase(first),)
        chargers.append(ChargerSpec(charger, (ConnectorSpec(ConnectorId(charger, 1), phases=phases),)))
        feeder = feeders[number % N_FEEDERS].id
        nodes.append(Node(NodeId(charger), NodeKind.CHARGER, feeder, limit_a=32.0))
    return SiteTree("depot", tuple(nodes), tuple(chargers))


def _answers(decision: Decision, now: Instant) -> list[Event]:
    events: list[Event] = []
    for grant in decision.grants:
        events.append(GrantSent(at=now, connector_id=grant.connector_id, seq=grant.seq))
        outcome = GrantOutcome.ACCEPTED
        events.append(GrantAnswered(at=now, connector_id=grant.connector_id, seq=grant.seq, outcome=outcome))
    return events


def _row(case: str, limit_a: float) -> dict[str, object]:
    rng = random.Random(7)
    tree = site(limit_a)
    connectors = list(tree.connector_by_id)
    envelope = Envelope(tree, EnvelopeParameters())
    start = Instant(0.0, EPOCH)
    for connector in connectors:
        envelope.observe(FallbackConfirmed(at=start, connector_id=connector, fallback_a=0.0))
    wishes = dict.fromkeys(connectors, 0.0)
    base: dict[NodeId, PhaseCurrents] = {NodeId("grid"): (120.0, 90.0, 100.0)}
    times_ms: list[float] = []
    cpu_ms: list[float] = []
    grants = 0
    for tick in range(TICKS):
        now = start.later(10.0 + tick * TICK_S)
        for connector in rng.sample(connectors, CHANGING_PER_TICK):
            wishes[connector] = rng.choice([0.0, 6.0, 10.0, 16.0, 20.0, 32.0])
        ordered = [Wish(connector, limit_a) for connector, limit_a in wishes.items()]
        began, began_cpu = time.perf_counter(), time.process_time()
        decision = envelope.decide(ordered, base, now)
        times_ms.append(1000 * (time.perf_counter() - began))
        cpu_ms.append(1000 * (time.process_time() - began_cpu))
        grants += len(decision.grants)
        for event in _answers(decision, now.later(0.5)):
            envelope.observe(event)
    times_ms.sort()
    return {
        "case": case,
        "connectors": N_CHARGERS,
        "nodes": 2 + N_FEEDERS,
        "grants_per_tick": round(grants / TICKS, 1),
        "median_ms": round(statistics.median(times_ms), 2),
        "p95_ms": round(times_ms[int(0.95 * len(times_ms))], 2),
        "max_ms": round(times_ms[-1], 2),
        "median_cpu_ms": round(statistics.median(cpu_ms), 2),
    }


def run() -> list[dict[str, object]]:
    """One row for a site with room for everybody, one for a site whose limits bind."""
    return [_row("room for everybody", 40_000.0), _row("limits bind", 6_000.0)]


if __name__ == "__main__":
    for row in run():
        print(row)
