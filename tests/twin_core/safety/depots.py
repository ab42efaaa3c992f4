"""Small sites and the facts chargers would report, for tests of the envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.fakes import instant
from twin_core.models.charger import ChargerSpec, ConnectorReading, ConnectorSpec
from twin_core.models.events import ConnectorMetered, FallbackConfirmed, GrantAnswered, GrantSent, LimitChanged
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId, ConnectorId, NodeId
from twin_core.models.quantities import ALL_PHASES, Phase, PhaseCurrents
from twin_core.models.site import Node, NodeKind, SiteTree
from twin_core.safety.envelope import Decision, Envelope, EnvelopeParameters, Wish

GRID = NodeId("grid")
PARAMETERS = EnvelopeParameters()


def outlet(name: str, number: int = 1) -> ConnectorId:
    return ConnectorId(ChargerId(name), number)


def connector(
    name: str, number: int = 1, *, phases: tuple[Phase, ...] = ALL_PHASES, known: bool = True, **options: float
) -> ConnectorSpec:
    return ConnectorSpec(outlet(name, number), phases=phases, rotation_known=known, **options)


def site(limit_a: float, *connectors: ConnectorSpec, limit_kw: float | None = None) -> SiteTree:
    """All connectors straight below a grid connection; those of one name share a charger."""
    by_charger: dict[ChargerId, list[ConnectorSpec]] = {}
    for spec in connectors:
        by_charger.setdefault(spec.id.charger, []).append(spec)
    nodes = [Node(GRID, NodeKind.GRID, limit_a=limit_a, limit_kw=limit_kw)]
    nodes += [Node(NodeId(name), NodeKind.CHARGER, GRID, limit_a=32.0) for name in by_charger]
    chargers = tuple(ChargerSpec(name, tuple(specs)) for name, specs in by_charger.items())
    return SiteTree("depot", tuple(nodes), chargers)


class Desk:
    """An envelope with its chargers' answers at hand."""

    def __init__(self, tree: SiteTree, *, confirmed: bool = True, parameters: EnvelopeParameters = PARAMETERS) -> None:
        self.envelope = Envelope(tree, parameters)
        if confirmed:
            for spec in tree.connector_by_id.values():
                self.confirm(spec.id, spec.fallback_a, -10.0)

    def confirm(self, connector_id: ConnectorId, fallback_a: float, at_s: float) -> None:
        event = FallbackConfirmed(at=instant(at_s), connector_id=connector_id, fallback_a=fallback_a)
        self.envelope.observe(event)

    def decide(
        self,
        at_s: float,
        wishes: Mapping[str | ConnectorId, float],
        base: Mapping[NodeId, PhaseCurrents] | None = None,
    ) -> Decision:
        asked = [Wish(outlet(key) if isinstance(key, str) else key, limit_a) for key, limit_a in wishes.items()]
        return self.envelope.decide(asked, base or {}, instant(at_s))

    def answer(self, grants: Iterable[Grant], at_s: float, outcome: GrantOutcome = GrantOutcome.ACCEPTED) -> None:
        for grant in grants:
            sent = GrantSent(at=instant(at_s), connector_id=grant.connector_id, seq=grant.seq)
            self.envelope.observe(sent)
            self.envelope.observe(
                GrantAnswered(at=instant(at_s), connector_id=grant.connector_id, seq=grant.seq, outcome=outcome)
            )

    def settle(self, at_s: float, wishes: Mapping[str | ConnectorId, float]) -> Decision:
        """A decision that every charger accepts at once."""
        decision = self.decide(at_s, wishes)
        self.answer(decision.grants, at_s)
        return decision

    def worst_a(self, name: str, at_s: float) -> float:
        return self.envelope.worst_a(outlet(name), instant(at_s))


def limits(decision: Decision) -> dict[str, float]:
    """Limits granted in a decision, by charger."""
    return {grant.connector_id.charger: grant.limit_a for grant in decision.grants}


def sample(name: str, at_s: float, current_a: float | None = None, **reading: float) -> ConnectorMetered:
    """A sample with the same current on every phase."""
    currents = None if current_a is None else (current_a,) * 3
    return ConnectorMetered(
        at=instant(at_s), connector_id=outlet(name), reading=ConnectorReading(current_a=currents, **reading)
    )


def three(limit_a: float = 40.0, **options: float) -> Desk:
    """Three chargers, a, b and c, on one limit."""
    return Desk(site(limit_a, connector("a", **options), connector("b", **options), connector("c", **options)))


def limit_changed(limit_a: float | None, at_s: float) -> LimitChanged:
    """The limit of the grid connection is another from a moment on."""
    return LimitChanged(at=instant(at_s), node_id=GRID, limit_a=limit_a, limit_kw=None)
