"""What the envelope is asked for and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from twin_core.models.grant import Grant
from twin_core.models.ids import ConnectorId, NodeId
from twin_core.models.quantities import PhaseCurrents


@dataclass(frozen=True, slots=True)
class Wish:
    """A current per phase that somebody would like a connector to have; anything not finite or below 0 counts as 0."""

    connector_id: ConnectorId
    limit_a: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Allotment:
    """What became of a connector in a decision.

    Attributes:
        wish_a: what was wished for; 0 when nobody wished.
        limit_a: the limit last asked of the charger, or its fallback where nothing asked is in force.
        worst_a: current per phase it is counted at.
        bound_by: why the limit is below the wish: a row of the site ("grid L1", "feeder-a kW"), "hardware",
            "minimum 6 A", "not verified", "restart"; empty when it is not.
        seq: the grant behind the limit; None where the fallback rules.
    """

    wish_a: float
    limit_a: float
    worst_a: float
    bound_by: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class NodeMargin:
    """How close the worst case comes to a node's limits, the grants of this decision included.

    Attributes:
        worst_a: current of all chargers below, if each drew all it may.
        base_a: everything else, as handed in.
        margin_a: what is left on the fullest phase; None where no current limit is set, negative while shedding.
        margin_kw: what is left of the power limit at the highest voltage; None where none is set.
    """

    limit_a: float | None
    limit_kw: float | None
    worst_a: PhaseCurrents
    base_a: PhaseCurrents
    margin_a: float | None
    margin_kw: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The grants to send, and why nobody got more.

    Attributes:
        grants: in the order to send them: decreases first.
        shedding: True while the worst case exceeds a limit somewhere; nothing rises there until it holds again.
    """

    grants: tuple[Grant, ...]
    allotments: dict[ConnectorId, Allotment]
    margins: dict[NodeId, NodeMargin]
    shedding: bool
